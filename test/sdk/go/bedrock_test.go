package sdk_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go/auth/bearer"
)

func bedrock(t *testing.T) *bedrockruntime.Client {
	t.Helper()
	// docs: bedrock
	client := bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(strings.Replace(plenumURL(t), "http:", "https:", 1)), HTTPClient: &http.Client{Transport: plainly{}},
		BearerAuthTokenProvider: bearer.StaticTokenProvider{Token: bearer.Token{Value: key()}},
		AuthSchemePreference:    []string{"httpBearerAuth"}, RetryMaxAttempts: 1,
	})
	// end
	return client
}

// plainly stands for the proxy in front of Plenum that speaks TLS: the SDK sends bearer tokens over nothing else.
type plainly struct{}

func (plainly) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return http.DefaultTransport.RoundTrip(r)
}

func says(text string) []types.Message {
	return []types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: text}}}}
}

func bedrockTools(name string, schema map[string]any) *types.ToolConfiguration {
	return &types.ToolConfiguration{Tools: []types.Tool{&types.ToolMemberToolSpec{Value: types.ToolSpecification{
		Name: aws.String(name), InputSchema: &types.ToolInputSchemaMemberJson{Value: document.NewLazyDocument(schema)},
	}}}}
}

func said(t *testing.T, r *bedrockruntime.ConverseOutput) types.Message {
	t.Helper()
	m, is := r.Output.(*types.ConverseOutputMemberMessage)
	if !is {
		t.Fatalf("%T", r.Output)
	}
	return m.Value
}

func converseText(m types.Message) string {
	var b strings.Builder
	for _, c := range m.Content {
		if text, is := c.(*types.ContentBlockMemberText); is {
			b.WriteString(text.Value)
		}
	}
	return b.String()
}

func TestBedrockText(t *testing.T) {
	both(t, "bedrock", func(t *testing.T, s *side) {
		r, err := bedrock(t).Converse(ctx(t), &bedrockruntime.ConverseInput{
			ModelId: aws.String(s.model("text")), Messages: says("Say hello."),
			System: []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: "Be terse."}},
		})
		ok(t, err)
		equal(t, "text", converseText(said(t, r)), greeting)
		equal(t, "stop", r.StopReason, types.StopReasonEndTurn)
		equal(t, "tokens", *r.Usage.TotalTokens, 18)
		equal(t, "system", strings.Join(s.seen("text").Seen.System, "|"), "Be terse.")
	})
}

func TestBedrockTextStreamed(t *testing.T) {
	both(t, "bedrock", func(t *testing.T, s *side) {
		r, err := bedrock(t).ConverseStream(ctx(t), &bedrockruntime.ConverseStreamInput{ModelId: aws.String(s.model("text")), Messages: says("Say hello.")})
		ok(t, err)
		stream := r.GetStream()
		defer stream.Close()
		var text strings.Builder
		var stop types.StopReason
		for ev := range stream.Events() {
			switch v := ev.(type) {
			case *types.ConverseStreamOutputMemberContentBlockDelta:
				if d, is := v.Value.Delta.(*types.ContentBlockDeltaMemberText); is {
					text.WriteString(d.Value)
				}
			case *types.ConverseStreamOutputMemberMessageStop:
				stop = v.Value.StopReason
			}
		}
		ok(t, stream.Err())
		equal(t, "text", text.String(), greeting)
		equal(t, "stop", stop, types.StopReasonEndTurn)
	})
}

func TestBedrockToolsGoRound(t *testing.T) {
	both(t, "bedrock", func(t *testing.T, s *side) {
		in := &bedrockruntime.ConverseInput{ModelId: aws.String(s.model("calls")), Messages: says("The weather?"), ToolConfig: bedrockTools("get_weather", weather())}
		c := bedrock(t)
		r, err := c.Converse(ctx(t), in)
		ok(t, err)
		equal(t, "stop", r.StopReason, types.StopReasonToolUse)
		m := said(t, r)
		results := types.Message{Role: types.ConversationRoleUser}
		for _, b := range m.Content {
			call, is := b.(*types.ContentBlockMemberToolUse)
			if !is {
				continue
			}
			args, err := call.Value.Input.MarshalSmithyDocument()
			ok(t, err)
			same(t, "arguments", string(args), []string{paris, lyon}[len(results.Content)])
			results.Content = append(results.Content, &types.ContentBlockMemberToolResult{Value: types.ToolResultBlock{
				ToolUseId: call.Value.ToolUseId, Content: []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: "11 degrees"}},
			}})
		}
		equal(t, "calls", len(results.Content), 2)
		in.Messages = append(in.Messages, m, results)
		r, err = c.Converse(ctx(t), in)
		ok(t, err)
		equal(t, "text", converseText(said(t, r)), "It is 11 degrees.")
	})
}

// Converse asks for structured output as the arguments of a tool that must be called.
func TestBedrockStructuredOutput(t *testing.T) {
	both(t, "bedrock", func(t *testing.T, s *side) {
		tools := bedrockTools("person", person())
		tools.ToolChoice = &types.ToolChoiceMemberTool{Value: types.SpecificToolChoice{Name: aws.String("person")}}
		r, err := bedrock(t).Converse(ctx(t), &bedrockruntime.ConverseInput{ModelId: aws.String(s.model("json")), Messages: says("Who?"), ToolConfig: tools})
		ok(t, err)
		m := said(t, r)
		call, is := m.Content[len(m.Content)-1].(*types.ContentBlockMemberToolUse)
		if !is {
			t.Fatalf("%+v", m.Content)
		}
		var got ada
		args, err := call.Value.Input.MarshalSmithyDocument()
		ok(t, err)
		if err := json.Unmarshal(args, &got); err != nil || !got.ok() {
			t.Errorf("%v: %s", err, args)
		}
	})
}

func TestBedrockErrors(t *testing.T) {
	both(t, "bedrock", func(t *testing.T, s *side) {
		for scenario, is := range map[string]func(error) bool{
			"nothing-like-this": func(err error) bool { var e *types.ResourceNotFoundException; return errors.As(err, &e) },
			"fail:429":          func(err error) bool { var e *types.ThrottlingException; return errors.As(err, &e) },
			"fail:400":          func(err error) bool { var e *types.ValidationException; return errors.As(err, &e) },
		} {
			_, err := bedrock(t).Converse(ctx(t), &bedrockruntime.ConverseInput{ModelId: aws.String(s.model(scenario)), Messages: says("Say hello.")})
			if !is(err) {
				t.Errorf("%s: %v", scenario, err)
			}
		}
	})
}
