package app

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// fourHosts are the hosts of docs/four-hosts.md, each a server of its own that answers in whatever dialect it is asked in.
type fourHosts struct {
	*world
	hosts map[string]*testkit.Upstream
	grpc  *xaiServer
	fault map[string]testkit.Answer // what a host does instead
}

// guide returns the configuration of the guide with the addresses of the hosts in it.
func guide(t *testing.T, at map[string]string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "four-hosts.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "```yaml\n")
	yaml, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the guide has no configuration")
	}
	yaml = regexp.MustCompile(`\$\{env:([A-Z_]+)\}`).ReplaceAllString(yaml, "secret-of-$1")
	yaml = regexp.MustCompile(`(?m)^    base_url: .*\n`).ReplaceAllString(yaml, "")
	for name, url := range at {
		re := regexp.MustCompile(`(?m)^(  - name: ` + name + `(?: .*)?\n)`)
		if !re.MatchString(yaml) {
			t.Fatalf("the guide has no connection %s", name)
		}
		yaml = re.ReplaceAllString(yaml, "${1}    base_url: "+url+"\n")
	}
	return yaml
}

func newFourHosts(t *testing.T, change func(yaml string) string) *fourHosts {
	t.Helper()
	f := &fourHosts{hosts: map[string]*testkit.Upstream{}, fault: map[string]testkit.Answer{}, grpc: newXAI(t)}
	at := map[string]string{"xai-grpc": f.grpc.url}
	for name, path := range map[string]string{"xai": "/v1", "openai": "/v1", "anthropic": "", "azure": "", "bedrock": "", "vertex": ""} {
		up := testkit.NewUpstream(t)
		up.Handle(func(r *testkit.Request) testkit.Answer {
			if a, ok := f.fault[name]; ok {
				return a
			}
			return spoken(name, r)
		})
		f.hosts[name], at[name] = up, up.URL+path
	}
	f.grpc.answers(t)
	yaml := guide(t, at)
	if change != nil {
		yaml = change(yaml)
	}
	f.world = newWorld(t, Mechanisms{}, "%s", yaml)
	return f
}

// spoken answers a request in the dialect that its path tells, with the host's name as the text.
func spoken(host string, r *testkit.Request) testkit.Answer {
	body, text := string(r.Body), "from "+host
	streams := strings.Contains(body, `"stream":true`)
	messages := []string{
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + text + `"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}`, `{"type":"message_stop"}`,
	}
	message := testkit.JSON(`{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[{"type":"text","text":"` + text + `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`)
	switch {
	case strings.HasSuffix(r.Path, "/invoke-with-response-stream"):
		return invokeStream(messages...)
	case strings.HasSuffix(r.Path, ":streamRawPredict"), strings.HasSuffix(r.Path, "/messages") && streams:
		return sse(messages...)
	case strings.HasSuffix(r.Path, "/invoke"), strings.HasSuffix(r.Path, ":rawPredict"), strings.HasSuffix(r.Path, "/messages"):
		return message
	case strings.HasSuffix(r.Path, "/converse-stream"):
		return bedrockStream(`messageStart {"role":"assistant"}`, `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"`+text+`"}}`, `contentBlockStop {"contentBlockIndex":0}`,
			`messageStop {"stopReason":"end_turn"}`, `metadata {"metrics":{"latencyMs":7},"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15}}`)
	case strings.HasSuffix(r.Path, "/converse"):
		return testkit.JSON(`{"metrics":{"latencyMs":7},"output":{"message":{"role":"assistant","content":[{"text":"` + text + `"}]}},"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15}}`)
	case strings.HasSuffix(r.Path, "/responses"):
		item := `{"type":"message","id":"m1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"` + text + `","annotations":[]}]}`
		whole := `{"id":"r","object":"response","created_at":1,"model":"up","status":"completed","output":[` + item + `],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}`
		if !streams {
			return testkit.JSON(whole)
		}
		return sse(`{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","created_at":1,"model":"up","status":"in_progress","output":[]}}`,
			`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"m1","role":"assistant","status":"in_progress","content":[]}}`,
			`{"type":"response.output_text.delta","sequence_number":2,"item_id":"m1","output_index":0,"content_index":0,"delta":"`+text+`"}`,
			`{"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":`+item+`}`,
			`{"type":"response.completed","sequence_number":4,"response":`+whole+`}`)
	case strings.HasSuffix(r.Path, "/chat/completions") && streams:
		return testkit.SSE(roleChunk, chunk(text), stopChunk, usageChunk, "[DONE]")
	case strings.HasSuffix(r.Path, "/chat/completions"):
		return testkit.JSON(`{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"` + text + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`)
	}
	return testkit.OpenAIError(http.StatusNotFound, "not_found", "no such path: "+r.Path)
}

// hostCall is how a target is reached.
type hostCall struct {
	host, path, stream string // path of whole answers, and of streams where that is another
	key                string // the header of the credential
	model              string // what the body or the path must name
}

func hostCalls() map[string][]hostCall {
	const project = "/v1/projects/my-project/locations/global"
	return map[string][]hostCall{
		"grok": {
			{"xai", "/v1/chat/completions", "", "Authorization: Bearer secret-of-XAI_API_KEY", "grok-4.3"},
			{"azure", "/openai/v1/chat/completions", "", "Api-Key: secret-of-AZURE_API_KEY", "grok-4.3"},
			{"bedrock", "/openai/v1/chat/completions", "", "Authorization: Bearer secret-of-AWS_BEARER_TOKEN_BEDROCK", "xai.grok-4.3"},
			{"vertex", project + "/endpoints/openapi/chat/completions", "", "Authorization: Bearer secret-of-VERTEX_ACCESS_TOKEN", "xai/grok-4.3"},
		},
		"claude": {
			{"anthropic", "/v1/messages", "", "X-Api-Key: secret-of-ANTHROPIC_API_KEY", "claude-opus-4-8"},
			{"bedrock", "/model/global.anthropic.claude-opus-4-8/converse", "/model/global.anthropic.claude-opus-4-8/converse-stream", "Authorization: Bearer secret-of-AWS_BEARER_TOKEN_BEDROCK", ""},
			{"vertex", project + "/publishers/anthropic/models/claude-opus-4-8@default:rawPredict", project + "/publishers/anthropic/models/claude-opus-4-8@default:streamRawPredict", "Authorization: Bearer secret-of-VERTEX_ACCESS_TOKEN", ""},
			{"azure", "/anthropic/v1/messages", "", "X-Api-Key: secret-of-AZURE_API_KEY", "claude-opus-4-8"},
		},
		"gpt": {
			{"openai", "/v1/chat/completions", "", "Authorization: Bearer secret-of-OPENAI_API_KEY", "gpt-5.5"},
			{"azure", "/openai/v1/chat/completions", "", "Api-Key: secret-of-AZURE_API_KEY", "gpt-5.5"},
			{"bedrock", "/openai/v1/responses", "", "Authorization: Bearer secret-of-AWS_BEARER_TOKEN_BEDROCK", "openai.gpt-5.5"},
		},
		"gpt-oss": {
			{"azure", "/openai/v1/chat/completions", "", "Api-Key: secret-of-AZURE_API_KEY", "gpt-oss-120b"},
			{"bedrock", "/model/openai.gpt-oss-120b-1:0/converse", "/model/openai.gpt-oss-120b-1:0/converse-stream", "Authorization: Bearer secret-of-AWS_BEARER_TOKEN_BEDROCK", ""},
			{"vertex", project + "/endpoints/openapi/chat/completions", "", "Authorization: Bearer secret-of-VERTEX_ACCESS_TOKEN", "openai/gpt-oss-120b-maas"},
		},
	}
}

// hostAsks is how clients of each dialect ask a deployment, whole and streamed.
func hostAsks(model string, stream bool) map[string][2]string {
	verb := map[bool]string{false: "generateContent", true: "streamGenerateContent?alt=sse"}[stream]
	turn := map[bool]string{false: "converse", true: "converse-stream"}[stream]
	return map[string][2]string{
		"chat":      {"/v1/chat/completions", fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":"Who are you?"}]}`, model, stream)},
		"responses": {"/v1/responses", fmt.Sprintf(`{"model":%q,"stream":%v,"input":"Who are you?"}`, model, stream)},
		"messages":  {"/v1/messages", fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":50,"messages":[{"role":"user","content":"Who are you?"}]}`, model, stream)},
		"gemini":    {"/v1beta/models/" + model + ":" + verb, `{"contents":[{"role":"user","parts":[{"text":"Who are you?"}]}]}`},
		"converse":  {"/model/" + model + "/" + turn, `{"messages":[{"role":"user","content":[{"text":"Who are you?"}]}]}`},
	}
}

// faults are the ways in which a host may fail before it has said anything.
func faults() []testkit.Answer {
	return []testkit.Answer{
		testkit.OpenAIError(http.StatusTooManyRequests, "rate_limit_exceeded", "slow down").WithHeader("Retry-After", "60"),
		testkit.OpenAIError(http.StatusServiceUnavailable, "server_error", "come back later"),
		testkit.JSON(`{}`).ResetAt(0), // the connection breaks
		testkit.OpenAIError(http.StatusInternalServerError, "server_error", "oops"),
	}
}

// TestCase_J8_OneModelOnFourHosts has the hosts of each deployment of the guide fail one after the other, for clients of
// five dialects, streamed and not. Each host is asked at its own address, in its own dialect, with its own id and key.
func TestCase_J8_OneModelOnFourHosts(t *testing.T) {
	f := newFourHosts(t, nil)
	n := 0
	for model, calls := range hostCalls() {
		for _, stream := range []bool{false, true} {
			for client, ask := range hostAsks(model, stream) {
				clear(f.fault)
				for i, call := range calls {
					name := fmt.Sprintf("%s client, %s on its host %s, streamed %v", client, model, call.host, stream)
					resp, got := f.post(ask[0], ask[1], "anthropic-version", "2023-06-01")
					if resp.StatusCode != 200 || !strings.Contains(got, "from "+call.host) {
						t.Errorf("%s: %d %s", name, resp.StatusCode, got)
					}
					r := f.records.nth(t, n)
					if n++; len(r.Attempts) != i+1 || r.Usage.Output != 5 || r.Usage.Input != 10 {
						t.Errorf("%s: %d attempts, %+v", name, len(r.Attempts), r.Usage)
					}
					f.arrived(t, name, client, call, stream)
					f.fault[call.host] = faults()[i]
				}
			}
		}
	}
}

// arrived checks how the last request came to a host.
func (f *fourHosts) arrived(t *testing.T, name, client string, call hostCall, stream bool) {
	t.Helper()
	last := f.hosts[call.host].Last()
	want := call.path
	if stream && call.stream != "" {
		want = call.stream
	}
	switch { // who speaks the host's other dialect is passed on in it
	case client == "responses" && strings.HasSuffix(want, "/chat/completions") && call.host != "vertex":
		want = strings.TrimSuffix(want, "chat/completions") + "responses"
	case client == "messages" && strings.Contains(want, "claude"):
		want = strings.NewReplacer("/converse-stream", "/invoke-with-response-stream", "/converse", "/invoke").Replace(want)
	}
	path := strings.NewReplacer("%40", "@", "%3A", ":").Replace(last.Path)
	if path != want {
		t.Errorf("%s: it was asked at %s, not %s", name, path, want)
	}
	header, value, _ := strings.Cut(call.key, ": ")
	if got := last.Header.Get(header); got != value {
		t.Errorf("%s: %s is %q", name, header, got)
	}
	if call.model != "" && !strings.Contains(string(last.Body), `"model":"`+call.model+`"`) {
		t.Errorf("%s: asked for another model: %s", name, last.Body)
	}
}

// TestTheLastHostIsXAIByGRPC has all four fail: the fifth target is xAI again, by its own protocol.
func TestTheLastHostIsXAIByGRPC(t *testing.T) {
	f := newFourHosts(t, nil)
	for i, call := range hostCalls()["grok"] {
		f.fault[call.host] = faults()[i]
	}
	for client, ask := range hostAsks("grok", false) {
		if resp, got := f.post(ask[0], ask[1]); resp.StatusCode != 200 || !strings.Contains(got, "A cat.") {
			t.Errorf("%s: %d %s", client, resp.StatusCode, got)
		}
	}
}

// TestCase_J8_AHostThatLacksWhatIsNeededIsNotAsked declares that the first host of each reads no images.
func TestCase_J8_AHostThatLacksWhatIsNeededIsNotAsked(t *testing.T) {
	f := newFourHosts(t, func(yaml string) string {
		return regexp.MustCompile(`priority: 1}`).ReplaceAllString(yaml, "priority: 1, traits: {capabilities: {images: false}}}")
	})
	// Azure's and Vertex AI's gpt-oss read none either, as the catalog knows.
	second := map[string]string{"grok": "azure", "claude": "bedrock", "gpt": "azure"}
	for model, host := range second {
		first := hostCalls()[model][0].host
		before := f.hosts[first].Count()
		resp, got := f.post("/v1/chat/completions", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":[{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`, model, pixel))
		if resp.StatusCode != 200 || !strings.Contains(got, "from "+host) || f.hosts[first].Count() != before {
			t.Errorf("%s: %d %s; %s was asked %d times", model, resp.StatusCode, got, first, f.hosts[first].Count()-before)
		}
		resp, got = f.post("/v1/chat/completions", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Hi"}]}`, model))
		if resp.StatusCode != 200 || !strings.Contains(got, "from "+first) {
			t.Errorf("%s without a picture: %d %s", model, resp.StatusCode, got)
		}
	}
	resp, got := f.post("/v1/chat/completions", fmt.Sprintf(`{"model":"gpt-oss","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`, pixel))
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(got, "cannot read images") {
		t.Errorf("a picture for a model that sees nothing on any host: %d %s", resp.StatusCode, got)
	}
}

// TestTheGuideNamesOffersThatTheCatalogKnows has limits or prices for each target of the guide.
func TestTheGuideNamesOffersThatTheCatalogKnows(t *testing.T) {
	f := newFourHosts(t, nil)
	s := f.current.Load()
	for model := range hostCalls() {
		d, ok := s.Deployment(model)
		if !ok {
			t.Fatalf("there is no %s", model)
		}
		for i := range d.Targets {
			o := &d.Targets[i].Offer
			if o.Traits.Capabilities.Tools != plenum.Yes || o.Model != d.Model {
				t.Errorf("%s of %s is not known: %+v", o.ID, o.Model, o.Traits.Capabilities)
			}
			if o.Provider != "vertex" && o.Provider != "azure" && (!o.Price.Known || o.Context == 0) {
				t.Errorf("%s has no price or no limits", o.ID)
			}
		}
	}
}

// TestEachHostIsProbed asks every target of the guide what it can do, each in its own dialect.
func TestEachHostIsProbed(t *testing.T) {
	f := newFourHosts(t, nil)
	at := map[string]string{"xai-grpc": f.grpc.url}
	for name, up := range f.hosts {
		at[name] = up.URL
	}
	at["xai"], at["openai"] = at["xai"]+"/v1", at["openai"]+"/v1"
	s := serveNode(t, t.TempDir(), "admin_key: the-key-of-the-admin\n"+guide(t, at)+"\nkeys:\n  - {name: dev, secret: pk-the-key-of-a-developer}\n")
	t.Setenv("PLENUM_ADMIN_KEY", "the-key-of-the-admin")
	for model, calls := range hostCalls() {
		answer, err := askToProbe(t.Context(), s.url, model, url.Values{"capabilities": {"streaming,tools,schema"}})
		if err != nil {
			t.Fatal(err)
		}
		var table strings.Builder
		if err := (&output{format: "table"}).showFindings(&table, answer); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(strings.Fields(table.String()), " ")
		for _, c := range calls {
			for _, want := range []string{`streaming yes (unknown|yes \(catalog\)) it streamed`, `tools no yes \(catalog\) it was to call a tool and did not`} {
				if !regexp.MustCompile(c.host + `/\S+ ` + want).MatchString(got) {
					t.Errorf("%s on %s: %q is not in\n%s", model, c.host, want, table.String())
				}
			}
		}
	}
}
