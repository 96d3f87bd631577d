package matrix

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/test/sides"
	"github.com/plenum-foundry/plenum/test/specs"
)

// described is a dialect with its vendor's own description of it.
type described struct {
	ask, tell    *specs.Spec
	request      any
	whole, piece string
	named        bool // the events of a stream are known by a name beside their data
	messages     *specs.Messages
	besides      []string // members that are said to it though the vendor's description does not have them
	fault        string   // what an error is
}

// descriptions are those of the vendors of the dialects.
func descriptions(t *testing.T) map[string]*described {
	t.Helper()
	out := map[string]*described{"xaigrpc": {messages: specs.XAI(t)}}
	for _, d := range []struct {
		name, file            string
		request, whole, piece string
		fault                 string
		besides               []string
	}{
		{name: "openai", file: "openai/openapi.json", request: "CreateChatCompletionRequest", whole: "CreateChatCompletionResponse", piece: "CreateChatCompletionStreamResponse", fault: "ErrorResponse", besides: []string{"reasoning_content"}}, // as hosts of open models have it
		{name: "responses", file: "openai/openapi.json", request: "CreateResponse", whole: "Response", piece: "ResponseStreamEvent", fault: "ErrorResponse"},
		{name: "anthropic", file: "anthropic/openapi.yml", request: "CreateMessageParams", whole: "Message", piece: "MessageStreamEvent", fault: "ErrorResponse"},
		{name: "gemini", file: "google/gemini-v1beta-openapi.json", request: "GenerateContentRequest", whole: "GenerateContentResponse", piece: "GenerateContentResponse"},
		{name: "cohere", file: "cohere/openapi.yaml", request: "/v2/chat", whole: "ChatResponseV2", piece: "StreamedChatResponseV2"},
		{name: "ollama", file: "ollama/openapi.yaml", request: "ChatRequest", whole: "ChatResponse", piece: "ChatStreamEvent", fault: "ErrorResponse", besides: []string{"thinking", "index", "id", "tool_call_id", "tool_name"}}, // the server itself has them
	} {
		ask, tell := specs.Load(t, d.file), specs.Load(t, d.file)
		ask.Strict, tell.Lax = true, true
		x := &described{ask: ask, tell: tell, request: specs.Ref(d.request), whole: d.whole, piece: d.piece, fault: d.fault, besides: d.besides}
		if strings.HasPrefix(d.request, "/") {
			x.request = ask.Body(d.request)
		}
		forgets(tell)
		out[d.name] = x
	}
	bedrock := specs.Smithy(t, "aws/bedrock-runtime-service-2.json")
	out["converse"] = &described{ask: bedrock, tell: bedrock, request: specs.Ref("ConverseRequest"), whole: "ConverseResponse", piece: "ConverseStreamOutput", named: true}
	return out
}

// forgets makes good what a description forgets: that usage is null before the end of a stream, and the user where nobody
// was named.
func forgets(s *specs.Spec) {
	for _, at := range [][2]string{{"CreateChatCompletionStreamResponse", "usage"}, {"Response", "usage"}, {"ModelResponseProperties", "user"}} {
		for _, part := range s.Parts(specs.Ref(at[0])) {
			props, _ := part["properties"].(specs.Schema)
			if n, ok := props[at[1]].(specs.Schema); ok {
				props[at[1]] = specs.Schema{"anyOf": []any{n, specs.Schema{"type": "null"}}}
			}
		}
	}
}

// asks returns what is wrong with a request to a vendor.
func (d *described) asks(body []byte) string {
	if d.messages != nil {
		return d.messages.Check("GetCompletionsRequest", body)
	}
	return check(d.ask, d.request, body, d.besides)
}

// check looks at a body by a description. What is said besides is no fault.
func check(s *specs.Spec, as any, body []byte, besides []string) string {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err.Error()
	}
	if o, ok := v.(specs.Schema); ok && len(besides) > 0 {
		without(o["messages"], besides)
	}
	return s.Check(as, v, "body")
}

// without takes members out, wherever they are.
func without(v any, names []string) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			without(x, names)
		}
	case specs.Schema:
		for k, x := range v {
			if slices.Contains(names, k) {
				delete(v, k)
			}
			without(x, names)
		}
	}
}

// tells returns what is wrong with an answer to a caller.
func (d *described) tells(s sides.Side, body []byte, stream bool) string {
	if !stream {
		if d.messages != nil {
			return d.messages.Check("GetChatCompletionResponse", body)
		}
		return check(d.tell, specs.Ref(d.whole), body, nil)
	}
	for f, err := range s.Frames(body) {
		switch {
		case err != nil:
			return err.Error()
		case string(f.Data) == "[DONE]":
			continue
		}
		if bad := d.event(f); bad != "" {
			return fmt.Sprintf("%s in %s %s", bad, f.Event, clip(f.Data))
		}
	}
	return ""
}

// fails returns what is wrong with an error, where the vendor describes one.
func (d *described) fails(body []byte) string {
	if d.fault == "" {
		return ""
	}
	return check(d.tell, specs.Ref(d.fault), body, nil)
}

func (d *described) event(f dialect.Frame) string {
	if d.messages != nil {
		return d.messages.Check("GetChatCompletionChunk", f.Data)
	}
	data := f.Data
	if d.named {
		data, _ = json.Marshal(map[string]json.RawMessage{f.Event: f.Data})
	}
	return check(d.tell, specs.Ref(d.piece), data, nil)
}

// unframed returns the one message of a body of gRPC.
func unframed(s sides.Side, body []byte) []byte {
	if !s.GRPC {
		return body
	}
	message, err := frame.OneMessage(body, "", 0)
	if err != nil {
		return nil
	}
	return message
}

// What goes to a vendor in any cell is what the vendor describes, and so is what a caller is answered.
func TestEveryCellSaysWhatTheVendorsDescribe(t *testing.T) {
	by := descriptions(t)
	w := newWorld(t)
	seen := map[string]bool{}
	wrong := func(f feature, from, to sides.Side, what, bad string, body []byte) {
		fault, _, _ := strings.Cut(bad, " in ")
		key := from.Name + what + fault
		if strings.HasPrefix(what, "the vendor") {
			key = to.Name + what + fault
		}
		if bad != "" && !seen[key] {
			seen[key] = true
			t.Errorf("%s: %s caller, %s vendor: %s: %s\n%s", f.name, from.Title, to.Title, what, bad, clip(body))
		}
	}
	n := 0
	for _, f := range features() {
		for i, from := range w.sides {
			for j, to := range w.sides {
				if sides.Race && (i+j)%3 > 0 { // a third of them: what is looked at has nothing to do with races
					continue
				}
				for _, stream := range []bool{false, true} {
					x := w.cell(t, from, to, f, stream)
					for _, body := range x.sc.bodies {
						n++
						wrong(f, from, to, "the vendor is asked", by[to.Name].asks(body), body)
					}
					for _, h := range x.heard {
						n++
						if h.fault != nil {
							wrong(f, from, to, "the caller is told of an error", by[from.Name].fails(h.body), h.body)
							continue
						}
						body := h.body
						if !stream {
							body = unframed(from, body)
						}
						wrong(f, from, to, "the caller is answered", by[from.Name].tells(from, body, stream), body)
					}
				}
			}
		}
	}
	t.Logf("%d bodies are as described", n)
}
