package openai

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// bill is a usage object as it stands. Its totals are inclusive: prompt_tokens holds the cached ones,
// completion_tokens the reasoning.
type bill struct {
	prompt, completion, total             llm.Opt[int64]
	cached, written, audioIn, imageIn     int64
	reasoning, audioOut, imageOut, search int64
	extra                                 llm.Extra
	in, out                               value // the details, as they stand
}

func readBill(v value) bill {
	var b bill
	_ = v.fields(&b.extra, func(key []byte, m value) (bool, error) {
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
			b.cached = max(b.cached, m.count())
		case "cache_creation_input_tokens":
			b.written = max(b.written, m.count())
		case "reasoning_tokens":
			b.reasoning = max(b.reasoning, m.count())
		case "num_search_queries":
			b.search = max(b.search, m.count())
		case "server_tool_use", "server_tool_use_details":
			b.search = max(b.search, m.get("web_search_requests").count())
			return false, nil
		case "prompt_cache_miss_tokens", "audio_prompt_tokens":
			// The rest of another figure.
		default:
			return false, nil
		}
		tell(&b.extra, string(key), m.raw())
		return true, nil
	})
	return b
}

func (b *bill) take(to *llm.Opt[int64], m value) bool {
	n, ok := m.at.Int(m.b)
	if ok && n >= 0 {
		*to = llm.Some(n)
	}
	return to.Set
}

func (b *bill) promptDetails(v value) error {
	if v.kind() != '{' {
		return nil
	}
	return v.members(func(key []byte, m value) error {
		switch string(key) {
		case "cached_tokens":
			b.cached = max(b.cached, m.count())
		case "cache_write_tokens", "cache_creation_tokens":
			b.written = max(b.written, m.count())
		case "audio_tokens":
			b.audioIn = m.count()
		case "image_tokens":
			b.imageIn = m.count()
		}
		return nil
	})
}

func (b *bill) completionDetails(v value) error {
	if v.kind() != '{' {
		return nil
	}
	return v.members(func(key []byte, m value) error {
		switch string(key) {
		case "reasoning_tokens":
			b.reasoning = max(b.reasoning, m.count())
		case "audio_tokens":
			b.audioOut = m.count()
		case "image_tokens":
			b.imageOut = m.count()
		}
		return nil
	})
}

// decodeUsage takes a usage object apart into classes that do not overlap, are never negative and add
// up to the totals that were said.
func decodeUsage(v value) llm.Usage {
	if v.kind() != '{' {
		return llm.Usage{}
	}
	b := readBill(v)
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
	u.Extra = b.rest(u)
	return u
}

// apart reports whether completion_tokens leaves out the reasoning, as xAI's does. The total tells.
func (b *bill) apart() bool {
	return b.total.Set && b.reasoning > 0 && b.prompt.V+b.completion.V+b.reasoning == b.total.V
}

// rest returns what writing the classes would not bring back by itself.
func (b *bill) rest(u llm.Usage) llm.Extra {
	e := b.extra
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
			absent(&e, m.key)
		case m.said.V != m.otherwise: // reasoning apart, or figures that contradict each other
			tell(&e, m.key, strconv.FormatInt(m.said.V, 10))
		}
	}
	for _, m := range []struct {
		key string
		v   value
	}{{"prompt_tokens_details", b.in}, {"completion_tokens_details", b.out}} {
		switch _, kept := e.Get(m.key); {
		case kept:
		case !m.v.found():
			absent(&e, m.key)
		case toldByClasses(m.v):
			tell(&e, m.key, m.v.raw())
		default:
			e.Add(Name, m.key, m.v.raw())
		}
	}
	return e
}

// tell notes a member of which nothing is lost where only the classes are told.
func tell(e *llm.Extra, key, raw string) { note(e, key+"="+raw) }

// toldByClasses reports whether details hold nothing but what the classes tell, and zeros.
func toldByClasses(v value) bool {
	if v.kind() != '{' {
		return false
	}
	all := true
	_ = v.members(func(key []byte, m value) error {
		switch string(key) {
		case "cached_tokens", "cache_write_tokens", "cache_creation_tokens", "audio_tokens", "image_tokens",
			"reasoning_tokens", "text_tokens":
		default:
			n, ok := m.at.Int(m.b)
			all = all && (m.isNull() || ok && n == 0)
		}
		return nil
	})
	return all
}

// appendUsage writes a usage object: totals that include everything, with details.
func appendUsage(w *jsonw.Writer, u llm.Usage) {
	o := begin(w, retold(u.Extra))
	o.int("prompt_tokens", u.In())
	o.int("completion_tokens", u.Out())
	o.int("total_tokens", u.In()+u.Out())
	if o.free("prompt_tokens_details") {
		w.KeyOpen("prompt_tokens_details", '{')
		w.KeyInt("cached_tokens", u.CacheRead)
		if n := u.CacheWrite5m + u.CacheWrite1h; n > 0 {
			w.KeyInt("cache_write_tokens", n)
		}
		w.KeyInt("audio_tokens", u.InputAudio)
		w.Close('}')
	}
	if o.free("completion_tokens_details") {
		w.KeyOpen("completion_tokens_details", '{')
		w.KeyInt("reasoning_tokens", u.Reasoning)
		w.KeyInt("audio_tokens", u.OutputAudio)
		w.Close('}')
	}
	o.end()
}

// retold returns an Extra in which the members that were told are members again.
func retold(e llm.Extra) llm.Extra {
	var out llm.Extra
	for _, f := range e.In(Name) {
		if key, raw, ok := strings.Cut(f.Key, "="); ok && f.Raw == "" {
			f = llm.Field{Key: key, Raw: raw}
		}
		out.Add(Name, f.Key, f.Raw)
	}
	return out
}
