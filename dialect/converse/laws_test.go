package converse_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func codec() dialect.Codec    { return converse.Dialect().Codec(llm.OpGenerate) }
func counter() dialect.Codec  { return converse.Dialect().Codec(llm.OpCountTokens) }
func messages() dialect.Codec { return anthropic.Dialect().Codec(llm.OpGenerate) }
func chat() dialect.Codec     { return openai.Dialect().Codec(llm.OpGenerate) }

// vars returns what the route takes out of a recorded path.
func vars(x *testkit.Exchange) map[string]string {
	_, rest, _ := strings.Cut(x.Path(), "/model/")
	id, _, _ := strings.Cut(rest, "/")
	id, _ = url.PathUnescape(id)
	return map[string]string{"modelId": id}
}

// The laws that hold for every dialect.
func TestLaws(t *testing.T) {
	xs := dialecttest.Recordings(t, converse.Name)
	t.Run("requests", func(t *testing.T) { dialecttest.RequestsByPath(t, codec(), xs, vars, nil) })
	dialecttest.LawsOfAnswers(t, codec(), xs)
}

func TestCountTokens(t *testing.T) {
	xs := testkit.Corpus(t).Filter(func(x *testkit.Exchange) bool { return strings.HasSuffix(x.Path(), "/count-tokens") })
	if len(xs) == 0 {
		t.Skip("no counts of tokens among the recordings in PLENUM_CORPUS")
	}
	dialecttest.RequestsByPath(t, counter(), xs, vars, nil)
	for i := range xs {
		x := &xs[i]
		if x.Response.Status != 200 {
			if e := counter().DecodeError(dialecttest.Reply(x)); e.Kind != llm.NotFound {
				t.Errorf("%s: %v", x.Name(), e)
			}
			continue
		}
		res, err := counter().DecodeResponse(dialecttest.Reply(x))
		if err != nil || res.(*llm.TokenCount).Input == 0 {
			t.Errorf("%s: %v, %v", x.Name(), res, err)
			continue
		}
		out, _, err := counter().EncodeResponse(nil, res, dialect.Meta{})
		if d := dialecttest.SameJSON(x.Response.Body, out.Body); d != "" || err != nil {
			t.Errorf("%s: %s %v", x.Name(), d, err)
		}
	}
}

func TestMutations(t *testing.T) {
	var seeds [][]byte
	for _, s := range samples() {
		seeds = append(seeds, []byte(s))
	}
	for _, x := range dialecttest.Recordings(t, converse.Name) {
		if json.Valid(x.Request.Body) {
			seeds = append(seeds, x.Request.Body)
		}
	}
	dialecttest.Mutations(t, codec(), seeds, 5000)
}

func TestCrossing(t *testing.T) {
	xs := dialecttest.Recordings(t, converse.Name)
	none := func(*testkit.Exchange) map[string]string { return nil }
	for name, other := range map[string]dialect.Codec{openai.Name: chat(), anthropic.Name: messages()} {
		t.Run("requests to "+name, func(t *testing.T) { dialecttest.CrossRequests(t, codec(), other, xs, vars) })
		t.Run("answers to "+name, func(t *testing.T) {
			dialecttest.CrossAnswers(t, codec(), other, xs, &llm.Request{Stream: true, StreamUsage: llm.Some(true)})
		})
		ys := dialecttest.Recordings(t, name).Filter(func(x *testkit.Exchange) bool { return x.Op() != "messages.count_tokens" })
		t.Run("requests from "+name, func(t *testing.T) { dialecttest.CrossRequests(t, other, codec(), ys, none) })
		t.Run("answers from "+name, func(t *testing.T) { dialecttest.CrossAnswers(t, other, codec(), ys, &llm.Request{Stream: true}) })
	}
}

func TestEveryRecordedErrorIsUnderstood(t *testing.T) {
	for _, x := range dialecttest.Recordings(t, converse.Name) {
		if x.Response.Status < 400 {
			continue
		}
		e := codec().DecodeError(dialecttest.Reply(&x))
		if e.Message == "" || e.Kind == llm.Internal || e.Kind == llm.BadUpstream {
			t.Errorf("%s: got %q: %q", x.Name(), e.Kind, e.Message)
		}
		r := codec().EncodeError(e)
		if auth := x.Response.Status == 403; auth == (string(r.Body) == string(x.Response.Body)) || auth != (r.Status == 502) {
			t.Errorf("%s: said as %d %s", x.Name(), r.Status, r.Body)
		}
		if r.Header.Get("X-Amzn-Errortype") == "" {
			t.Errorf("%s: no type", x.Name())
		}
	}
}

// samples are requests made after the vendor's description: every kind of block, and all the rest.
func samples() map[string]string {
	return map[string]string{
		"blocks": `{"system":[{"text":"Be kind."},{"cachePoint":{"type":"default","ttl":"1h"}},{"guardContent":{"text":{"text":"guarded","qualifiers":["query"]}}}],
		 "messages":[{"role":"user","content":[{"cachePoint":{"type":"default"}},{"text":"hi"},{"image":{"format":"png","source":{"bytes":"aGk="}}},
		  {"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://bucket/x","bucketOwner":"123456789012"}}}},
		  {"document":{"format":"pdf","name":"page","source":{"bytes":"aGk="},"context":"about","citations":{"enabled":true}}},
		  {"document":{"name":"plain","format":"txt","source":{"text":"words"}}},
		  {"document":{"name":"parts","source":{"content":[{"text":"a"},{"text":"b"}]}}},
		  {"video":{"format":"three_gp","source":{"bytes":"aGk="}}},{"audio":{"format":"mp3","source":{"bytes":"aGk="}}},
		  {"guardContent":{"image":{"format":"png","source":{"bytes":"aGk="}}}},
		  {"searchResult":{"source":"https://x","title":"t","content":[{"text":"found"}],"citations":{"enabled":false}}},{"cachePoint":{"type":"default"}},
		  {"futureThing":{"x":1}}]},
		 {"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},{"reasoningContent":{"redactedContent":"AAEC"}},
		  {"reasoningContent":{"reasoningText":{"text":"unsigned"}}},
		  {"text":"so"},{"citationsContent":{"content":[{"text":"cited"}],"citations":[{"title":"page","sourceContent":[{"text":"q"}],"location":{"documentPage":{"documentIndex":0,"start":1,"end":2}}}]}},
		  {"toolUse":{"toolUseId":"a","name":"f","input":{"x":1}}}]},
		 {"role":"user","content":[{"toolResult":{"toolUseId":"a","status":"error","content":[{"json":{"a":[1]}},{"text":"t"},{"image":{"format":"gif","source":{"bytes":"aGk="}}},{"document":{"format":"csv","name":"d","source":{"bytes":"aGk="}}},{"video":{"format":"mp4","source":{"bytes":"aGk="}}}]}},{"cachePoint":{"type":"default"}}]},
		 {"role":"system","content":[{"text":"Now be brief."}]}]}`,
		"everything else": `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":10,"temperature":0.5,"topP":0.9,"stopSequences":["END"],"x":1},
		 "toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object","properties":null}},"strict":true}},{"cachePoint":{"type":"default"}},{"systemTool":{"name":"nova_grounding"}}],"toolChoice":{"tool":{"name":"f"}}},
		 "guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled","streamProcessingMode":"async"},
		 "additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024},"top_k":5,"anthropic_beta":["x"]},
		 "additionalModelResponseFieldPaths":["/stop_sequence"],"requestMetadata":{"a":"b"},"performanceConfig":{"latency":"optimized"},
		 "promptVariables":{"v":{"text":"x"}},"serviceTier":{"type":"flex"},
		 "outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{ \"type\":\"object\" }","name":"n","description":"d"}}},"effort":"high"}}`,
		"empties":  `{"messages":[],"system":[],"inferenceConfig":{},"additionalModelRequestFields":{},"outputConfig":{}}`,
		"a prompt": `{"promptVariables":{"v":{"text":"x"}}}`,
		"nova":     `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"topK":3},"toolConfig":{"tools":[],"toolChoice":{"any":{}}},"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"low"}}}`,
		"effort":   `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{"tools":[],"toolChoice":{"later":{}}},"additionalModelRequestFields":{"reasoning_effort":"low"}}`,
	}
}

// Law: what the vendor's description allows is said again as it was.
func TestRequestsAfterTheDescription(t *testing.T) {
	for name, body := range samples() {
		p, err := codec().DecodeRequest(dialect.Inbound{Body: []byte(body), Vars: map[string]string{"modelId": "m"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, losses, err := codec().EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: losses %v, %v", name, losses, err)
		}
		if d := dialecttest.SameJSON([]byte(body), out.Body); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

const answerBody = `{"metrics":{"latencyMs":7},"output":{"message":{"role":"assistant","content":[
 {"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},{"reasoningContent":{"redactedContent":"AAEC"}},{"text":"so"},
 {"citationsContent":{"content":[{"text":"cited"}],"citations":[{"title":"page","location":{"web":{"url":"https://x","domain":"x"}}}]}},
 {"citationsContent":{"citations":[{"location":{"documentChar":{"documentIndex":0,"start":1,"end":2}}}]}},
 {"toolUse":{"toolUseId":"s","name":"nova","input":{"q":1},"type":"server_tool_use"}},{"toolResult":{"toolUseId":"s","type":"nova_result","status":"success","content":[{"json":{"a":1}}]}},
 {"toolUse":{"toolUseId":"a","name":"f","input":{"x":1}}}]}},"stopReason":"tool_use",
 "usage":{"inputTokens":10,"outputTokens":20,"totalTokens":36,"cacheReadInputTokens":1,"cacheWriteInputTokens":5,"cacheDetails":[{"ttl":"1h","inputTokens":3},{"ttl":"5m","inputTokens":2}]},
 "trace":{"promptRouter":{"invokedModelId":"arn:x"}},"additionalModelResponseFields":{"stop_sequence":"END"},"performanceConfig":{"latency":"standard"},"serviceTier":{"type":"priority"}}`

// Law: an answer is said again as it was, and its stream tells the same.
func TestAnswersAfterTheDescription(t *testing.T) {
	res, err := codec().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(answerBody)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := codec().EncodeResponse(nil, res, dialect.Meta{})
	if err != nil || len(losses) > 0 {
		t.Errorf("losses %v, %v", losses, err)
	}
	if d := dialecttest.SameJSON([]byte(answerBody), out.Body); d != "" {
		t.Error(d)
	}
	r := res.(*llm.Response)
	if u := r.Usage; u.CacheWrite5m != 2 || u.CacheWrite1h != 3 || u.In() != 16 || u.Out() != 20 {
		t.Errorf("usage %+v", u)
	}
	var events []llm.Event
	for ev := range llm.Replay(r) {
		events = append(events, ev)
	}
	e := codec().NewEncoder(nil, dialect.Meta{})
	wire, err := dialecttest.Encode(e, events, nil)
	if err != nil || len(e.Losses()) > 0 {
		t.Fatalf("losses %v, %v", e.Losses(), err)
	}
	back := dialecttest.Decode(codec(), dialecttest.Frames(wire), dialect.Want{})
	if back.Err != nil {
		t.Fatal(back.Err)
	}
	if s := dialecttest.Grammar(back.Events, false); s != "" {
		t.Error(s)
	}
	if d := cmp.Diff(dialecttest.Plain(r), dialecttest.Plain(back.Fold())); d != "" {
		t.Error(d)
	}
	var kinds []string
	for _, b := range back.Fold().Choices[0].Blocks {
		if o, ok := b.(llm.Opaque); ok {
			kinds = append(kinds, o.Type+" "+o.Raw)
		}
	}
	want := []string{`toolUse {"toolUse":{"toolUseId":"s","name":"nova","type":"server_tool_use","input":{"q":1}}}`, `toolResult {"toolResult":{"toolUseId":"s","type":"nova_result","status":"success","content":[{"json":{"a":1}}]}}`}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Error(d)
	}
}
