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

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
)

func openAI(t *testing.T, opts ...option.RequestOption) openai.Client {
	base := []option.RequestOption{option.WithBaseURL(plenumURL(t) + "/v1/"), option.WithAPIKey(key()), option.WithMaxRetries(0)}
	return openai.NewClient(append(base, opts...)...)
}

func ask(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Say hello.")}}
}

func askWithTool(model string) openai.ChatCompletionNewParams {
	p := ask(model)
	p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "get_weather", Description: openai.String("The weather in a city."), Parameters: weather(),
	})}
	return p
}

// gather accumulates a stream with the SDK's own accumulator.
func gather(t *testing.T, s *ssestream.Stream[openai.ChatCompletionChunk]) (openai.ChatCompletion, int) {
	t.Helper()
	acc := openai.ChatCompletionAccumulator{}
	n := 0
	for s.Next() {
		n++
		if !acc.AddChunk(s.Current()) {
			t.Fatalf("the SDK cannot add chunk %d: %s", n, s.Current().RawJSON())
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return acc.ChatCompletion, n
}

func TestOpenAIText(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		p := ask(s.model("text"))
		p.MaxCompletionTokens = openai.Int(77)
		c := openAI(t)
		r, err := c.Chat.Completions.New(ctx(t), p)
		ok(t, err)
		equal(t, "content", r.Choices[0].Message.Content, greeting)
		equal(t, "finish", r.Choices[0].FinishReason, "stop")
		equal(t, "tokens", r.Usage.TotalTokens, 18)
		equal(t, "max", s.seen("text").Seen.Max, 77)
	})
}

func TestOpenAITextStreamed(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		c := openAI(t)
		p := ask(s.model("cached"))
		p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
		r, n := gather(t, c.Chat.Completions.NewStreaming(ctx(t), p))
		equal(t, "content", r.Choices[0].Message.Content, "I knew that already.")
		equal(t, "prompt tokens", r.Usage.PromptTokens, 1220)
		equal(t, "cached tokens", r.Usage.PromptTokensDetails.CachedTokens, 1000)
		if n < 3 {
			t.Errorf("%d chunks", n)
		}
		r, _ = gather(t, c.Chat.Completions.NewStreaming(ctx(t), ask(s.model("text"))))
		equal(t, "content", r.Choices[0].Message.Content, greeting)
		equal(t, "usage that nobody asked for", r.Usage.TotalTokens, 0)
	})
}

func TestOpenAISystemPrompt(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		p := ask(s.model("text"))
		p.Messages = slices.Insert(p.Messages, 0, openai.DeveloperMessage("Be terse."))
		c := openAI(t)
		_, err := c.Chat.Completions.New(ctx(t), p)
		ok(t, err)
		if got := s.seen("text").Seen.System; !slices.Equal(got, []string{"Be terse."}) {
			t.Errorf("system: %q", got)
		}
	})
}

func TestOpenAIToolsGoRound(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		c := openAI(t)
		p := askWithTool(s.model("calls"))
		r, err := c.Chat.Completions.New(ctx(t), p)
		ok(t, err)
		m := r.Choices[0].Message
		equal(t, "finish", r.Choices[0].FinishReason, "tool_calls")
		if len(m.ToolCalls) != 2 {
			t.Fatalf("%d calls", len(m.ToolCalls))
		}
		same(t, "first", m.ToolCalls[0].Function.Arguments, paris)
		same(t, "second", m.ToolCalls[1].Function.Arguments, lyon)
		want, _ := json.Marshal(weather())
		same(t, "schema", string(s.seen("calls").Seen.Tools[0].Schema), string(want))
		p.Messages = append(p.Messages, m.ToParam(),
			openai.ToolMessage("fine", m.ToolCalls[0].ID), openai.ToolMessage("fine", m.ToolCalls[1].ID))
		r, err = c.Chat.Completions.New(ctx(t), p)
		ok(t, err)
		equal(t, "content", r.Choices[0].Message.Content, "It is fine.")
	})
}

func TestOpenAIToolsStreamed(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		c := openAI(t)
		r, _ := gather(t, c.Chat.Completions.NewStreaming(ctx(t), askWithTool(s.model("calls"))))
		m := r.Choices[0].Message
		equal(t, "content", m.Content, "Both cities.")
		if len(m.ToolCalls) != 2 {
			t.Fatalf("%d calls", len(m.ToolCalls))
		}
		same(t, "first", m.ToolCalls[0].Function.Arguments, paris)
		same(t, "second", m.ToolCalls[1].Function.Arguments, lyon)
	})
}

func TestOpenAIToolChoice(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		for _, choice := range []struct{ said, want string }{{"required", "any"}, {"none", "none"}} {
			p := askWithTool(s.model("obey"))
			p.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String(choice.said)}
			c := openAI(t)
			r, err := c.Chat.Completions.New(ctx(t), p)
			ok(t, err)
			equal(t, "choice", s.seen("obey").Seen.Choice, choice.want)
			equal(t, "called", len(r.Choices[0].Message.ToolCalls) == 1, choice.want == "any")
		}
	})
}

func TestOpenAIStructuredOutput(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		p := ask(s.model("json"))
		p.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "person", Schema: person(), Strict: openai.Bool(true)},
		}}
		c := openAI(t)
		r, err := c.Chat.Completions.New(ctx(t), p)
		ok(t, err)
		var got ada
		if err := json.Unmarshal([]byte(r.Choices[0].Message.Content), &got); err != nil || !got.ok() {
			t.Errorf("%v: %s", err, r.Choices[0].Message.Content)
		}
	})
}

func TestOpenAIImagesAndDocument(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		p := ask(s.model("see"))
		p.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart("Compare."),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + png}),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "https://example.com/cat.png"}),
			openai.FileContentPart(openai.ChatCompletionContentPartFileFileParam{
				Filename: openai.String("page.pdf"), FileData: openai.String("data:application/pdf;base64," + pdf),
			}),
		})}
		c := openAI(t)
		_, err := c.Chat.Completions.New(ctx(t), p)
		ok(t, err)
		checkParts(t, s.seen("see").Seen.Turns[0].Parts)
	})
}

func checkParts(t *testing.T, parts []part) {
	t.Helper()
	want := []part{
		{Type: "text", Text: "Compare."},
		{Type: "image", Media: "image/png", Hash: digest(png)},
		{Type: "image", URL: "https://example.com/cat.png"},
		{Type: "document", Media: "application/pdf", Hash: digest(pdf), Name: "page.pdf"},
	}
	if !slices.Equal(parts, want) {
		t.Errorf("got %+v, want %+v", parts, want)
	}
}

func TestOpenAIReasoning(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		p := ask(s.model("think"))
		p.ReasoningEffort = shared.ReasoningEffortHigh
		c := openAI(t)
		r, err := c.Chat.Completions.New(ctx(t), p)
		ok(t, err)
		equal(t, "content", r.Choices[0].Message.Content, "It is 42.")
		same(t, "reasoning", r.Choices[0].Message.JSON.ExtraFields["reasoning_content"].Raw(), `"Six times seven: that is forty-two."`)
	})
}

func TestOpenAIFinishReasons(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		c := openAI(t)
		for scenario, want := range map[string]string{"length": "length", "stop": "stop", "filter": "content_filter"} {
			p := ask(s.model(scenario))
			p.Stop = openai.ChatCompletionNewParamsStopUnion{OfStringArray: []string{"END"}}
			r, err := c.Chat.Completions.New(ctx(t), p)
			ok(t, err)
			equal(t, scenario, r.Choices[0].FinishReason, want)
			whole, _ := gather(t, c.Chat.Completions.NewStreaming(ctx(t), p))
			equal(t, scenario+" streamed", whole.Choices[0].FinishReason, want)
		}
	})
}

func TestOpenAISeveralChoicesAndLogprobs(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		p := ask(s.model("many"))
		p.N, p.Logprobs, p.TopLogprobs = openai.Int(2), openai.Bool(true), openai.Int(1)
		var resp *http.Response
		c := openAI(t)
		r, err := c.Chat.Completions.New(ctx(t), p, option.WithResponseInto(&resp))
		ok(t, err)
		lost := resp.Header.Get("Plenum-Lost")
		if s.name == "openai" {
			equal(t, "choices", len(r.Choices), 2)
			equal(t, "second", r.Choices[1].Message.Content, "choice 1")
			equal(t, "token", r.Choices[0].Logprobs.Content[0].Token, "choice 0")
			equal(t, "lost", lost, "")
			return
		}
		equal(t, "choices", len(r.Choices), 1)
		for _, name := range []string{"n", "logprobs"} {
			if !slices.Contains(strings.Split(lost, ", "), name) {
				t.Errorf("%s is not named among the lost: %s", name, lost)
			}
		}
	})
}

func TestOpenAIHeadersAndUnknownParameters(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		var resp *http.Response
		c := openAI(t)
		_, err := c.Chat.Completions.New(ctx(t), ask(s.model("text")), option.WithResponseInto(&resp), option.WithJSONSet("x_new", map[string]any{"a": 1}))
		ok(t, err)
		equal(t, "target", resp.Header.Get("Plenum-Target"), s.name+"/"+s.upstream("text"))
		equal(t, "attempts", resp.Header.Get("Plenum-Attempts"), "1")
		equal(t, "priced", resp.Header.Get("Plenum-Cost-Usd") != "", true)
		if s.name == "openai" {
			same(t, "x_new", string(s.seen("text").Seen.Extra["x_new"]), `{"a":1}`)
		} else if !strings.Contains(resp.Header.Get("Plenum-Lost"), "x_new") {
			t.Errorf("x_new is not named among the lost: %s", resp.Header.Get("Plenum-Lost"))
		}
	})
}

func TestOpenAIErrorsOfTheUpstream(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		c := openAI(t)
		for scenario, want := range map[string]int{"fail:400": 400, "fail:401": 502, "fail:404": 404, "fail:429": 429, "fail:500": 500} {
			_, err := c.Chat.Completions.New(ctx(t), ask(s.model(scenario)))
			var e *openai.Error
			if !errors.As(err, &e) {
				t.Errorf("%s: %v is not the SDK's own error", scenario, err)
				continue
			}
			if e.StatusCode != want && !(want == 500 && e.StatusCode >= 500) {
				t.Errorf("%s: status %d", scenario, e.StatusCode)
			}
			if e.Message == "" || e.Type == "" || strings.Contains(e.RawJSON(), "sk-vendor") {
				t.Errorf("%s: %s", scenario, e.RawJSON())
			}
		}
	})
}

func TestOpenAIErrorsOfPlenum(t *testing.T) {
	alone(t, "openai")
	c := openAI(t)
	_, err := c.Chat.Completions.New(ctx(t), ask("grok-4-fst"))
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != 404 || e.Code != "model_not_found" || !strings.Contains(e.Message, "grok-4-fast") {
		t.Errorf("unknown model: %v %+v", err, e)
	}
	c = openAI(t, option.WithAPIKey("pk-wrong-0123456789abcdef"))
	_, err = c.Chat.Completions.New(ctx(t), ask("grok-4-fast"))
	if !errors.As(err, &e) || e.StatusCode != 401 || strings.Contains(e.RawJSON(), "pk-wrong") {
		t.Errorf("wrong key: %v", err)
	}
}

func TestOpenAITriesAgain(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		c := openAI(t, option.WithMaxRetries(2))
		r, err := c.Chat.Completions.New(ctx(t), ask(s.model("again:429-1")))
		ok(t, err)
		equal(t, "content", r.Choices[0].Message.Content, greeting)
		calls := s.calls("again:429-1", "")
		if len(calls) != 2 || calls[1].AtMS < 950 || calls[1].AtMS > 4000 {
			t.Errorf("Retry-After did not reach the SDK: %+v", calls)
		}
	})
}

func TestOpenAIStreamsThatBreak(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		for _, scenario := range []string{"fault", "cut", "quiet"} {
			c := openAI(t)
			st := c.Chat.Completions.NewStreaming(ctx(t), ask(s.model(scenario)))
			text := ""
			for st.Next() {
				for _, ch := range st.Current().Choices {
					text += ch.Delta.Content
				}
			}
			var e *ssestream.StreamError
			if !errors.As(st.Err(), &e) {
				t.Errorf("%s: %v is not the SDK's own error", scenario, st.Err())
			}
			equal(t, scenario, text, "one two three ")
		}
	})
}

func TestOpenAIAbort(t *testing.T) {
	both(t, "openai", func(t *testing.T, s *side) {
		c := openAI(t)
		st := c.Chat.Completions.NewStreaming(ctx(t), ask(s.model("slow")))
		for range 5 {
			st.Next()
		}
		gone := time.Now()
		_ = st.Close()
		s.cancelled("slow", gone)
		short, stop := context.WithTimeout(ctx(t), 300*time.Millisecond)
		defer stop()
		if _, err := c.Chat.Completions.New(short, ask(s.model("hang"))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hang: %v", err)
		}
		s.cancelled("hang", time.Now())
	})
}

func TestOpenAIModels(t *testing.T) {
	alone(t, "openai")
	c := openAI(t)
	names := []string{}
	pages := c.Models.ListAutoPaging(ctx(t))
	for pages.Next() {
		names = append(names, pages.Current().ID)
	}
	if pages.Err() != nil || !slices.Contains(names, "grok-4-fast") || !slices.Contains(names, "claude-here") {
		t.Errorf("%v: %v", pages.Err(), names)
	}
	m, err := c.Models.Get(ctx(t), "grok-4-fast")
	ok(t, err)
	equal(t, "id", m.ID, "grok-4-fast")
}
