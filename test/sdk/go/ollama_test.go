package sdk_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ollama/ollama/api"
)

// withKey puts the key into requests, which the client has no parameter for.
type withKey struct{}

func (withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+key())
	return http.DefaultTransport.RoundTrip(r)
}

func ollama(t *testing.T) *api.Client {
	t.Helper()
	// docs: ollama
	base, err := url.Parse(plenumURL(t))
	client := api.NewClient(base, &http.Client{Transport: withKey{}})
	// end
	ok(t, err)
	return client
}

// chat gathers an answer and counts its pieces.
func chat(t *testing.T, req *api.ChatRequest) (whole api.ChatResponse, pieces int, err error) {
	t.Helper()
	err = ollama(t).Chat(ctx(t), req, func(r api.ChatResponse) error {
		pieces++
		text, calls := whole.Message.Content+r.Message.Content, append(whole.Message.ToolCalls, r.Message.ToolCalls...)
		whole = r
		whole.Message.Content, whole.Message.ToolCalls = text, calls
		return nil
	})
	return whole, pieces, err
}

func hello(model string) *api.ChatRequest {
	return &api.ChatRequest{Model: model, Messages: []api.Message{{Role: "user", Content: "Say hello."}}}
}

func TestOllamaText(t *testing.T) {
	both(t, "ollama", func(t *testing.T, s *side) {
		for _, stream := range []bool{false, true} {
			req := hello(s.model("text"))
			req.Stream = &stream
			req.Messages = append([]api.Message{{Role: "system", Content: "Be terse."}}, req.Messages...)
			r, n, err := chat(t, req)
			ok(t, err)
			equal(t, "text", r.Message.Content, greeting)
			equal(t, "why it ended", r.DoneReason, "stop")
			equal(t, "tokens", r.PromptEvalCount+r.EvalCount, 18)
			equal(t, "streamed", n > 3, stream)
			equal(t, "system", strings.Join(s.seen("text").Seen.System, "|"), "Be terse.")
		}
	})
}

func TestOllamaToolsGoRound(t *testing.T) {
	both(t, "ollama", func(t *testing.T, s *side) {
		req := hello(s.model("calls"))
		spec, _ := json.Marshal([]any{map[string]any{"type": "function", "function": map[string]any{
			"name": "get_weather", "description": "The weather in a city.", "parameters": weather(),
		}}})
		ok(t, json.Unmarshal(spec, &req.Tools))
		r, _, err := chat(t, req)
		ok(t, err)
		if len(r.Message.ToolCalls) != 2 {
			t.Fatalf("%d calls", len(r.Message.ToolCalls))
		}
		req.Messages = append(req.Messages, r.Message)
		for i, c := range r.Message.ToolCalls {
			args, _ := json.Marshal(c.Function.Arguments)
			same(t, "arguments", string(args), []string{paris, lyon}[i])
			req.Messages = append(req.Messages, api.Message{Role: "tool", Content: "11 degrees", ToolName: c.Function.Name, ToolCallID: c.ID})
		}
		r, _, err = chat(t, req)
		ok(t, err)
		equal(t, "text", r.Message.Content, "It is 11 degrees.")
	})
}

func TestOllamaStructuredOutput(t *testing.T) {
	both(t, "ollama", func(t *testing.T, s *side) {
		req := hello(s.model("json"))
		req.Format, _ = json.Marshal(person())
		r, _, err := chat(t, req)
		ok(t, err)
		var got ada
		if err := json.Unmarshal([]byte(r.Message.Content), &got); err != nil || !got.ok() {
			t.Errorf("%v: %s", err, r.Message.Content)
		}
	})
}

func TestOllamaError(t *testing.T) {
	both(t, "ollama", func(t *testing.T, s *side) {
		_, _, err := chat(t, hello(s.model("nothing-like-this")))
		var e api.StatusError
		if !errors.As(err, &e) || e.StatusCode != 404 || !strings.Contains(e.ErrorMessage, "does not exist") {
			t.Errorf("%v", err)
		}
	})
}
