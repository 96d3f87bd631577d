package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func completions() dialect.Codec { return openai.Completions().Codec(llm.OpGenerate) }

// madeCompletions are exchanges of our own, made after the description of the API.
func madeCompletions() testkit.Exchanges {
	var out testkit.Exchanges
	for i, pair := range [][2]string{
		{
			`{"model":"m","prompt":"Once upon","max_tokens":16,"temperature":0,"top_p":1,"n":2,"logprobs":2,"echo":true,"stop":["\n","END"],"best_of":2,"suffix":"the end","logit_bias":{"50256":-100},"user":"u","seed":5}`,
			`{"id":"cmpl-1","object":"text_completion","created":1589478378,"model":"m","choices":[{"text":"Once upon a","index":0,"logprobs":{"tokens":["Once"," upon"," a"],"token_logprobs":[null,-0.5,-0.25],"top_logprobs":[null,{" upon":-0.5," in":-2.25},{" a":-0.25}],"text_offset":[0,4,9]},"finish_reason":"length"},{"text":" b","index":1,"logprobs":null,"finish_reason":"stop"}],"system_fingerprint":"fp","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`,
		},
		{
			`{"model":"m","prompt":["One"],"stream":true,"stream_options":{"include_usage":true},"stop":"x","best_of":1,"echo":false,"user":"u"}`,
			"data: {\"id\":\"cmpl-2\",\"object\":\"text_completion\",\"created\":3,\"model\":\"m\",\"choices\":[{\"text\":\" two\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n" +
				"data: {\"id\":\"cmpl-2\",\"object\":\"text_completion\",\"created\":3,\"model\":\"m\",\"choices\":[{\"text\":\" Ünter\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n" +
				"data: {\"id\":\"cmpl-2\",\"object\":\"text_completion\",\"created\":3,\"model\":\"m\",\"choices\":[{\"text\":\"\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":null}\n\n" +
				"data: {\"id\":\"cmpl-2\",\"object\":\"text_completion\",\"created\":3,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}\n\n" +
				"data: [DONE]\n\n",
		},
	} {
		x := testkit.Exchange{File: "made.json", Index: i, Request: testkit.RecordedRequest{Found: true, URL: "http://h/v1/completions", Body: []byte(pair[0])}}
		x.Response.Status, x.Response.Body = 200, []byte(pair[1])
		if strings.HasPrefix(pair[1], "data:") {
			x.Response.Framing = testkit.Events
		}
		out = append(out, x)
	}
	return out
}

func TestCompletions(t *testing.T) {
	req := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	check := func(t *testing.T, xs testkit.Exchanges) {
		t.Helper()
		dialecttest.Requests(t, completions(), xs, deployment)
		dialecttest.Responses(t, completions(), xs)
		dialecttest.Cuts(t, completions(), xs)
		dialecttest.Prefixes(t, completions(), xs)
		dialecttest.Speaks(t, completions(), xs, req)
		dialecttest.CrossRequests(t, completions(), chat(), xs, deployment)
		dialecttest.CrossAnswers(t, completions(), chat(), xs, req)
	}
	t.Run("made", func(t *testing.T) { check(t, madeCompletions()) })
	t.Run("recorded", func(t *testing.T) { check(t, dialecttest.Recordings(t, openai.CompletionsName)) })
	t.Run("chat as completions", func(t *testing.T) {
		xs := dialecttest.Recordings(t, openai.Name)
		dialecttest.CrossRequests(t, chat(), completions(), xs, deployment)
		dialecttest.CrossAnswers(t, chat(), completions(), xs, req)
	})
	t.Run("mutations", func(t *testing.T) {
		dialecttest.Mutations(t, completions(), [][]byte{madeCompletions()[0].Request.Body, madeCompletions()[1].Request.Body}, 3000)
	})
}

func TestCompletionsOfSeveralPrompts(t *testing.T) {
	for _, prompt := range []string{`["a","b"]`, `[1,2]`, `[[1],[2]]`} {
		in := dialect.Inbound{Body: []byte(`{"model":"m","prompt":` + prompt + `,"max_tokens":5}`)}
		h, err := completions().Peek(in, dialect.Bounds{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := completions().EditRequest(in, h, dialect.Shape{Offer: &plenum.Offer{Upstream: "up"}, Edits: []dialect.Edit{dialect.Cap{N: 3}}})
		want := `{"model":"up","prompt":` + prompt + `,"max_tokens":3}`
		if err != nil || string(out.Body) != want {
			t.Errorf("to a host that speaks completions: %s, %v", out.Body, err)
		}
		if _, err := completions().DecodeRequest(in); !llm.IsKind(err, llm.Invalid) || llm.AsError(err).Param != "prompt" {
			t.Errorf("%s: to another it is refused with a word, not with %v", prompt, err)
		}
	}
}

func TestEchoIsGivenBack(t *testing.T) {
	p, err := completions().DecodeRequest(dialect.Inbound{Body: []byte(`{"model":"m","prompt":"Once","echo":true}`)})
	if err != nil {
		t.Fatal(err)
	}
	out, losses, err := chat().EncodeRequest(p, dialect.Shape{})
	if err != nil || len(losses) > 0 || strings.Contains(string(out.Body), "echo") {
		t.Fatalf("%s, losses %v, %v", out.Body, losses, err)
	}
	res := &llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{llm.Text{Text: " upon"}}, Stop: llm.Stop{Reason: llm.StopEnd}}}}
	reply, _, err := completions().EncodeResponse(p, res, dialect.Meta{CallID: "c"})
	var got struct{ Choices []struct{ Text string } }
	if err != nil || json.Unmarshal(reply.Body, &got) != nil || got.Choices[0].Text != "Once upon" {
		t.Errorf("%s, %v", reply.Body, err)
	}
	e := completions().NewEncoder(p, dialect.Meta{CallID: "c"})
	var events []llm.Event
	for ev := range llm.Replay(res) {
		events = append(events, ev)
	}
	stream, err := dialecttest.Encode(e, events, nil)
	if err != nil || !strings.Contains(string(stream), `"text":"Once upon"`) {
		t.Errorf("%s, %v", stream, err)
	}
}

func TestCase_F18_CompletionsWithEmptyPrompts(t *testing.T) {
	for _, prompt := range []string{`[]`, `{}`, `7`, `[""]`, `""`} {
		in := dialect.Inbound{Body: []byte(`{"model":"m","prompt":` + prompt + `}`)}
		p, err := completions().DecodeRequest(in)
		if err != nil {
			if !llm.IsKind(err, llm.Invalid) {
				t.Errorf("%s: %v", prompt, err)
			}
			continue
		}
		if out, _, err := chat().EncodeRequest(p, dialect.Shape{}); err != nil || !json.Valid(out.Body) {
			t.Errorf("%s: %s %v", prompt, out.Body, err)
		}
	}
}
