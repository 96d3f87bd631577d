package invoke_test

import (
	"encoding/base64"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/invoke"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func messages() dialect.Codec { return anthropic.Dialect().Codec(llm.OpGenerate) }
func claude() dialect.Codec   { return invoke.Claude().Codec(llm.OpGenerate) }

// shell returns the codec of an address.
func shell(t testing.TB, verb string) dialect.Codec {
	t.Helper()
	for _, r := range invoke.Dialect().Routes {
		if strings.HasSuffix(r.Pattern, "/"+verb) {
			return r.Codec
		}
	}
	t.Fatalf("no route ends in %s", verb)
	return nil
}

// unpack returns the call that a request carries.
func unpack(t testing.TB, verb, body string) (dialect.Carried, error) {
	t.Helper()
	in := dialect.Inbound{Body: []byte(body), Vars: map[string]string{"modelId": "m"}, Header: http.Header{}}
	return shell(t, verb).(dialect.Carrier).Unpack(in, dialect.Bounds{})
}

// invocations are the recorded calls of Claude by InvokeModel.
func invocations(t testing.TB) testkit.Exchanges {
	t.Helper()
	xs := testkit.Corpus(t).Filter(func(x *testkit.Exchange) bool {
		return strings.Contains(x.Path(), "/invoke") && strings.Contains(x.Path(), "claude") && x.Request.Found
	})
	if len(xs) == 0 {
		t.Skip("no calls of InvokeModel among the recordings in PLENUM_CORPUS")
	}
	return xs
}

func vars(x *testkit.Exchange) map[string]string {
	_, rest, _ := strings.Cut(x.Path(), "/model/")
	id, _, _ := strings.Cut(rest, "/")
	id, _ = url.PathUnescape(id)
	return map[string]string{"modelId": id}
}

// Law: a recorded request becomes one of the Messages API, and that one becomes the recorded one again,
// whether its bytes pass or it is decoded and said again.
func TestRecordedRequestsComeAndGo(t *testing.T) {
	for _, x := range invocations(t) {
		if !json.Valid(x.Request.Body) {
			continue
		}
		verb := "invoke"
		if strings.HasSuffix(x.Path(), "stream") {
			verb = "invoke-with-response-stream"
		}
		in := dialecttest.Inbound(&x, vars(&x))
		inner, err := shell(t, verb).(dialect.Carrier).Unpack(in, dialect.Bounds{})
		if err != nil {
			t.Fatalf("%s: %v", x.Name(), err)
		}
		h, err := inner.Codec.Peek(inner.In, dialect.Bounds{})
		if err != nil || h.Model != vars(&x)["modelId"] || h.Stream != (verb != "invoke") || inner.Dialect.Name != anthropic.Name {
			t.Errorf("%s: %+v %v", x.Name(), h, err)
		}
		shape := dialect.Shape{Offer: &plenum.Offer{Upstream: "other"}}
		passed, err := claude().EditRequest(inner.In, h, shape)
		if d := dialecttest.SameJSON(x.Request.Body, passed.Body); d != "" || err != nil {
			t.Errorf("%s passed: %s %v", x.Name(), d, err)
		}
		p, err := inner.Codec.DecodeRequest(inner.In)
		if err != nil {
			t.Fatal(err)
		}
		again, losses, err := claude().EncodeRequest(p, shape)
		if d := dialecttest.SameJSON(x.Request.Body, again.Body); d != "" || err != nil || len(losses) > 0 {
			t.Errorf("%s said again: %s %v %v", x.Name(), d, err, losses)
		}
	}
}

// eventsOf returns the events in the messages of a stream.
func eventsOf(t testing.TB, wire []byte) (events []string, fault string) {
	t.Helper()
	for f, err := range dialecttest.Frames(wire) {
		if err != nil {
			t.Fatal(err)
		}
		var m struct{ Bytes []byte }
		if err := json.Unmarshal(f.Data, &m); err != nil {
			t.Fatal(err)
		}
		if f.Fault {
			return events, f.Event
		}
		events = append(events, string(m.Bytes))
	}
	return events, ""
}

// Law: the events of a stream pass to a client of the Messages API as the vendor sends them, and from such
// a stream into messages again, to the last byte.
func TestRecordedStreamsPass(t *testing.T) {
	xs := dialecttest.Streams(invocations(t))
	if len(xs) == 0 {
		t.Skip("no streams among the recordings in PLENUM_CORPUS")
	}
	dialecttest.Cuts(t, claude(), xs)
	dialecttest.Prefixes(t, claude(), xs)
	wrap := carried(t).Dialect.Wrap
	for _, x := range xs {
		want, _ := eventsOf(t, x.Response.Body)
		var sse, again []byte
		for _, w := range []dialect.Want{{}, {Meter: true}} {
			sse, again = nil, nil
			for ch, err := range claude().DecodeStream(dialecttest.Frames(x.Response.Body), w) {
				if err != nil {
					t.Fatalf("%s: %v", x.Name(), err)
				}
				sse = append(sse, ch.Frame.Raw...)
				again = wrap(again, ch.Frame)
			}
			var passed []string
			for f, err := range frame.NewReader(strings.NewReader(string(sse)), 0).All() {
				if err != nil || f.Event == "" {
					t.Fatal(f, err)
				}
				passed = append(passed, string(f.Data))
			}
			if d := cmp.Diff(want, passed); d != "" {
				t.Errorf("%s as server-sent events: %s", x.Name(), d)
			}
			if got, _ := eventsOf(t, again); !slices.Equal(got, want) {
				t.Errorf("%s in messages again: %q", x.Name(), got)
			}
		}
		got := dialecttest.Decode(messages(), dialecttest.Frames(sse), dialect.Want{})
		if err := got.Fault(); err != nil || got.Fold().Usage.Out() == 0 {
			t.Errorf("%s: %v %+v", x.Name(), err, got.Fold())
		}
	}
}

func carried(t testing.TB) dialect.Carried {
	t.Helper()
	c, err := unpack(t, "invoke-with-response-stream", `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[]}`)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func one(f dialect.Frame) iter.Seq2[dialect.Frame, error] {
	return func(yield func(dialect.Frame, error) bool) { yield(f, nil) }
}

// An exception in a stream of Bedrock is an error event to a client of the Messages API, and an error event
// of Anthropic an exception to a client of Bedrock.
func TestCase_B12_ExceptionsAndErrorEvents(t *testing.T) {
	wrap := carried(t).Dialect.Wrap
	for exception, kind := range map[string]llm.Kind{
		"throttlingException": llm.RateLimited, "serviceUnavailableException": llm.Overloaded, "validationException": llm.Invalid,
		"modelStreamErrorException": llm.UpstreamFault,
	} {
		f := dialect.Frame{Event: exception, Data: []byte(`{"message":"no more"}`), Fault: true}
		for _, want := range []dialect.Want{{}, {Meter: true}} {
			for ch, err := range claude().DecodeStream(one(f), want) {
				if err != nil || len(ch.Events) != 1 {
					t.Fatal(ch, err)
				}
				e := ch.Events[0].(llm.Fault).Err
				if !llm.IsKind(e, kind) || !strings.HasPrefix(string(ch.Frame.Raw), "event: error\ndata: {\"type\":\"error\",") {
					t.Errorf("%s: %v %q", exception, e, ch.Frame.Raw)
				}
				if events, fault := eventsOf(t, wrap(nil, ch.Frame)); fault == "" || len(events) > 0 {
					t.Errorf("%s became %q %s", exception, events, fault)
				}
			}
		}
	}
	frames := carried(t).Codec.NewEncoder(&llm.Request{}, dialect.Meta{}).Close(&llm.Error{Kind: llm.RateLimited, Message: "wait"})
	if len(frames) != 1 || !frames[0].Fault || frames[0].Event != "throttlingException" || string(frames[0].Data) != `{"message":"wait"}` {
		t.Errorf("got %v", frames)
	}
}

// Bedrock refuses a request that names a beta which it does not know: only those that it does pass, and in
// the body.
func TestCase_F9_OnlyKnownBetasReachBedrock(t *testing.T) {
	body := `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`
	in := dialect.Inbound{Body: []byte(body), Header: http.Header{
		"Anthropic-Beta": {"Interleaved-Thinking-2025-05-14,prompt-caching-scope-2026-01-05", "oauth-2025-04-20, interleaved-thinking-2025-05-14"}, "Anthropic-Version": {"2023-06-01"},
	}}
	h, err := messages().Peek(in, dialect.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	edit := func(o plenum.Offer) dialect.Outbound {
		out, err := claude().EditRequest(in, h, dialect.Shape{Offer: &o})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := edit(plenum.Offer{Upstream: "x"})
	const plain = `{"max_tokens":9,"messages":[{"role":"user","content":"hi"}],"anthropic_version":"bedrock-2023-05-31"`
	if got := string(out.Body); got != plain+`,"anthropic_beta":["Interleaved-Thinking-2025-05-14"]}` {
		t.Errorf("got %s", got)
	}
	if out.Header.Get("Anthropic-Beta")+out.Header.Get("Anthropic-Version") != "" {
		t.Errorf("headers %v", out.Header)
	}
	if changed := strings.Join(out.Changed, "; "); !strings.Contains(changed, "oauth-2025-04-20 removed") || !strings.Contains(changed, "prompt-caching-scope-2026-01-05 removed") || !strings.Contains(changed, "where the host wants them") {
		t.Errorf("said %s", changed)
	}
	out = edit(plenum.Offer{Upstream: "x", Traits: plenum.Traits{Betas: []string{"oauth-*"}}})
	if got := string(out.Body); got != plain+`,"anthropic_beta":["oauth-2025-04-20"]}` {
		t.Errorf("the offer's own list: %s", got)
	}
	out = edit(plenum.Offer{Upstream: "x", Traits: plenum.Traits{Betas: []string{}}})
	if got := string(out.Body); got != plain+`}` {
		t.Errorf("an empty list: %s", got)
	}
}

// Betas that a client of Bedrock says in the body reach another host in the header.
func TestBetasOfTheBody(t *testing.T) {
	c, err := unpack(t, "invoke", `{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b-2"],"max_tokens":9,"messages":[]}`)
	if err != nil || string(c.In.Body) != `{"max_tokens":9,"messages":[],"model":"m"}` || c.In.Header.Get("Anthropic-Beta") != "a-1,b-2" {
		t.Errorf("%v %s %v", err, c.In.Body, c.In.Header)
	}
	for _, bad := range []string{`"a"`, `[1]`, `["a,b"]`, `{}`} {
		_, err := unpack(t, "invoke", `{"anthropic_version":"x","messages":[],"anthropic_beta":`+bad+`}`)
		if !llm.IsKind(err, llm.Invalid) || !strings.Contains(err.Error(), "anthropic_beta") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func text(role llm.Role, s string) string { return string(role) + ": " + s }

// conversation returns a request's messages in short.
func conversation(r *llm.Request) (out []string) {
	for _, m := range r.Messages {
		for _, b := range m.Blocks {
			switch b := b.(type) {
			case llm.Text:
				out = append(out, text(m.Role, b.Text))
			case llm.Media:
				out = append(out, text(m.Role, b.MIME))
			}
		}
	}
	return out
}

// Each language is told by its body, and read.
func TestLanguagesAreTold(t *testing.T) {
	for _, c := range []struct {
		body, dialect string
		want          []string
	}{
		{`{"anthropic_version":"bedrock-2023-05-31","max_tokens":7,"system":"Be brief.","messages":[{"role":"user","content":"hi"}]}`, "anthropic", []string{"system: Be brief.", "user: hi"}},
		{`{"schemaVersion":"messages-v1","system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"max_new_tokens":7,"topK":5}}`, "converse", []string{"system: Be brief.", "user: hi"}},
		{`{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":7}}`, "converse", []string{"user: hi"}},
		{`{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],"max_completion_tokens":7}`, "openai", []string{"system: Be brief.", "user: hi"}},
		{`{"prompt":"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n","max_gen_len":7}`, "invoke", []string{"system: Be brief.", "user: hi"}},
		{`{"prompt":"hi","max_gen_len":7,"images":["/9j/4AAQ"]}`, "invoke", []string{"user: image/jpeg", "user: hi"}},
		{`{"prompt":"<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nhi [/INST] ho </s><s>[INST] again [/INST]","max_tokens":7}`, "invoke", []string{"system: Be brief.", "user: hi", "assistant: ho", "user: again"}},
		{`{"prompt":"\n\nHuman: hi\n\nAssistant:","max_tokens_to_sample":7}`, "invoke", []string{"user: hi"}},
		{`{"inputText":"User: hi\nBot:","textGenerationConfig":{"maxTokenCount":7,"stopSequences":["x"]}}`, "invoke", []string{"user: hi"}},
		{`{"message":"again","preamble":"Be brief.","chat_history":[{"role":"USER","message":"hi"},{"role":"CHATBOT","message":"ho"}],"max_tokens":7}`, "invoke", []string{"system: Be brief.", "user: hi", "assistant: ho", "user: again"}},
	} {
		inner, err := unpack(t, "invoke-with-response-stream", c.body)
		if err != nil {
			t.Fatalf("%s: %v", c.body, err)
		}
		h, err := inner.Codec.Peek(inner.In, dialect.Bounds{})
		if err != nil || h.Model != "m" || !h.Stream || inner.Dialect.Name != c.dialect || inner.Dialect.Streams != dialect.EventStream {
			t.Errorf("%s: %s %+v %v", c.body, inner.Dialect.Name, h, err)
		}
		p, err := inner.Codec.DecodeRequest(inner.In)
		if err != nil {
			t.Fatalf("%s: %v", c.body, err)
		}
		r := p.(*llm.Request)
		if d := cmp.Diff(c.want, conversation(r)); d != "" || r.MaxOut.V != 7 || !r.Stream || r.Model != "m" {
			t.Errorf("%s: %s %+v", c.body, d, r)
		}
	}
	for _, bad := range []string{`{"model":"m"}`, `[]`, `{"prompt":7}`, `{"message":"hi","tools":[{"name":"x"}]}`, `{"inputText":"a","textGenerationConfig":{"maxTokenCount":"many"}}`} {
		_, err := shell(t, "invoke").DecodeRequest(dialect.Inbound{Body: []byte(bad), Vars: map[string]string{"modelId": "m"}})
		if !llm.IsKind(err, llm.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func response() *llm.Response {
	return &llm.Response{
		ID: "r", Model: "x", Usage: llm.Usage{Input: 6, Output: 5, Reported: llm.InSide | llm.OutSide},
		Choices: []llm.Choice{{Blocks: []llm.Block{llm.Text{Text: "Hello."}}, Stop: llm.Stop{Reason: llm.StopLength}}},
	}
}

// Each family is answered in its form, whole and streamed; a stream ends with what it consumed.
func TestFamiliesAreAnswered(t *testing.T) {
	const used = `"amazon-bedrock-invocationMetrics":{"inputTokenCount":6,"outputTokenCount":5}}`
	for _, c := range []struct {
		ask, whole string
		events     []string
	}{
		{
			`{"prompt":"hi","max_gen_len":7}`,
			`{"generation":"Hello.","prompt_token_count":6,"generation_token_count":5,"stop_reason":"length"}`,
			[]string{
				`{"generation":"Hello.","prompt_token_count":0,"generation_token_count":0,"stop_reason":null}`,
				`{"generation":"","prompt_token_count":6,"generation_token_count":5,"stop_reason":"length",` + used,
			},
		},
		{
			`{"prompt":"hi","max_tokens":7}`, `{"outputs":[{"text":"Hello.","stop_reason":"length"}]}`,
			[]string{`{"outputs":[{"text":"Hello.","stop_reason":null}]}`, `{"outputs":[{"text":"","stop_reason":"length"}],` + used},
		},
		{
			`{"inputText":"hi"}`, `{"inputTextTokenCount":6,"results":[{"tokenCount":5,"outputText":"Hello.","completionReason":"LENGTH"}]}`,
			[]string{
				`{"outputText":"Hello.","index":0,"totalOutputTextTokenCount":0,"completionReason":null,"inputTextTokenCount":0}`,
				`{"outputText":"","index":0,"totalOutputTextTokenCount":5,"completionReason":"LENGTH","inputTextTokenCount":6,` + used,
			},
		},
		{
			`{"prompt":"\n\nHuman: hi\n\nAssistant:","max_tokens_to_sample":7}`, `{"type":"completion","completion":"Hello.","stop_reason":"max_tokens","stop":null}`,
			[]string{`{"type":"completion","completion":"Hello.","stop_reason":null,"stop":null}`, `{"type":"completion","completion":"","stop_reason":"max_tokens","stop":null,` + used},
		},
		{
			`{"message":"hi"}`, `{"response_id":"c1","generation_id":"c1","text":"Hello.","finish_reason":"MAX_TOKENS"}`,
			[]string{
				`{"event_type":"stream-start","generation_id":"c1","is_finished":false}`, `{"event_type":"text-generation","text":"Hello.","is_finished":false}`,
				`{"event_type":"stream-end","finish_reason":"MAX_TOKENS","is_finished":true,` + used,
			},
		},
	} {
		inner, err := unpack(t, "invoke", c.ask)
		if err != nil {
			t.Fatal(err)
		}
		p, err := inner.Codec.DecodeRequest(inner.In)
		if err != nil {
			t.Fatal(err)
		}
		reply, losses, err := inner.Codec.EncodeResponse(p, response(), dialect.Meta{CallID: "c1"})
		if string(reply.Body) != c.whole || err != nil || len(losses) > 0 || reply.Header.Get("X-Amzn-Bedrock-Input-Token-Count") != "6" {
			t.Errorf("%s: %s %v %v %v", c.ask, reply.Body, reply.Header, err, losses)
		}
		enc := inner.Codec.NewEncoder(p, dialect.Meta{CallID: "c1"})
		var wire []byte
		say := func(frames []dialect.Frame) {
			for _, f := range frames {
				wire = inner.Dialect.Wrap(wire, f)
			}
		}
		for ev := range llm.Replay(response()) {
			frames, err := enc.Encode(ev)
			if err != nil {
				t.Fatal(err)
			}
			say(frames)
		}
		say(enc.Close(nil))
		if got, _ := eventsOf(t, wire); !slices.Equal(got, c.events) {
			t.Errorf("%s streamed: %s", c.ask, cmp.Diff(c.events, got))
		}
	}
}

// What an answer of text alone has no place for is named.
func TestLossesOfFamilies(t *testing.T) {
	inner, err := unpack(t, "invoke", `{"prompt":"hi","max_gen_len":7}`)
	if err != nil {
		t.Fatal(err)
	}
	r := response()
	r.Choices[0].Blocks = append(r.Choices[0].Blocks, llm.ToolUse{ID: "t", Name: "n", Args: "{}"}, llm.Thought{Text: "so"})
	_, losses, err := inner.Codec.EncodeResponse(&llm.Request{}, r, dialect.Meta{})
	if err != nil || len(losses) != 2 {
		t.Errorf("whole: %v %v", losses, err)
	}
	enc := inner.Codec.NewEncoder(&llm.Request{}, dialect.Meta{})
	for ev := range llm.Replay(r) {
		if _, err := enc.Encode(ev); err != nil {
			t.Fatal(err)
		}
	}
	if got := enc.Losses(); len(got) != 2 {
		t.Errorf("streamed: %v", got)
	}
}

// A body within a request to count its tokens is read like one that is sent.
func TestCountsOfBodies(t *testing.T) {
	body := base64.StdEncoding.EncodeToString([]byte(`{"anthropic_version":"bedrock-2023-05-31","max_tokens":7,"messages":[{"role":"user","content":"hi"}]}`))
	inner, err := unpack(t, "count-tokens", `{"input":{"invokeModel":{"body":"`+body+`"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	h, err := inner.Codec.Peek(inner.In, dialect.Bounds{})
	if err != nil || h.Model != "m" || h.Stream {
		t.Errorf("%+v %v", h, err)
	}
	p, err := inner.Codec.DecodeRequest(inner.In)
	c, ok := p.(*llm.CountTokens)
	if err != nil || !ok || len(c.Request.Messages) != 1 {
		t.Fatalf("%T %v", p, err)
	}
	reply, _, err := inner.Codec.EncodeResponse(p, &llm.TokenCount{Input: 42}, dialect.Meta{})
	if string(reply.Body) != `{"inputTokens":42}` || err != nil {
		t.Errorf("%s %v", reply.Body, err)
	}
	inner, err = unpack(t, "count-tokens", `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"hi"}]}]}}}`)
	if err != nil || inner.Dialect.Name != "converse" {
		t.Errorf("%+v %v", inner.Dialect, err)
	}
	if _, err := unpack(t, "count-tokens", `{"input":{"invokeModel":{"body":"?"}}}`); !llm.IsKind(err, llm.Invalid) {
		t.Errorf("got %v", err)
	}
}

// Models that embed or rank are invoked at the same address, and are not this dialect's.
func TestModelsThatDoNotAnswerAreLeftToOthers(t *testing.T) {
	for path, want := range map[string]bool{
		"/model/us.anthropic.claude-sonnet-4/invoke": true, "/model/amazon.titan-embed-text-v2:0/invoke": false,
		"/model/cohere.rerank-v3-5:0/invoke": false, "/model/cohere.embed-english-v3/invoke": false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got := invoke.Dialect().Routes[0].Match(r); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// Errors are AWS's, whatever the language.
func TestErrorsAreThoseOfAWS(t *testing.T) {
	for _, x := range testkit.Corpus(t).Filter(func(x *testkit.Exchange) bool {
		return strings.Contains(x.Path(), "/invoke") && x.Response.Status >= 400
	}) {
		e := claude().DecodeError(dialecttest.Reply(&x))
		if e.Message == "" || e.Kind == llm.Internal {
			t.Errorf("%s: %+v", x.Name(), e)
		}
		if r := carried(t).Codec.EncodeError(e); string(r.Body) != string(x.Response.Body) || r.Header.Get("X-Amzn-Errortype") == "" {
			t.Errorf("%s: %s %v", x.Name(), r.Body, r.Header)
		}
		if r := messages().EncodeError(e); !strings.Contains(string(r.Body), `"type":"error"`) {
			t.Errorf("%s: %s", x.Name(), r.Body)
		}
	}
}
