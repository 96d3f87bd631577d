package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

func (d *streamDecoder) textDelta(it *itemDecoder, kind string, v wire.Value) error {
	if it.kind != kindMessage || it.done {
		return nil
	}
	x, err := d.said(it, v.Get("content_index"), kind)
	if err != nil {
		return err
	}
	delta := v.Get("delta")
	d.text += delta.Bytes()
	x.say(d, delta.Text())
	return nil
}

// textDone keeps a text that was said whole, for the item's end.
func (d *streamDecoder) textDone(it *itemDecoder, kind string, v wire.Value) error {
	if it.kind != kindMessage || it.done {
		return nil
	}
	x, err := d.said(it, v.Get("content_index"), kind)
	if err != nil {
		return err
	}
	if x.whole = v.Get("text").Text(); x.whole == "" {
		x.whole = v.Get("refusal").Text()
	}
	return nil
}

func (d *streamDecoder) cite(it *itemDecoder, v wire.Value) error {
	if it.kind != kindMessage || it.done {
		return nil
	}
	x, err := d.said(it, v.Get("content_index"), "")
	if _, ok := x.asText(); err == nil && ok {
		d.emit(llm.CiteDelta{Index: x.index, Citation: decodeCitation(v.Get("annotation"))})
	}
	return err
}

func (x *blockDecoder) asText() (llm.Text, bool) {
	if x == nil {
		return llm.Text{}, false
	}
	t, ok := x.block.(llm.Text)
	return t, ok
}

// argsDelta adds to the arguments of a call. They may come after an event that said they are done.
func (d *streamDecoder) argsDelta(it *itemDecoder, v wire.Value) {
	if it.done || len(it.blocks) == 0 {
		return
	}
	if _, ok := it.blocks[0].block.(llm.ToolUse); !ok {
		return
	}
	delta := v.Get("delta")
	d.text += delta.Bytes()
	it.blocks[0].say(d, delta.Text())
}

// argsDone keeps arguments that were said whole. Only the end of the item says that they are.
func (d *streamDecoder) argsDone(it *itemDecoder, v wire.Value) {
	if len(it.blocks) > 0 && v.Text() != "" {
		it.blocks[0].whole = v.Text()
	}
}

func (d *streamDecoder) thoughtDelta(it *itemDecoder, kind string, v wire.Value) {
	if it.done || it.kind != kindReasoning {
		return
	}
	x := it.blocks[0]
	at := v.Get("summary_index")
	if !at.Found() {
		at = v.Get("content_index")
	}
	part := int(at.Count()) * 2
	if strings.HasPrefix(kind, "reasoning_text") {
		part++
	}
	delta := v.Get("delta")
	d.text += delta.Bytes()
	if part != x.part && x.text.Len() > 0 && delta.Text() != "" {
		x.say(d, between)
	}
	x.part = part
	x.say(d, delta.Text())
}

// say adds to a block.
func (x *blockDecoder) say(d *streamDecoder, s string) {
	if s == "" {
		return
	}
	if !d.quiet {
		x.text.WriteString(s)
	}
	switch x.block.(type) {
	case llm.Text, llm.Refusal:
		d.emit(llm.TextDelta{Index: x.index, Text: s})
	case llm.Thought:
		d.emit(llm.ThoughtDelta{Index: x.index, Text: s})
	case llm.ToolUse:
		d.emit(llm.ArgsDelta{Index: x.index, JSON: s})
	}
}

// opaqueDelta tells an event of an item that has no word here.
func (d *streamDecoder) opaqueDelta(index int, kind string, v wire.Value) {
	it := d.items[index]
	if it == nil || it.done || len(it.blocks) == 0 {
		d.emit(llm.OpaqueEvent{Opaque: opaque(kind, v)})
		return
	}
	d.emit(llm.OpaqueDelta{Index: it.blocks[0].index, Opaque: opaque(kind, v)})
}

// logprobs tells the log probabilities of a message that is whole.
func (d *streamDecoder) logprobs(final []llm.Block) {
	for _, b := range final {
		t, ok := b.(llm.Text)
		if !ok {
			continue
		}
		if raw, ok := told(t.Extra, "logprobs"); ok {
			if list := decodeLogprobs(wire.Raw(raw)); len(list) > 0 {
				d.emit(llm.LogprobsDelta{Logprobs: llm.Logprobs{Content: list}})
			}
		}
	}
}
