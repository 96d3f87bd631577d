package cohere

import (
	"slices"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// decodeUsage reads a usage object. What is billed counts: tokens beside it include the vendor's own
// preamble, which nobody pays for, and are kept as they stood.
func decodeUsage(v wire.Value) llm.Usage {
	u := llm.Usage{Extra: home()}
	if v.Kind() != '{' {
		return llm.Usage{}
	}
	billed, tokens := v.Get("billed_units"), v.Get("tokens")
	// The visit has no error to give.
	_ = v.Members(func(key []byte, m wire.Value) error {
		if string(key) != "billed_units" {
			u.Extra.Add(Name, string(key), m.JSON())
		} else {
			u.Extra.Note(Name, noteBilled+m.JSON())
		}
		return nil
	})
	of := billed
	if !billed.Get("input_tokens").Found() && !billed.Get("output_tokens").Found() {
		of = tokens
	}
	if of == tokens || of.Get("input_tokens").Count() == tokens.Get("input_tokens").Count() {
		u.CacheRead = min(v.Get("cached_tokens").Count(), tokens.Get("input_tokens").Count())
	}
	if raw, ok := u.Extra.Get("cached_tokens"); ok && u.CacheRead > 0 {
		u.Extra.Fields = slices.DeleteFunc(u.Extra.Fields, func(f llm.Field) bool { return f.Key == "cached_tokens" })
		u.Extra.Note(Name, noteCached+raw)
	}
	if in := of.Get("input_tokens"); in.Kind() == '0' {
		u.Reported |= llm.InSide
		u.Input = in.Count() - u.CacheRead
	}
	if out := of.Get("output_tokens"); out.Kind() == '0' {
		u.Reported |= llm.OutSide
		u.Reasoning = min(tokens.Get("reasoning_tokens").Count(), out.Count())
		u.Output = out.Count() - u.Reasoning
	}
	u.Searches = billed.Get("search_units").Count()
	return u
}

// appendUsage writes a usage object.
func appendUsage(w *jsonw.Writer, u llm.Usage) {
	o := wire.Begin(w, u.Extra.In(Name))
	if raw := noted(u.Extra, noteCached); raw != "" {
		o.Raw("cached_tokens", raw)
	}
	if raw := noted(u.Extra, noteBilled); raw != "" {
		w.KeyRaw("billed_units", raw)
		o.End()
		return
	}
	if u.Extra.Dialect == Name { // it had none
		o.End()
		return
	}
	w.KeyOpen("billed_units", '{')
	w.KeyInt("input_tokens", u.In())
	w.KeyInt("output_tokens", u.Out())
	if u.Searches > 0 {
		w.KeyInt("search_units", u.Searches)
	}
	w.Close('}')
	w.KeyOpen("tokens", '{')
	w.KeyInt("input_tokens", u.In())
	w.KeyInt("output_tokens", u.Out())
	if u.Reasoning > 0 {
		w.KeyInt("reasoning_tokens", u.Reasoning)
	}
	w.Close('}')
	if u.CacheRead > 0 {
		w.KeyInt("cached_tokens", u.CacheRead)
	}
	o.End()
}
