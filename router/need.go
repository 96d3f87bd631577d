// Package router decides which targets of a deployment can serve a call, and says why the others cannot.
package router

import (
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// Capability is one thing that an offer can do or cannot.
type Capability string

// The capabilities, in the order in which they are told and probed.
const (
	Streaming Capability = "streaming"
	Tools     Capability = "tools"
	Schema    Capability = "schema"
	Images    Capability = "images"
	Documents Capability = "documents"
	Audio     Capability = "audio"
	Thinking  Capability = "thinking"
	Logprobs  Capability = "logprobs"
)

// All returns the capabilities.
func All() []Capability {
	return []Capability{Streaming, Tools, Schema, Images, Documents, Audio, Thinking, Logprobs}
}

// words says what a caller does who needs the capability.
func (c Capability) words() string {
	switch c {
	case Streaming:
		return "stream"
	case Tools:
		return "call tools"
	case Schema:
		return "keep to a JSON Schema"
	case Images:
		return "read images"
	case Documents:
		return "read documents"
	case Audio:
		return "read sound"
	case Thinking:
		return "think before it answers"
	case Logprobs:
		return "give log probabilities"
	}
	return string(c)
}

// Field returns where a capability stands.
func Field(of *plenum.Capabilities, c Capability) *plenum.Tri {
	switch c {
	case Streaming:
		return &of.Streaming
	case Tools:
		return &of.Tools
	case Schema:
		return &of.Schema
	case Images:
		return &of.Images
	case Documents:
		return &of.Documents
	case Audio:
		return &of.Audio
	case Thinking:
		return &of.Thinking
	case Logprobs:
		return &of.Logprobs
	}
	return new(plenum.Tri)
}

// Differ reports whether the targets differ in what they are known to be unable to do: else it makes no
// difference to a call which of them is asked, and nobody needs to read it for that.
func Differ(ts []plenum.Target) bool {
	for _, c := range All() {
		cannot := 0
		for i := range ts {
			if *Field(&ts[i].Offer.Traits.Capabilities, c) == plenum.No {
				cannot++
			}
		}
		if cannot > 0 && cannot < len(ts) {
			return true
		}
	}
	return false
}

// Needs returns what a target must be able to do to serve a request. Streaming, thinking that is asked for
// and log probabilities are not needs: the answer is an answer without them, and what is missing is named.
func Needs(r *llm.Request) []Capability {
	var out []Capability
	need := func(c Capability, is bool) {
		if is {
			out = append(out, c)
		}
	}
	var has struct{ image, document, audio bool }
	see(r.Messages, func(m *llm.Media) {
		switch m.Kind {
		case llm.Image:
			has.image = true
		case llm.Document:
			has.document = has.document || m.Text == "" && len(m.Blocks) == 0
		case llm.Audio:
			has.audio = true
		}
	})
	need(Tools, len(r.Tools) > 0)
	need(Schema, r.Output.Kind == llm.FormatSchema)
	need(Images, has.image)
	need(Documents, has.document)
	need(Audio, has.audio)
	return out
}

// see shows every picture, document and sound of the messages, those within results of tools as well.
func see(ms []llm.Message, show func(*llm.Media)) {
	var walk func(bs []llm.Block)
	walk = func(bs []llm.Block) {
		for _, b := range bs {
			switch b := b.(type) {
			case llm.Media:
				show(&b)
			case llm.ToolDone:
				walk(b.Blocks)
			}
		}
	}
	for i := range ms {
		walk(ms[i].Blocks)
	}
}

// Missing returns which of the needs an offer is known to be unable to meet, in words: "call tools".
func Missing(o *plenum.Offer, needs []Capability) []string {
	var out []string
	for _, c := range needs {
		if *Field(&o.Traits.Capabilities, c) == plenum.No {
			out = append(out, c.words())
		}
	}
	return out
}

// Fit leaves the targets that can serve a request, and says of each other why it cannot.
func Fit(ts []plenum.Target, needs []Capability) (fit []plenum.Target, passed []string) {
	for i := range ts {
		missing := Missing(&ts[i].Offer, needs)
		if len(missing) == 0 {
			fit = append(fit, ts[i])
			continue
		}
		passed = append(passed, ts[i].Offer.ID+" cannot "+strings.Join(missing, " and cannot "))
	}
	return fit, passed
}
