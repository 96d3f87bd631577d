package guardrail

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// repeats is the Out behind a screen. In some dialects a stream says its texts again when they are done:
// once one was changed, no repetition may say what was taken out.
type repeats struct {
	next  gateway.Out
	said  map[place]bool // blocks of which some text went out
	resay bool
}

// place is where a block stands in an answer.
type place struct{ choice, index int }

var _ gateway.Out = (*repeats)(nil)

// Begin implements gateway.Out.
func (r *repeats) Begin(h gateway.Head) error { return r.next.Begin(h) }

// Chunk implements gateway.Out.
func (r *repeats) Chunk(ch dialect.Chunk) error {
	r.resay = r.resay || ch.Resay
	if r.resay {
		ch.Resay = true
		ch.Events = r.without(ch.Events)
	}
	for _, ev := range ch.Events {
		switch e := ev.(type) {
		case llm.TextDelta:
			r.note(e.Choice, e.Index)
		case llm.ThoughtDelta:
			r.note(e.Choice, e.Index)
		case llm.ArgsDelta:
			r.note(e.Choice, e.Index)
		}
	}
	return r.next.Chunk(ch)
}

func (r *repeats) note(choice, index int) {
	if r.said == nil {
		r.said = map[place]bool{}
	}
	r.said[place{choice, index}] = true
}

// without returns events without what they repeat of texts that went out, and without the probabilities that
// spell these token by token.
func (r *repeats) without(events []llm.Event) []llm.Event {
	var out []llm.Event
	for _, ev := range events {
		switch e := ev.(type) {
		case llm.LogprobsDelta:
			continue
		case llm.BlockEnd:
			if r.said[place{e.Choice, e.Index}] {
				e.Block = silent(e.Block)
			}
			ev = e
		}
		out = append(out, ev)
	}
	return out
}

// silent returns a block in its final form without its text; of a text nothing else is of use then.
func silent(b llm.Block) llm.Block {
	switch b := b.(type) {
	case llm.Text, llm.Refusal:
		return nil
	case llm.ToolUse:
		if b.Args != "" {
			return nil
		}
	case llm.Thought:
		if b.Text != "" {
			return nil
		}
	}
	return b
}
