package responses

import (
	"strconv"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// bill is a usage object as it stands. Its totals are inclusive: input_tokens holds the cached ones,
// output_tokens the reasoning.
type bill struct {
	input, output, total       llm.Opt[int64]
	cached, written, reasoning int64
	audioIn, imageIn           int64
	searches                   int64
	in, out                    wire.Value // the details
}

func readBill(v wire.Value, rest *llm.Extra) bill {
	var b bill
	_ = v.Fields(Name, rest, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "input_tokens":
			return count(&b.input, m), nil
		case "output_tokens":
			return count(&b.output, m), nil
		case "total_tokens":
			return count(&b.total, m), nil
		case "input_tokens_details":
			b.in = m
			b.cached = m.Get("cached_tokens").Count()
			b.written = m.Get("cache_write_tokens").Count()
			b.audioIn, b.imageIn = m.Get("audio_tokens").Count(), m.Get("image_tokens").Count()
		case "output_tokens_details":
			b.out = m
			b.reasoning = m.Get("reasoning_tokens").Count()
		case "server_side_tool_usage_details":
			b.searches = m.Get("web_search_calls").Count() + m.Get("x_search_calls").Count()
			return false, nil
		default:
			return false, nil
		}
		return true, nil
	})
	return b
}

func count(to *llm.Opt[int64], m wire.Value) bool {
	n, err := m.Int()
	if err == nil && n >= 0 {
		*to = llm.Some(n)
	}
	return to.Set
}

// decodeUsage takes the usage of an answer apart into classes that do not overlap, are never negative and
// add up to the totals that were said. Searches that no member counts are counted among the items.
func decodeUsage(answer wire.Value, whole bool) llm.Usage {
	v := answer.Get("usage")
	if v.Kind() != '{' {
		return llm.Usage{}
	}
	var rest llm.Extra
	keep := &rest
	if !whole {
		keep = nil
	}
	b := readBill(v, keep)
	u := b.classes()
	if u.Searches == 0 {
		u.Searches = searches(answer.Get("output"))
	}
	if whole {
		u.Extra = b.rest(rest, u)
	}
	return u
}

func searches(output wire.Value) int64 {
	var n int64
	if output.Kind() != '[' {
		return 0
	}
	_ = output.Elems(func(_ int, item wire.Value) error {
		if item.Get("type").Is("web_search_call") {
			if action := item.Get("action", "type"); !action.Found() || action.Is("search") {
				n++
			}
		}
		return nil
	})
	return n
}

func (b *bill) classes() llm.Usage {
	var u llm.Usage
	left := b.input.V
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
	left = b.output.V
	if b.apart() {
		left += b.reasoning
	}
	u.Reasoning = part(b.reasoning)
	u.Output = left
	u.Searches = b.searches
	if b.input.Set {
		u.Reported |= llm.InSide
	}
	if b.output.Set {
		u.Reported |= llm.OutSide
	}
	return u
}

// apart reports whether output_tokens leaves out the reasoning. The total tells.
func (b *bill) apart() bool {
	return b.total.Set && b.reasoning > 0 && b.input.V+b.output.V+b.reasoning == b.total.V
}

// rest returns what writing the classes would not bring back by itself.
func (b *bill) rest(e llm.Extra, u llm.Usage) llm.Extra {
	for _, m := range []struct {
		key       string
		said      llm.Opt[int64]
		otherwise int64
	}{
		{"input_tokens", b.input, u.In()},
		{"output_tokens", b.output, u.Out()},
		{"total_tokens", b.total, u.In() + u.Out()},
	} {
		_, kept := e.Get(m.key)
		switch {
		case kept:
		case !m.said.Set:
			e.Note(Name, m.key)
		case m.said.V != m.otherwise:
			tell(&e, m.key, strconv.FormatInt(m.said.V, 10))
		}
	}
	for _, m := range []struct {
		key string
		v   wire.Value
	}{{"input_tokens_details", b.in}, {"output_tokens_details", b.out}} {
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

// toldByClasses reports whether details hold nothing but what the classes tell, and zeros.
func toldByClasses(v wire.Value) bool {
	if v.Kind() != '{' {
		return false
	}
	all := true
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "text_tokens":
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
	o.Int("input_tokens", u.In())
	if o.Free("input_tokens_details") {
		w.KeyOpen("input_tokens_details", '{')
		w.KeyInt("cached_tokens", u.CacheRead)
		w.KeyInt("cache_write_tokens", u.CacheWrite5m+u.CacheWrite1h)
		w.Close('}')
	}
	o.Int("output_tokens", u.Out())
	if o.Free("output_tokens_details") {
		w.KeyOpen("output_tokens_details", '{')
		w.KeyInt("reasoning_tokens", u.Reasoning)
		w.Close('}')
	}
	o.Int("total_tokens", u.In()+u.Out())
	o.End()
}
