package dialecttest_test

import (
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/dialect/ollama"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/specs"
)

// target is a dialect that others are said in, with what its vendor says of it.
type target struct {
	side
	request      schema
	whole, piece string
}

func generates(d *dialect.Dialect) dialect.Codec { return d.Codec(llm.OpGenerate) }

// targets are the dialects beside chat completions and messages, of which spec_test.go tells.
func targets(t *testing.T) map[string]target {
	t.Helper()
	co := specs.Load(t, "cohere/openapi.yaml")
	bedrock := specs.Smithy(t, "aws/bedrock-runtime-service-2.json")
	ai := specs.Load(t, openaiSpec)
	// The vendor's own answers say null where nobody was named, which its description forgets.
	user := ai.Node(ai.Node(ai.Schemas["ModelResponseProperties"])["properties"])["user"]
	ai.Node(user)["nullable"] = true
	return map[string]target{
		"Responses": {side{codec: generates(responses.Dialect()), spec: ai}, specs.Ref("CreateResponse"), "Response", "ResponseStreamEvent"},
		"Cohere":    {side{codec: generates(cohere.Dialect()), spec: co}, co.Body("/v2/chat"), "ChatResponseV2", "StreamedChatResponseV2"},
		"Ollama":    {side{codec: generates(ollama.Dialect()), spec: specs.Load(t, "ollama/openapi.yaml")}, specs.Ref("ChatRequest"), "ChatResponse", "ChatStreamEvent"},
		"Converse":  {side{codec: generates(converse.Dialect()), spec: bedrock, named: true}, specs.Ref("ConverseRequest"), "ConverseResponse", "ConverseStreamOutput"},
	}
}

// Whatever callers of two dialects can say, by their vendors' descriptions, is said to vendors of the others as
// those describe it; and what those can answer reaches callers of the others as these expect it. What is lost
// on the way is for the tests of each dialect and for the matrix.
func TestOtherDialectsAreSaidAsTheirVendorsDescribeThem(t *testing.T) {
	if testing.Short() {
		t.Skip("reads several large descriptions")
	}
	for name, to := range targets(t) {
		for _, from := range []side{anthropicSide(t), openaiSide(t)} {
			t.Run(from.requests[0]+" as "+name, func(t *testing.T) { described(t, from, to) })
			t.Run(from.answers[0]+" as "+name, func(t *testing.T) { answersDescribed(t, from, to) })
		}
	}
}

func described(t *testing.T, from side, to target) {
	// Reasoning and calls of a user are nonsense. Audio is in no description of Responses, and some hosts take it.
	r := reports{t: t, beside: []string{"messages[].content[]<thinking>", "messages[].content[]<tool_use>", "<input_audio>"}}
	shape := dialect.Shape{Offer: &plenum.Offer{Upstream: "anthropic.claude", Traits: plenum.Traits{DefaultMaxOut: 4096}}}
	n := 0
	for _, name := range from.requests {
		for _, x := range from.samples(name) {
			p, err := from.codec.DecodeRequest(dialect.Inbound{Body: marshal(x.value)})
			if err != nil {
				continue
			}
			out, losses, err := to.codec.EncodeRequest(p, shape)
			if err != nil {
				r.add(name+x.what, err.Error())
				continue
			}
			n++
			if bad := to.spec.Check(to.request, unmarshal(t, out.Body), "body"); bad != "" {
				r.add(name+x.what, bad, losses, string(out.Body))
			}
		}
	}
	t.Logf("%d requests", n)
}

func answersDescribed(t *testing.T, from side, to target) {
	r := reports{t: t}
	to.spec.Lax = true
	n := 0
	for _, name := range from.answers {
		for _, x := range from.samples(name) {
			res, err := from.codec.DecodeResponse(dialect.Reply{Status: 200, Body: marshal(x.value)})
			if err != nil {
				r.add(name+x.what, err.Error())
				continue
			}
			out, _, err := to.codec.EncodeResponse(&llm.Request{Stream: true}, res, dialect.Meta{CallID: "c", Now: 1})
			if err != nil {
				r.add(name+x.what, err.Error())
				continue
			}
			n++
			if bad := to.spec.Check(specs.Ref(to.whole), unmarshal(t, out.Body), "body"); bad != "" {
				r.add(name+x.what, bad, string(out.Body))
			}
			crossStream(&r, to.side, res.(*llm.Response), name+x.what, to.piece)
		}
	}
	t.Logf("%d answers", n)
}
