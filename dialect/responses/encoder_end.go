package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// blockEnd ends a block. What its final form holds and no delta said is said now.
func (e *encoder) blockEnd(v llm.BlockEnd) {
	x := e.blocks[v.Index]
	if x == nil {
		if v.Block == nil {
			return
		}
		e.blockStart(v.Index, v.Block)
		x = e.blocks[v.Index]
	}
	if x.item == nil || x.ended {
		return
	}
	final := x.final(e, v.Block)
	x.ended = true
	it := x.item
	it.open--
	if len(it.item.blocks) < len(it.blocks) {
		it.item.blocks = append(it.item.blocks, make([]llm.Block, len(it.blocks)-len(it.item.blocks))...)
	}
	switch kind := it.kind; {
	case kind == kindMessage:
		e.endPart(x, final)
		if it.full && it.open == 0 {
			e.done(it)
		}
	case kind == kindCall, kind == kindCustom, it.client != nil:
		it.item.blocks[x.part] = final
		e.release()
		e.held = it
	case kind == kindReasoning:
		e.endThought(x, final)
	default:
		it.item.blocks[x.part] = final
		if it.kind == kindImage {
			e.addedImage(it)
		}
		e.done(it)
	}
}

// addedImage says that an item begins which is whole already.
func (e *encoder) addedImage(it *itemEncoder) {
	e.say("response.output_item.added", func(w *jsonw.Writer) {
		w.KeyInt("output_index", int64(it.index))
		w.Key("item")
		w.Open('{')
		w.KeyStr("id", it.id)
		w.KeyStr("type", it.kind)
		w.KeyStr("status", inProgress)
		w.KeyNull("result")
		w.Close('}')
	})
}

// final returns a block as it is in the end, after what no delta said of it was said.
func (x *blockEncoder) final(e *encoder, final llm.Block) llm.Block {
	rest := func(whole string) string {
		more, ok := strings.CutPrefix(whole, x.text.String())
		if !ok {
			return ""
		}
		return more
	}
	switch b := x.block.(type) {
	case llm.Text:
		if f, ok := final.(llm.Text); ok {
			e.text(x, rest(f.Text))
			if len(x.cites) == 0 {
				x.cites = f.Citations
			}
			b.Extra, b.Signature, b.Origin = mergeHead(b.Extra, f.Extra), f.Signature, f.Origin
		}
		b.Text, b.Citations = x.text.String(), x.cites
		return b
	case llm.Refusal:
		if f, ok := final.(llm.Refusal); ok {
			e.text(x, rest(f.Text))
			b.Extra = mergeHead(b.Extra, f.Extra)
		}
		b.Text = x.text.String()
		return b
	case llm.Thought:
		f, ok := final.(llm.Thought)
		if ok {
			e.thoughtDelta(x, llm.ThoughtDelta{Text: rest(f.Text)})
			b = f
		} else {
			b.Signature, b.Sealed = x.signature.String(), x.sealed.String()
		}
		b.Text = x.text.String()
		return b
	case llm.ToolUse:
		if f, ok := final.(llm.ToolUse); ok {
			e.args(x, rest(f.Args))
			f.Name, f.ID = b.Name, b.ID
			b = f
		}
		b.Args = x.text.String()
		return b
	case llm.Media:
		if f, ok := final.(llm.Media); ok {
			return f
		}
		b.Data += x.text.String()
		return b
	}
	if o, ok := final.(llm.Opaque); ok {
		return o
	}
	return x.block
}

// mergeHead returns what is known of a text at its end. Where that has no head of its own, the one of its
// start holds.
func mergeHead(start, final llm.Extra) llm.Extra {
	if final.Dialect == "" {
		return start
	}
	return final
}

// release says that the call whose end waited is done.
func (e *encoder) release() {
	it := e.held
	if it == nil {
		return
	}
	e.held = nil
	b, _ := it.item.blocks[0].(llm.ToolUse)
	wrapped := it.blocks[0].wrapped()
	b = e.fitCall(b, it.blocks[0].path)
	if it.client != nil {
		it.item.blocks[0] = b
		e.done(it)
		e.carry(b)
		return
	}
	if it.kind == kindCall && blank(b.Args) && it.status != incomplete {
		b.Args = "{}"
		e.itemSay("response.function_call_arguments.delta", it, func(w *jsonw.Writer) { w.KeyStr("delta", b.Args) })
	}
	if wrapped && b.Args != "" {
		e.itemSay("response.custom_tool_call_input.delta", it, func(w *jsonw.Writer) { w.KeyStr("delta", b.Args) })
	}
	kind, key := "response.function_call_arguments.done", "arguments"
	if it.kind == kindCustom {
		kind, key = "response.custom_tool_call_input.done", "input"
	}
	e.itemSay(kind, it, func(w *jsonw.Writer) {
		if it.kind == kindCall {
			w.KeyStr("name", b.Name)
		}
		w.KeyStr(key, b.Args)
	})
	it.item.blocks[0] = b
	e.done(it)
	e.carry(b)
}

// leave ends the message at hand, as soon as its parts have ended.
func (e *encoder) leave() {
	it := e.message
	e.message = nil
	if it == nil {
		return
	}
	it.full = true
	if it.open == 0 {
		e.done(it)
	}
}

// done says that an item is done.
func (e *encoder) done(it *itemEncoder) {
	if it.done {
		return
	}
	it.done = true
	if wire.Raw(it.head).Get("status").Is(inProgress) { // nobody told how it ended
		it.head = withStatus(it.head, it.status)
	}
	var w jsonw.Writer
	it.item.append(&w)
	it.raw = w.String()
	e.say("response.output_item.done", func(w *jsonw.Writer) {
		w.KeyInt("output_index", int64(it.index))
		w.KeyRaw("item", it.raw)
	})
}

// finish ends what is open. Of an answer that was cut, the last item was.
func (e *encoder) finish(v llm.Finish) {
	e.stop = v.Stop
	e.extra("choices[0]", v.Extra)
	e.extra("choices[0].message", v.Message)
	e.finishOpen(v.Stop.Reason == llm.StopLength)
	e.finished = true
}

func (e *encoder) finishOpen(cut bool) {
	if n := len(e.items); n > 0 && cut {
		last := e.items[n-1]
		last.status = incompleteIf(last)
	}
	for i := range len(e.blocks) + 1 {
		if x := e.blocks[i]; x != nil && x.item != nil && !x.ended {
			e.blockEnd(llm.BlockEnd{Index: i})
		}
	}
	for i, x := range e.blocks {
		if x.item != nil && !x.ended { // an index beyond those that are used
			e.blockEnd(llm.BlockEnd{Index: i})
		}
	}
	e.release()
	e.leave()
}

// incompleteIf returns the status of the last item of an answer that was cut: arguments may be whole by
// chance.
func incompleteIf(it *itemEncoder) string {
	if (it.kind == kindCall || it.client != nil) && isObject(it.blocks[0].text.String()) {
		return it.status
	}
	return incomplete
}

// end says what comes last: everything, again.
func (e *encoder) end(v llm.End) {
	e.begin(llm.Start{})
	if !e.finished {
		e.finish(llm.Finish{})
	}
	e.extra("", v.Extra)
	e.extra("usage", e.usage.Extra)
	if v.Tier != "" {
		e.shell.Tier = v.Tier
	}
	if !v.Extra.Empty() && v.Extra.Dialect == Name {
		e.shell.Extra = v.Extra
	}
	if len(e.logprobs) > 0 && e.shell.Extra.Dialect != Name {
		e.Add("choices[0].logprobs", "they came after the text that they are about")
	}
	out := outcome{usage: &e.usage}
	out.status, out.reason = e.stopWords(e.stop)
	if raw, ok := told(e.stop.Extra, "incomplete_details"); ok {
		out.details = raw
	}
	kind := "response.completed"
	if out.status != completed {
		kind = "response.incomplete"
	}
	e.lifecycle(kind, out)
	e.ended = true
}

// Close implements dialect.Encoder. An error is said twice, for clients look for it in either place: as an
// event of its own, and as the answer's failure.
func (e *encoder) Close(err error) []dialect.Frame {
	e.reset()
	switch {
	case e.ended:
	case err != nil:
		e.fail(faultOf(llm.AsError(err)))
	default:
		e.end(llm.End{})
	}
	e.ended = true
	return e.frames
}

func (e *encoder) fail(x platform.Fault) {
	e.say("error", func(w *jsonw.Writer) {
		w.KeyStr("code", x.Code)
		w.KeyStr("message", x.Message)
		w.KeyStrOrNull("param", x.Param)
		w.Key("error")
		x.Append(w)
	})
	if e.started {
		if x.Code == "" {
			x.Code = "server_error"
		}
		out := outcome{status: "failed", failure: &x}
		if e.usage.Reported != 0 {
			out.usage = &e.usage
		}
		e.lifecycle("response.failed", out)
	}
}
