package config

import (
	"slices"

	plenum "github.com/plenum-foundry/plenum"
)

// over puts what is declared into traits that are still empty.
func (t *Traits) over(out *plenum.Traits) {
	if t == nil {
		return
	}
	*out = plenum.Traits{
		MaxTokensField: t.MaxTokensField, DefaultMaxOut: t.DefaultMaxOut, Refuses: t.Refuses,
		NoStreamUsage:  t.NoStreamUsage,
		NoDeveloper:    t.NoDeveloper,
		NoState:        t.NoState,
		LeakedCalls:    t.LeakedCalls,
		ReasoningField: t.ReasoningField, Betas: t.Betas,
		Effort:        t.Effort,
		Unsigned:      t.Unsigned,
		PlainSchema:   t.PlainSchema,
		SchemaRefuses: t.SchemaRefuses,
		Capabilities:  plenum.Capabilities(t.Capabilities),
	}
}

// mergeTraits returns base with what over says in its place. Parameters that either refuses are
// refused; the rest is over's where it says anything.
func mergeTraits(base, over plenum.Traits) plenum.Traits {
	out := base
	if over.MaxTokensField != "" {
		out.MaxTokensField = over.MaxTokensField
	}
	if over.DefaultMaxOut != 0 {
		out.DefaultMaxOut = over.DefaultMaxOut
	}
	if over.ReasoningField != "" {
		out.ReasoningField = over.ReasoningField
	}
	if over.Betas != nil {
		out.Betas = over.Betas
	}
	out.NoStreamUsage = base.NoStreamUsage || over.NoStreamUsage
	out.NoDeveloper = base.NoDeveloper || over.NoDeveloper
	out.LeakedCalls = base.LeakedCalls || over.LeakedCalls
	out.NoState = base.NoState || over.NoState
	out.Effort = base.Effort || over.Effort
	out.Unsigned = base.Unsigned || over.Unsigned
	out.PlainSchema = base.PlainSchema || over.PlainSchema
	out.Refuses = union(base.Refuses, over.Refuses)
	out.SchemaRefuses = union(base.SchemaRefuses, over.SchemaRefuses)
	out.Capabilities = mergeCapabilities(base.Capabilities, over.Capabilities)
	return out
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func mergeCapabilities(base, over plenum.Capabilities) plenum.Capabilities {
	pick := func(b, o plenum.Tri) plenum.Tri {
		if o != plenum.Unknown {
			return o
		}
		return b
	}
	return plenum.Capabilities{
		Tools: pick(base.Tools, over.Tools), Images: pick(base.Images, over.Images),
		Documents: pick(base.Documents, over.Documents), Audio: pick(base.Audio, over.Audio),
		Schema: pick(base.Schema, over.Schema), Thinking: pick(base.Thinking, over.Thinking),
		Streaming: pick(base.Streaming, over.Streaming), Logprobs: pick(base.Logprobs, over.Logprobs),
	}
}
