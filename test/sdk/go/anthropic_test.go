package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"
)

func claude(t *testing.T, opts ...option.RequestOption) anthropic.Client {
	base := []option.RequestOption{option.WithBaseURL(plenumURL(t)), option.WithAPIKey(key()), option.WithMaxRetries(0)}
	return anthropic.NewClient(append(base, opts...)...)
}

func tell(model string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: anthropic.Model(model), MaxTokens: 4096,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Say hello."))},
	}
}

func tellWithTool(model string) anthropic.MessageNewParams {
	p := tell(model)
	w := weather()
	p.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
		Name: "get_weather", Description: anthropic.String("The weather in a city."),
		InputSchema: anthropic.ToolInputSchemaParam{
			Properties: w["properties"], Required: w["required"].([]string), ExtraFields: map[string]any{"additionalProperties": false},
		},
	}}}
	return p
}

// collect accumulates a stream with the SDK's own accumulator.
func collect(t *testing.T, s *ssestream.Stream[anthropic.MessageStreamEventUnion]) anthropic.Message {
	t.Helper()
	m := anthropic.Message{}
	for s.Next() {
		if err := m.Accumulate(s.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

func textOf(m *anthropic.Message) string {
	var b strings.Builder
	for _, c := range m.Content {
		if c.Type == "text" {
			b.WriteString(c.Text)
		}
	}
	return b.String()
}

func kindsOf(m *anthropic.Message) string {
	var kinds []string
	for _, c := range m.Content {
		kinds = append(kinds, c.Type)
	}
	return strings.Join(kinds, " ")
}

func TestAnthropicText(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		p := tell(s.model("text"))
		p.System = []anthropic.TextBlockParam{{Text: "Be terse."}}
		r, err := c.Messages.New(ctx(t), p)
		ok(t, err)
		equal(t, "text", textOf(r), greeting)
		equal(t, "stop", r.StopReason, anthropic.StopReasonEndTurn)
		equal(t, "input", r.Usage.InputTokens, 11)
		equal(t, "output", r.Usage.OutputTokens, 7)
		seen := s.seen("text").Seen
		equal(t, "max", seen.Max, 4096)
		if !slices.Equal(seen.System, []string{"Be terse."}) {
			t.Errorf("system: %q", seen.System)
		}
	})
}

func TestAnthropicTextStreamed(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		m := collect(t, c.Messages.NewStreaming(ctx(t), tell(s.model("text"))))
		equal(t, "text", textOf(&m), greeting)
		equal(t, "stop", m.StopReason, anthropic.StopReasonEndTurn)
		equal(t, "output", m.Usage.OutputTokens, 7)
		m = collect(t, c.Messages.NewStreaming(ctx(t), tell(s.model("cached"))))
		equal(t, "cache read", m.Usage.CacheReadInputTokens, 1000)
	})
}

func TestAnthropicToolsGoRound(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		p := tellWithTool(s.model("calls"))
		r, err := c.Messages.New(ctx(t), p)
		ok(t, err)
		streamed := collect(t, c.Messages.NewStreaming(ctx(t), p))
		for _, m := range []*anthropic.Message{r, &streamed} {
			equal(t, "blocks", kindsOf(m), "text tool_use tool_use")
			equal(t, "stop", m.StopReason, anthropic.StopReasonToolUse)
			same(t, "first", string(m.Content[1].Input), paris)
			same(t, "second", string(m.Content[2].Input), lyon)
		}
		want, _ := json.Marshal(weather())
		same(t, "schema", string(s.seen("calls").Seen.Tools[0].Schema), string(want))
		p.Messages = append(p.Messages, r.ToParam(), anthropic.NewUserMessage(
			anthropic.NewToolResultBlock(r.Content[1].ID, "fine", false), anthropic.NewToolResultBlock(r.Content[2].ID, "fine", false)))
		r, err = c.Messages.New(ctx(t), p)
		ok(t, err)
		equal(t, "text", textOf(r), "It is fine.")
	})
}

func TestAnthropicToolChoice(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		for want, choice := range map[string]anthropic.ToolChoiceUnionParam{
			"any":              {OfAny: &anthropic.ToolChoiceAnyParam{}},
			"none":             {OfNone: &anthropic.ToolChoiceNoneParam{}},
			"tool:get_weather": anthropic.ToolChoiceParamOfTool("get_weather"),
		} {
			p := tellWithTool(s.model("obey"))
			p.ToolChoice = choice
			r, err := c.Messages.New(ctx(t), p)
			ok(t, err)
			equal(t, "choice", s.seen("obey").Seen.Choice, want)
			equal(t, "called", kindsOf(r) == "tool_use", want != "none")
		}
	})
}

func TestAnthropicStructuredOutput(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		p := tell(s.model("json"))
		p.OutputConfig = anthropic.OutputConfigParam{Format: anthropic.JSONOutputFormatParam{Schema: person()}}
		c := claude(t)
		r, err := c.Messages.New(ctx(t), p)
		ok(t, err)
		var got ada
		if err := json.Unmarshal([]byte(textOf(r)), &got); err != nil || !got.ok() {
			t.Errorf("%v: %s", err, textOf(r))
		}
	})
}

func TestAnthropicImagesAndDocument(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		doc := anthropic.NewDocumentBlock(anthropic.Base64PDFSourceParam{Data: pdf})
		doc.OfDocument.Title = anthropic.String("page.pdf")
		p := tell(s.model("see"))
		p.Messages = []anthropic.MessageParam{anthropic.NewUserMessage(
			anthropic.NewTextBlock("Compare."), anthropic.NewImageBlockBase64("image/png", png),
			anthropic.NewImageBlock(anthropic.URLImageSourceParam{URL: "https://example.com/cat.png"}), doc)}
		c := claude(t)
		_, err := c.Messages.New(ctx(t), p)
		ok(t, err)
		checkParts(t, s.seen("see").Seen.Turns[0].Parts)
	})
}

func TestAnthropicThinkingGoesRound(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		p := tellWithTool(s.model("think-call"))
		p.Thinking = anthropic.ThinkingConfigParamOfEnabled(2000)
		m := collect(t, c.Messages.NewStreaming(ctx(t), p))
		equal(t, "blocks", kindsOf(&m), "thinking text tool_use")
		equal(t, "thinking", m.Content[0].Thinking, "I should look it up.")
		p.Messages = append(p.Messages, m.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(m.Content[2].ID, "42", false)))
		r, err := c.Messages.New(ctx(t), p)
		ok(t, err)
		equal(t, "text", textOf(r), "The lookup says 42.")
	})
}

func TestAnthropicStopReasons(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		for scenario, want := range map[string]string{"length": "max_tokens", "stop": "stop_sequence end_turn", "refusal": "refusal"} {
			p := tell(s.model(scenario))
			p.StopSequences = []string{"END"}
			r, err := c.Messages.New(ctx(t), p)
			ok(t, err)
			streamed := collect(t, c.Messages.NewStreaming(ctx(t), p))
			for _, m := range []*anthropic.Message{r, &streamed} {
				if !slices.Contains(strings.Fields(want), string(m.StopReason)) {
					t.Errorf("%s: %s", scenario, m.StopReason)
				}
			}
		}
	})
}

func TestAnthropicCountTokens(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		p := tell(s.model("text"))
		n, err := c.Messages.CountTokens(ctx(t), anthropic.MessageCountTokensParams{Model: p.Model, Messages: p.Messages})
		ok(t, err)
		if s.name == "anthropic" && n.InputTokens != 42 || n.InputTokens < 3 || n.InputTokens > 500 {
			t.Errorf("%d tokens", n.InputTokens)
		}
	})
}

func TestAnthropicHeadersAndUnknownParameters(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		var resp *http.Response
		c := claude(t)
		_, err := c.Messages.New(ctx(t), tell(s.model("text")), option.WithResponseInto(&resp), option.WithJSONSet("x_new", map[string]any{"a": 1}))
		ok(t, err)
		equal(t, "target", resp.Header.Get("Plenum-Target"), s.name+"/"+s.upstream("text"))
		equal(t, "request id", resp.Header.Get("Request-Id") != "", true)
		if s.name == "anthropic" {
			same(t, "x_new", string(s.seen("text").Seen.Extra["x_new"]), `{"a":1}`)
			equal(t, "rate limit", resp.Header.Get("Anthropic-Ratelimit-Requests-Remaining"), "3999")
		} else if !strings.Contains(resp.Header.Get("Plenum-Lost"), "x_new") {
			t.Errorf("x_new is not named among the lost: %s", resp.Header.Get("Plenum-Lost"))
		}
	})
}

func TestAnthropicErrorsOfTheUpstream(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		for scenario, want := range map[string]int{"fail:400": 400, "fail:401": 502, "fail:404": 404, "fail:429": 429, "fail:529": 500} {
			_, err := c.Messages.New(ctx(t), tell(s.model(scenario)))
			var e *anthropic.Error
			if !errors.As(err, &e) {
				t.Errorf("%s: %v is not the SDK's own error", scenario, err)
				continue
			}
			if e.StatusCode != want && !(want == 500 && e.StatusCode >= 500) {
				t.Errorf("%s: status %d", scenario, e.StatusCode)
			}
			if e.Type() == "" || strings.Contains(e.RawJSON(), "sk-vendor") {
				t.Errorf("%s: %s", scenario, e.RawJSON())
			}
		}
	})
}

func TestAnthropicErrorsOfPlenum(t *testing.T) {
	alone(t, "anthropic")
	c := claude(t)
	_, err := c.Messages.New(ctx(t), tell("claude-her"))
	var e *anthropic.Error
	if !errors.As(err, &e) || e.StatusCode != 404 || e.Type() != "not_found_error" || !strings.Contains(e.RawJSON(), "claude-here") {
		t.Errorf("unknown model: %v", err)
	}
	c = claude(t, option.WithAPIKey("pk-wrong-0123456789abcdef"))
	_, err = c.Messages.New(ctx(t), tell("claude-here"))
	if !errors.As(err, &e) || e.StatusCode != 401 || strings.Contains(e.RawJSON(), "pk-wrong") {
		t.Errorf("wrong key: %v", err)
	}
}

func TestAnthropicTriesAgain(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t, option.WithMaxRetries(2))
		r, err := c.Messages.New(ctx(t), tell(s.model("again:429-1")))
		ok(t, err)
		equal(t, "text", textOf(r), greeting)
		calls := s.calls("again:429-1", "")
		if len(calls) != 2 || calls[1].AtMS < 950 || calls[1].AtMS > 4000 {
			t.Errorf("Retry-After did not reach the SDK: %+v", calls)
		}
	})
}

func TestAnthropicStreamsThatBreak(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		for _, scenario := range []string{"fault", "cut", "quiet"} {
			c := claude(t)
			st := c.Messages.NewStreaming(ctx(t), tell(s.model(scenario)))
			text := ""
			for st.Next() {
				text += st.Current().Delta.Text
			}
			var e *anthropic.Error
			if !errors.As(st.Err(), &e) || e.Type() == "" {
				t.Errorf("%s: %v is not the SDK's own error", scenario, st.Err())
			}
			equal(t, scenario, text, "one two three ")
		}
	})
}

func TestAnthropicAbort(t *testing.T) {
	both(t, "anthropic", func(t *testing.T, s *side) {
		c := claude(t)
		st := c.Messages.NewStreaming(ctx(t), tell(s.model("slow")))
		for range 6 {
			st.Next()
		}
		gone := time.Now()
		_ = st.Close()
		s.cancelled("slow", gone)
		short, stop := context.WithTimeout(ctx(t), 300*time.Millisecond)
		defer stop()
		if _, err := c.Messages.New(short, tell(s.model("hang"))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hang: %v", err)
		}
		s.cancelled("hang", time.Now())
	})
}

func TestAnthropicModels(t *testing.T) {
	alone(t, "anthropic")
	c := claude(t)
	names := []string{}
	pages := c.Models.ListAutoPaging(ctx(t), anthropic.ModelListParams{})
	for pages.Next() {
		names = append(names, pages.Current().ID)
	}
	if pages.Err() != nil || !slices.Contains(names, "grok-4-fast") || !slices.Contains(names, "claude-here") {
		t.Errorf("%v: %v", pages.Err(), names)
	}
	m, err := c.Models.Get(ctx(t), "claude-here", anthropic.ModelGetParams{})
	ok(t, err)
	equal(t, "id", m.ID, "claude-here")
}
