package matrix

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// frame looks at what frames an answer and must be right all the same: what was consumed in sum, where in the text a
// source is cited, what an answer repeats of its request.
func (x *cell) frame(r *llm.Request, h heard) {
	if !x.stream && !x.c.side.GRPC {
		x.total(h)
		x.repeats(h)
	}
	said, heard := spans(x.sc.said[0]), spans(h.answer)
	for i := range min(len(said), len(heard)) {
		if said[i] != "" && heard[i] != "" && said[i] != heard[i] {
			x.wrong("the source of %q is cited for %q", said[i], heard[i])
		}
	}
	for _, asked := range x.sc.asked {
		x.results(asked)
	}
}

// totals are where dialects tell what was consumed in sum.
func (x *cell) total(h heard) {
	where, ok := map[string][]string{
		"openai": {"usage", "total_tokens"}, "responses": {"usage", "total_tokens"},
		"gemini": {"usageMetadata", "totalTokenCount"}, "converse": {"usage", "totalTokens"},
	}[x.c.side.Name]
	if !ok {
		return
	}
	var body map[string]any
	if err := json.Unmarshal(h.body, &body); err != nil {
		x.wrong("the answer: %v", err)
		return
	}
	if got, want := fmt.Sprint(dig(body, where...)), fmt.Sprint(h.answer.Usage.In()+h.answer.Usage.Out()); got != want {
		x.wrong("the sum of what was consumed is told as %s and not %s", got, want)
	}
}

// repeats checks that an answer of Responses says again what was asked.
func (x *cell) repeats(h heard) {
	if x.c.side.Name != "responses" {
		return
	}
	var asked, told map[string]any
	if err := json.Unmarshal(h.asked, &asked); err != nil {
		x.wrong("the request: %v", err)
		return
	}
	if err := json.Unmarshal(h.body, &told); err != nil {
		x.wrong("the answer: %v", err)
		return
	}
	for _, k := range []string{"instructions", "max_output_tokens", "temperature", "top_p", "tools", "tool_choice", "parallel_tool_calls", "text"} {
		if want, ok := asked[k]; ok && !within(want, told[k]) {
			x.wrong("the answer repeats %s as %v and not %v", k, told[k], want)
		}
	}
}

// within reports whether all that a value says is in another.
func within(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range want {
			if !within(v, g[k]) {
				return false
			}
		}
		return true
	case []any:
		g, _ := got.([]any)
		return len(g) == len(want) && !slices.ContainsFunc(slices.Collect(func(yield func(bool) bool) {
			for i := range want {
				if !yield(within(want[i], g[i])) {
					return
				}
			}
		}), func(ok bool) bool { return !ok })
	}
	return fmt.Sprint(want) == fmt.Sprint(got)
}

// spans are the words of an answer that its sources are cited for, "" where that is not told.
func spans(r *llm.Response) []string {
	var out []string
	for _, c := range r.Choices {
		for _, b := range c.Blocks {
			t, ok := b.(llm.Text)
			if !ok {
				continue
			}
			letters := []rune(t.Text)
			for _, c := range t.Citations {
				span := ""
				if c.Kind == llm.CiteURL && 0 <= c.Start && c.Start < c.End && c.End <= len(letters) {
					span = string(letters[c.Start:c.End])
				}
				if c.Kind == llm.CiteURL && c.End > len(letters) {
					span = fmt.Sprintf("%d to %d of %d letters", c.Start, c.End, len(letters))
				}
				out = append(out, span)
			}
		}
	}
	return out
}

// results checks that each result of a tool is that of a call before it, and says its name.
func (x *cell) results(r *llm.Request) {
	names := map[string]string{}
	for _, m := range r.Messages {
		for _, b := range m.Blocks {
			switch b := b.(type) {
			case llm.ToolUse:
				names[b.ID] = b.Name
			case llm.ToolDone:
				if name, ok := names[b.ID]; !ok || b.Name != "" && b.Name != name {
					x.wrong("the vendor gets a result of %q, a call of %q, where the calls are %v", b.ID, b.Name, names)
				}
			}
		}
	}
}

// items are the names by which a vendor knows what was thought.
func items(blocks []llm.Block) (out []string) {
	for _, b := range blocks {
		if t, ok := b.(llm.Thought); ok && t.Item != "" {
			out = append(out, t.Item)
		}
	}
	return out
}

// needed are members that a vendor needs though their absence changes nothing of what is understood, by the feature
// whose requests must have them; "" is every one.
func needed() map[string][]need {
	return map[string][]need{
		"responses": {{"", "store"}, {"thinking, and its second turn", "include"}},
		"gemini":    {{"parallel tools", "contents.parts.functionResponse.name"}, {"", "contents.role"}},
		"ollama":    {{"parallel tools", "messages.tool_name"}, {"parallel tools", "messages.tool_calls.id"}, {"", "stream"}},
		"xaigrpc":   {{"parallel tools", "1.7"}},
		"openai":    {{"parallel tools", "messages.tool_calls.type"}, {"parallel tools", "tools.type"}},
		"cohere":    {{"parallel tools", "messages.tool_calls.type"}, {"parallel tools", "tools.type"}},
	}
}

type need struct{ feature, path string }

// needs checks that a vendor's last request of a cell has what it needs.
func (x *cell) needs() {
	if len(x.sc.bodies) == 0 || x.c.side.Name == x.v.side.Name {
		return
	}
	has := mutants(x.v.side, x.sc.bodies[len(x.sc.bodies)-1])
	for _, n := range needed()[x.v.side.Name] {
		if (n.feature == "" || n.feature == x.f.name) && len(has["."+n.path]) == 0 {
			x.wrong("the vendor needs %s, which is not there: %s", strings.TrimPrefix(n.path, "."), clip(x.sc.bodies[len(x.sc.bodies)-1]))
		}
	}
}
