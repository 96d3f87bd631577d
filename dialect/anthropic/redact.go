package anthropic

import (
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// redact makes the redactions in the body.
func (e *editor) redact() error {
	order, cuts := dialect.Redactions(e.shape.Edits)
	for _, p := range order {
		parts, ok := e.texts(p)
		if !ok {
			return internal("redact", p.Unredacted(dialect.ErrNoText))
		}
		if err := dialect.RewriteAt(e.edit, parts, cuts[p]); err != nil {
			return internal("redact", p.Unredacted(err))
		}
	}
	if len(order) > 0 {
		e.change(dialect.Redacted)
	}
	return nil
}

// texts returns where the text of a block stands. Message 0 is the system prompt where there is one.
func (e *editor) texts(p dialect.Place) ([]wire.Value, bool) {
	content := wire.At(e.body, e.spans.found[atSystem].Value)
	n := p.Message
	system := content.Found() && !content.IsNull()
	if system {
		n--
	}
	if !system || p.Message != 0 {
		content = wire.At(e.body, e.spans.found[atMessages].Value).Get(itoa(n), "content")
	}
	if content.Kind() == '"' {
		return []wire.Value{content}, p.Block == 0
	}
	b := content.Get(itoa(p.Block))
	switch b.Get("type").Text() {
	case "text":
		return found(b.Get("text"))
	case "thinking":
		return found(b.Get("thinking"))
	case "tool_use":
		return found(b.Get("input"))
	case "document":
		return found(b.Get("source", "data"))
	case "tool_result":
		return resultTexts(b.Get("content"))
	}
	return nil, false
}

func found(v wire.Value) ([]wire.Value, bool) { return []wire.Value{v}, v.Found() }

func resultTexts(content wire.Value) (parts []wire.Value, ok bool) {
	if content.Kind() == '"' {
		return []wire.Value{content}, true
	}
	err := content.Elems(func(_ int, b wire.Value) error {
		if t := b.Get("text"); b.Get("type").Text() == "text" && t.Found() {
			parts = append(parts, t)
		}
		return nil
	})
	return parts, err == nil && len(parts) > 0
}

// Redact implements dialect.Client.
func (c *codec) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	if ch.Body != nil {
		return redactBody(ch, edits)
	}
	return redactFrame(ch, edits)
}

func cutsOf(edits []dialect.TextEdit, index int) []dialect.Cut {
	var cuts []dialect.Cut
	for _, x := range edits {
		if x.Index == index {
			cuts = append(cuts, x.Cut())
		}
	}
	return cuts
}

// redactBody changes a whole answer, its bytes and its meaning.
func redactBody(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	ed := splice.NewEdit(ch.Body)
	for _, i := range indexes(edits) {
		at := answerText(wire.Whole(ch.Body).Get("content", itoa(i)))
		if !at.Found() {
			return ch, internal("Redact", dialect.ErrNoText)
		}
		if err := dialect.RewriteAt(ed, []wire.Value{at}, cutsOf(edits, i)); err != nil {
			return ch, internal("Redact", err)
		}
	}
	body, err := ed.Bytes()
	if err != nil {
		return ch, internal("Redact", err)
	}
	ch.Body = body
	r, ok := ch.Result.(*llm.Response)
	if !ok || len(r.Choices) == 0 {
		return ch, nil
	}
	fresh := *r
	fresh.Choices = slices.Clone(r.Choices)
	blocks := slices.Clone(r.Choices[0].Blocks)
	for _, i := range indexes(edits) {
		if i >= len(blocks) {
			return ch, internal("Redact", dialect.ErrNoText)
		}
		if blocks[i], err = dialect.RedactBlock(blocks[i], cutsOf(edits, i)); err != nil {
			return ch, internal("Redact", err)
		}
	}
	fresh.Choices[0].Blocks = blocks
	ch.Result = &fresh
	return ch, nil
}

func indexes(edits []dialect.TextEdit) []int {
	var out []int
	for _, x := range edits {
		if !slices.Contains(out, x.Index) {
			out = append(out, x.Index)
		}
	}
	return out
}

// answerText returns the text of a block of an answer, or of a delta.
func answerText(b wire.Value) wire.Value {
	for _, key := range [...]string{"text", "thinking", "partial_json", "input"} {
		if v := b.Get(key); v.Found() {
			return v
		}
	}
	return wire.Value{}
}

// redactFrame changes one event. Its raw bytes are made again; all else in its data stays.
func redactFrame(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	v := wire.Whole(ch.Frame.Data)
	part := v.Get("delta")
	if v.Get("type").Text() == "content_block_start" {
		part = v.Get("content_block")
	}
	index := int(v.Get("index").Count())
	cuts := cutsOf(edits, index)
	at := answerText(part)
	if !at.Found() || len(cuts) != len(edits) {
		return ch, internal("Redact", dialect.ErrNoText)
	}
	ed := splice.NewEdit(ch.Frame.Data)
	if err := dialect.RewriteAt(ed, []wire.Value{at}, cuts); err != nil {
		return ch, internal("Redact", err)
	}
	data, err := ed.Bytes()
	if err != nil {
		return ch, internal("Redact", err)
	}
	ch.Frame.Data = data
	ch.Frame.Raw = frame.Append(nil, ch.Frame)
	ch.Events, err = redactEvents(ch.Events, cuts)
	if err != nil {
		return ch, internal("Redact", err)
	}
	return ch, nil
}

func redactEvents(events []llm.Event, cuts []dialect.Cut) ([]llm.Event, error) {
	out := slices.Clone(events)
	for i, ev := range out {
		var err error
		switch e := ev.(type) {
		case llm.TextDelta:
			e.Text, err = dialect.RewriteText(e.Text, cuts)
			out[i] = e
		case llm.ThoughtDelta:
			e.Text, err = dialect.RewriteText(e.Text, cuts)
			out[i] = e
		case llm.ArgsDelta:
			e.JSON, err = dialect.RewriteText(e.JSON, cuts)
			out[i] = e
		case llm.BlockStart:
			var b llm.Block
			if b, err = dialect.RedactBlock(e.Block, cuts); err == nil {
				e.Block = b
				out[i] = e
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
