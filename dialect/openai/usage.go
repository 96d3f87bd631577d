package openai

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// bill is a usage object as it stands. Its totals are inclusive: prompt_tokens holds the cached ones,
// completion_tokens the reasoning.
type bill struct {
	prompt, completion, total             llm.Opt[int64]
	cached, written, audioIn, imageIn     int64
	reasoning, audioOut, imageOut, search int64
	in, out                               wire.Value // the details, as they stand
}

// readBill reads a usage object. Rest is where goes what the classes do not tell; nil drops it.
func readBill(v wire.Value, rest *llm.Extra) bill {
	var b bill
	_ = v.Fields(Name, rest, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "prompt_tokens":
			return b.take(&b.prompt, m), nil
		case "completion_tokens":
			return b.take(&b.completion, m), nil
		case "total_tokens":
			return b.take(&b.total, m), nil
		case "prompt_tokens_details":
			b.in = m
			return true, b.promptDetails(m)
		case "completion_tokens_details":
			b.out = m
			return true, b.completionDetails(m)
		case "prompt_cache_hit_tokens", "num_cached_tokens":
			b.cached = max(b.cached, m.Count())
		case "cache_creation_input_tokens":
			b.written = max(b.written, m.Count())
		case "reasoning_tokens":
			b.reasoning = max(b.reasoning, m.Count())
		case "num_search_queries":
			b.search = max(b.search, m.Count())
		case "server_tool_use", "server_tool_use_details":
			b.search = max(b.search, m.Get("web_search_requests").Count())
			return false, nil
		case "prompt_cache_miss_tokens", "audio_prompt_tokens":
			// The rest of another figure.
		default:
			return false, nil
		}
		if rest != nil {
			tell(rest, string(key), m.JSON())
		}
		return true, nil
	})
	return b
}

func (b *bill) take(to *llm.Opt[int64], m wire.Value) bool {
	n, err := m.Int()
	if err == nil && n >= 0 {
		*to = llm.Some(n)
	}
	return to.Set
}

func (b *bill) promptDetails(v wire.Value) error {
	if v.Kind() != '{' {
		return nil
	}
	return v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "cached_tokens":
			b.cached = max(b.cached, m.Count())
		case "cache_write_tokens", "cache_creation_tokens":
			b.written = max(b.written, m.Count())
		case "audio_tokens":
			b.audioIn = m.Count()
		case "image_tokens":
			b.imageIn = m.Count()
		}
		return nil
	})
}

func (b *bill) completionDetails(v wire.Value) error {
	if v.Kind() != '{' {
		return nil
	}
	return v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "reasoning_tokens":
			b.reasoning = max(b.reasoning, m.Count())
		case "audio_tokens":
			b.audioOut = m.Count()
		case "image_tokens":
			b.imageOut = m.Count()
		}
		return nil
	})
}

// decodeUsage takes a usage object apart into classes that do not overlap, are never negative and add
// up to the totals that were said.
func decodeUsage(v wire.Value) llm.Usage {
	if v.Kind() != '{' {
		return llm.Usage{}
	}
	var rest llm.Extra
	b := readBill(v, &rest)
	u := b.classes()
	u.Extra = b.rest(rest, u)
	return u
}

// meterUsage is decodeUsage without what only a caller of the same dialect misses.
func meterUsage(v wire.Value) llm.Usage {
	if v.Kind() != '{' {
		return llm.Usage{}
	}
	b := readBill(v, nil)
	return b.classes()
}

func (b *bill) classes() llm.Usage {
	var u llm.Usage
	left := b.prompt.V
	part := func(n int64) int64 {
		n = min(n, left)
		left -= n
		return n
	}
	u.CacheRead = part(b.cached)
	u.CacheWrite5m = part(b.written)
	u.InputAudio = part(b.audioIn)
	u.InputImage = part(b.imageIn)
	u.Input = left
	left = b.completion.V
	if b.apart() {
		left += b.reasoning
	}
	u.Reasoning = part(b.reasoning)
	u.OutputAudio = part(b.audioOut)
	u.OutputImage = part(b.imageOut)
	u.Output = left
	u.Searches = b.search
	if b.prompt.Set {
		u.Reported |= llm.InSide
	}
	if b.completion.Set {
		u.Reported |= llm.OutSide
	}
	return u
}

// apart reports whether completion_tokens leaves out the reasoning, as xAI's does. The total tells.
func (b *bill) apart() bool {
	return b.total.Set && b.reasoning > 0 && b.prompt.V+b.completion.V+b.reasoning == b.total.V
}

// rest returns what writing the classes would not bring back by itself.
func (b *bill) rest(e llm.Extra, u llm.Usage) llm.Extra {
	for _, m := range []struct {
		key       string
		said      llm.Opt[int64]
		otherwise int64
	}{
		{"prompt_tokens", b.prompt, u.In()},
		{"completion_tokens", b.completion, u.Out()},
		{"total_tokens", b.total, u.In() + u.Out()},
	} {
		_, kept := e.Get(m.key)
		switch {
		case kept:
		case !m.said.Set:
			e.Note(Name, m.key)
		case m.said.V != m.otherwise: // reasoning apart, or figures that contradict each other
			tell(&e, m.key, strconv.FormatInt(m.said.V, 10))
		}
	}
	for _, m := range []struct {
		key string
		v   wire.Value
	}{{"prompt_tokens_details", b.in}, {"completion_tokens_details", b.out}} {
		switch _, kept := e.Get(m.key); {
		case kept:
		case !m.v.Found():
			e.Note(Name, m.key)
		case toldByClasses(m.v):
			tell(&e, m.key, m.v.JSON())
		default:
			e.Add(Name, m.key, m.v.JSON())
		}
	}
	return e
}

// tell notes a member of which nothing is lost where only the classes are told.
func tell(e *llm.Extra, key, raw string) { e.Note(Name, key+"="+raw) }

// toldByClasses reports whether details hold nothing but what the classes tell, and zeros.
func toldByClasses(v wire.Value) bool {
	if v.Kind() != '{' {
		return false
	}
	all := true
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "cached_tokens", "cache_write_tokens", "cache_creation_tokens", "audio_tokens", "image_tokens",
			"reasoning_tokens", "text_tokens":
		default:
			n, err := m.Int()
			all = all && (m.IsNull() || err == nil && n == 0)
		}
		return nil
	})
	return all
}

// appendUsage writes a usage object: totals that include everything, with details.
func appendUsage(w *jsonw.Writer, u llm.Usage) {
	o := wire.Begin(w, retold(u.Extra))
	o.Int("prompt_tokens", u.In())
	o.Int("completion_tokens", u.Out())
	o.Int("total_tokens", u.In()+u.Out())
	if o.Free("prompt_tokens_details") {
		w.KeyOpen("prompt_tokens_details", '{')
		w.KeyInt("cached_tokens", u.CacheRead)
		if n := u.CacheWrite5m + u.CacheWrite1h; n > 0 {
			w.KeyInt("cache_write_tokens", n)
		}
		w.KeyInt("audio_tokens", u.InputAudio)
		w.Close('}')
	}
	if o.Free("completion_tokens_details") {
		w.KeyOpen("completion_tokens_details", '{')
		w.KeyInt("reasoning_tokens", u.Reasoning)
		w.KeyInt("audio_tokens", u.OutputAudio)
		w.Close('}')
	}
	o.End()
}

// retold returns the fields of an Extra in which the members that were told are members again.
func retold(e llm.Extra) []llm.Field {
	kept := e.In(Name)
	out := make([]llm.Field, 0, len(kept))
	for _, f := range kept {
		if key, raw, ok := strings.Cut(f.Key, "="); ok && f.Raw == "" {
			f = llm.Field{Key: key, Raw: raw}
		}
		out = append(out, f)
	}
	return out
}
