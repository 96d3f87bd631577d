package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// itemEvent reads an event of an item.
func (d *streamDecoder) itemEvent(kind string, index int, v wire.Value) error {
	kind = strings.TrimPrefix(kind, "response.")
	switch kind {
	case "output_item.added":
		d.added(index, v.Get("item"))
		return nil
	case "output_item.done":
		return d.itemDone(d.added(index, v.Get("item")), v.Get("item"))
	case "content_part.added":
		it := d.at(index, kindMessage)
		if it.kind == kindMessage && !it.done {
			return d.part(it, v.Get("content_index"), v.Get("part"))
		}
		return nil
	case "output_text.delta", "refusal.delta":
		return d.textDelta(d.at(index, kindMessage), kind, v)
	case "output_text.done", "refusal.done":
		return d.textDone(d.at(index, kindMessage), kind, v)
	case "output_text.annotation.added":
		return d.cite(d.at(index, kindMessage), v)
	case "function_call_arguments.delta":
		d.argsDelta(d.at(index, kindCall), v)
	case "custom_tool_call_input.delta":
		d.argsDelta(d.at(index, kindCustom), v)
	case "function_call_arguments.done":
		d.argsDone(d.at(index, kindCall), v.Get("arguments"))
	case "custom_tool_call_input.done":
		d.argsDone(d.at(index, kindCustom), v.Get("input"))
	case "reasoning_summary_text.delta", "reasoning_text.delta":
		d.thoughtDelta(d.at(index, kindReasoning), kind, v)
	case "reasoning_summary_text.done", "reasoning_text.done", "reasoning_summary_part.added", "reasoning_summary_part.done",
		"reasoning_part.added", "reasoning_part.done", "content_part.done":
		// Said again by the item when it is done.
	default:
		d.opaqueDelta(index, "response."+kind, v)
	}
	return nil
}

// at returns the item at an index; one that was never added is of the kind that the event belongs to.
func (d *streamDecoder) at(index int, kind string) *itemDecoder {
	if it := d.items[index]; it != nil {
		return it
	}
	return d.open(index, kind, wire.Value{})
}

// added returns the item at an index, which an event tells whole.
func (d *streamDecoder) added(index int, v wire.Value) *itemDecoder {
	if it := d.items[index]; it != nil {
		return it
	}
	return d.open(index, v.Get("type").Text(), v)
}

// open begins an item. A message has no block before its first part.
func (d *streamDecoder) open(index int, kind string, v wire.Value) *itemDecoder {
	it := &itemDecoder{kind: kind, id: v.Get("id").Text()}
	d.items[index] = it
	d.order = append(d.order, it)
	switch kind {
	case kindMessage:
		if v.Found() {
			head, rest, _ := messageHead(v)
			it.head = heads(llm.Text{}, head, rest)
		}
	case kindCall, kindCustom, kindReasoning:
		it.start(d, 0, d.first(kind, v))
	default:
		it.start(d, 0, opaque(kind, v))
	}
	return it
}

// first returns a call or a piece of reasoning as it begins.
func (d *streamDecoder) first(kind string, v wire.Value) llm.Block {
	if v.Found() {
		if blocks, err := decodeItem(kind, v, false); err == nil && len(blocks) == 1 {
			if t, ok := blocks[0].(llm.Thought); ok && t.Origin == "" {
				t.Origin = Name // whatever seals it comes at its end
				return t
			}
			return blocks[0]
		}
	}
	switch kind {
	case kindCall:
		return llm.ToolUse{Kind: llm.ToolFunction, Extra: named()}
	case kindCustom:
		return llm.ToolUse{Kind: llm.ToolCustom, Extra: named()}
	}
	return llm.Thought{Origin: Name, Extra: named()}
}

// start begins a block of an item. What it holds already is said as a delta would.
func (it *itemDecoder) start(d *streamDecoder, part int, b llm.Block) *blockDecoder {
	x := &blockDecoder{index: d.next, part: part}
	d.next++
	it.blocks = append(it.blocks, x)
	var text, args string
	switch k := b.(type) {
	case llm.ToolUse:
		args, k.Args = k.Args, ""
		b = k
	case llm.Thought:
		// Its text, and what seals it, come with the item when it is done.
		k.Text, k.Signature, k.Sealed = "", "", ""
		b = k
	case llm.Text:
		text, k.Text, k.Citations = k.Text, "", nil
		b = k
	case llm.Refusal:
		text, k.Text = k.Text, ""
		b = k
	}
	x.block = b
	d.emit(llm.BlockStart{Index: x.index, Block: b})
	if text != "" {
		x.text.WriteString(text)
		d.emit(llm.TextDelta{Index: x.index, Text: text})
	}
	if args != "" {
		x.whole = args
	}
	return x
}

// part begins a part of a message.
func (d *streamDecoder) part(it *itemDecoder, at, v wire.Value) error {
	b, err := decodePart(v)
	if err != nil {
		return wire.Under(err, "part")
	}
	_, err = d.block(it, at, b)
	return err
}

// block returns the block of a part of a message, and begins it with b if it has not begun.
func (d *streamDecoder) block(it *itemDecoder, at wire.Value, b llm.Block) (*blockDecoder, error) {
	part := int(at.Count())
	if part > mostItems {
		return nil, wire.Bad("content_index", "a small number")
	}
	if x := it.of(part); x != nil {
		return x, nil
	}
	if len(it.blocks) == 0 && it.head != nil {
		if head, rest, ok := headOf(it.head); ok {
			b = heads(b, head, llm.Extra{Dialect: Name, Fields: rest})
		}
	}
	return it.start(d, part, b), nil
}

// of returns the block of a part, nil where it has not begun.
func (it *itemDecoder) of(part int) *blockDecoder {
	for _, x := range it.blocks {
		if x.part == part {
			return x
		}
	}
	return nil
}

// said returns the block of the part of a message that an event says something of.
func (d *streamDecoder) said(it *itemDecoder, at wire.Value, kind string) (*blockDecoder, error) {
	if x := it.of(int(at.Count())); x != nil {
		return x, nil
	}
	return d.block(it, at, beginning(kind))
}

func beginning(kind string) llm.Block {
	if strings.HasPrefix(kind, "refusal") {
		return llm.Refusal{Extra: named()}
	}
	t := llm.Text{Extra: named()}
	tell(&t.Extra, "type", quote(outputText))
	return t
}

// itemDone ends an item, which is told whole. A call that has no arguments yet may still get some.
func (d *streamDecoder) itemDone(it *itemDecoder, v wire.Value) error {
	if it.done || d.quiet {
		return nil
	}
	var final []llm.Block
	if v.Kind() == '{' {
		final = answerItem(v)
	}
	if len(final) == 1 && len(it.blocks) == 1 && it.late == nil {
		u, call := final[0].(llm.ToolUse)
		if x := it.blocks[0]; call && u.Args == "" && x.whole == "" && x.text.Len() == 0 {
			it.late = u
			return nil
		}
	}
	d.finishItem(it, final)
	return nil
}

// finishItem ends the blocks of an item in their final form, and says what of it no delta said.
func (d *streamDecoder) finishItem(it *itemDecoder, final []llm.Block) {
	it.done = true
	for i, x := range it.blocks {
		var b llm.Block
		if i < len(final) {
			b = x.settle(d, final[i])
		} else {
			x.rest(d, x.whole)
		}
		d.emit(llm.BlockEnd{Index: x.index, Block: b})
	}
	for i := len(it.blocks); i < len(final); i++ {
		x := it.start(d, i, final[i])
		d.emit(llm.BlockEnd{Index: x.index, Block: x.settle(d, final[i])})
	}
	d.logprobs(final)
}

// rest says what of a text no delta said.
func (x *blockDecoder) rest(d *streamDecoder, whole string) {
	if more, ok := strings.CutPrefix(whole, x.text.String()); ok {
		x.say(d, more)
	}
}

// settle returns a block in its final form, or nil where that is of another kind than what was begun.
// Where the final form is empty, what the deltas said holds.
func (x *blockDecoder) settle(d *streamDecoder, final llm.Block) llm.Block {
	whole := func(s *string) {
		if *s == "" {
			*s = x.whole
		}
		if *s == "" {
			*s = x.text.String()
		}
		x.rest(d, *s)
	}
	switch f := final.(type) {
	case llm.Text:
		if _, ok := x.block.(llm.Text); !ok {
			return nil
		}
		whole(&f.Text)
		return f
	case llm.Refusal:
		if _, ok := x.block.(llm.Refusal); !ok {
			return nil
		}
		whole(&f.Text)
		return f
	case llm.ToolUse:
		if _, ok := x.block.(llm.ToolUse); !ok {
			return nil
		}
		whole(&f.Args)
		return f
	case llm.Thought:
		if _, ok := x.block.(llm.Thought); !ok {
			return nil
		}
		whole(&f.Text)
		if f.Signature != "" || f.Sealed != "" {
			d.emit(llm.ThoughtDelta{Index: x.index, Signature: f.Signature, Sealed: f.Sealed})
		}
		return f
	case llm.Opaque:
		if _, ok := x.block.(llm.Opaque); !ok {
			return nil
		}
	}
	return final
}

// late ends an item that has not ended, as the whole answer tells it.
func (d *streamDecoder) late(i int, v wire.Value) {
	if d.quiet || v.Kind() != '{' {
		return
	}
	id := v.Get("id").Text()
	for _, it := range d.order {
		if id != "" && it.id == id {
			if !it.done {
				it.whole(d, v)
			}
			return
		}
	}
	if it := d.items[i]; it == nil || !it.done {
		d.added(i, v).whole(d, v)
	}
}
