package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/engine"
)

// kit is an engine that is here or not.
type kit struct {
	engine.Engine
	settings engine.Settings
	here     bool
	slow     bool
}

func (k *kit) Probe(ctx context.Context) (engine.Presence, error) {
	if k.slow {
		<-ctx.Done()
		return engine.Presence{}, ctx.Err()
	}
	return engine.Presence{Installed: k.here}, nil
}

func kinds(names ...string) Parts {
	var parts Parts
	for _, name := range names {
		kind, how, _ := strings.Cut(name, ":")
		parts.Engines = append(parts.Engines, engine.Kind{Name: kind, New: func(s engine.Settings) engine.Engine {
			return &kit{settings: s, here: how == "here", slow: how == "slow"}
		}})
	}
	return parts
}

func TestTheEngineThatIsReadyIsChosenAndElseTheLast(t *testing.T) {
	for name, c := range map[string]struct {
		parts Parts
		asked string
		want  string
	}{
		"the first is ready":         {kinds("ollama:here", "llamacpp:here"), "auto", "ollama"},
		"the first is not":           {kinds("ollama", "llamacpp"), "auto", "llamacpp"},
		"the first does not answer":  {kinds("ollama:slow", "llamacpp"), "auto", "llamacpp"},
		"asked for, ready or not":    {kinds("ollama", "llamacpp:here"), "ollama", "ollama"},
		"asked for none":             {kinds("ollama:here", "llamacpp:here"), "none", ""},
		"a build without any engine": {Parts{}, "auto", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, eng := chooseEngine(t.Context(), c.parts, upOptions{engine: c.asked, offline: true})
			if got != c.want || (eng == nil) != (c.want == "") {
				t.Fatalf("chose %q, want %q", got, c.want)
			}
			if eng != nil && !eng.(*kit).settings.Offline {
				t.Error("the engine was not told that it must not fetch")
			}
		})
	}
}

func TestWhatAnEngineOffersBecomesDeploymentsBesideTheVendors(t *testing.T) {
	f := config.New()
	f.Deployments = []config.Deployment{{Name: "taken"}}
	e := engine.Endpoint{BaseURL: "http://127.0.0.1:1/v1", Key: plenum.NewSecret("k"), Models: []engine.Model{{ID: "taken", Context: 4096}, {ID: "free:latest"}}}
	before := f.Deployments
	addEngine(f, "ollama", e)
	var names []string
	for _, d := range f.Deployments {
		names = append(names, d.Name)
	}
	if d := cmp.Diff([]string{"taken", "local/taken", "free:latest"}, names); d != "" {
		t.Errorf("deployments (-want +got):\n%s", d)
	}
	if len(before) != 1 || f.Connections[0].Provider != "ollama" {
		t.Errorf("the connection is of %q, want ollama", f.Connections[0].Provider)
	}
	if got := localModel(names, e); got != "local/taken" {
		t.Errorf("the example is %q", got)
	}
	target := f.Deployments[1].Targets[0]
	if target.Upstream != "taken" || target.Context != 4096 || target.Price == nil || *target.Price.Input != 0 || target.Traits != nil {
		t.Errorf("the target is %+v", target)
	}
}

func TestTheSmallModelCallsNoTools(t *testing.T) {
	f := embeddedDefaults(Parts{Providers: all.Providers()}, upOptions{listen: "127.0.0.1:0", dataDir: t.TempDir(), log: "warn"})
	addEngine(f, "llamacpp", engine.Endpoint{BaseURL: "http://127.0.0.1:1/v1", Models: []engine.Model{{ID: "tiny", Context: 4096}}})
	s, err := understand(Parts{Providers: all.Providers()}, f)
	if err != nil {
		t.Fatal(err)
	}
	d, ok := s.Deployment("tiny")
	if !ok || d.Targets[0].Offer.Traits.Capabilities.Tools != plenum.No {
		t.Errorf("the target is %+v", d)
	}
	if price := d.Targets[0].Offer.Price; !price.Known || price.Input != 0 {
		t.Errorf("its price is %+v, want one that is known to be nothing", price)
	}
}

func TestTheExampleIsTheCheapestModel(t *testing.T) {
	parts := Parts{Providers: all.Providers()}
	t.Setenv("OPENAI_API_KEY", "sk-of-a-test")
	t.Setenv("ANTHROPIC_API_KEY", "sk-of-a-test")
	s, err := understand(parts, embeddedDefaults(parts, upOptions{listen: "127.0.0.1:0", dataDir: t.TempDir(), log: "warn"}))
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{current: &config.Current{}}
	n.current.Store(s)
	got, ok := s.Deployment(n.example())
	if !ok || !got.Targets[0].Offer.Price.Known {
		t.Fatalf("the example is %q, of no known price", n.example())
	}
	least := got.Targets[0].Offer.Price.Input + got.Targets[0].Offer.Price.Output
	for _, d := range s.Callable() {
		if p := d.Targets[0].Offer.Price; p.Known && p.Input+p.Output > 0 && p.Input+p.Output < least {
			t.Errorf("%s is cheaper than %s", d.Name, got.Name)
		}
	}
	if len(catalog.New().Models("openai")) > 0 && len(s.Callable()) < 2 {
		t.Errorf("there are %d models", len(s.Callable()))
	}
}

func TestWhatAPersonReadsAtTheFirstStart(t *testing.T) {
	var out strings.Builder
	g := &greeter{out: &out, url: "http://127.0.0.1:9000", key: plenum.NewSecret("plenum_sk_x"), dir: "/data", self: "plenum"}
	g.hello()
	g.doing("looking for llama.cpp")
	g.doing("looking for llama.cpp")
	g.progress(engine.Progress{Doing: "fetching a", Done: 15e6, Total: 100e6})
	g.progress(engine.Progress{Doing: "fetching a", Done: 16e6, Total: 100e6})
	g.progress(engine.Progress{Doing: "fetching a", Done: 100e6, Total: 100e6})
	g.ready("tiny", []string{"tiny"})
	g.ready("tiny", []string{"tiny"})
	g.doing("starting llama.cpp")
	g.stopping(2)
	g.engineFailed(errors.New("too late"), "", nil)
	want := `
Plenum ` + plenum.Version + `

  URL   http://127.0.0.1:9000
  Key   plenum_sk_x
        shown this once: keep it
  Data  /data

  Looking for llama.cpp ...
   10 % of 100 MB: fetching a
  100 % of 100 MB: fetching a
  Ready. Models: tiny

  Paste this into another terminal:

  curl -N http://127.0.0.1:9000/v1/chat/completions \
    -H "Authorization: Bearer plenum_sk_x" \
    -H "Content-Type: application/json" \
    -d '{"model": "tiny", "stream": true,
         "messages": [{"role": "user", "content": "What is gravity?"}]}'

  Or talk to it there:

  PLENUM_KEY=plenum_sk_x plenum chat --url http://127.0.0.1:9000

  Any OpenAI SDK works with the base URL http://127.0.0.1:9000/v1,
  any Anthropic SDK with http://127.0.0.1:9000, and the same key. Ctrl-C stops.

  Stopping: 2 calls being answered. Ctrl-C again cuts off.
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("what is read (-want +got):\n%s", d)
	}
}

func TestWhatAPersonReadsWithoutALocalModel(t *testing.T) {
	var out strings.Builder
	g := &greeter{out: &out, url: "http://127.0.0.1:8080", dir: "/data", self: "plenum", terminal: true}
	g.progress(engine.Progress{Doing: "fetching a", Done: 50e6, Total: 100e6})
	g.engineFailed(&engine.Error{Message: "offline", Advice: []string{"install it."}}, "", nil)
	want := "\r\x1b[K  [===============               ]  50 %  50 of 100 MB  fetching a\n\n" +
		"  The local model is not available: offline\n    - install it.\n\n" +
		"  Plenum runs, but it has no model yet. Do one of these and start again. Ctrl-C stops.\n\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("what is read (-want +got):\n%s", d)
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	_, err := listen(t.Context(), other.Listener.Addr().String(), "plenum up")
	if err == nil || !strings.Contains(err.Error(), "is taken by another program") || !strings.Contains(err.Error(), "plenum up --listen 127.0.0.1:") {
		t.Errorf("error is %v", err)
	}
	mute, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	began := time.Now()
	if _, err := listen(t.Context(), mute.Addr().String(), "plenum serve"); err == nil || !strings.Contains(err.Error(), "`listen: 127.0.0.1:") {
		t.Errorf("error is %v", err)
	}
	if time.Since(began) > 10*time.Second {
		t.Errorf("it took %s to say so", time.Since(began))
	}
	if _, err := listen(t.Context(), "127.0.0.1:port", "plenum up"); err == nil || strings.Contains(err.Error(), "taken") {
		t.Errorf("an address that is none: %v", err)
	}
}
