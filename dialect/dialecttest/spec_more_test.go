package dialecttest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/dialect/ollama"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/llm"
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
	co := vendorSpec(t, "cohere/openapi.yaml")
	bedrock := smithy(t, "aws/bedrock-runtime-service-2.json")
	ai := vendorSpec(t, openaiSpec)
	// The vendor's own answers say null where nobody was named, which its description forgets.
	user := ai.node(ai.node(ai.schemas["ModelResponseProperties"])["properties"])["user"]
	ai.node(user)["nullable"] = true
	return map[string]target{
		"Responses": {side{codec: generates(responses.Dialect()), spec: ai}, schemaOf("CreateResponse"), "Response", "ResponseStreamEvent"},
		"Cohere":    {side{codec: generates(cohere.Dialect()), spec: co}, bodyOf(co, "/v2/chat"), "ChatResponseV2", "StreamedChatResponseV2"},
		"Ollama":    {side{codec: generates(ollama.Dialect()), spec: vendorSpec(t, "ollama/openapi.yaml")}, schemaOf("ChatRequest"), "ChatResponse", "ChatStreamEvent"},
		"Converse":  {side{codec: generates(converse.Dialect()), spec: bedrock, named: true}, schemaOf("ConverseRequest"), "ConverseResponse", "ConverseStreamOutput"},
	}
}

// bodyOf returns the schema of what is posted to a path.
func bodyOf(s *spec, path string) schema {
	at := func(v any, key string) any { return s.node(v)[key] }
	body := at(at(at(s.doc["paths"], path), "post"), "requestBody")
	return s.node(at(at(at(body, "content"), "application/json"), "schema"))
}

// smithy reads a service's description in AWS's own form, as one of schemas.
func smithy(t *testing.T, name string) *spec {
	t.Helper()
	vendorSpec(t, name) // skips where there is none
	dir := os.Getenv("PLENUM_SPECS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "specs")
	}
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Shapes map[string]shape }
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	s := &spec{schemas: schema{}}
	for name, sh := range doc.Shapes {
		s.schemas[name] = sh.schema()
	}
	return s
}

// shape is one of AWS's.
type shape struct {
	Type            string
	Document, Union bool
	Required        []string
	Members         map[string]struct{ Shape, Location string }
	Member, Value   struct{ Shape string }
	Enum            []any
	Pattern         string
	Min, Max        *float64
}

func (s shape) schema() schema {
	out := schema{}
	limit := func(least, most string) {
		if s.Min != nil {
			out[least] = *s.Min
		}
		if s.Max != nil {
			out[most] = *s.Max
		}
	}
	switch s.Type {
	case "structure":
		if s.Document {
			return out // any JSON
		}
		props, required := schema{}, []any{}
		for k, m := range s.Members {
			if m.Location == "" {
				props[k] = schemaOf(m.Shape)
			}
		}
		for _, k := range s.Required {
			if props[k] != nil {
				required = append(required, k)
			}
		}
		out["type"], out["properties"], out["required"], out["additionalProperties"] = "object", props, required, false
	case "list":
		out["type"], out["items"] = "array", schemaOf(s.Member.Shape)
		limit("minItems", "maxItems")
	case "map":
		out["type"], out["additionalProperties"] = "object", schemaOf(s.Value.Shape)
	case "string", "blob":
		out["type"] = "string"
		if s.Enum != nil {
			out["enum"] = s.Enum
		}
		if s.Pattern != "" {
			out["pattern"] = "^(?:" + s.Pattern + ")$"
		}
		if s.Type == "string" {
			limit("minLength", "maxLength")
		}
	case "boolean":
		out["type"] = "boolean"
	case "integer", "long":
		out["type"] = "integer"
		limit("minimum", "maximum")
	default:
		out["type"] = "number"
		limit("minimum", "maximum")
	}
	return out
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
			if bad := to.spec.check(to.request, unmarshal(t, out.Body), "body"); bad != "" {
				r.add(name+x.what, bad, losses, string(out.Body))
			}
		}
	}
	t.Logf("%d requests", n)
}

func answersDescribed(t *testing.T, from side, to target) {
	r := reports{t: t}
	to.spec.lax = true
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
			if bad := to.spec.check(schemaOf(to.whole), unmarshal(t, out.Body), "body"); bad != "" {
				r.add(name+x.what, bad, string(out.Body))
			}
			crossStream(&r, to.side, res.(*llm.Response), name+x.what, to.piece)
		}
	}
	t.Logf("%d answers", n)
}
