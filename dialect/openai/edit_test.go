package openai_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// edit peeks at a body and edits it.
func edit(t *testing.T, body string, vars map[string]string, s dialect.Shape) (dialect.Head, dialect.Outbound, error) {
	t.Helper()
	in := dialect.Inbound{Body: []byte(body), Vars: vars}
	h, err := chat().Peek(in, dialect.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := chat().EditRequest(in, h, s)
	if string(in.Body) != body {
		t.Errorf("the caller's body became %s", in.Body)
	}
	return h, out, err
}

func offer(traits plenum.Traits) *plenum.Offer {
	return &plenum.Offer{Upstream: "up", Traits: traits}
}

func TestPeek(t *testing.T) {
	tests := []struct {
		body, deployment string
		want             dialect.Head
		param            string // at fault
	}{
		{body: `{"model":"m"}`, want: dialect.Head{Free: true, Model: "m"}},
		{body: ` {"messages":[],"stream":true,"model":"a\u002fb","max_tokens":5}`, want: dialect.Head{Free: true, Model: "a/b", Stream: true, MaxOut: llm.Some(5)}},
		{body: `{"model":"m","max_tokens":5,"max_completion_tokens":7}`, want: dialect.Head{Free: true, Model: "m", MaxOut: llm.Some(7)}},
		{body: `{"model":"m","stream":null,"max_tokens":null}`, want: dialect.Head{Free: true, Model: "m"}},
		{body: `{}`, deployment: "d", want: dialect.Head{Free: true, Model: "d"}},
		{body: `{"model":"m"}`, deployment: "d", want: dialect.Head{Free: true, Model: "d"}},
		{body: `{"model":"m","response_format":{"type":"json_object"}}`, want: dialect.Head{Model: "m"}},
		{body: `{"Model":"m"}`, param: "model"},
		{body: `{"model":""}`, param: "model"},
		{body: `{"model":["m"]}`, param: "model"},
		{body: `{"model":"m","stream":"yes"}`, param: "stream"},
		{body: `{"model":"m","max_tokens":-1}`, param: "max_tokens"},
		{body: `{"model":"m","max_tokens":"5"}`, param: "max_tokens"},
	}
	for _, tt := range tests {
		in := dialect.Inbound{Body: []byte(tt.body), Vars: map[string]string{"deployment": tt.deployment}}
		h, err := chat().Peek(in, dialect.Bounds{})
		if tt.param != "" {
			if e := llm.AsError(err); err == nil || e.Kind != llm.Invalid || e.Param != tt.param {
				t.Errorf("%s: %v", tt.body, err)
			}
			continue
		}
		h.State = nil
		if d := cmp.Diff(tt.want, h); d != "" || err != nil {
			t.Errorf("%s: %v %s", tt.body, err, d)
		}
	}
}

func TestPeekRefusesWhatIsNoObject(t *testing.T) {
	deep := `{"model":"m","x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`
	for _, body := range []string{"", "null", "[]", `"x"`, `{"model":"m"`, `{"model":"m"}x`, "\xef\xbb\xbf{}", `{"model":"m","model":"n"}`, deep} {
		_, err := chat().Peek(dialect.Inbound{Body: []byte(body)}, dialect.Bounds{MaxDepth: 100})
		if !llm.IsKind(err, llm.Invalid) {
			t.Errorf("%.40q: %v", body, err)
		}
	}
}

// The body that is edited has what a careless editor would change: order, spaces, odd numbers, escapes,
// unknown members, keys of another case.
const careful = `{ "zeta": 1e2, "model" :"mine","Messages":[], "messages":[{"content":"\u00e9\/","role":"user","x":{"b":1,"a":2.50}}],` +
	`"tools":[{"type":"function","function":{"parameters":{"z":1,"a":{"$ref":"#"}},"name":"f"}}], "seed": 12345678901234567890 }`

func TestCase_F12_KeyOrderSurvives(t *testing.T) {
	_, out, err := edit(t, careful, nil, dialect.Shape{Offer: offer(plenum.Traits{})})
	want := strings.Replace(careful, `"mine"`, `"up"`, 1)
	if string(out.Body) != want || err != nil || len(out.Changed) > 0 {
		t.Errorf("got %s, changed %v, %v", out.Body, out.Changed, err)
	}
}

func TestCase_F13_UnknownFieldsSurvive(t *testing.T) {
	in := dialect.Inbound{Body: []byte(careful)}
	p, err := chat().DecodeRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := chat().EncodeRequest(p, dialect.Shape{})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	for _, member := range []string{`"zeta":1e2`, `"Messages":[]`, `"x":{"b":1,"a":2.50}`, `"parameters":{"z":1,"a":{"$ref":"#"}}`, `"seed":12345678901234567890`} {
		if !strings.Contains(string(out.Body), member) {
			t.Errorf("no %s in %s", member, out.Body)
		}
	}
}

func TestTheSameModelIsTheSameBody(t *testing.T) {
	body := `{"model":"up"}`
	_, out, err := edit(t, body, nil, dialect.Shape{Offer: offer(plenum.Traits{})})
	if string(out.Body) != body || err != nil {
		t.Errorf("got %s, %v", out.Body, err)
	}
}

func TestADeploymentInThePathNamesTheModel(t *testing.T) {
	_, out, err := edit(t, `{"messages":[]}`, map[string]string{"deployment": "d"}, dialect.Shape{Offer: offer(plenum.Traits{})})
	if string(out.Body) != `{"messages":[],"model":"up"}` || err != nil {
		t.Errorf("got %s, %v", out.Body, err)
	}
}

func TestCase_D9_UsageIsAskedForAndMuted(t *testing.T) {
	tests := []struct {
		body, want string
		refuses    bool // the host refuses stream_options
		asked      bool
	}{
		{body: `{"model":"up"}`, want: `{"model":"up"}`},
		{body: `{"model":"up","stream":true}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, asked: true},
		{body: `{"model":"up","stream":true,"stream_options":null}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, asked: true},
		{body: `{"model":"up","stream":true,"stream_options":{}}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, asked: true},
		{body: `{"model":"up","stream":true,"stream_options":{"include_obfuscation":false}}`, want: `{"model":"up","stream":true,"stream_options":{"include_obfuscation":false,"include_usage":true}}`, asked: true},
		{body: `{"model":"up","stream":true,"stream_options":{"include_usage":false}}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, asked: true},
		{body: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`},
		{body: `{"model":"up","stream":true}`, want: `{"model":"up","stream":true}`, refuses: true},
		{body: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, want: `{"model":"up","stream":true}`, refuses: true},
	}
	for _, tt := range tests {
		s := dialect.Shape{Offer: offer(plenum.Traits{NoStreamUsage: tt.refuses}), Meter: true}
		_, out, err := edit(t, tt.body, nil, s)
		if string(out.Body) != tt.want || out.AskedUsage != tt.asked || err != nil {
			t.Errorf("%s: got %s, asked %v, %v", tt.body, out.Body, out.AskedUsage, err)
		}
	}

	stream := chunk(`{"content":"hi"}`, `null`) + chunk(`{}`, `"stop"`) +
		"data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}\n\n" + done
	for _, meter := range []bool{true, false} {
		got := read(stream, dialect.Want{Meter: meter, MuteUsage: true})
		if got.Err != nil || got.Muted != 1 || got.Fold().Usage.Input != 3 {
			t.Errorf("meter %v: %d muted, usage %+v, %v", meter, got.Muted, got.Fold().Usage, got.Err)
		}
		if got := read(stream, dialect.Want{Meter: meter}); got.Muted != 0 {
			t.Errorf("meter %v: muted although the caller asked", meter)
		}
	}
	// Usage that comes along with a piece of the answer is no reason to hide that piece.
	along := "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n" + done
	if got := read(along, dialect.Want{MuteUsage: true}); got.Muted != 0 || got.Fold().Usage.Output != 1 {
		t.Errorf("along with content: %+v", got)
	}
}

func TestCase_F11_TheCapHasTheNameThatTheHostKnows(t *testing.T) {
	caps := func(ns ...int) (out []dialect.Edit) {
		for _, n := range ns {
			out = append(out, dialect.Cap{N: n, Why: "budget"})
		}
		return out
	}
	tests := []struct {
		body, field string
		caps        []dialect.Edit
		want        string
		changed     []string
	}{
		{`{"model":"up","max_tokens":9}`, "", nil, `{"model":"up","max_tokens":9}`, nil},
		{`{"model":"up","max_tokens":9}`, "max_completion_tokens", nil, `{"model":"up","max_completion_tokens":9}`, []string{"max_tokens said as max_completion_tokens"}},
		{`{"model":"up","max_completion_tokens":9}`, "max_tokens", nil, `{"model":"up","max_tokens":9}`, []string{"max_completion_tokens said as max_tokens"}},
		{`{"model":"up","max_completion_tokens":9,"max_tokens":8}`, "max_tokens", nil, `{"model":"up","max_tokens":8}`, []string{"max_completion_tokens removed (the host knows max_tokens)"}},
		{`{"model":"up"}`, "", caps(5), `{"model":"up","max_completion_tokens":5}`, []string{"output capped at 5 tokens (budget)"}},
		{`{"model":"up"}`, "max_tokens", caps(7, 5, 6), `{"model":"up","max_tokens":5}`, []string{"output capped at 5 tokens (budget)"}},
		{`{"model":"up","max_tokens":4}`, "", caps(5), `{"model":"up","max_tokens":4}`, nil},
		{`{"model":"up","max_tokens":9}`, "", caps(5), `{"model":"up","max_tokens":5}`, []string{"output capped at 5 tokens (budget)"}},
		{`{"model":"up","max_tokens":null}`, "", caps(5), `{"model":"up","max_tokens":5}`, []string{"output capped at 5 tokens (budget)"}},
		{`{"model":"up","max_tokens":9}`, "max_completion_tokens", caps(5), `{"model":"up","max_completion_tokens":5}`, []string{"max_tokens said as max_completion_tokens", "output capped at 5 tokens (budget)"}},
	}
	for _, tt := range tests {
		s := dialect.Shape{Offer: offer(plenum.Traits{MaxTokensField: tt.field}), Edits: tt.caps}
		_, out, err := edit(t, tt.body, nil, s)
		if string(out.Body) != tt.want || err != nil {
			t.Errorf("%s: got %s, %v", tt.body, out.Body, err)
		}
		if d := cmp.Diff(tt.changed, out.Changed); d != "" {
			t.Errorf("%s: %s", tt.body, d)
		}
	}
	// A stop that is a string stays one, a list stays a list, and a format without a schema passes.
	for _, body := range []string{`"stop":"x"`, `"stop":["x"]`, `"response_format":{"type":"json_object"}`} {
		body = `{"model":"m","messages":[],` + body + `}`
		p, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := chat().EncodeRequest(p, dialect.Shape{})
		if string(out.Body) != body || err != nil {
			t.Errorf("%s became %s, %v", body, out.Body, err)
		}
	}
}

func TestCase_F10_RefusedParametersByPolicy(t *testing.T) {
	const body = `{"model":"up","temperature":0,"logit_bias":{"1":2},"stop":"x"}`
	const without = `{"model":"up","logit_bias":{"1":2}}`
	removed := []string{"temperature removed (refused by the model)", "stop removed (refused by the model)"}
	for _, tt := range []struct {
		policy  plenum.ParamPolicy
		want    string
		changed []string
	}{
		{"", without, removed},
		{plenum.ParamReport, without, removed},
		{plenum.ParamDrop, without, nil},
		{plenum.ParamPass, body, nil},
	} {
		s := dialect.Shape{Offer: offer(plenum.Traits{Refuses: []string{"temperature", "stop", "seed"}}), Params: tt.policy}
		_, out, err := edit(t, body, nil, s)
		if string(out.Body) != tt.want || err != nil {
			t.Errorf("%s: got %s, %v", tt.policy, out.Body, err)
		}
		if d := cmp.Diff(tt.changed, out.Changed); d != "" {
			t.Errorf("%s: %s", tt.policy, d)
		}
	}
	s := dialect.Shape{Offer: offer(plenum.Traits{Refuses: []string{"temperature"}}), Params: plenum.ParamStrict}
	_, _, err := edit(t, body, nil, s)
	if e := llm.AsError(err); e.Kind != llm.Invalid || e.Param != "temperature" {
		t.Errorf("strict: %v", err)
	}
}

func TestDevelopersBecomeSystem(t *testing.T) {
	body := `{"model":"up","messages":[{"role":"developer","content":"be"},{"content":"a developer","role":"user"}]}`
	_, out, err := edit(t, body, nil, dialect.Shape{Offer: offer(plenum.Traits{NoDeveloper: true})})
	want := strings.Replace(body, `"role":"developer"`, `"role":"system"`, 1)
	if string(out.Body) != want || err != nil || len(out.Changed) != 1 {
		t.Errorf("got %s, %v, %v", out.Body, out.Changed, err)
	}
}

func TestRedactedRequests(t *testing.T) {
	body := `{"model":"up","messages":[{"role":"user","content":"call \"Bob\" now"},` +
		`{"role":"assistant","reasoning_content":"Bob?","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"who\":\"Bob\"}"}}]},` +
		`{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"ab"},{"type":"text","text":"Bob"}]},` +
		`{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x"}},{"type":"text","text":"Bob"}]}]}`
	redact := func(m, b, start, end int) dialect.Edit {
		return dialect.Redact{Message: m, Block: b, Start: start, End: end, New: "X"}
	}
	edits := []dialect.Edit{redact(0, 0, 6, 9), redact(1, 0, 0, 3), redact(1, 1, 8, 11), redact(2, 0, 2, 5), redact(3, 1, 0, 3)}
	want := strings.NewReplacer(`\"Bob\" now`, `\"X\" now`, `"Bob?"`, `"X?"`, `\"who\":\"Bob\"`, `\"who\":\"X\"`, `"text":"Bob"`, `"text":"X"`).Replace(body)
	_, out, err := edit(t, body, nil, dialect.Shape{Edits: edits})
	if string(out.Body) != want || err != nil {
		t.Errorf("got %s, %v", out.Body, err)
	}
	// The same through the meaning.
	p, err := chat().DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	enc, _, err := chat().EncodeRequest(p, dialect.Shape{Edits: edits})
	var a, b any
	_ = json.Unmarshal([]byte(want), &a)
	_ = json.Unmarshal(enc.Body, &b)
	if d := cmp.Diff(a, b, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "model" }, cmp.Ignore())); d != "" || err != nil {
		t.Errorf("encoded: %s %v", d, err)
	}
	// What cannot be redacted must not go out.
	for _, e := range []dialect.Edit{redact(9, 0, 0, 1), redact(0, 1, 0, 1), redact(3, 0, 0, 1), redact(0, 0, 5, 99), redact(-1, 0, 0, 0)} {
		if _, out, err := edit(t, body, nil, dialect.Shape{Edits: []dialect.Edit{e}}); err == nil {
			t.Errorf("%+v gave %s", e, out.Body)
		}
		if out, _, err := chat().EncodeRequest(p, dialect.Shape{Edits: []dialect.Edit{e}}); err == nil {
			t.Errorf("%+v encoded gave %s", e, out.Body)
		}
	}
}

func TestHeadersThatPass(t *testing.T) {
	in := dialect.Inbound{Body: []byte(`{"model":"m"}`), Header: http.Header{
		"Openai-Beta": {"a"}, "Openai-Organization": {"org"}, "Openai-Project": {"p"}, "X-Stainless-Lang": {"go"},
		"Authorization": {"Bearer k"}, "X-Client-Request-Id": {"r"}, "X-Request-Id": {"r"}, "Cookie": {"c"},
	}}
	h, err := chat().Peek(in, dialect.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := chat().EditRequest(in, h, dialect.Shape{})
	want := http.Header{"Openai-Beta": {"a"}, "X-Client-Request-Id": {"r"}, "Content-Type": {"application/json"}}
	if d := cmp.Diff(want, out.Header); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}
