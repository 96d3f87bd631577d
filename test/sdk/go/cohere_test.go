package sdk_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	cohere "github.com/cohere-ai/cohere-go/v2"
	"github.com/cohere-ai/cohere-go/v2/client"
	"github.com/cohere-ai/cohere-go/v2/core"
	"github.com/cohere-ai/cohere-go/v2/option"
)

func cohereClient(t *testing.T) *client.Client {
	t.Helper()
	// docs: cohere
	c := client.NewClient(client.WithBaseURL(plenumURL(t)), client.WithToken(key()))
	// end
	return c
}

var once = option.WithMaxAttempts(1)

func cohereAsk() cohere.ChatMessages {
	return cohere.ChatMessages{{Role: "user", User: &cohere.UserMessageV2{Content: &cohere.UserMessageV2Content{String: "Say hello."}}}}
}

func cohereTools() []*cohere.ToolV2 {
	return []*cohere.ToolV2{{Function: &cohere.ToolV2Function{Name: "get_weather", Description: cohere.String("The weather in a city."), Parameters: weather()}}}
}

func cohereText(m *cohere.AssistantMessageResponse) string {
	var b strings.Builder
	for _, c := range m.Content {
		if c.Text != nil {
			b.WriteString(c.Text.Text)
		}
	}
	return b.String()
}

func TestCohereText(t *testing.T) {
	both(t, "cohere", func(t *testing.T, s *side) {
		system := &cohere.ChatMessageV2{Role: "system", System: &cohere.SystemMessageV2{Content: &cohere.SystemMessageV2Content{String: "Be terse."}}}
		req := &cohere.V2ChatRequest{Model: s.model("text"), Messages: append(cohere.ChatMessages{system}, cohereAsk()...), MaxTokens: cohere.Int(77)}
		r, err := cohereClient(t).V2.Chat(ctx(t), req, once)
		ok(t, err)
		equal(t, "text", cohereText(r.Message), greeting)
		equal(t, "finish", string(r.FinishReason), "COMPLETE")
		equal(t, "tokens", *r.Usage.Tokens.InputTokens, 11)
		equal(t, "max", s.seen("text").Seen.Max, 77)
		equal(t, "system", strings.Join(s.seen("text").Seen.System, "|"), "Be terse.")
	})
}

// Streams are left out: this SDK takes the empty line behind an event that arrives alone for an event.

func TestCohereToolsGoRound(t *testing.T) {
	both(t, "cohere", func(t *testing.T, s *side) {
		c := cohereClient(t)
		req := &cohere.V2ChatRequest{Model: s.model("calls"), Messages: cohereAsk(), Tools: cohereTools()}
		r, err := c.V2.Chat(ctx(t), req, once)
		ok(t, err)
		calls := r.Message.ToolCalls
		if len(calls) != 2 {
			t.Fatalf("%d calls", len(calls))
		}
		req.Messages = append(req.Messages, &cohere.ChatMessageV2{Role: "assistant", Assistant: &cohere.AssistantMessage{ToolCalls: calls}})
		for i, call := range calls {
			same(t, "arguments", *call.Function.Arguments, []string{paris, lyon}[i])
			req.Messages = append(req.Messages, &cohere.ChatMessageV2{Role: "tool", Tool: &cohere.ToolMessageV2{
				ToolCallId: *call.Id, Content: &cohere.ToolMessageV2Content{String: "11 degrees"},
			}})
		}
		r, err = c.V2.Chat(ctx(t), req, once)
		ok(t, err)
		equal(t, "text", cohereText(r.Message), "It is 11 degrees.")
	})
}

func TestCohereStructuredOutput(t *testing.T) {
	both(t, "cohere", func(t *testing.T, s *side) {
		form := &cohere.ResponseFormatV2{Type: "json_object", JsonObject: &cohere.JsonResponseFormatV2{JsonSchema: person()}}
		r, err := cohereClient(t).V2.Chat(ctx(t), &cohere.V2ChatRequest{Model: s.model("json"), Messages: cohereAsk(), ResponseFormat: form}, once)
		ok(t, err)
		var got ada
		if err := json.Unmarshal([]byte(cohereText(r.Message)), &got); err != nil || !got.ok() {
			t.Errorf("%v: %s", err, cohereText(r.Message))
		}
	})
}

func TestCohereError(t *testing.T) {
	both(t, "cohere", func(t *testing.T, s *side) {
		_, err := cohereClient(t).V2.Chat(ctx(t), &cohere.V2ChatRequest{Model: s.model("nothing-like-this"), Messages: cohereAsk()}, once)
		var e *core.APIError
		if !errors.As(err, &e) || e.StatusCode != 404 || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("%v", err)
		}
	})
}
