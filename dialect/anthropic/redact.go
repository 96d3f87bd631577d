package anthropic

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

// cut is a change of a text that may be spread over several strings: the text blocks of one tool's
// result, say. Offsets are those of the strings laid end to end.
type cut struct {
	start, end int
	new        string
}

// apply returns the parts with the cuts made. A cut over several parts leaves its new text in the first.
func apply(parts []string, cuts []cut) ([]string, error) {
	parts = slices.Clone(parts)
	cuts = slices.Clone(cuts)
	slices.SortFunc(cuts, func(a, b cut) int { return b.start - a.start })
	total := 0
	for _, p := range parts {
		total += len(p)
	}
	limit := total
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
		if start > len(p) || end < 0 || start > end {
			continue
		}
		fresh := ""
		if !placed {
			fresh, placed = c.new, true
		}
		parts[i] = p[:start] + fresh + p[end:]
	}
}

// place is a block of a request.
type place struct{ message, block int }

// redactions sorts the redactions by block, in the order in which blocks were first named.
func redactions(edits []dialect.Edit) (order []place, cuts map[place][]cut) {
	for _, x := range edits {
		r, ok := x.(dialect.Redact)
		if !ok {
			continue
		}
		p := place{r.Message, r.Block}
		if cuts == nil {
			cuts = make(map[place][]cut)
		}
		if cuts[p] == nil {
			order = append(order, p)
		}
		cuts[p] = append(cuts[p], cut{r.Start, r.End, r.New})
	}
	return order, cuts
}

// errNoText says that a redaction names a block in which there is no text. The call must not go out.
var errNoText = errors.New("no such text block")

func unredacted(p place, err error) error {
	return internal("redact", fmt.Errorf("redacting messages[%d].content[%d]: %w", p.message, p.block, err))
}

// redactRequest returns the request with its redactions made. The request given stays as it was.
func redactRequest(r *llm.Request, edits []dialect.Edit) (*llm.Request, error) {
	order, cuts := redactions(edits)
	if len(order) == 0 {
		return r, nil
	}
	out := *r
	out.Messages = slices.Clone(r.Messages)
	for _, p := range order {
		if p.message < 0 || p.message >= len(out.Messages) {
			return nil, unredacted(p, errNoText)
		}
		m := &out.Messages[p.message]
		if p.block < 0 || p.block >= len(m.Blocks) {
			return nil, unredacted(p, errNoText)
		}
		b, err := redactBlock(m.Blocks[p.block], cuts[p])
		if err != nil {
			return nil, unredacted(p, err)
		}
		m.Blocks = slices.Clone(m.Blocks)
		m.Blocks[p.block] = b
	}
	return &out, nil
}

func redactBlock(b llm.Block, cuts []cut) (llm.Block, error) {
	one := func(s string) (string, error) {
		parts, err := apply([]string{s}, cuts)
		if err != nil {
			return "", err
		}
		return parts[0], nil
	}
	var err error
	switch b := b.(type) {
	case llm.Text:
		b.Text, err = one(b.Text)
		return b, err
	case llm.Refusal:
		b.Text, err = one(b.Text)
		return b, err
	case llm.Thought:
		b.Text, err = one(b.Text)
		return b, err
	case llm.ToolUse:
		b.Args, err = one(b.Args)
		return b, err
	case llm.Media:
		b.Text, err = one(b.Text)
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

// redact makes the redactions in the body.
func (e *editor) redact() error {
	order, cuts := redactions(e.shape.Edits)
	for _, p := range order {
		parts, ok := e.texts(p)
		if !ok {
			return unredacted(p, errNoText)
		}
		if err := e.rewrite(parts, cuts[p]); err != nil {
			return unredacted(p, err)
		}
	}
	if len(order) > 0 {
		e.change("text redacted")
	}
	return nil
}

// texts returns where the text of a block stands. Message 0 is the system prompt where there is one.
func (e *editor) texts(p place) ([]wire.Value, bool) {
	content := wire.At(e.body, e.spans.found[atSystem].Value)
	n := p.message
	system := content.Found() && !content.IsNull()
	if system {
		n--
	}
	if !system || p.message != 0 {
		content = wire.At(e.body, e.spans.found[atMessages].Value).Get(itoa(n), "content")
	}
	if content.Kind() == '"' {
		return []wire.Value{content}, p.block == 0
	}
	b := content.Get(itoa(p.block))
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

func (e *editor) rewrite(at []wire.Value, cuts []cut) error {
	texts := make([]string, len(at))
	for i, v := range at {
		texts[i] = textOf(v)
	}
	fresh, err := apply(texts, cuts)
	if err != nil {
		return err
	}
	for i, v := range at {
		switch {
		case fresh[i] == texts[i]:
		case v.Kind() == '"':
			e.edit.SetString(v.Span(), fresh[i])
		case splice.Valid([]byte(fresh[i]), splice.MaxDepth) != nil:
			return errors.New("the tool's input is no JSON any more")
		default:
			e.edit.Set(v.Span(), []byte(fresh[i]))
		}
	}
	return nil
}

// textOf returns what a string says; of another value, a tool's input, the JSON itself.
func textOf(v wire.Value) string {
	if v.Kind() == '"' {
		return v.Text()
	}
	return v.JSON()
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

func cutsOf(edits []dialect.TextEdit, index int) []cut {
	var cuts []cut
	for _, x := range edits {
		if x.Index == index {
			cuts = append(cuts, cut{x.Start, x.End, x.New})
		}
	}
	return cuts
}

// redactBody changes a whole answer, its bytes and its meaning.
func redactBody(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	ed := editor{body: ch.Body, edit: splice.NewEdit(ch.Body)}
	for _, i := range indexes(edits) {
		at := answerText(wire.Whole(ch.Body).Get("content", itoa(i)))
		if !at.Found() {
			return ch, internal("Redact", errNoText)
		}
		if err := ed.rewrite([]wire.Value{at}, cutsOf(edits, i)); err != nil {
			return ch, internal("Redact", err)
		}
	}
	body, err := ed.edit.Bytes()
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
			return ch, internal("Redact", errNoText)
		}
		if blocks[i], err = redactBlock(blocks[i], cutsOf(edits, i)); err != nil {
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
		return ch, internal("Redact", errNoText)
	}
	ed := editor{body: ch.Frame.Data, edit: splice.NewEdit(ch.Frame.Data)}
	if err := ed.rewrite([]wire.Value{at}, cuts); err != nil {
		return ch, internal("Redact", err)
	}
	data, err := ed.edit.Bytes()
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

func redactEvents(events []llm.Event, cuts []cut) ([]llm.Event, error) {
	out := slices.Clone(events)
	for i, ev := range out {
		var err error
		switch e := ev.(type) {
		case llm.TextDelta:
			e.Text, err = applyText(e.Text, cuts)
			out[i] = e
		case llm.ThoughtDelta:
			e.Text, err = applyText(e.Text, cuts)
			out[i] = e
		case llm.ArgsDelta:
			e.JSON, err = applyText(e.JSON, cuts)
			out[i] = e
		case llm.BlockStart:
			var b llm.Block
			if b, err = redactBlock(e.Block, cuts); err == nil {
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

func applyText(s string, cuts []cut) (string, error) {
	parts, err := apply([]string{s}, cuts)
	return strings.Join(parts, ""), err
}
