package dialect

import (
	"fmt"
	"slices"

	"github.com/plenum-foundry/plenum/llm"
)

// errNoText says that a redaction names a block in which there is no text. The call must not go on.
const errNoText = redactError("no such text block")

type redactError string

func (e redactError) Error() string { return string(e) }

// span is a change of a text that may be spread over several strings, which are thought of as laid end to
// end.
type span struct {
	start, end int
	fresh      string
}

// rewrite returns the parts with the changes made. A change over several parts leaves its new text in the
// first.
func rewrite(parts []string, cuts []span) ([]string, error) {
	parts, cuts = slices.Clone(parts), slices.Clone(cuts)
	slices.SortFunc(cuts, func(a, b span) int { return b.start - a.start })
	limit := 0
	for _, p := range parts {
		limit += len(p)
	}
	for _, c := range cuts {
		if c.start < 0 || c.end < c.start || c.end > limit {
			return nil, fmt.Errorf("no text at %d to %d", c.start, c.end)
		}
		limit = c.start
		rewriteOne(parts, c)
	}
	return parts, nil
}

func rewriteOne(parts []string, c span) {
	at, placed := 0, false
	for i, p := range parts {
		start, end := max(c.start-at, 0), min(c.end-at, len(p))
		at += len(p)
		if start > len(p) || end < 0 || start > end {
			continue
		}
		fresh := ""
		if !placed {
			fresh, placed = c.fresh, true
		}
		parts[i] = p[:start] + fresh + p[end:]
	}
}

// Redacts reports whether there is a redaction among the edits.
func Redacts(edits []Edit) bool {
	return slices.ContainsFunc(edits, func(e Edit) bool { _, ok := e.(Redact); return ok })
}

// RedactRequest returns the request with its redactions made. The request given stays as it was.
func RedactRequest(r *llm.Request, edits []Edit) (*llm.Request, error) {
	if !Redacts(edits) {
		return r, nil
	}
	type place struct{ message, block int }
	cuts := map[place][]span{}
	var order []place
	for _, x := range edits {
		e, ok := x.(Redact)
		if !ok {
			continue
		}
		p := place{e.Message, e.Block}
		if cuts[p] == nil {
			order = append(order, p)
		}
		cuts[p] = append(cuts[p], span{e.Start, e.End, e.New})
	}
	out := *r
	out.Messages = slices.Clone(r.Messages)
	for _, p := range order {
		if p.message < 0 || p.message >= len(out.Messages) {
			return nil, fmt.Errorf("redacting messages[%d]: %w", p.message, errNoText)
		}
		m := &out.Messages[p.message]
		if p.block < 0 || p.block >= len(m.Blocks) {
			return nil, fmt.Errorf("redacting messages[%d].content[%d]: %w", p.message, p.block, errNoText)
		}
		b, err := redactBlock(m.Blocks[p.block], cuts[p])
		if err != nil {
			return nil, fmt.Errorf("redacting messages[%d].content[%d]: %w", p.message, p.block, err)
		}
		m.Blocks = slices.Clone(m.Blocks)
		m.Blocks[p.block] = b
	}
	return &out, nil
}

func redactBlock(b llm.Block, cuts []span) (llm.Block, error) {
	one := func(s *string) error {
		parts, err := rewrite([]string{*s}, cuts)
		if err == nil {
			*s = parts[0]
		}
		return err
	}
	var err error
	switch b := b.(type) {
	case llm.Text:
		err = one(&b.Text)
		return b, err
	case llm.Refusal:
		err = one(&b.Text)
		return b, err
	case llm.Thought:
		err = one(&b.Text)
		return b, err
	case llm.ToolUse:
		err = one(&b.Args)
		return b, err
	case llm.Media:
		err = one(&b.Text)
		return b, err
	case llm.ToolDone:
		return redactResult(b, cuts)
	}
	return nil, errNoText
}

// redactResult changes the texts of a tool's result, laid end to end.
func redactResult(b llm.ToolDone, cuts []span) (llm.Block, error) {
	var parts []string
	for _, x := range b.Blocks {
		if t, ok := x.(llm.Text); ok {
			parts = append(parts, t.Text)
		}
	}
	parts, err := rewrite(parts, cuts)
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

func spansOf(edits []TextEdit, choice, index int) []span {
	var out []span
	for _, e := range edits {
		if e.Choice == choice && e.Index == index {
			out = append(out, span{e.Start, e.End, e.New})
		}
	}
	return out
}

// RedactAnswer returns the answer with the changes of its texts made. The one given stays as it was.
func RedactAnswer(r *llm.Response, edits []TextEdit) (*llm.Response, error) {
	out := *r
	out.Choices = slices.Clone(r.Choices)
	done := 0
	for i := range out.Choices {
		c := &out.Choices[i]
		c.Blocks = slices.Clone(c.Blocks)
		for j := range c.Blocks {
			cuts := spansOf(edits, c.Index, j)
			if len(cuts) == 0 {
				continue
			}
			b, err := redactBlock(c.Blocks[j], cuts)
			if err != nil {
				return nil, err
			}
			c.Blocks[j] = b
			done += len(cuts)
		}
	}
	if done != len(edits) {
		return nil, errNoText
	}
	return &out, nil
}

// RedactEvents returns events with the changes of their texts made: of each block the texts that they add
// to it are laid end to end.
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
		if err := redactEvents(out, p.choice, p.index, spansOf(edits, p.choice, p.index)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func redactEvents(events []llm.Event, choice, index int, cuts []span) error {
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
	parts, err := rewrite(parts, cuts)
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
func redactEnd(events []llm.Event, choice, index int, cuts []span) error {
	for i, ev := range events {
		e, ok := ev.(llm.BlockEnd)
		if !ok || e.Choice != choice || e.Index != index || e.Block == nil {
			continue
		}
		b, err := redactBlock(e.Block, cuts)
		if err != nil {
			return err
		}
		e.Block = b
		events[i] = e
		return nil
	}
	return errNoText
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
