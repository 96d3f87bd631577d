package openai_test

import (
	"net/http"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

// codecFor returns the codec that a client gets at the API's own path, by the name that it gives itself.
func codecFor(t *testing.T, agent string, more ...string) dialect.Codec {
	t.Helper()
	r := &http.Request{Method: http.MethodPost, Header: http.Header{"User-Agent": {agent}}}
	for i := 0; i < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	for _, route := range openai.Dialect().Routes {
		if route.Pattern == "/v1/chat/completions" && (route.Match == nil || route.Match(r)) {
			return route.Codec
		}
	}
	t.Fatal("no route")
	return nil
}

func streamedCalls() []llm.Event {
	return []llm.Event{
		llm.Start{ID: "1"},
		llm.BlockStart{Index: 0, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "a", Name: "x"}},
		llm.ArgsDelta{Index: 0, JSON: `{"a":`},
		llm.BlockStart{Index: 1, Block: llm.ToolUse{Kind: llm.ToolFunction, ID: "b", Name: "y"}},
		llm.ArgsDelta{Index: 0, JSON: `1}`},
		llm.BlockEnd{Index: 0},
		llm.Finish{Stop: llm.Stop{Reason: llm.StopTool}},
		llm.UsageReport{Usage: llm.Usage{Input: 3, Output: 4, Reported: llm.InSide | llm.OutSide}},
		llm.End{},
	}
}

// LangChain's package for Mistral gives itself no name. What it relies on does no harm to others that read streams with
// the same library; all else stays as it is.
func TestBareStreamsGetCallsWhole(t *testing.T) {
	sse := []string{"Accept", "text/event-stream", "Cache-Control", "no-store"}
	c := codecFor(t, "python-httpx/0.28.1", sse...)
	out, err := dialecttest.Encode(c.NewEncoder(&llm.Request{Stream: true}, dialect.Meta{}), streamedCalls(), nil)
	if err != nil || strings.Count(string(out), `"arguments"`) != 2 {
		t.Errorf("%v, calls come in pieces:\n%s", err, out)
	}
	if body := string(c.EncodeError(&llm.Error{Kind: llm.NotFound, Message: "none such"}).Body); !strings.Contains(body, `{"error":{"message":"none such"`) {
		t.Errorf("the error is %s", body)
	}
	for _, other := range []dialect.Codec{codecFor(t, "python-httpx/0.28.1"), codecFor(t, "OpenAI/Python 3.54.0", sse...)} {
		if _, ok := other.(dialect.Apart); ok {
			t.Error("others are taken for it")
		}
	}
}

func TestKinGetCallsWhole(t *testing.T) {
	for _, agent := range []string{"ai-sdk/xai/3.0", "mistral-client-python/3.7", "ai-sdk/mistral/3.0"} {
		e := codecFor(t, agent).NewEncoder(&llm.Request{Stream: true}, dialect.Meta{})
		out, err := dialecttest.Encode(e, streamedCalls(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, once := range []string{`"name":"x","arguments":"{\"a\":1}"`, `"name":"y","arguments":"{}"`, `"finish_reason":"tool_calls"`} {
			if strings.Count(string(out), once) != 1 {
				t.Errorf("%s: not once: %s in\n%s", agent, once, out)
			}
		}
		if n := strings.Count(string(out), `"arguments"`); n != 2 {
			t.Errorf("%s: %d pieces of arguments", agent, n)
		}
		if !strings.HasSuffix(strings.TrimSpace(string(out)), "[DONE]") {
			t.Errorf("%s: no end:\n%s", agent, out)
		}
	}
}

func TestKinOfNobodyElse(t *testing.T) {
	for _, agent := range []string{"", "OpenAI/Python 3.54.0", "ai-sdk/openai/3.0", "curl/8"} {
		if _, apart := codecFor(t, agent).(dialect.Apart); apart {
			t.Errorf("%q is answered otherwise", agent)
		}
	}
	if _, apart := openai.Dialect().Codec(llm.OpGenerate).(dialect.Apart); apart {
		t.Error("upstreams are asked as by another vendor's client")
	}
}

func TestKinBrokenOffLeaveCallsOut(t *testing.T) {
	e := codecFor(t, "ai-sdk/xai/3.0").NewEncoder(&llm.Request{Stream: true}, dialect.Meta{})
	out, err := dialecttest.Encode(e, streamedCalls()[:3], &llm.Error{Kind: llm.Overloaded, Message: "broken"})
	if err != nil || strings.Contains(string(out), "arguments") || !strings.Contains(string(out), "broken") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestMistralUsageIsInTheLastChunk(t *testing.T) {
	e := codecFor(t, "mistral-client-python/3.7").NewEncoder(&llm.Request{Stream: true, StreamUsage: llm.Some(true)}, dialect.Meta{})
	out, err := dialecttest.Encode(e, streamedCalls(), nil)
	if err != nil || strings.Count(string(out), `"usage"`) != 1 || strings.Contains(string(out), `"choices":[]`) {
		t.Errorf("%v\n%s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, `"usage"`) && !strings.Contains(line, `"finish_reason":"tool_calls"`) {
			t.Error(line)
		}
	}
}

func TestMistralWordsAreSaidAsAllOthers(t *testing.T) {
	c := codecFor(t, "mistral-client-typescript/2.7.0")
	p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","stream":true,"random_seed":7,"safe_prompt":false,"tool_choice":"any",
		"tools":[{"type":"function","function":{"name":"x","parameters":{"type":"object"}}}],
		"messages":[{"role":"user","content":[{"type":"image_url","image_url":"https://h/i.png"}]},{"role":"assistant","content":"a","prefix":false}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := openai.Dialect().Codec(llm.OpGenerate).EncodeRequest(p, dialect.Shape{Offer: &plenum.Offer{Upstream: "m"}})
	if err != nil {
		t.Fatal(err)
	}
	body := string(out.Body)
	for _, want := range []string{`"seed":7`, `"tool_choice":"required"`, `"image_url":{"url":"https://h/i.png"}`, `"include_usage":true`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing in %s", want, body)
		}
	}
	for _, not := range []string{"random_seed", "safe_prompt", "prefix", `"any"`} {
		if strings.Contains(body, not) {
			t.Errorf("%s is in %s", not, body)
		}
	}
	if _, err := c.DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","messages":[],"random_seed":"x"}`)}); llm.AsError(err).Param != "random_seed" {
		t.Errorf("%v", err)
	}
}

func TestMistralErrors(t *testing.T) {
	r := codecFor(t, "mistral-client-python/3.7").EncodeError(&llm.Error{Kind: llm.NotFound, Message: "none such"})
	if r.Status != http.StatusNotFound || !strings.HasPrefix(string(r.Body), `{"object":"error","message":"none such",`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}
