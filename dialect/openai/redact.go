package openai

import (
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// redactRequest returns the request with its redactions made. The request given stays as it was.
func redactRequest(r *llm.Request, edits []dialect.Edit) (*llm.Request, error) {
	out, err := dialect.RedactRequest(r, edits)
	if err != nil {
		return nil, internal("redact", err)
	}
	order, _ := dialect.Redactions(edits)
	for _, p := range order {
		m := &out.Messages[p.Message]
		m.Blocks[p.Block] = unrepeated(m.Blocks[p.Block])
	}
	return out, nil
}

// redactBlock returns a block with its text changed, wherever it is said.
func redactBlock(b llm.Block, cuts []dialect.Cut) (llm.Block, error) {
	b, err := dialect.RedactBlock(b, cuts)
	return unrepeated(b), err
}

// unrepeated returns a thought without the member that repeats its text.
func unrepeated(b llm.Block) llm.Block {
	t, ok := b.(llm.Thought)
	if !ok {
		return b
	}
	_, t.Extra = wire.Take(t.Extra, Name, "thinking")
	return t
}

// redact makes the redactions in the body. A text that is said in several fields is changed in all.
func (e *editor) redact() error {
	order, cuts := dialect.Redactions(e.shape.Edits)
	if len(order) == 0 {
		return nil
	}
	done := 0
	list := wire.At(e.body, e.spans.found[atMessages].Value)
	err := list.Elems(func(i int, m wire.Value) error {
		if !slices.ContainsFunc(order, func(p dialect.Place) bool { return p.Message == i }) {
			return nil
		}
		_, said, err := decodeMessage(m, true)
		if err != nil {
			return err
		}
		for _, p := range order {
			if p.Message != i {
				continue
			}
			done++
			if err := e.redactBlock(said, p.Block, cuts[p]); err != nil {
				return p.Unredacted(err)
			}
		}
		return nil
	})
	if err == nil && done < len(order) {
		err = dialect.ErrNoText
	}
	if err != nil {
		return internal("redact", err)
	}
	e.change(dialect.Redacted)
	return nil
}

func (e *editor) redactBlock(list blockList, j int, cuts []dialect.Cut) error {
	if j < 0 || j >= len(list.at) || len(list.at[j]) == 0 {
		return dialect.ErrNoText
	}
	at := list.at[j]
	if _, thought := list.blocks[j].(llm.Thought); !thought || at[0].Text() != at[len(at)-1].Text() {
		return dialect.RewriteAt(e.edit, at, cuts)
	}
	for _, one := range at { // the same text, said in two fields
		if err := dialect.RewriteAt(e.edit, []wire.Value{one}, cuts); err != nil {
			return err
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
func spots(edits []dialect.TextEdit) (order []spot, cuts map[spot][]dialect.Cut) {
	cuts = make(map[spot][]dialect.Cut)
	for _, x := range edits {
		s := spot{x.Choice, x.Index}
		if cuts[s] == nil {
			order = append(order, s)
		}
		cuts[s] = append(cuts[s], x.Cut())
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
			return ch, dialect.ErrNoText
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
func redactEvents(events []llm.Event, s spot, cuts []dialect.Cut) (old, fresh string, err error) {
	found := false
	for i, ev := range events {
		switch e := ev.(type) {
		case llm.TextDelta:
			if e.Choice == s.choice && e.Index == s.index && !found {
				old, found = e.Text, true
				e.Text, err = dialect.RewriteText(e.Text, cuts)
				events[i], fresh = e, e.Text
			}
		case llm.ThoughtDelta:
			if e.Choice == s.choice && e.Index == s.index && !found && e.Text != "" {
				old, found = e.Text, true
				e.Text, err = dialect.RewriteText(e.Text, cuts)
				events[i], fresh = e, e.Text
			}
		case llm.ArgsDelta:
			if e.Choice == s.choice && e.Index == s.index && !found {
				old, found = e.JSON, true
				e.JSON, err = dialect.RewriteText(e.JSON, cuts)
				events[i], fresh = e, e.JSON
			}
		case llm.LogprobsDelta:
			if e.Choice == s.choice {
				events[i] = llm.Ping{}
			}
		}
	}
	if !found {
		return "", "", dialect.ErrNoText
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
			return nil, dialect.ErrNoText
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
