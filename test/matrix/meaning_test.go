package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// facets is a meaning taken apart: what is said, by what it is about. Two messages mean the same where their
// facets are the same; what only orders or frames them does not count.
type facets map[string]string

func (f facets) add(key, value string) {
	if value != "" {
		f[key] += value
	}
}

func (f facets) set(key string, value any, present bool) {
	if present {
		f[key] = fmt.Sprint(value)
	}
}

// asked are the facets of a request.
func asked(r *llm.Request) facets {
	f := facets{}
	turn, last := -1, llm.Role("")
	calls := map[string]int{}
	marks := 0
	for _, m := range r.Messages {
		role := m.Role
		switch role {
		case llm.System, llm.Developer:
			for _, b := range m.Blocks {
				f.add("system", strings.Join(strings.Fields(blockText(b)), ""))
				marks += marksOf(b)
			}
			continue
		case llm.ToolRole:
			role = llm.User
		}
		if role != last {
			turn, last = turn+1, role
		}
		at := fmt.Sprintf("turn[%d]", turn)
		f[at+".role"] = string(role)
		for _, b := range m.Blocks {
			f.block(at, b, calls)
			marks += marksOf(b)
		}
	}
	for _, t := range r.Tools {
		f.add("tools", fmt.Sprintf("%s %s %s %q %s;", t.Kind, t.Name, t.Opaque.Type, t.Description, compact(orObject(t.Schema))))
		if t.Cache != nil {
			marks++
		}
	}
	if r.Cache != nil {
		marks++
	}
	f.set("marks", marks, marks > 0)
	if r.Choose.Mode != llm.ChooseUnset && r.Choose.Mode != llm.ChooseAuto {
		f["choose"] = string(r.Choose.Mode) + " " + r.Choose.Name
	}
	f.set("parallel", r.Parallel.V, r.Parallel.Set && !r.Parallel.V)
	if r.Output.Kind != llm.FormatUnset && r.Output.Kind != llm.FormatText {
		f["format"] = string(r.Output.Kind) + " " + compact(r.Output.Schema)
	}
	f.set("temperature", r.Temperature.V, r.Temperature.Set)
	f.set("top_p", r.TopP.V, r.TopP.Set)
	f.set("top_k", r.TopK.V, r.TopK.Set)
	f.set("frequency", r.FrequencyPenalty.V, r.FrequencyPenalty.Set)
	f.set("presence", r.PresencePenalty.V, r.PresencePenalty.Set)
	f.set("seed", r.Seed.V, r.Seed.Set)
	f.set("max", r.MaxOut.V, r.MaxOut.Set)
	f.set("stop", strings.Join(r.Stop, "|"), len(r.Stop) > 0)
	if t := r.Thinking; t != nil {
		off := t.Mode == llm.ThinkOff || t.Effort == "none"
		f["thinking"] = map[bool]string{true: "off", false: "on"}[off]
	}
	return f
}

func (f facets) block(at string, b llm.Block, calls map[string]int) {
	switch b := b.(type) {
	case llm.Text:
		f.add(at+".text", strings.Join(strings.Fields(b.Text), ""))
	case llm.Refusal:
		f.add(at+".text", strings.Join(strings.Fields(b.Text), ""))
	case llm.Media:
		f.add(at+".media", mediaText(b))
	case llm.Thought:
		f.thought(at+".", b)
	case llm.ToolUse:
		calls[b.ID] = len(calls)
		f.add(fmt.Sprintf("%s.call[%d]", at, calls[b.ID]), b.Name+compact(orArgs(b.Args)))
	case llm.ToolDone:
		n, ok := calls[b.ID]
		if !ok {
			n = -1
		}
		here := fmt.Sprintf("%s.result[%d]", at, n)
		for _, x := range b.Blocks {
			if m, ok := x.(llm.Media); ok {
				f.add(here+".media", mediaText(m))
			} else {
				f.add(here, blockText(x))
			}
		}
		f.set(here+".failed", true, b.IsError.V)
	case llm.Opaque:
		f.add(at+".opaque", b.Type+" "+b.Raw)
	}
}

func orObject(s string) string {
	if strings.TrimSpace(s) == "" {
		return `{"properties":{},"type":"object"}`
	}
	return s
}

func blockText(b llm.Block) string {
	switch b := b.(type) {
	case llm.Text:
		return b.Text
	case llm.Refusal:
		return b.Text
	case llm.Opaque:
		return b.Raw
	}
	return fmt.Sprintf("%T", b)
}

func mediaText(m llm.Media) string {
	kind := m.Kind
	if kind == llm.File {
		kind = llm.Document
	}
	where := m.Data + m.URL + m.FileID + m.Text
	return fmt.Sprintf("%s %s;", kind, where)
}

// envelope is what names the maker of a signature, on its way through a dialect that knows one maker.
var envelope = regexp.MustCompile(`^plenum/[a-z]+/`)

// thought takes reasoning apart: dialects differ in how many pieces it is in.
func (f facets) thought(at string, t llm.Thought) {
	f.add(at+"thought.text", t.Text)
	if home, ok := dialect.Disclose(t.Signature); ok {
		t.Signature, t.Sealed = home.Signature, home.Sealed
	}
	f.add(at+"thought.seal", envelope.ReplaceAllString(t.Signature, "")+t.Sealed)
}

func marksOf(b llm.Block) int {
	var c *llm.CacheMark
	switch b := b.(type) {
	case llm.Text:
		c = b.Cache
	case llm.Media:
		c = b.Cache
	case llm.ToolUse:
		c = b.Cache
	case llm.ToolDone:
		c = b.Cache
	}
	if c == nil {
		return 0
	}
	return 1
}

// answered are the facets of an answer.
func answered(r *llm.Response) facets {
	f := facets{}
	calls, refused := 0, false
	for _, c := range r.Choices {
		for _, b := range c.Blocks {
			switch b := b.(type) {
			case llm.Text:
				f.add("text", b.Text)
				for _, x := range b.Citations {
					f.add("cite", x.Title+" "+x.URL+";")
				}
			case llm.Refusal:
				f.add("text", b.Text)
				refused = true
			case llm.Thought:
				f.thought("", b)
			case llm.ToolUse:
				f.add(fmt.Sprintf("call[%d]", calls), b.ID+" "+b.Name+compact(orArgs(b.Args)))
				calls++
			case llm.Opaque:
				f.add("opaque", b.Type+" "+b.Raw)
			}
		}
		stop := c.Stop.Reason
		if refused {
			stop = llm.StopRefusal
		}
		f.add("stop", string(stop))
	}
	u := r.Usage
	f.set("usage.read", u.In(), true)
	f.set("usage.written", u.Out(), true)
	f.set("usage.reasoning", u.Reasoning, u.Reasoning > 0)
	f.set("usage.cache_read", u.CacheRead, u.CacheRead > 0)
	f.set("usage.cache_write", u.CacheWrite5m+u.CacheWrite1h, u.CacheWrite5m+u.CacheWrite1h > 0)
	f.set("usage.cache_write_1h", u.CacheWrite1h, u.CacheWrite1h > 0)
	return f
}

func orArgs(s string) string {
	if strings.TrimSpace(s) == "" {
		return "{}"
	}
	return s
}

// compact returns JSON in one form, so that order and space do not count.
func compact(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// excuses are the words of which one must be in the name of a loss that is about a facet: dialects name a loss
// by the place where it stood in their own request.
var excuses = []struct {
	facet string
	words []string
}{
	{"thought", []string{"signature", "encrypted", "thought", "content", "messages", "input["}},
	{"system", []string{"system", "instructions", "preamble"}},
	{".text", []string{"content", "text", "message", "input"}},
	{".media", []string{"image", "document", "file", "media", "content", "inline"}},
	{".failed", []string{"is_error", "status", "error"}},
	{".result", []string{"result", "output", "content", "response"}},
	{".call", []string{"tool", "call"}},
	{"tools", []string{"tool", "function", "schema"}},
	{"choose", []string{"choice", "choose", "function_calling", "functioncalling"}},
	{"parallel", []string{"parallel"}},
	{"format", []string{"format", "schema"}},
	{"thinking", []string{"think", "reason", "effort"}},
	{"marks", []string{"cache"}},
	{"temperature", []string{"temperature"}},
	{"top_p", []string{"top_p", "topp", "p"}},
	{"top_k", []string{"top_k", "topk", "k"}},
	{"frequency", []string{"frequency"}},
	{"presence", []string{"presence"}},
	{"seed", []string{"seed"}},
	{"stop", []string{"stop", "finish", "refusal"}},
	{"max", []string{"max", "predict"}},
	{"cite", []string{"citation", "annotation", "grounding"}},
	{"usage", []string{"usage", "tokens"}},
	{"call", []string{"tool", "call"}},
	{"text", []string{"content", "text", "refusal"}},
	{"opaque", []string{"content", "output"}},
}

// missing returns how two meanings differ where no loss says so.
func missing(said, got facets, named []string) []string {
	var out []string
	keys := maps.Clone(said)
	maps.Copy(keys, got)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if said[k] != got[k] && !excused(k, named) {
			out = append(out, fmt.Sprintf("%s: said %.200q, came as %.200q", k, said[k], got[k]))
		}
	}
	return out
}

func excused(facet string, named []string) bool {
	for _, e := range excuses {
		if !strings.Contains(facet, e.facet) {
			continue
		}
		for _, n := range named {
			for _, w := range e.words {
				if n == w || len(w) > 1 && strings.Contains(strings.ToLower(n), w) {
					return true
				}
			}
		}
		return false
	}
	return false
}

// holds reports whether a meaning has anything of what a feature is about.
func (f facets) holds(about []string) bool {
	for k := range f {
		for _, a := range about {
			if strings.HasPrefix(k, a) {
				return true
			}
		}
	}
	return false
}
