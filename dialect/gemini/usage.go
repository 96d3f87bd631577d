package gemini

import (
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes of how usage was said.
const (
	noteThoughtsIn = "candidatesTokenCount: thoughts"
	noteNoTotal    = "no totalTokenCount"
)

// counts are the figures of a usage object as they stand there.
type counts struct {
	prompt, cached, candidates, thoughts, tools, total                           llm.Opt[int64]
	promptDetails, cacheDetails, candidatesDetails, thoughtsDetails, toolDetails wire.Value
}

// decodeUsage reads a usage object. The prompt's tokens hold those of the cache; what tools brought in and
// what was thought stand beside the rest. Some hosts count thoughts with the candidates, which the total
// tells. What cannot be told from the classes again is noted as it was written.
func decodeUsage(v wire.Value) llm.Usage {
	u := llm.Usage{Extra: home()}
	if v.Kind() != '{' {
		return llm.Usage{}
	}
	var c counts
	_ = fields(v, &u.Extra, func(key string, m wire.Value) (bool, error) { // the visit has no error to give
		return c.member(&u.Extra, key, m), nil
	})
	if c.prompt.Set || c.tools.Set {
		u.Reported |= llm.InSide
	}
	if c.candidates.Set || c.thoughts.Set || c.prompt.Set && c.total.Set {
		u.Reported |= llm.OutSide
	}
	c.input(&u)
	c.output(&u)
	switch {
	case !c.total.Set:
		u.Extra.Note(Name, noteNoTotal)
	case c.total.V != u.In()+u.Out():
		u.Extra.Note(Name, noteWas+"totalTokenCount "+itoa(int(c.total.V)))
	}
	return u
}

func (c *counts) member(x *llm.Extra, key string, m wire.Value) bool {
	to := map[string]*llm.Opt[int64]{
		"promptTokenCount": &c.prompt, "cachedContentTokenCount": &c.cached, "candidatesTokenCount": &c.candidates,
		"thoughtsTokenCount": &c.thoughts, "toolUsePromptTokenCount": &c.tools, "totalTokenCount": &c.total,
	}[key]
	if to != nil {
		if m.Kind() != '0' {
			return false
		}
		*to = llm.Some(m.Count())
		if key != "totalTokenCount" {
			x.Note(Name, noteWas+key+" "+m.JSON())
		}
		return true
	}
	list := map[string]*wire.Value{
		"promptTokensDetails": &c.promptDetails, "cacheTokensDetails": &c.cacheDetails,
		"candidatesTokensDetails": &c.candidatesDetails, "toolUsePromptTokensDetails": &c.toolDetails,
		"thoughtsTokensDetails": &c.thoughtsDetails,
	}[key]
	if list == nil || m.Kind() != '[' {
		return false
	}
	*list = m
	x.Note(Name, noteWas+key+" "+m.JSON())
	return true
}

// modality returns how many tokens of a kind a list of details counts.
func modality(details wire.Value, kind string) int64 {
	var n int64
	if details.Kind() != '[' {
		return 0
	}
	_ = details.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
		if m := el.Get("modality"); m.Is(kind) {
			n += el.Get("tokenCount").Count()
		}
		return nil
	})
	return n
}

func (c *counts) input(u *llm.Usage) {
	u.CacheRead = min(c.cached.V, c.prompt.V)
	rest := c.prompt.V - u.CacheRead
	kind := func(name string) int64 {
		n := max(modality(c.promptDetails, name)-modality(c.cacheDetails, name), 0)
		n = min(n, rest)
		rest -= n
		return n
	}
	u.InputAudio, u.InputImage = kind("AUDIO"), kind("IMAGE")
	u.Input = rest + c.tools.V
}

func (c *counts) output(u *llm.Usage) {
	u.Reasoning = c.thoughts.V
	out := c.candidates.V
	if u.Reasoning > 0 && out >= u.Reasoning && c.total.Set && c.total.V == c.prompt.V+c.tools.V+out {
		out -= u.Reasoning
		u.Extra.Note(Name, noteThoughtsIn)
	}
	u.OutputAudio = min(modality(c.candidatesDetails, "AUDIO"), out)
	u.OutputImage = min(modality(c.candidatesDetails, "IMAGE"), out-u.OutputAudio)
	u.Output = out - u.OutputAudio - u.OutputImage
}

// appendUsage writes a usage object. Counts of our own are written as they were, unless the usage is another.
func appendUsage(w *jsonw.Writer, u llm.Usage) {
	if u.Extra.Dialect == Name {
		appendOwnUsage(w, u)
		return
	}
	prompt := u.In()
	w.Open('{')
	w.KeyInt("promptTokenCount", prompt)
	if out := u.Out() - u.Reasoning; out > 0 || u.Reasoning == 0 {
		w.KeyInt("candidatesTokenCount", out)
	}
	if u.CacheRead > 0 {
		w.KeyInt("cachedContentTokenCount", u.CacheRead)
	}
	if u.Reasoning > 0 {
		w.KeyInt("thoughtsTokenCount", u.Reasoning)
	}
	w.KeyInt("totalTokenCount", prompt+u.Out())
	appendModalities(w, "promptTokensDetails", prompt-u.InputAudio-u.InputImage, u.InputImage, u.InputAudio)
	if u.OutputAudio+u.OutputImage > 0 {
		appendModalities(w, "candidatesTokensDetails", u.Output, u.OutputImage, u.OutputAudio)
	}
	w.Close('}')
}

func appendModalities(w *jsonw.Writer, key string, text, image, audio int64) {
	w.KeyOpen(key, '[')
	for _, m := range [...]struct {
		name string
		n    int64
	}{{"TEXT", text}, {"IMAGE", image}, {"AUDIO", audio}} {
		if m.n > 0 || m.name == "TEXT" {
			w.Open('{')
			w.KeyStr("modality", m.name)
			w.KeyInt("tokenCount", m.n)
			w.Close('}')
		}
	}
	w.Close(']')
}

func appendOwnUsage(w *jsonw.Writer, u llm.Usage) {
	o := begin(w, u.Extra)
	for _, key := range [...]string{
		"promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
		"toolUsePromptTokenCount", "promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails",
		"toolUsePromptTokensDetails", "thoughtsTokensDetails",
	} {
		if o.free(key) {
			o.was(key)
		}
	}
	if !u.Extra.Noted(Name, noteNoTotal) && o.free("totalTokenCount") && !o.was("totalTokenCount") {
		w.KeyInt("totalTokenCount", u.In()+u.Out())
	}
	o.End()
}
