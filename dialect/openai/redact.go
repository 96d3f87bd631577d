package openai

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// cut is a change of a text that may be spread over several strings: the parts of one tool's result, say.
// Offsets are those of the strings laid end to end.
type cut struct {
	start, end int
	new        string
}

// apply returns the parts with the cuts made. A cut over several parts leaves its new text in the first.
func apply(parts []string, cuts []cut) ([]string, error) {
	parts, cuts = slices.Clone(parts), slices.Clone(cuts)
	slices.SortFunc(cuts, func(a, b cut) int { return b.start - a.start })
	limit := 0
	for _, p := range parts {
		limit += len(p)
	}
	for _, c := range cuts {
		if c.start < 0 || c.end < c.start || c.end > limit {
			return nil, fmt.Errorf("no text at %d to %d", c.start, c.end)
		}
		limit = c.start
		applyOne(parts, c)
	}
	return parts, nil
}

func applyOne(parts []string, c cut) {
	at, placed := 0, false
	for i, p := range parts {
		start, end := max(c.start-at, 0), min(c.end-at, len(p))
		at += len(p)
		// A cut that begins right behind a part belongs to the next.
		if start > len(p) || end < 0 || start > end || start == len(p) && c.end > at {
			continue
		}
		fresh := ""
		if !placed {
			fresh, placed = c.new, true
		}
		parts[i] = p[:start] + fresh + p[end:]
	}
}

func applyText(s string, cuts []cut) (string, error) {
	parts, err := apply([]string{s}, cuts)
	return strings.Join(parts, ""), err
}

// errNoText says that a redaction names a block in which there is no text. The call must not go out.
var errNoText = errors.New("no such text block")

func unredacted(message int, err error) error {
	return internal("redact", fmt.Errorf("redacting messages[%d]: %w", message, err))
}

// redactions sorts the redactions by message and block.
func redactions(edits []dialect.Edit) map[int]map[int][]cut {
	var out map[int]map[int][]cut
	for _, x := range edits {
		r, ok := x.(dialect.Redact)
		if !ok {
			continue
		}
		if out == nil {
			out = make(map[int]map[int][]cut)
		}
		if out[r.Message] == nil {
			out[r.Message] = make(map[int][]cut)
		}
		out[r.Message][r.Block] = append(out[r.Message][r.Block], cut{r.Start, r.End, r.New})
	}
	return out
}

// redactRequest returns the request with its redactions made. The request given stays as it was.
func redactRequest(r *llm.Request, edits []dialect.Edit) (*llm.Request, error) {
	cuts := redactions(edits)
	if len(cuts) == 0 {
		return r, nil
	}
	out := *r
	out.Messages = slices.Clone(r.Messages)
	for i, blocks := range cuts {
		if i < 0 || i >= len(out.Messages) {
			return nil, unredacted(i, errNoText)
		}
		m := &out.Messages[i]
		m.Blocks = slices.Clone(m.Blocks)
		for j, c := range blocks {
			if j < 0 || j >= len(m.Blocks) {
				return nil, unredacted(i, errNoText)
			}
			b, err := redactBlock(m.Blocks[j], c)
			if err != nil {
				return nil, unredacted(i, err)
			}
			m.Blocks[j] = b
		}
	}
	return &out, nil
}

func redactBlock(b llm.Block, cuts []cut) (llm.Block, error) {
	var err error
	switch b := b.(type) {
	case llm.Text:
		b.Text, err = applyText(b.Text, cuts)
		return b, err
	case llm.Refusal:
		b.Text, err = applyText(b.Text, cuts)
		return b, err
	case llm.Thought:
		b.Text, err = applyText(b.Text, cuts)
		_, b.Extra = wire.Take(b.Extra, Name, "thinking")
		return b, err
	case llm.ToolUse:
		b.Args, err = applyText(b.Args, cuts)
		return b, err
	case llm.Media:
		b.Text, err = applyText(b.Text, cuts)
		return b, err
	case llm.ToolDone:
		return redactResult(b, cuts)
	}
	return nil, errNoText
}

// redactResult changes the texts of a tool's result, laid end to end.
func redactResult(b llm.ToolDone, cuts []cut) (llm.Block, error) {
	var parts []string
	for _, x := range b.Blocks {
		if t, ok := x.(llm.Text); ok {
			parts = append(parts, t.Text)
		}
	}
	parts, err := apply(parts, cuts)
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

// redact makes the redactions in the body. A text that is said in several fields is changed in all.
func (e *editor) redact() error {
	cuts := redactions(e.shape.Edits)
	if len(cuts) == 0 {
		return nil
	}
	done := 0
	list := wire.At(e.body, e.spans.found[atMessages].Value)
	err := list.Elems(func(i int, m wire.Value) error {
		if cuts[i] == nil {
			return nil
		}
		done++
		if err := e.redactMessage(m, cuts[i]); err != nil {
			return unredacted(i, err)
		}
		return nil
	})
	if err == nil && done < len(cuts) {
		err = errNoText
	}
	if err != nil {
		return internal("redact", err)
	}
	e.change("text redacted")
	return nil
}

func (e *editor) redactMessage(m wire.Value, blocks map[int][]cut) error {
	_, list, err := decodeMessage(m, true)
	if err != nil {
		return err
	}
	for j, cuts := range blocks {
		if j < 0 || j >= len(list.at) || len(list.at[j]) == 0 {
			return errNoText
		}
		at := list.at[j]
		if _, thought := list.blocks[j].(llm.Thought); !thought || at[0].Text() != at[len(at)-1].Text() {
			if err := rewrite(e.edit, at, cuts); err != nil {
				return err
			}
			continue
		}
		for _, one := range at { // the same text, said in two fields
			if err := rewrite(e.edit, []wire.Value{one}, cuts); err != nil {
				return err
			}
		}
	}
	return nil
}

// rewrite changes the text that stands at some places, laid end to end.
func rewrite(ed *splice.Edit, at []wire.Value, cuts []cut) error {
	texts := make([]string, len(at))
	for i, v := range at {
		texts[i] = v.Text()
		if v.Kind() != '"' {
			texts[i] = v.JSON()
		}
	}
	fresh, err := apply(texts, cuts)
	if err != nil {
		return err
	}
	for i, v := range at {
		switch {
		case fresh[i] == texts[i]:
		case v.Kind() == '"':
			ed.SetString(v.Span(), fresh[i])
		case splice.Valid([]byte(fresh[i]), splice.MaxDepth) != nil:
			return errors.New("the arguments are no JSON any more")
		default:
			ed.Set(v.Span(), []byte(fresh[i]))
		}
	}
	return nil
}

// Redact implements dialect.Client.
func (c *codec) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	var err error
	if ch.Body != nil {
		ch, err = redactBody(ch, edits)
	} else {
		ch, err = redactFrame(ch, edits)
	}
	if err != nil {
		return ch, internal("Redact", err)
	}
	return ch, nil
}

// spot is a block of an answer.
type spot struct{ choice, index int }

// spots sorts the edits by block.
func spots(edits []dialect.TextEdit) (order []spot, cuts map[spot][]cut) {
	cuts = make(map[spot][]cut)
	for _, x := range edits {
		s := spot{x.Choice, x.Index}
		if cuts[s] == nil {
			order = append(order, s)
		}
		cuts[s] = append(cuts[s], cut{x.Start, x.End, x.New})
	}
	return order, cuts
}

// swap is a text to be replaced in a choice, wherever it is said there.
type swap struct {
	choice   int
	old, new string
}

// redactBody changes a whole answer, its bytes and its meaning.
func redactBody(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	r, ok := ch.Result.(*llm.Response)
	if !ok {
		var err error
		if r, err = decodeResponse(wire.Whole(ch.Body)); err != nil {
			return ch, err
		}
	}
	fresh := *r
	fresh.Choices = slices.Clone(r.Choices)
	order, cuts := spots(edits)
	var swaps []swap
	for _, s := range order {
		i := slices.IndexFunc(fresh.Choices, func(c llm.Choice) bool { return c.Index == s.choice })
		if i < 0 || s.index < 0 || s.index >= len(fresh.Choices[i].Blocks) {
			return ch, errNoText
		}
		c := &fresh.Choices[i]
		b, err := redactBlock(c.Blocks[s.index], cuts[s])
		if err != nil {
			return ch, err
		}
		swaps = append(swaps, swap{s.choice, textOf(c.Blocks[s.index]), textOf(b)})
		c.Blocks = slices.Clone(c.Blocks)
		c.Blocks[s.index] = b
		c.Logprobs = nil
	}
	body, err := swapTexts(ch.Body, "message", swaps)
	if err != nil {
		return ch, err
	}
	ch.Body = body
	if ok {
		ch.Result = &fresh
	}
	return ch, nil
}

func textOf(b llm.Block) string {
	switch b := b.(type) {
	case llm.Text:
		return b.Text
	case llm.Refusal:
		return b.Text
	case llm.Thought:
		return b.Text
	case llm.ToolUse:
		return b.Args
	}
	return ""
}

// redactFrame changes one event. Its raw bytes are made again; all else in its data stays.
func redactFrame(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	order, cuts := spots(edits)
	events := slices.Clone(ch.Events)
	var swaps []swap
	for _, s := range order {
		old, fresh, err := redactEvents(events, s, cuts[s])
		if err != nil {
			return ch, err
		}
		swaps = append(swaps, swap{s.choice, old, fresh})
	}
	data, err := swapTexts(ch.Frame.Data, "delta", swaps)
	if err != nil {
		return ch, err
	}
	ch.Frame.Data = data
	ch.Frame.Raw = frame.Append(nil, ch.Frame)
	ch.Events = events
	return ch, nil
}

// redactEvents changes the text that the events add to a block, and returns it before and after. A
// citation's or a choice's log probabilities would repeat it: they go.
func redactEvents(events []llm.Event, s spot, cuts []cut) (old, fresh string, err error) {
	found := false
	for i, ev := range events {
		switch e := ev.(type) {
		case llm.TextDelta:
			if e.Choice == s.choice && e.Index == s.index && !found {
				old, found = e.Text, true
				e.Text, err = applyText(e.Text, cuts)
				events[i], fresh = e, e.Text
			}
		case llm.ThoughtDelta:
			if e.Choice == s.choice && e.Index == s.index && !found && e.Text != "" {
				old, found = e.Text, true
				e.Text, err = applyText(e.Text, cuts)
				events[i], fresh = e, e.Text
			}
		case llm.ArgsDelta:
			if e.Choice == s.choice && e.Index == s.index && !found {
				old, found = e.JSON, true
				e.JSON, err = applyText(e.JSON, cuts)
				events[i], fresh = e, e.JSON
			}
		case llm.LogprobsDelta:
			if e.Choice == s.choice {
				events[i] = llm.Ping{}
			}
		}
	}
	if !found {
		return "", "", errNoText
	}
	return old, fresh, err
}

// swapTexts replaces texts in the message or delta of their choice, wherever they stand there as a whole
// string, and takes out the choice's log probabilities, which spell the text again.
func swapTexts(body []byte, key string, swaps []swap) ([]byte, error) {
	ed := splice.NewEdit(body)
	for _, s := range swaps {
		if s.old == s.new {
			continue
		}
		n := 0
		err := wire.Whole(body).Get("choices").Elems(func(i int, c wire.Value) error {
			if at := c.Get("index"); at.Kind() == '0' {
				i = int(at.Count())
			}
			if c.Kind() != '{' || i != s.choice {
				return nil
			}
			n += swapIn(ed, c.Get(key), s)
			if l := c.Get("logprobs"); l.Kind() == '{' {
				ed.Set(l.Span(), []byte("null"))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errNoText
		}
	}
	return ed.Bytes()
}

func swapIn(ed *splice.Edit, v wire.Value, s swap) (n int) {
	switch v.Kind() {
	case '"':
		if v.Is(s.old) {
			ed.SetString(v.Span(), s.new)
			return 1
		}
	case '[':
		_ = v.Elems(func(_ int, el wire.Value) error { n += swapIn(ed, el, s); return nil })
	case '{':
		_ = v.Members(func(_ []byte, m wire.Value) error { n += swapIn(ed, m, s); return nil })
	}
	return n
}
