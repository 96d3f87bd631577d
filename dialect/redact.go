package dialect

import (
	"fmt"
	"slices"

	"github.com/plenum-foundry/plenum/llm"
)

// ErrNoText says that a redaction names a block in which there is no text. The call must not go on.
const ErrNoText = redactError("no such text block")

type redactError string

func (e redactError) Error() string { return string(e) }

// Redacts reports whether there is a redaction among the edits.
func Redacts(edits []Edit) bool {
	return slices.ContainsFunc(edits, func(e Edit) bool { _, ok := e.(Redact); return ok })
}

// Place is where a block stands in a request.
type Place struct{ Message, Block int }

// Redactions sorts the redactions among the edits by block, in the order in which blocks are first named.
func Redactions(edits []Edit) (order []Place, cuts map[Place][]Cut) {
	for _, x := range edits {
		r, ok := x.(Redact)
		if !ok {
			continue
		}
		if cuts == nil {
			cuts = make(map[Place][]Cut)
		}
		p := Place{r.Message, r.Block}
		if cuts[p] == nil {
			order = append(order, p)
		}
		cuts[p] = append(cuts[p], Cut{r.Start, r.End, r.New})
	}
	return order, cuts
}

// Unredacted says at which block a redaction failed.
func (p Place) Unredacted(err error) error {
	return fmt.Errorf("redacting messages[%d].content[%d]: %w", p.Message, p.Block, err)
}

// RedactRequest returns the request with its redactions made. The request given stays as it was.
func RedactRequest(r *llm.Request, edits []Edit) (*llm.Request, error) {
	if !Redacts(edits) {
		return r, nil
	}
	order, cuts := Redactions(edits)
	out := *r
	out.Messages = slices.Clone(r.Messages)
	for _, p := range order {
		if p.Message < 0 || p.Message >= len(out.Messages) {
			return nil, p.Unredacted(ErrNoText)
		}
		m := &out.Messages[p.Message]
		if p.Block < 0 || p.Block >= len(m.Blocks) {
			return nil, p.Unredacted(ErrNoText)
		}
		b, err := RedactBlock(m.Blocks[p.Block], cuts[p])
		if err != nil {
			return nil, p.Unredacted(err)
		}
		m.Blocks = slices.Clone(m.Blocks)
		m.Blocks[p.Block] = b
	}
	return &out, nil
}

// RedactBlock returns a block with the changes of its text made. That of a tool's result are its texts, laid end to
// end.
func RedactBlock(b llm.Block, cuts []Cut) (llm.Block, error) {
	var err error
	switch b := b.(type) {
	case llm.Text:
		b.Text, err = RewriteText(b.Text, cuts)
		return b, err
	case llm.Refusal:
		b.Text, err = RewriteText(b.Text, cuts)
		return b, err
	case llm.Thought:
		b.Text, err = RewriteText(b.Text, cuts)
		return b, err
	case llm.ToolUse:
		b.Args, err = RewriteText(b.Args, cuts)
		return b, err
	case llm.Media:
		b.Text, err = RewriteText(b.Text, cuts)
		return b, err
	case llm.ToolDone:
		return redactResult(b, cuts)
	}
	return nil, ErrNoText
}

// redactResult changes the texts of a tool's result, laid end to end.
func redactResult(b llm.ToolDone, cuts []Cut) (llm.Block, error) {
	var parts []string
	for _, x := range b.Blocks {
		if t, ok := x.(llm.Text); ok {
			parts = append(parts, t.Text)
		}
	}
	parts, err := Rewrite(parts, cuts)
	if err != nil {
		return nil, err
	}
	b.Blocks = slices.Clone(b.Blocks)
	for i, x := range b.Blocks {
		if t, ok := x.(llm.Text); ok {
			t.Text, parts = parts[0], parts[1:]
			b.Blocks[i] = t
		}
	}
	return b, nil
}

// Cut returns the change of the block's text.
func (e TextEdit) Cut() Cut { return Cut{e.Start, e.End, e.New} }

func cutsOf(edits []TextEdit, choice, index int) []Cut {
	var out []Cut
	for _, e := range edits {
		if e.Choice == choice && e.Index == index {
			out = append(out, e.Cut())
		}
	}
	return out
}

// RedactAnswer returns the answer with the changes of its texts made, and without the log probabilities that spell
// them again. The one given stays as it was.
func RedactAnswer(r *llm.Response, edits []TextEdit) (*llm.Response, error) {
	out := *r
	out.Choices = slices.Clone(r.Choices)
	done := 0
	for i := range out.Choices {
		c := &out.Choices[i]
		c.Blocks = slices.Clone(c.Blocks)
		for j := range c.Blocks {
			cuts := cutsOf(edits, c.Index, j)
			if len(cuts) == 0 {
				continue
			}
			b, err := RedactBlock(c.Blocks[j], cuts)
			if err != nil {
				return nil, err
			}
			c.Blocks[j], c.Logprobs = b, nil
			done += len(cuts)
		}
	}
	if done != len(edits) {
		return nil, ErrNoText
	}
	return &out, nil
}

// RedactEvents returns events with the changes of their texts made: of each block the texts that they add
// to it are laid end to end. The log probabilities of its choice, which spell them again, go.
func RedactEvents(events []llm.Event, edits []TextEdit) ([]llm.Event, error) {
	out := slices.Clone(events)
	type place struct{ choice, index int }
	seen := map[place]bool{}
	for _, e := range edits {
		p := place{e.Choice, e.Index}
		if seen[p] {
			continue
		}
		seen[p] = true
		if err := redactEvents(out, p.choice, p.index, cutsOf(edits, p.choice, p.index)); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(out, func(ev llm.Event) bool {
		l, ok := ev.(llm.LogprobsDelta)
		return ok && slices.ContainsFunc(edits, func(e TextEdit) bool { return e.Choice == l.Choice })
	}), nil
}

func redactEvents(events []llm.Event, choice, index int, cuts []Cut) error {
	var parts []string
	var at []int
	for i, ev := range events {
		if text, ok := eventText(ev, choice, index); ok {
			parts, at = append(parts, text), append(at, i)
		}
	}
	if len(parts) == 0 {
		return redactEnd(events, choice, index, cuts)
	}
	parts, err := Rewrite(parts, cuts)
	if err != nil {
		return err
	}
	for n, i := range at {
		switch e := events[i].(type) {
		case llm.TextDelta:
			e.Text = parts[n]
			events[i] = e
		case llm.ThoughtDelta:
			e.Text = parts[n]
			events[i] = e
		case llm.ArgsDelta:
			e.JSON = parts[n]
			events[i] = e
		}
	}
	return nil
}

// redactEnd changes the text of a block that is only told when it is whole.
func redactEnd(events []llm.Event, choice, index int, cuts []Cut) error {
	for i, ev := range events {
		e, ok := ev.(llm.BlockEnd)
		if !ok || e.Choice != choice || e.Index != index || e.Block == nil {
			continue
		}
		b, err := RedactBlock(e.Block, cuts)
		if err != nil {
			return err
		}
		e.Block = b
		events[i] = e
		return nil
	}
	return ErrNoText
}

// eventText returns the text that an event adds to a block.
func eventText(ev llm.Event, choice, index int) (string, bool) {
	switch e := ev.(type) {
	case llm.TextDelta:
		return e.Text, e.Choice == choice && e.Index == index
	case llm.ThoughtDelta:
		return e.Text, e.Choice == choice && e.Index == index && e.Text != ""
	case llm.ArgsDelta:
		return e.JSON, e.Choice == choice && e.Index == index
	}
	return "", false
}
