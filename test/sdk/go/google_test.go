package sdk_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/genai"
)

func google(t *testing.T) *genai.Client {
	t.Helper()
	// docs: genai
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: key(), Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: plenumURL(t)},
	})
	// end
	ok(t, err)
	return client
}

func googleTools() []*genai.Tool {
	return []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
		Name: "get_weather", Description: "The weather in a city.", ParametersJsonSchema: weather(),
	}}}}
}

func TestGoogleText(t *testing.T) {
	both(t, "genai", func(t *testing.T, s *side) {
		conf := &genai.GenerateContentConfig{SystemInstruction: genai.NewContentFromText("Be terse.", genai.RoleUser), MaxOutputTokens: 77}
		r, err := google(t).Models.GenerateContent(ctx(t), s.model("text"), genai.Text("Say hello."), conf)
		ok(t, err)
		equal(t, "text", r.Text(), greeting)
		equal(t, "finish", r.Candidates[0].FinishReason, genai.FinishReasonStop)
		equal(t, "tokens", r.UsageMetadata.TotalTokenCount, 18)
		seen := s.seen("text").Seen
		equal(t, "max", seen.Max, 77)
		equal(t, "system", strings.Join(seen.System, "|"), "Be terse.")
	})
}

func TestGoogleTextStreamed(t *testing.T) {
	both(t, "genai", func(t *testing.T, s *side) {
		var text strings.Builder
		var finish genai.FinishReason
		for r, err := range google(t).Models.GenerateContentStream(ctx(t), s.model("text"), genai.Text("Say hello."), nil) {
			ok(t, err)
			text.WriteString(r.Text())
			if len(r.Candidates) > 0 && r.Candidates[0].FinishReason != "" {
				finish = r.Candidates[0].FinishReason
			}
		}
		equal(t, "text", text.String(), greeting)
		equal(t, "finish", finish, genai.FinishReasonStop)
	})
}

func TestGoogleToolsGoRound(t *testing.T) {
	both(t, "genai", func(t *testing.T, s *side) {
		c, conf := google(t), &genai.GenerateContentConfig{Tools: googleTools()}
		contents := genai.Text("The weather in both cities?")
		r, err := c.Models.GenerateContent(ctx(t), s.model("calls"), contents, conf)
		ok(t, err)
		calls := r.FunctionCalls()
		if len(calls) != 2 {
			t.Fatalf("%d calls", len(calls))
		}
		answer := &genai.Content{Role: genai.RoleUser}
		for i, want := range []string{paris, lyon} {
			args, _ := json.Marshal(calls[i].Args)
			same(t, "arguments", string(args), want)
			part := genai.NewPartFromFunctionResponse(calls[i].Name, map[string]any{"output": "11 degrees"})
			part.FunctionResponse.ID = calls[i].ID
			answer.Parts = append(answer.Parts, part)
		}
		r, err = c.Models.GenerateContent(ctx(t), s.model("calls"), append(contents, r.Candidates[0].Content, answer), conf)
		ok(t, err)
		if !strings.Contains(r.Text(), "11 degrees") {
			t.Error(r.Text())
		}
	})
}

func TestGoogleStructuredOutput(t *testing.T) {
	both(t, "genai", func(t *testing.T, s *side) {
		conf := &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: person()}
		r, err := google(t).Models.GenerateContent(ctx(t), s.model("json"), genai.Text("Who?"), conf)
		ok(t, err)
		var got ada
		if err := json.Unmarshal([]byte(r.Text()), &got); err != nil || !got.ok() {
			t.Errorf("%v: %s", err, r.Text())
		}
	})
}

func TestGoogleError(t *testing.T) {
	both(t, "genai", func(t *testing.T, s *side) {
		_, err := google(t).Models.GenerateContent(ctx(t), s.model("nothing-like-this"), genai.Text("Say hello."), nil)
		var e genai.APIError
		if !errors.As(err, &e) || e.Code != 404 || !strings.Contains(e.Message, "does not exist") {
			t.Errorf("%v", err)
		}
	})
}
