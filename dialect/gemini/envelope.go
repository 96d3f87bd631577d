package gemini

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// State of another vendor's reasoning travels through a client of this dialect in thoughtSignature, which
// clients send back as it was: in an envelope that names its origin; see dialect.Enclose.

// openSignature takes what a signature holds out of its envelope, or returns it as a signature of ours.
func openSignature(s string) llm.Thought {
	if s == "" {
		return llm.Thought{}
	}
	if t, ok := dialect.Disclose(s); ok {
		return t
	}
	return llm.Thought{Signature: s, Origin: Name}
}

// closeSignature returns what stands in thoughtSignature for the state of a thought.
func closeSignature(t llm.Thought) string {
	switch {
	case !dialect.Signed(t):
		return ""
	case t.Origin == Name:
		return t.Signature
	}
	return dialect.Enclose(t)
}

// noteCarrier marks a thought that is none, but carries the signature of the call after it: other dialects
// have a way for sealed reasoning through their clients, and none for signatures of calls.
const noteCarrier = "carrier"

// carrier returns what carries the signature of a call.
func carrier(u llm.ToolUse) (llm.Thought, bool) {
	if u.Signature == "" || u.Origin != Name {
		return llm.Thought{}, false
	}
	t := llm.Thought{Sealed: u.Signature, Item: u.ID, Origin: Name}
	t.Extra.Note(Name, noteCarrier)
	return t, true
}

// isCarrier reports whether a thought carries a signature of ours that belongs to another part.
func isCarrier(b llm.Block) (llm.Thought, bool) {
	t, ok := b.(llm.Thought)
	return t, ok && t.Origin == Name && t.Sealed != ""
}

// bringHome returns blocks in which signatures are where they belong, without what carried them.
func bringHome(blocks []llm.Block) []llm.Block {
	var carried []llm.Thought
	for _, b := range blocks {
		if t, ok := isCarrier(b); ok {
			carried = append(carried, t)
		}
	}
	if len(carried) == 0 {
		return blocks
	}
	out := make([]llm.Block, 0, len(blocks))
	for _, b := range blocks {
		t, ok := isCarrier(b)
		if ok && t.Text == "" {
			continue
		}
		if ok { // a dialect with one place for both has put a text beside it
			b = llm.Thought{Text: t.Text, Extra: t.Extra}
		}
		out = append(out, b)
	}
	for _, t := range carried {
		giveBack(out, t)
	}
	return out
}

// giveBack puts a signature on the call that it names, or else on the first text without one.
func giveBack(blocks []llm.Block, x llm.Thought) {
	for i, b := range blocks {
		switch b := b.(type) {
		case llm.ToolUse:
			if x.Item != "" && b.ID == x.Item && b.Signature == "" {
				b.Signature, b.Origin = x.Sealed, Name
				blocks[i] = b
				return
			}
		case llm.Text:
			if x.Item == "" && b.Signature == "" {
				b.Signature, b.Origin = x.Sealed, Name
				blocks[i] = b
				return
			}
		}
	}
}

// dummySignature is what Google documents for calls of tools whose signature is not there, since another
// model made them. Models from Gemini 3 on refuse a call without one.
const dummySignature = "skip_thought_signature_validator"
