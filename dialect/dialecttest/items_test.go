package dialecttest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/dialect/ollama"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/dialect/responses"
	"github.com/plenum-foundry/plenum/test/specs"
)

// others are the dialects that requests of Responses cross to.
func others() map[string]dialect.Codec {
	return map[string]dialect.Codec{
		"openai": generates(openai.Dialect()), "anthropic": generates(anthropic.Dialect()), "gemini": generates(gemini.Dialect()),
		"converse": generates(converse.Dialect()), "cohere": generates(cohere.Dialect()), "ollama": generates(ollama.Dialect()),
	}
}

func responsesSide(t *testing.T) side {
	return side{
		codec: generates(responses.Dialect()), spec: specs.Load(t, openaiSpec),
		fixed: map[string]any{
			"model": "gpt", "parameters": schema{"type": "object", "properties": schema{}}, "arguments": `{"a":"b"}`,
			"image_url": "data:image/png;base64,iVBORw0KGgo=", "file_data": "data:application/pdf;base64,JVBERi0xLjcK",
		},
	}
}

// mostAcross is how many samples of a type cross to each dialect: those of lists of tools are hundreds.
const mostAcross = 24

func outcome(losses []dialect.Loss) string {
	if len(losses) == 0 {
		return "faithful"
	}
	return "named"
}

// told is an item without what is only for its vendor's books.
func told(item any) any {
	o, ok := item.(schema)
	if !ok {
		return item
	}
	o = maps.Clone(o)
	for _, k := range []string{"id", "created_by"} {
		delete(o, k)
	}
	if list, ok := o["content"].([]any); ok {
		list = slices.Clone(list)
		for i, part := range list {
			if p, ok := part.(schema); ok {
				p = maps.Clone(p)
				delete(p, "logprobs")
				list[i] = p
			}
		}
		o["content"] = list
	}
	return o
}

// Every type of item and of tool that the vendor describes: in its own dialect as it stood, to the byte but for
// what stands around it; across, what it says is said or named.
func TestEveryItemAndToolOfResponses(t *testing.T) {
	s := responsesSide(t)
	for _, part := range []struct{ name, before, after string }{
		{"InputItem", `{"model":"gpt","input":[{"role":"user","content":"Hello"},`, `]}`},
		{"OutputItem", `{"model":"gpt","input":[{"role":"user","content":"Hello"},`, `]}`},
		{"Tool", `{"model":"gpt","input":"Hello","tools":[`, `]}`},
	} {
		t.Run(part.name, func(t *testing.T) {
			r := &reports{t: t}
			said, seen, across := map[string]map[string]int{}, map[string]int{}, others()
			for _, x := range s.samples(part.name) {
				item := string(marshal(x.value))
				body := []byte(part.before + item + part.after)
				p, err := s.codec.DecodeRequest(dialect.Inbound{Body: body})
				if err != nil {
					r.add(part.name+x.what, "cannot be read: "+err.Error(), item)
					continue
				}
				out, _, err := s.codec.EncodeRequest(p, dialect.Shape{})
				if err != nil || !strings.Contains(string(out.Body), item) && dialecttest.SameJSON(body, out.Body) != "" {
					r.add(part.name+x.what, fmt.Sprintf("is said otherwise (%v)", err), item, string(out.Body))
				}
				kind := fmt.Sprint(unwrapped(x.value)["type"])
				if said[kind] == nil {
					said[kind] = map[string]int{}
				}
				if seen[kind]++; seen[kind] > mostAcross {
					continue
				}
				for _, name := range slices.Sorted(maps.Keys(across)) {
					out, losses, err := across[name].EncodeRequest(p, dialect.Shape{})
					if err != nil {
						said[kind]["refused"]++
						continue
					}
					said[kind][outcome(losses)]++
					if gone := lost(told(x.value), string(out.Body), losses); gone != "" && len(losses) == 0 {
						r.add(name+": "+part.name+x.what, "lost in silence: "+gone, item, string(out.Body))
					}
				}
			}
			for _, kind := range slices.Sorted(maps.Keys(said)) {
				t.Logf("%-32s %v", kind, said[kind])
			}
			if len(said) < 10 {
				t.Errorf("only %d types were seen", len(said))
			}
		})
	}
}
