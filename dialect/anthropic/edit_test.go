package anthropic_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// edited peeks at a body and edits it.
func edited(t testing.TB, body string, s dialect.Shape, h http.Header) (dialect.Outbound, error) {
	t.Helper()
	in := dialect.Inbound{Method: "POST", Path: "/v1/messages", Header: h, Body: []byte(body)}
	head, err := messages().Peek(in, dialect.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	return messages().EditRequest(in, head, s)
}

func mustEdit(t testing.TB, body string, s dialect.Shape) dialect.Outbound {
	t.Helper()
	out, err := edited(t, body, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPeek(t *testing.T) {
	h, err := messages().Peek(dialect.Inbound{Body: []byte(`{"stream":true,"max_tokens":7,"model":"a/b:c","messages":[{"model":"no"}]}`)}, dialect.Bounds{})
	if err != nil || h.Model != "a/b:c" || !h.Stream || h.MaxOut != llm.Some(7) {
		t.Errorf("%+v %v", h, err)
	}
	for body, param := range map[string]string{
		`{}`: "model", `{"model":""}`: "model", `{"model":5}`: "model", `{"model":"m","stream":1}`: "stream",
		`{"model":"m","max_tokens":"x"}`: "max_tokens", `{"model":"m","max_tokens":-1}`: "max_tokens",
		`[]`: "", `{"model":"m"`: "", `{"model":"m","model":"n"}`: "", strings.Repeat(`{"a":`, 300): "",
	} {
		_, err := messages().Peek(dialect.Inbound{Body: []byte(body)}, dialect.Bounds{MaxDepth: 100})
		if e := llm.AsError(err); e == nil || e.Kind != llm.Invalid || e.Param != param {
			t.Errorf("%.40s: got %v", body, err)
		}
	}
}

func TestEditChangesOnlyWhatItMust(t *testing.T) {
	body := "{\n \"model\" : \"mine\", \"x\":1e3 , \"messages\":[ ] ,\"max_tokens\":100}"
	same := mustEdit(t, body, dialect.Shape{Offer: &plenum.Offer{Upstream: "mine"}})
	if string(same.Body) != body || len(same.Changed) != 0 {
		t.Errorf("changed without need: %s %v", same.Body, same.Changed)
	}
	out := mustEdit(t, body, dialect.Shape{Offer: &plenum.Offer{Upstream: "claude"}, Edits: []dialect.Edit{dialect.Cap{N: 50, Why: "budget"}, dialect.Cap{N: 70}}})
	want := strings.Replace(strings.Replace(body, `"mine"`, `"claude"`, 1), "100", "50", 1)
	if string(out.Body) != want {
		t.Errorf("got  %s\nwant %s", out.Body, want)
	}
	if d := cmp.Diff([]string{"max_tokens 50 set (budget)"}, out.Changed); d != "" {
		t.Error(d)
	}
	if out := mustEdit(t, body, dialect.Shape{Edits: []dialect.Edit{dialect.Cap{N: 200}}}); string(out.Body) != body {
		t.Errorf("a cap above what was asked changed %s", out.Body)
	}
	if out := mustEdit(t, `{"model":"m"}`, dialect.Shape{Edits: []dialect.Edit{dialect.Cap{N: 2}}}); string(out.Body) != `{"model":"m","max_tokens":2}` {
		t.Errorf("got %s", out.Body)
	}
}

func TestCase_C9_ACapKeepsAboveTheBudget(t *testing.T) {
	body := `{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":8000,"display":"omitted"},"messages":[]}`
	for n, want := range map[int]string{
		8500: `{"model":"m","max_tokens":8500,"thinking":{"type":"enabled","budget_tokens":8000,"display":"omitted"},"messages":[]}`,
		6000: `{"model":"m","max_tokens":6000,"thinking":{"type":"enabled","budget_tokens":3000,"display":"omitted"},"messages":[]}`,
		500:  `{"model":"m","max_tokens":500,"thinking":{"type":"disabled"},"messages":[]}`,
	} {
		s := dialect.Shape{Edits: []dialect.Edit{dialect.Cap{N: n}}}
		if out := mustEdit(t, body, s); string(out.Body) != want || len(out.Changed) == 0 {
			t.Errorf("capped at %d: %s %v", n, out.Body, out.Changed)
		}
		p, err := messages().DecodeRequest(dialect.Inbound{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := messages().EncodeRequest(p, s)
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, []byte(want), out.Body)
	}
}

func TestCase_F10_RefusedParameters(t *testing.T) {
	body := `{"model":"m","temperature":0.5,"messages":[],"top_k":3}`
	offer := &plenum.Offer{Traits: plenum.Traits{Refuses: []string{"temperature", "seed", "top_k"}}}
	without := `{"model":"m","messages":[]}`
	for policy, want := range map[plenum.ParamPolicy]string{
		plenum.ParamReport: without, plenum.ParamDrop: without, plenum.ParamPass: body, plenum.ParamStrict: "",
	} {
		out, err := edited(t, body, dialect.Shape{Offer: offer, Params: policy}, nil)
		if policy == plenum.ParamStrict {
			if e := llm.AsError(err); e == nil || e.Kind != llm.Invalid || e.Param != "temperature" {
				t.Errorf("strict: got %v", err)
			}
			continue
		}
		if err != nil || string(out.Body) != want {
			t.Errorf("%s: got %s, %v", policy, out.Body, err)
		}
		if named := len(out.Changed) == 2; named != (policy == plenum.ParamReport) {
			t.Errorf("%s: changed %v", policy, out.Changed)
		}
	}
	r := &llm.Request{Model: "m", Messages: []llm.Message{user("x")}, Temperature: llm.Some(0.5)}
	b, out, _ := cross(t, r, dialect.Shape{Offer: offer, Params: plenum.ParamReport})
	wantMember(t, b, "temperature", "")
	if !slices.Contains(out.Changed, "temperature removed (refused by the model)") {
		t.Errorf("changed %v", out.Changed)
	}
}

func TestCase_F9_BetasPassByAllowList(t *testing.T) {
	h := http.Header{
		"Anthropic-Beta": {"a-1, b-1", "c-1"}, "anthropic-beta": {"A-1,d-2"}, "Anthropic-Version": {"2024-01-01"},
		"Anthropic-Dangerous-Direct-Browser-Access": {"true"}, "Anthropic-Workspace-Id": {"ours"},
		"X-Api-Key": {"secret"}, "Authorization": {"secret"}, "Cookie": {"secret"}, "Request-Id": {"x"},
	}
	out, err := edited(t, `{"model":"m"}`, dialect.Shape{Offer: &plenum.Offer{}}, h)
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Anthropic-Beta": {"a-1,b-1,c-1,d-2"}, "Anthropic-Version": {"2024-01-01"},
		"Anthropic-Dangerous-Direct-Browser-Access": {"true"}, "Content-Type": {"application/json"},
	}
	if d := cmp.Diff(want, out.Header); d != "" {
		t.Errorf("to the vendor:\n%s", d)
	}
	out, _ = edited(t, `{"model":"m"}`, dialect.Shape{Offer: &plenum.Offer{Traits: plenum.Traits{Betas: []string{"A-1", "d-*"}}}}, h)
	if got := out.Header.Get("Anthropic-Beta"); got != "a-1,d-2" {
		t.Errorf("to another host: %q", got)
	}
	if len(out.Changed) != 2 {
		t.Errorf("changed %v", out.Changed)
	}
	out, _ = edited(t, `{"model":"m"}`, dialect.Shape{Offer: &plenum.Offer{Traits: plenum.Traits{Betas: []string{}}}}, h)
	if _, ok := out.Header["Anthropic-Beta"]; ok {
		t.Error("a host that takes no betas got some")
	}
	out, _ = edited(t, `{"model":"m"}`, dialect.Shape{}, nil)
	if out.Header.Get("Anthropic-Version") != "2023-06-01" || len(out.Changed) != 0 {
		t.Errorf("%v %v", out.Header, out.Changed)
	}
}

func TestCase_C5_UnsignedThinkingIsTakenOut(t *testing.T) {
	body := `{"model":"m","messages":[{"role":"user","content":"x"},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":""},{"type":"text","text":"hi","citations":[{"type":"web_search_result_location","encrypted_index":""}]}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature": ""}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"good"}]}]}`
	want := `{"model":"m","messages":[{"role":"user","content":"x"},` +
		`{"role":"assistant","content":[{"type":"text","text":"hi","citations":[]}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"good"}]}]}`
	out := mustEdit(t, body, dialect.Shape{Offer: &plenum.Offer{}})
	if d := cmp.Diff(want, string(out.Body)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"citations of another vendor removed", "unsigned thinking removed"}, out.Changed); d != "" {
		t.Error(d)
	}
	kept := mustEdit(t, body, dialect.Shape{Offer: &plenum.Offer{Traits: plenum.Traits{Unsigned: true}}})
	if !strings.Contains(string(kept.Body), `"signature":""`) {
		t.Error("a host that takes unsigned thinking did not get it")
	}
}

const redactable = `{"messages":[{"role":"user","content":"my ü secret"},{"role":"assistant","content":[{"type":"text","text":"ok \u00fc secret"},{"type":"tool_use","id":"t","name":"f","input":{"q":"secret"}}]},
	{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"se"},{"type":"image","source":{"type":"url","url":"u"}},{"type":"text","text":"cret!"}]},{"type":"tool_result","tool_use_id":"t","content":"a secret"}]}],"system":[{"type":"text","text":"the secret"}],"model":"m"}`

// A redaction is the same, whether made in the bytes or in what they mean.
func TestRedactionsInTheRequest(t *testing.T) {
	p, err := messages().DecodeRequest(dialect.Inbound{Body: []byte(redactable)})
	if err != nil {
		t.Fatal(err)
	}
	var edits []dialect.Edit
	for i, m := range p.(*llm.Request).Messages {
		for j, b := range m.Blocks {
			text := textIn(b)
			if k := strings.Index(text, "secret"); k >= 0 {
				edits = append(edits, dialect.Redact{Message: i, Block: j, Start: k, End: k + 6, New: "***"})
			}
		}
	}
	if len(edits) != 6 {
		t.Fatalf("%d places found", len(edits))
	}
	s := dialect.Shape{Edits: edits}
	raw := mustEdit(t, redactable, s)
	made, _, err := messages().EncodeRequest(p, s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw.Body), "secret") || strings.Contains(string(raw.Body), "cret!") || strings.Count(string(raw.Body), "***") != 6 {
		t.Errorf("got %s", raw.Body)
	}
	var a, b map[string]any
	if json.Unmarshal(raw.Body, &a) != nil || json.Unmarshal(made.Body, &b) != nil {
		t.Fatal("no JSON")
	}
	delete(b, "max_tokens")
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("the bytes and their meaning differ:\n%s", d)
	}
	for _, bad := range []dialect.Redact{{Message: 9}, {Message: 1, Block: 3}, {Message: 1, Start: 5, End: 99}, {Message: -1}, {Message: 1, Start: 3, End: 2}} {
		s := dialect.Shape{Edits: []dialect.Edit{bad}}
		if _, err := edited(t, redactable, s, nil); !llm.IsKind(err, llm.Internal) {
			t.Errorf("%+v: a redaction that cannot be made let the call through: %v", bad, err)
		}
		if _, _, err := messages().EncodeRequest(p, s); !llm.IsKind(err, llm.Internal) {
			t.Errorf("%+v: a redaction that cannot be made let the call through: %v", bad, err)
		}
	}
}

func textIn(b llm.Block) string {
	switch b := b.(type) {
	case llm.Text:
		return b.Text
	case llm.ToolUse:
		return b.Args
	case llm.ToolDone:
		s := ""
		for _, x := range b.Blocks {
			s += textIn(x)
		}
		return s
	}
	return ""
}

func TestRedactionsInTheAnswer(t *testing.T) {
	var wire []byte
	var said string
	frames := frame.NewReader(strings.NewReader(toolStream), 0).All()
	for ch, err := range messages().DecodeStream(frames, dialect.Want{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range ch.Events {
			if d, ok := ev.(llm.ThoughtDelta); ok && d.Text != "" {
				if ch, err = messages().Redact(ch, []dialect.TextEdit{{Index: 0, Start: 0, End: 3, New: "[\"x\"]"}}); err != nil {
					t.Fatal(err)
				}
				said = ch.Events[0].(llm.ThoughtDelta).Text
			}
		}
		wire = append(wire, ch.Frame.Raw...)
	}
	if said != `["x"] ü` || string(wire) != strings.Replace(toolStream, "Hmm", `[\"x\"]`, 1) {
		t.Errorf("said %q in\n%s", said, wire)
	}
	body := []byte(`{"id":"i","model":"m","content":[{"type":"text","text":"a"},{"type":"text","text":"my secret"}],"stop_reason":"end_turn","usage":{}}`)
	res, err := messages().DecodeResponse(dialect.Reply{Body: body})
	if err != nil {
		t.Fatal(err)
	}
	was := res.(*llm.Response).Choices[0].Blocks[1]
	ch, err := messages().Redact(dialect.Chunk{Body: body, Result: res}, []dialect.TextEdit{{Index: 1, Start: 3, End: 9, New: "?"}})
	if err != nil || strings.Contains(string(ch.Body), "secret") || ch.Result.(*llm.Response).Choices[0].Blocks[1].(llm.Text).Text != "my ?" {
		t.Errorf("%v %s", err, ch.Body)
	}
	if d := cmp.Diff(was, res.(*llm.Response).Choices[0].Blocks[1]); d != "" {
		t.Error("the answer given was changed")
	}
	if _, err := messages().Redact(dialect.Chunk{Body: body}, []dialect.TextEdit{{Index: 7}}); err == nil {
		t.Error("a redaction that cannot be made passed")
	}
}

func TestCase_F18_MutatedRequestsDoNotPanic(t *testing.T) {
	seeds := []string{redactable, `{"model":"m","max_tokens":1,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}],"tools":[{"name":"x","input_schema":{"type":"object"}}],"thinking":{"type":"enabled","budget_tokens":1024},"tool_choice":{"type":"tool","name":"x"},"metadata":{"user_id":"u"},"output_config":{"format":{"type":"json_schema","schema":{}}}}`}
	for _, x := range corpusOrNone(t) {
		if len(x.request) > 0 && len(x.request) < 4000 {
			seeds = append(seeds, string(x.inbound().Body))
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for i := range 10_000 {
		body := mutate(rng, []byte(seeds[i%len(seeds)]))
		in := dialect.Inbound{Body: body}
		p, err := messages().DecodeRequest(in)
		if err != nil {
			refused++
			if !llm.IsKind(err, llm.Invalid) {
				t.Fatalf("%v for %s", err, body)
			}
		} else if out, _, err := messages().EncodeRequest(p, dialect.Shape{}); err == nil && !json.Valid(out.Body) {
			t.Fatalf("no JSON: %s\nof %s", out.Body, body)
		}
		checkEdit(t, in)
	}
	if refused == 0 || refused == 10_000 {
		t.Errorf("%d of 10000 refused", refused)
	}
}

func mutate(rng *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	words := []string{`null`, `{}`, `[]`, `""`, `-1`, `1e999`, `true`, `[[[[`, `"`, `\u0000`, `{"type":"text"}`, `"type":`, `,`}
	for range 1 + rng.IntN(3) {
		i := rng.IntN(len(b))
		switch rng.IntN(4) {
		case 0:
			b[i] = byte(rng.IntN(256))
		case 1:
			b = slices.Delete(b, i, min(len(b), i+1+rng.IntN(8)))
		case 2:
			b = slices.Insert(b, i, []byte(words[rng.IntN(len(words))])...)
		case 3:
			j := strings.IndexByte(string(b[i:]), ':')
			if j >= 0 {
				b = slices.Insert(b, i+j+1, []byte(words[rng.IntN(len(words))]+",")...)
			}
		}
		if len(b) == 0 {
			return []byte("{")
		}
	}
	return b
}

// checkEdit checks that whatever Peek lets through can be edited, and is JSON afterwards.
func checkEdit(t testing.TB, in dialect.Inbound) {
	t.Helper()
	h, err := messages().Peek(in, dialect.Bounds{})
	if err != nil {
		if !llm.IsKind(err, llm.Invalid) {
			t.Fatalf("%v for %s", err, in.Body)
		}
		return
	}
	out, err := messages().EditRequest(in, h, dialect.Shape{
		Offer: &plenum.Offer{Upstream: "other", Traits: plenum.Traits{Refuses: []string{"temperature"}}},
		Edits: []dialect.Edit{dialect.Cap{N: 3}},
	})
	if err != nil {
		if !llm.IsKind(err, llm.Invalid) {
			t.Fatalf("%v for %s", err, in.Body)
		}
		return
	}
	if _, err := splice.Scan(out.Body, splice.MaxDepth, nil, nil); err != nil {
		t.Fatalf("%v in %s\nof %s", err, out.Body, in.Body)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(redactable))
	for _, x := range corpusOrNone(f) {
		if len(x.request) > 0 && len(x.request) < 20_000 {
			f.Add(x.inbound().Body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := messages().DecodeRequest(dialect.Inbound{Body: body})
		if err != nil {
			return
		}
		out, _, err := messages().EncodeRequest(p, dialect.Shape{})
		if err == nil && !json.Valid(out.Body) {
			t.Fatalf("no JSON: %s", out.Body)
		}
	})
}

func FuzzPeekAndEdit(f *testing.F) {
	f.Add([]byte(redactable))
	f.Add([]byte(`{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"thinking","signature":""}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkEdit(t, dialect.Inbound{Body: body}) })
}

func FuzzDecodeResponse(f *testing.F) {
	for _, x := range corpusOrNone(f) {
		if !x.stream && len(x.response) < 20_000 {
			f.Add(x.response)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		res, err := messages().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			return
		}
		reply, _, err := messages().EncodeResponse(nil, res, dialect.Meta{})
		if err != nil || !json.Valid(reply.Body) {
			t.Fatalf("%v: %s", err, reply.Body)
		}
		messages().Gist(body)
	})
}

func FuzzDecodeStream(f *testing.F) {
	f.Add([]byte(toolStream))
	for _, x := range corpusOrNone(f) {
		if x.stream && len(x.response) < 20_000 {
			f.Add(x.response)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		evs, err := decode(messages(), wire, dialect.Want{})
		if err != nil {
			return
		}
		if _, metered := decode(messages(), wire, dialect.Want{Meter: true}); metered != nil {
			t.Fatalf("metering refuses what decoding takes: %v", metered)
		}
		for _, ev := range evs {
			switch ev.(type) {
			case llm.Fault, llm.OpaqueEvent, llm.OpaqueDelta: // said again as they were, whatever that was
				return
			}
		}
		checkGrammar(t, encode(t, messages().NewEncoder(nil, dialect.Meta{}), evs))
	})
}

func BenchmarkPeekAndEdit(b *testing.B) {
	for _, size := range []int{300, 100 << 10, 1 << 20} {
		text := strings.Repeat("x", size)
		in := dialect.Inbound{Header: http.Header{"Anthropic-Version": {"2023-06-01"}}, Body: fmt.Appendf(nil,
			`{"model":"mine","max_tokens":100,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"%s"}]}]}`, text)}
		s := dialect.Shape{Offer: &plenum.Offer{Upstream: "claude"}}
		c := messages()
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in.Body)))
			for b.Loop() {
				h, err := c.Peek(in, dialect.Bounds{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.EditRequest(in, h, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeStream(b *testing.B) {
	start, rest, _ := strings.Cut(toolStream, "event: content_block_stop")
	_ = rest
	delta := sse(`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"some more words"}}`)
	const n = 1000
	end := sse(`{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	wire := start + strings.Repeat(string(delta), n) + string(end)
	for name, want := range map[string]dialect.Want{"meter": {Meter: true}, "full": {}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range messages().DecodeStream(frame.NewReader(strings.NewReader(wire), 0).All(), want) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/chunk")
		})
	}
}

func BenchmarkEncodeChunk(b *testing.B) {
	enc := messages().NewEncoder(nil, dialect.Meta{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := enc.Encode(llm.TextDelta{Text: "some more words"}); err != nil {
			b.Fatal(err)
		}
	}
}
