package openai_test

import (
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

// Clients of Azure's classic addresses say `"model": null`: the path names the deployment.
func TestAModelOfNullIsThatOfThePath(t *testing.T) {
	c := openai.Dialect().Codec(llm.OpGenerate)
	in := dialect.Inbound{Vars: map[string]string{"deployment": "d"}, Body: []byte(`{"messages":[{"role":"user","content":"x"}],"model":null}`)}
	p, err := c.DecodeRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := c.EncodeRequest(p, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}})
	if err != nil || len(losses) > 0 {
		t.Fatal(losses, err)
	}
	if d := dialecttest.SameJSON([]byte(`{"model":"up","messages":[{"role":"user","content":"x"}]}`), out.Body); d != "" {
		t.Error(d)
	}
}

// OpenRouter's error within a stream stands beside choices.
func TestAnErrorBesideChoicesEndsACompletion(t *testing.T) {
	stream := `data: {"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"text":"a","index":0,"finish_reason":null}]}` + "\n\n" +
		`data: {"id":"c","error":{"code":400,"message":"Token limit reached"},"model":"m","choices":[{"text":"","index":0,"finish_reason":null}]}` + "\n\n"
	got := dialecttest.Decode(openai.Completions().Codec(llm.OpGenerate), dialecttest.Frames([]byte(stream)), dialect.Want{})
	if f := got.Fault(); f == nil || !strings.Contains(f.Error(), "Token limit reached") {
		t.Errorf("the fault is %v", f)
	}
}

// The text of a streamed completion is estimated alike however the vendor spaces its JSON.
func TestATextIsCountedHoweverItIsSpaced(t *testing.T) {
	for _, space := range []string{"", " "} {
		piece := `data: {"id":"c","choices":[{"index":0,"text":` + space + `"0123456789"}]}` + "\n\n"
		n := 0
		for ch, err := range openai.Completions().Codec(llm.OpGenerate).DecodeStream(dialecttest.Frames([]byte(strings.Repeat(piece, 3)+"data: [DONE]\n\n")), dialect.Want{Meter: true}) {
			if err != nil {
				break // it ends without a word why
			}
			n += ch.Text
		}
		if n != 30 {
			t.Errorf("%d bytes of 30", n)
		}
	}
}

// Some hosts report the tokens that an embedding puts out: none.
func TestTheUsageOfEmbeddingsSurvives(t *testing.T) {
	dialecttest.Operation(t, openai.Dialect().Codec(llm.OpEmbed), nil, nil, []string{
		`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]}],"model":"m","usage":{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3}}`,
	})
}

// A stream may go on with text after a call: within the dialect nothing of that is lost.
func TestTextAfterACallIsNoLossAtHome(t *testing.T) {
	c := openai.Dialect().Codec(llm.OpGenerate)
	chunk := func(delta, end string) string {
		return `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + end + `}]}` + "\n\n"
	}
	stream := chunk(`{"role":"assistant","content":"a"}`, "null") +
		chunk(`{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]}`, "null") +
		chunk(`{"content":"b"}`, "null") + chunk(`{}`, `"tool_calls"`) + "data: [DONE]\n\n"
	got := dialecttest.Decode(c, dialecttest.Frames([]byte(stream)), dialect.Want{})
	e := c.NewEncoder(nil, dialect.Meta{})
	if _, err := dialecttest.Encode(e, got.Events, nil); err != nil || len(e.Losses()) > 0 {
		t.Errorf("losses %v, %v", e.Losses(), err)
	}
}
