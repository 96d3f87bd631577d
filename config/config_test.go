package config_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
)

// whole is a configuration that uses every part.
const whole = `
listen: 127.0.0.1:8080
data_dir: ./data
admin_key: ${env:ADMIN_KEY}
max_body: 64MiB
log: {level: debug, format: json}
connections:
  - name: xai
    provider: xai
    base_url: https://api.x.ai/v1/
    credentials: {api_key: "${env:XAI_API_KEY}"}
    timeouts: {connect: 5s, first_byte: 120s, idle: 60s, total: 15m}
  - name: east
    provider: azure
    base_url: https://east.example.com
    api_version: 2024-10-21
    region: eastus
    headers: {X-Team: "team-${env:TEAM}"}
    credentials:
      api_key: ${file:azure.key}
deployments:
  - name: grok
    aliases: ["grok-*"]
    model: xai/grok-4.7
    strategy: ordered
    targets:
      - {connection: east, upstream_model: grok-on-azure, weight: 1, priority: 2, price: {input_usd_per_million: 3, output_usd_per_million: 15.5, cache_read_usd_per_million: 0}}
      - {connection: xai, upstream_model: grok-4.7, weight: 1, priority: 1}
    parameters: report
    lossy: refuse
    guardrail: standard
    limits: {requests_per_minute: 600, tokens_per_minute: 400000, concurrent: 50}
    retry: {attempts: 5}
  - name: xai/any
    aliases: ["xai/*"]
    targets: [{connection: xai, upstream_model: "*", traits: {refuses: [stop], capabilities: {tools: true}}}]
budgets:
  - {name: lab, scope: {project: default}, amount_usd: 500, window: month, kind: hard}
keys:
  - {name: dev, project: default, secret: "${env:DEV_KEY}", expires: 2027-01-31}
`

func environment() config.Env {
	env := map[string]string{
		"ADMIN_KEY": "an-administrators-key", "XAI_API_KEY": "xai-secret-1", "TEAM": "blue",
		"DEV_KEY": "a-developers-own-key", "EMPTY": "", "SHORT": "tooshort", "NUMBER": "17",
	}
	files := map[string]string{"azure.key": "azure-secret-1\n"}
	return config.Env{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if v, ok := files[path]; ok {
				return []byte(v), nil
			}
			return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
		},
	}
}

func mac(s plenum.Secret) [32]byte { return sha256.Sum256([]byte(s.Reveal())) }

func options() config.Options {
	apiKey := config.Field{Name: "api_key", Secret: true, Required: true, Env: []string{"XAI_API_KEY"}}
	return config.Options{
		MAC: mac,
		Kinds: []config.Kind{
			{Name: "xai", BaseURL: "https://api.x.ai/v1", Fields: []config.Field{apiKey}, Traits: plenum.Traits{NoDeveloper: true}},
			{Name: "azure", Fields: []config.Field{apiKey, {Name: "api_version", Default: "v1"}}},
		},
		Offer: func(provider, upstream, _ string) (plenum.Offer, bool) {
			if provider != "xai" || !strings.HasPrefix(upstream, "grok") {
				return plenum.Offer{}, false
			}
			price := plenum.Price{Known: true, Source: "catalog", Input: 2_000_000, Output: 6_000_000}
			return plenum.Offer{Model: "xai/" + upstream, Context: 1000, Price: price}, true
		},
	}
}

func compile(t *testing.T, text string, o config.Options) *config.Snapshot {
	t.Helper()
	f, err := config.Parse("plenum.yaml", []byte(text), environment())
	if err != nil {
		t.Fatal(err)
	}
	s, err := config.Compile(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheWholeConfigurationCompiles(t *testing.T) {
	s := compile(t, whole, options())
	d, ok := s.Deployment("grok")
	if !ok {
		t.Fatal("no deployment grok")
	}
	want := &plenum.Deployment{
		Name: "grok", Aliases: []string{"grok-*"}, Model: "xai/grok-4.7", Strategy: plenum.Ordered,
		Parameters: plenum.ParamReport, Structured: plenum.StructuredAuto, RefuseLoss: true, Guardrail: "standard", Declared: "plenum.yaml",
		Retry: plenum.Retry{Attempts: 5, MaxWait: 10 * time.Second},
		Targets: []plenum.Target{
			{Weight: 1, Priority: 1, Offer: plenum.Offer{
				ID: "xai/grok-4.7", Connection: "xai", Provider: "xai", Model: "xai/grok-4.7", Upstream: "grok-4.7",
				Context: 1000, Traits: plenum.Traits{NoDeveloper: true},
				Price: plenum.Price{Known: true, Source: "catalog", Input: 2_000_000, Output: 6_000_000},
			}},
			{Weight: 1, Priority: 2, Offer: plenum.Offer{
				ID: "east/grok-on-azure", Connection: "east", Provider: "azure", Model: "xai/grok-4.7",
				Upstream: "grok-on-azure", Region: "eastus",
				Price: plenum.Price{
					Known: true, Source: "configuration", Input: 3_000_000, CacheRead: 0,
					CacheWrite5m: 3_000_000, CacheWrite1h: 3_000_000, InputAudio: 3_000_000, InputImage: 3_000_000,
					Output: 15_500_000, Reasoning: 15_500_000, OutputAudio: 15_500_000, OutputImage: 15_500_000,
				},
			}},
		},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	if alias, _ := s.Deployment("grok-latest"); alias != d {
		t.Error("the alias does not lead to the deployment")
	}
	east, _ := s.Connection("east")
	if got := east.Headers["X-Team"].Reveal(); got != "team-blue" {
		t.Errorf("header is %q", got)
	}
	if got := east.Credentials["api_key"].Reveal(); got != "azure-secret-1" {
		t.Errorf("credential is %q: a line break at the end of a file is not part of it", got)
	}
	if got := east.Settings["api_version"]; got != "2024-10-21" {
		t.Errorf("api_version is %q", got)
	}
	if c, _ := s.Connection("xai"); c.BaseURL != "https://api.x.ai/v1" || c.Timeouts.Total != 15*time.Minute {
		t.Errorf("connection is %+v", c)
	}
	if strings.Contains(fmt.Sprintf("%+v", s.Declared), "secret-1") {
		t.Error("printing the configuration shows a secret")
	}
}

func TestAStarInTheUpstreamModelIsWhatTheAliasMatched(t *testing.T) {
	s := compile(t, whole, options())
	d, ok := s.Deployment("xai/grok-5:fast")
	if !ok {
		t.Fatal("not found")
	}
	o := d.Targets[0].Offer
	if o.Upstream != "grok-5:fast" || o.ID != "xai/grok-5:fast" || o.Model != "xai/grok-5:fast" || !o.Price.Known {
		t.Errorf("offer is %+v", o)
	}
	want := plenum.Traits{NoDeveloper: true, Refuses: []string{"stop"}, Capabilities: plenum.Capabilities{Tools: plenum.Yes}}
	if diff := cmp.Diff(want, o.Traits); diff != "" {
		t.Error(diff)
	}
	if again, _ := s.Deployment("xai/grok-5:fast"); again != d {
		t.Error("the bound deployment is made anew each time")
	}
	if _, ok := s.Deployment("xai/any"); !ok {
		t.Error("xai/any fits its own alias")
	}
	if got := s.Callable(); len(got) != 1 || got[0].Name != "grok" {
		t.Errorf("callable: %v", got)
	}
}

func TestKeysAreFoundByTheirMAC(t *testing.T) {
	o := options()
	stored := mac(plenum.NewSecret("stored"))
	o.Keys = []plenum.Key{{ID: "k1", Name: "stored", MAC: stored[:]}}
	s := compile(t, whole, o)
	k, ok := s.Key(mac(plenum.NewSecret("a-developers-own-key")))
	if !ok || k.Name != "dev" || k.Project != "default" || k.Expires != time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("key is %+v", k)
	}
	if k.Prefix != "a-dev" {
		t.Errorf("prefix is %q", k.Prefix)
	}
	if k, ok := s.Key(mac(plenum.NewSecret("an-administrators-key"))); !ok || !k.Principal().Admin {
		t.Error("the administrator's key is not found")
	}
	if k, ok := s.Key(stored); !ok || k.ID != "k1" {
		t.Error("the store's key is not found")
	}
	if _, ok := s.Key(mac(plenum.NewSecret("' OR '1'='1"))); ok {
		t.Error("a wrong key is found")
	}
}

func TestConnectMakesAHandleAndItsErrorHasAPlace(t *testing.T) {
	o := options()
	o.Connect = func(c *config.Connection) (any, error) { return "made " + c.Name, nil }
	if c, _ := compile(t, whole, o).Connection("east"); c.Handle != "made east" {
		t.Errorf("handle is %v", c.Handle)
	}
	o.Connect = func(*config.Connection) (any, error) { return nil, errors.New("no such region") }
	f, err := config.Parse("plenum.yaml", []byte(whole), environment())
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Compile(f, o)
	want := "plenum.yaml:8:5: connections[0]: no such region\nplenum.yaml:13:5: connections[1]: no such region"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v", err)
	}
}

func TestAnEmptyFileMeansTheDefaults(t *testing.T) {
	f, err := config.Parse("plenum.yaml", []byte("{}"), environment())
	if err != nil {
		t.Fatal(err)
	}
	if f.MaxBody != 64<<20 || f.Listen != "127.0.0.1:8080" || f.MaxDepth != 1000 || f.Drain != 30*time.Second || f.Retry.Attempts != 3 {
		t.Errorf("defaults are %+v", f)
	}
}

func TestDefaultsTakeConnectionsFromTheEnvironment(t *testing.T) {
	o := options()
	o.Kinds = append(o.Kinds, config.Kind{
		Name: "host", BaseURL: "https://host.example.com",
		Fields: []config.Field{{Name: "api_key", Secret: true, Required: true, Env: []string{"NONE", "DEV_KEY"}}},
	}, config.Kind{Name: "local", BaseURL: "http://127.0.0.1:1"})
	f := config.Defaults(environment(), config.Known{
		Kinds: o.Kinds,
		Models: func(p string) []string {
			return map[string][]string{"xai": {"grok-4", "a b"}, "host": {"grok-4", "m/x"}}[p]
		},
		Patterns: func(p string) []string { return map[string][]string{"xai": {"grok-*"}}[p] },
	})
	s, err := config.Compile(f, o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range []string{"grok-4", "grok-9", "xai/grok-9", "m/x", "host/y/z", "azure/x"} {
		d, ok := s.Deployment(name)
		if !ok {
			got = append(got, name+": none")
			continue
		}
		line := name + ":"
		for _, t := range d.Targets {
			line += " " + t.Offer.ID
		}
		got = append(got, line)
	}
	want := []string{
		"grok-4: xai/grok-4 host/grok-4", "grok-9: xai/grok-9", "xai/grok-9: xai/grok-9",
		"m/x: host/m/x", "host/y/z: host/y/z", "azure/x: none",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
