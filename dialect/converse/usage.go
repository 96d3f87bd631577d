package converse

import (
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// decodeUsage reads a usage object, whose classes do not overlap. What it says twice is noted.
func decodeUsage(v wire.Value) llm.Usage {
	u := llm.Usage{Extra: home()}
	if v.Kind() != '{' {
		return llm.Usage{}
	}
	var writes, total llm.Opt[int64]
	details := ""
	_ = v.Fields(Name, &u.Extra, func(key []byte, m wire.Value) (bool, error) { // the visit has no error to give
		switch string(key) {
		case "inputTokens":
			if m.Kind() == '0' {
				u.Input, u.Reported = m.Count(), u.Reported|llm.InSide
				return true, nil
			}
		case "outputTokens":
			if m.Kind() == '0' {
				u.Output, u.Reported = m.Count(), u.Reported|llm.OutSide
				return true, nil
			}
		case "totalTokens":
			if m.Kind() == '0' {
				total = llm.Some(m.Count())
				return true, nil
			}
		case "cacheReadInputTokens":
			if m.Kind() == '0' {
				u.CacheRead = m.Count()
				u.Extra.Note(Name, string(key))
				return true, nil
			}
		case "cacheWriteInputTokens":
			if m.Kind() == '0' {
				writes = llm.Some(m.Count())
				u.Extra.Note(Name, string(key))
				return true, nil
			}
		case "cacheReadInputTokenCount", "cacheWriteInputTokenCount":
			if m.Kind() == '0' && m.Count() == v.Get(string(key[:len(key)-len("TokenCount")])+"Tokens").Count() {
				u.Extra.Note(Name, string(key))
				return true, nil
			}
		case "serverToolUsage":
			if m.Kind() == '{' && m.Len() == 0 {
				u.Extra.Note(Name, noteServer)
				return true, nil
			}
		case "cacheDetails":
			if m.Kind() == '[' {
				details = m.JSON()
				return true, nil
			}
		}
		return false, nil
	})
	u.CacheWrite5m = writes.V
	if details != "" && !splitWrites(&u, wire.Raw(details)) {
		u.Extra.Add(Name, "cacheDetails", details)
	}
	switch {
	case !total.Set:
		u.Extra.Note(Name, noteNoTotal)
	case total.V != u.In()+u.Out():
		u.Extra.Add(Name, "totalTokens", itoa(int(total.V)))
	}
	return u
}

// Notes of how usage was said.
const (
	noteServer  = "serverToolUsage: {}"
	noteNoTotal = "no totalTokens"
	noteDetails = "cacheDetails"
	note1hFirst = "cacheDetails: 1h first"
)

// splitWrites splits the tokens written to the cache by lifetime. It reports whether all that the details
// say is said again by that.
func splitWrites(u *llm.Usage, details wire.Value) bool {
	var m5, h1 llm.Opt[int64]
	exact, first := true, ""
	_ = details.Elems(func(_ int, el wire.Value) error {
		if el.Kind() != '{' {
			exact = false
			return nil
		}
		ttl := el.Get("ttl").Text()
		exact = exact && el.Len() == 2
		switch ttl {
		case "5m":
			exact = exact && !m5.Set
			m5 = llm.Some(el.Get("inputTokens").Count())
		case "1h":
			exact = exact && !h1.Set
			h1 = llm.Some(el.Get("inputTokens").Count())
		default:
			exact = false
		}
		if first == "" {
			first = ttl
		}
		return nil
	})
	u.CacheWrite1h = min(h1.V, u.CacheWrite5m)
	u.CacheWrite5m -= u.CacheWrite1h
	if !exact || m5.V != u.CacheWrite5m || h1.V != u.CacheWrite1h || m5.Set != (m5.V > 0) || h1.Set != (h1.V > 0) {
		return false
	}
	u.Extra.Note(Name, noteDetails)
	if first == "1h" {
		u.Extra.Note(Name, note1hFirst)
	}
	return true
}

// appendUsage writes a usage object.
func appendUsage(w *jsonw.Writer, u llm.Usage) {
	x := u.Extra
	ours := x.Dialect == Name
	noted := func(key string) bool { return ours && x.Noted(Name, key) }
	in := u.Input + u.InputAudio + u.InputImage
	writes := u.CacheWrite5m + u.CacheWrite1h
	o := wire.Begin(w, x.In(Name))
	w.KeyInt("inputTokens", in)
	w.KeyInt("outputTokens", u.Out())
	if !noted(noteNoTotal) {
		o.Int("totalTokens", u.In()+u.Out())
	}
	if noted("cacheReadInputTokens") || !ours && u.CacheRead > 0 {
		w.KeyInt("cacheReadInputTokens", u.CacheRead)
	}
	if noted("cacheWriteInputTokens") || !ours && writes > 0 {
		w.KeyInt("cacheWriteInputTokens", writes)
	}
	if noted("cacheReadInputTokenCount") {
		w.KeyInt("cacheReadInputTokenCount", u.CacheRead)
	}
	if noted("cacheWriteInputTokenCount") {
		w.KeyInt("cacheWriteInputTokenCount", writes)
	}
	if noted(noteServer) {
		w.KeyRaw("serverToolUsage", "{}")
	}
	if noted(noteDetails) || !ours && u.CacheWrite1h > 0 {
		appendWrites(w, u, noted(note1hFirst))
	}
	o.End()
}

func appendWrites(w *jsonw.Writer, u llm.Usage, hourFirst bool) {
	type detail struct {
		ttl string
		n   int64
	}
	list := [2]detail{{"5m", u.CacheWrite5m}, {"1h", u.CacheWrite1h}}
	if hourFirst {
		list[0], list[1] = list[1], list[0]
	}
	w.KeyOpen("cacheDetails", '[')
	for _, d := range list {
		if d.n > 0 {
			w.Open('{')
			w.KeyStr("ttl", d.ttl)
			w.KeyInt("inputTokens", d.n)
			w.Close('}')
		}
	}
	w.Close(']')
}
