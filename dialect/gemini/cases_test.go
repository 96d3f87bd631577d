package gemini_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

// say says a request of chat completions to a model of Gemini's.
func say(t *testing.T, body string, offer *plenum.Offer) (map[string]any, []dialect.Loss) {
	t.Helper()
	p, err := openai.Dialect().Codec(llm.OpGenerate).DecodeRequest(dialect.Inbound{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := codec().EncodeRequest(p, dialect.Shape{Offer: offer})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(out.Body, &m); err != nil {
		t.Fatalf("%v %s", err, out.Body)
	}
	return m, losses
}

func TestCase_F1_SchemasAreSaidInTheSubsetWhereTheHostHasNoOther(t *testing.T) {
	const schema = `{"$schema":"x","$id":"y","type":"object","additionalProperties":false,"required":["a"],"properties":{
		"a":{"$ref":"#/$defs/A"},"b":{"anyOf":[{"type":"string"},{"type":"null"}]},"c":{"type":["integer","null"],"exclusiveMinimum":0},
		"d":{"const":"x"},"e":{"not":{"type":"string"}},"f":{"oneOf":[{"type":"string"},{"type":"number"}]}},
		"$defs":{"A":{"type":"object","properties":{"next":{"$ref":"#/$defs/A"},"n":{"type":"integer","examples":[3]}}}}}`
	body := `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":` + schema + `}}]}`

	m, losses := say(t, body, &plenum.Offer{Upstream: "gemini-2.5-flash"})
	raw, _ := json.Marshal(m)
	if len(losses) != 0 || !bytes.Contains(raw, []byte(`"parametersJsonSchema"`)) || !bytes.Contains(raw, []byte(`"$ref":"#/$defs/A"`)) {
		t.Errorf("losses %v: %s", losses, raw)
	}
	m, losses = say(t, body, &plenum.Offer{Upstream: "gemini-2.5-flash", Traits: plenum.Traits{PlainSchema: true}})
	raw, _ = json.Marshal(m["tools"])
	const want = `[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","required":["a"],"properties":{
		"a":{"type":"OBJECT","properties":{"next":{"type":"OBJECT"},"n":{"type":"INTEGER","example":3}}},
		"b":{"type":"STRING","nullable":true},"c":{"type":"INTEGER","nullable":true,"minimum":0},"d":{"type":"STRING","enum":["x"]},"e":{},
		"f":{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}]}}}}]}]`
	if d := dialecttest.SameJSON([]byte(want), raw); d != "" {
		t.Error(d)
	}
	named := map[string]bool{}
	for _, l := range losses {
		named[l.What] = true
	}
	for _, what := range []string{
		"tools[0].parameters.additionalProperties", "tools[0].parameters.properties.a.properties.next.$ref",
		"tools[0].parameters.properties.c.exclusiveMinimum", "tools[0].parameters.properties.e.not",
	} {
		if !named[what] {
			t.Errorf("%s is not named: %v", what, losses)
		}
	}
}

func TestCase_F2_AResultThatLooksLikeASchemaIsAString(t *testing.T) {
	m, _ := say(t, `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"c","content":"{\"$ref\":\"#/$defs/x\"}"}]}`, old())
	raw, _ := json.Marshal(m["contents"])
	if !bytes.Contains(raw, []byte(`"response":{"output":"{\"$ref\":\"#/$defs/x\"}"}`)) || !bytes.Contains(raw, []byte(`"name":"f"`)) {
		t.Errorf("%s", raw)
	}
}

func TestCase_F6_ResultsOfOneTurnAreOneContent(t *testing.T) {
	m, _ := say(t, `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[
		{"id":"a","type":"function","function":{"name":"f","arguments":""}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":""}]}`, old())
	contents := m["contents"].([]any)
	if len(contents) != 3 || len(contents[2].(map[string]any)["parts"].([]any)) != 2 {
		t.Errorf("%v", contents)
	}
}

func TestCase_F7_NamesOfToolsAreMadeToFitAndGivenBack(t *testing.T) {
	long := "files.read/" + strings.Repeat("x", 90)
	req := &llm.Request{Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: long}}}
	out, _, err := codec().EncodeRequest(req, dialect.Shape{Offer: old()})
	if err != nil || bytes.Contains(out.Body, []byte("files.read")) {
		t.Fatalf("%v %s", err, out.Body)
	}
	narrow := dialect.ToolNames{}.Fit(long, 64)
	reply, _, err := codec().EncodeResponse(req, &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.ToolUse{Name: narrow, Args: "{}"}}}}}, dialect.Meta{})
	if err != nil || !bytes.Contains(reply.Body, []byte(long)) {
		t.Errorf("%v %s", err, reply.Body)
	}
}

// stream decodes pieces as events.
func stream(pieces ...string) dialecttest.Said {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString("data:" + p + "\r\n\r\n")
	}
	return dialecttest.Decode(codec(), dialecttest.Frames([]byte(b.String())), dialect.Want{})
}

func TestCase_A7_AnAnswerThatCallsEndsWithTheCall(t *testing.T) {
	got := stream(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}]},"index":0}]}`, `{"candidates":[{"finishReason":"STOP","index":0}]}`)
	r := got.Fold()
	if u := r.Choices[0].Blocks[0].(llm.ToolUse); r.Choices[0].Stop.Reason != llm.StopTool || u.Args != `{"a":1}` || u.ID == "" {
		t.Errorf("%+v", r.Choices[0])
	}
}

func TestCase_A9_ACallWithoutArgumentsHasNone(t *testing.T) {
	r := stream(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}]}`).Fold()
	if u := r.Choices[0].Blocks[0].(llm.ToolUse); u.Args != "{}" {
		t.Errorf("%+v", u)
	}
}

func TestCase_A10_CallsWithoutAnIDGetOneThatStays(t *testing.T) {
	const piece = `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}],"responseId":"r"}`
	res, err := codec().DecodeResponse(dialect.Reply{Body: []byte(piece)})
	if err != nil {
		t.Fatal(err)
	}
	whole, streamed := res.(*llm.Response).Choices[0].Blocks, stream(piece).Fold().Choices[0].Blocks
	a, b := whole[0].(llm.ToolUse), whole[1].(llm.ToolUse)
	if a.ID == b.ID || a.ID != streamed[0].(llm.ToolUse).ID || b.ID != streamed[1].(llm.ToolUse).ID {
		t.Errorf("%v %v %v", a.ID, b.ID, streamed)
	}
}

func TestCase_B3_AHugeSignatureIsOnePiece(t *testing.T) {
	sign := strings.Repeat("QUJD", 100_000)
	got := stream(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"},"thoughtSignature":"` + sign + `"}]},"finishReason":"STOP"}]}`)
	e := codec().NewEncoder(nil, dialect.Meta{})
	said, err := dialecttest.Encode(e, got.Events, nil)
	if got.Err != nil || err != nil || !bytes.Contains(said, []byte(sign)) {
		t.Errorf("%v %v", got.Err, err)
	}
}

func TestCase_B7_AStreamThatBreaksOffIsAnError(t *testing.T) {
	if got := stream(`{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`); !llm.IsKind(got.Err, llm.BadUpstream) {
		t.Errorf("%v", got.Err)
	}
}

func TestCase_B12_AnErrorWithinAStreamIsOne(t *testing.T) {
	got := stream(`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`)
	if e := llm.AsError(got.Fault()); e == nil || e.Kind != llm.Overloaded || e.Message != "busy" || !e.Upstream.InStream {
		t.Errorf("%v", got.Fault())
	}
}

func TestCase_D5_UsageIsTakenApartAndAddsUp(t *testing.T) {
	for usage, want := range map[string]llm.Usage{
		`{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":15}`: {Input: 6, CacheRead: 4, Output: 3, Reasoning: 2},
		// What a tool brought in stands beside the prompt.
		`{"promptTokenCount":147,"candidatesTokenCount":108,"toolUsePromptTokenCount":360,"thoughtsTokenCount":168,"totalTokenCount":783}`: {Input: 507, Output: 108, Reasoning: 168},
		// A host that counts thoughts among the candidates.
		`{"promptTokenCount":10,"candidatesTokenCount":9,"thoughtsTokenCount":4,"totalTokenCount":19}`: {Input: 10, Output: 5, Reasoning: 4},
		`{"promptTokenCount":100,"cachedContentTokenCount":200,"totalTokenCount":100}`:                 {CacheRead: 100},
		`{"promptTokenCount":293,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":113},{"modality":"TEXT","tokenCount":180}],` +
			`"candidatesTokenCount":1300,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}],"totalTokenCount":1593}`: {Input: 180, InputAudio: 113, Output: 10, OutputImage: 1290},
	} {
		body := `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":` + usage + `}`
		res, err := codec().DecodeResponse(dialect.Reply{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		got := res.(*llm.Response).Usage.Metered()
		want.Reported = llm.InSide | llm.OutSide
		if d := cmp.Diff(want, got) + cmp.Diff(want, codec().Gist([]byte(body)).Usage.Metered()); d != "" {
			t.Errorf("%s: %s", usage, d)
		}
	}
}

func TestCase_F12_OtherwiseWrittenKeysAreOtherKeys(t *testing.T) {
	p, err := codec().DecodeRequest(dialect.Inbound{Body: []byte(`{"Contents":[],"contents":[]}`)})
	if err != nil {
		t.Fatal(err)
	}
	if raw, ok := p.(*llm.Request).Extra.Get("Contents"); !ok || raw != "[]" {
		t.Error("a key of another case was taken for the known one")
	}
}

// A limit on output holds whatever name or value the caller gave it.
func TestACapHoldsByEitherName(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"generationConfig":null}`, `{"generation_config":{}}`, `{"generationConfig":{"maxOutputTokens":"900"}}`,
		`{"generationConfig":{"max_output_tokens":900}}`, `{"generationConfig":{"maxOutputTokens":null}}`,
	} {
		in := dialect.Inbound{Body: []byte(body)}
		h, err := codec().Peek(in, dialect.Bounds{})
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		s := dialect.Shape{Offer: old(), Edits: []dialect.Edit{dialect.Cap{N: 7}}}
		edited, err := codec().EditRequest(in, h, s)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		p, err := codec().DecodeRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		said, _, err := codec().EncodeRequest(p, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []dialect.Outbound{edited, said} {
			again, err := codec().Peek(dialect.Inbound{Body: out.Body}, dialect.Bounds{})
			if err != nil || again.MaxOut != llm.Some(7) {
				t.Errorf("%s became %s: %v %v", body, out.Body, again.MaxOut, err)
			}
		}
	}
	for _, body := range []string{
		`{"generationConfig":{},"generation_config":{}}`, `{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}`,
	} {
		if _, err := codec().Peek(dialect.Inbound{Body: []byte(body)}, dialect.Bounds{}); !llm.IsKind(err, llm.Invalid) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A redaction leaves nothing of what was there, also where the request was written in a way that is kept.
func TestRedactionsReachResults(t *testing.T) {
	in := dialect.Inbound{Body: []byte(`{"contents":[{"role":"user","parts":[{"text":"my secret"},{"functionResponse":{"name":"f","response":{"output":"a secret"}}}]}]}`)}
	s := dialect.Shape{Offer: old(), Edits: []dialect.Edit{
		dialect.Redact{Message: 0, Block: 0, Start: 3, End: 9, New: "***"}, dialect.Redact{Message: 0, Block: 1, Start: 2, End: 8, New: "***"},
	}}
	out, err := codec().EditRequest(in, dialect.Head{}, s)
	if err != nil || bytes.Contains(out.Body, []byte("secret")) || bytes.Count(out.Body, []byte("***")) != 2 {
		t.Errorf("%v %s", err, out.Body)
	}
}

// The list of a stream means what its events mean, and one error in it is an error.
func TestListsAreReadAsStreams(t *testing.T) {
	_, lists := recordings(t)
	for i := range lists {
		res, err := codec().DecodeResponse(dialecttest.Reply(&lists[i]))
		if err != nil || len(res.(*llm.Response).Choices[0].Blocks) == 0 || res.(*llm.Response).Usage.Zero() {
			t.Errorf("%s: %v", lists[i].Name(), err)
		}
	}
	_, err := codec().DecodeResponse(dialect.Reply{Body: []byte(`[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]`)})
	if !llm.IsKind(err, llm.RateLimited) {
		t.Error(err)
	}
}

// A count is asked for as each host wants it.
func TestCountsAreWrappedForTheHost(t *testing.T) {
	vertex := gemini.Vertex().Codec(llm.OpCountTokens)
	const plain, wrapped = `{"contents":[{"parts":[{"text":"a"}]}]}`, `{"generateContentRequest":{"model":"models/x","contents":[{"parts":[{"text":"a"}]}]}}`
	for _, c := range []struct {
		codec dialect.Codec
		body  string
		wraps bool
	}{{counter(), plain, true}, {counter(), wrapped, true}, {vertex, plain, false}, {vertex, wrapped, false}} {
		in := dialect.Inbound{Body: []byte(c.body), Vars: map[string]string{"model": "d"}}
		h, err := c.codec.Peek(in, dialect.Bounds{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.codec.EditRequest(in, h, dialect.Shape{Offer: old()})
		if err != nil || bytes.Contains(out.Body, []byte("generateContentRequest")) != c.wraps {
			t.Errorf("%s became %s: %v", c.body, out.Body, err)
		}
	}
}
