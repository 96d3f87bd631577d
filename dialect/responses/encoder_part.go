package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// beginPart says that a part of a message or of reasoning begins.
func (e *encoder) beginPart(x *blockEncoder) {
	if x.began {
		return
	}
	x.began = true
	kind, _ := x.partWords()
	e.itemSay(kind+".added", x.item, func(w *jsonw.Writer) { x.appendPart(w, x.emptied()) })
}

// partWords returns what events of a part, and those of its deltas, are called.
func (x *blockEncoder) partWords() (part, delta string) {
	switch b := x.block.(type) {
	case llm.Refusal:
		return "response.content_part", "response.refusal"
	case llm.Thought:
		if b.Field == "content" && b.Extra.Dialect == Name {
			return "response.content_part", "response.reasoning_text"
		}
		return "response.reasoning_summary_part", "response.reasoning_summary_text"
	}
	return "response.content_part", "response.output_text"
}

// emptied returns the block of a part before its first delta.
func (x *blockEncoder) emptied() llm.Block {
	switch b := x.block.(type) {
	case llm.Text:
		e := named()
		tell(&e, "type", quote(outputText))
		tell(&e, "annotations", "[]")
		tell(&e, "logprobs", "[]")
		return llm.Text{Extra: e}
	case llm.Refusal:
		return llm.Refusal{}
	case llm.Thought:
		b.Text = ""
		return b
	}
	return x.block
}

// appendPart writes where a part is, and the part.
func (x *blockEncoder) appendPart(w *jsonw.Writer, b llm.Block) {
	x.where(w)
	w.Key("part")
	if t, ok := b.(llm.Thought); ok {
		kind, _ := x.partWords()
		w.Open('{')
		if kind == "response.content_part" {
			w.KeyStr("type", partType("content"))
		} else {
			w.KeyStr("type", partType("summary"))
		}
		w.KeyStr("text", t.Text)
		w.Close('}')
		return
	}
	appendPart(w, b, outputText)
}

// where writes which part of its item this is.
func (x *blockEncoder) where(w *jsonw.Writer) {
	if kind, _ := x.partWords(); kind == "response.reasoning_summary_part" {
		w.KeyInt("summary_index", int64(x.part))
	} else {
		w.KeyInt("content_index", int64(x.part))
	}
}

func (e *encoder) text(x *blockEncoder, s string) {
	if s == "" || x.item == nil || x.ended {
		return
	}
	x.text.WriteString(s)
	_, kind := x.partWords()
	e.itemSay(kind+".delta", x.item, func(w *jsonw.Writer) {
		x.where(w)
		w.KeyStr("delta", s)
		if kind == "response.output_text" {
			w.KeyRaw("logprobs", "[]")
		}
	})
}

func (e *encoder) thoughtDelta(x *blockEncoder, v llm.ThoughtDelta) {
	if x.item == nil || x.ended {
		return
	}
	x.signature.WriteString(v.Signature)
	x.sealed.WriteString(v.Sealed)
	if v.Text == "" {
		return
	}
	e.beginPart(x)
	e.text(x, v.Text)
}

func (e *encoder) args(x *blockEncoder, s string) {
	if s == "" || x.item == nil || x.ended {
		return
	}
	x.text.WriteString(s)
	if x.wrapped() {
		return // said when it is whole: what comes is an object around it
	}
	kind := "response.function_call_arguments.delta"
	if x.item.kind == kindCustom {
		kind = "response.custom_tool_call_input.delta"
	}
	e.itemSay(kind, x.item, func(w *jsonw.Writer) { w.KeyStr("delta", s) })
}

// wrapped reports whether a block is a call of a custom tool that the upstream knows as a function.
func (x *blockEncoder) wrapped() bool {
	b, ok := x.block.(llm.ToolUse)
	return ok && (x.item.client != nil || x.item.kind == kindCustom && b.Kind != llm.ToolCustom)
}

// opaqueDelta says an event of one of the vendor's own items again, in its place.
func (e *encoder) opaqueDelta(x *blockEncoder, o llm.Opaque) {
	if o.Dialect != Name {
		e.Add(x.path, strings.TrimSpace(o.Type+" "+dialect.Foreign))
		return
	}
	if x.item == nil || x.ended {
		return
	}
	e.say(o.Type, func(w *jsonw.Writer) {
		_ = wire.Raw(o.Raw).Members(func(key []byte, m wire.Value) error {
			switch k := string(key); k {
			case "type", "sequence_number":
			case "output_index":
				w.KeyInt(k, int64(x.item.index))
			default:
				w.KeyRaw(k, m.JSON())
			}
			return nil
		})
	})
}

func (e *encoder) opaqueEvent(o llm.Opaque) {
	if o.Dialect != Name {
		e.Add(o.Type, dialect.Foreign)
		return
	}
	e.begin(llm.Start{})
	e.say(o.Type, func(w *jsonw.Writer) {
		_ = wire.Raw(o.Raw).Members(func(key []byte, m wire.Value) error {
			if k := string(key); k != "type" && k != "sequence_number" {
				w.KeyRaw(k, m.JSON())
			}
			return nil
		})
	})
}

// endPart says that a part of a message is done.
func (e *encoder) endPart(x *blockEncoder, final llm.Block) {
	it := x.item
	signature, origin := "", ""
	switch b := final.(type) {
	case llm.Text:
		signature, origin = b.Signature, b.Origin
		logprobs := e.logprobs
		e.logprobs = nil
		b = e.fitText(b, x.path, logprobs)
		e.annotate(x, b.Citations)
		e.itemSay("response.output_text.done", it, func(w *jsonw.Writer) {
			x.where(w)
			w.KeyStr("text", b.Text)
			raw, _ := told(b.Extra, "logprobs")
			if raw == "" {
				raw = "[]"
			}
			w.KeyRaw("logprobs", raw)
		})
		final = b
	case llm.Refusal:
		e.extra(x.path, b.Extra)
		e.itemSay("response.refusal.done", it, func(w *jsonw.Writer) {
			x.where(w)
			w.KeyStr("refusal", b.Text)
		})
	}
	e.itemSay("response.content_part.done", it, func(w *jsonw.Writer) { x.appendPart(w, final) })
	it.item.blocks[x.part] = final
	if x.part == 0 {
		if head, rest, ok := headOf(final); ok {
			it.head, it.rest = head, rest
		}
	}
	if signature != "" {
		e.carry(llm.Text{Signature: signature, Origin: origin})
	}
}

// annotate says the citations of a text.
func (e *encoder) annotate(x *blockEncoder, cites []llm.Citation) {
	for i, c := range cites {
		e.itemSay("response.output_text.annotation.added", x.item, func(w *jsonw.Writer) {
			x.where(w)
			w.KeyInt("annotation_index", int64(i))
			w.Key("annotation")
			appendCitation(w, c)
		})
	}
}

// carry says an item that brings a signature home, behind what it belongs to.
func (e *encoder) carry(b llm.Block) {
	t, ok := e.carrier(b)
	if !ok {
		return
	}
	e.leave()
	it := &itemEncoder{item: item{kind: kindReasoning, id: t.Item, blocks: []llm.Block{t}}, index: len(e.items)}
	e.items = append(e.items, it)
	e.say("response.output_item.added", func(w *jsonw.Writer) {
		w.KeyInt("output_index", int64(it.index))
		w.Key("item")
		it.item.append(w)
	})
	e.done(it)
}

// endThought says that reasoning is done.
func (e *encoder) endThought(x *blockEncoder, final llm.Block) {
	it := x.item
	b, _ := final.(llm.Thought)
	e.extra(x.path, b.Extra)
	if x.began {
		part, text := x.partWords()
		e.itemSay(text+".done", it, func(w *jsonw.Writer) {
			x.where(w)
			w.KeyStr("text", b.Text)
		})
		e.itemSay(part+".done", it, func(w *jsonw.Writer) { x.appendPart(w, b) })
	}
	if it.id == "" {
		it.id = b.Item
	}
	it.item.blocks[x.part] = b
	e.done(it)
}
