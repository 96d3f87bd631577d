package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	return &encoder{speaker: newSpeaker(p, m), blocks: map[int]*blockEncoder{}}
}

// encoder speaks one streamed answer with the whole life cycle of its events: the answer is created; each
// item is added, each part of it, with deltas, and each is done; at last the answer is completed, or
// incomplete, and says everything again. Items may overlap: each has an index of its own, in the order in
// which they were added.
type encoder struct {
	speaker
	shell    shell
	sequence int64
	blocks   map[int]*blockEncoder
	items    []*itemEncoder
	message  *itemEncoder // the message that the next text goes into
	held     *itemEncoder // the last call, whose end waits: only the stop tells whether it is whole
	usage    llm.Usage
	stop     llm.Stop
	logprobs []llm.Logprob

	started, finished, ended bool
	w                        jsonw.Writer
	frames                   []dialect.Frame
}

// itemEncoder is what has been said of one item.
type itemEncoder struct {
	item
	index  int
	blocks []*blockEncoder
	open   int  // blocks that have not ended
	full   bool // nothing more goes into it
	done   bool
	raw    string // as it was said when it was done
}

// blockEncoder is what has been said of one block.
type blockEncoder struct {
	block     llm.Block // as it was started
	item      *itemEncoder
	part      int
	text      strings.Builder
	signature strings.Builder
	sealed    strings.Builder
	cites     []llm.Citation
	began     bool
	ended     bool
	path      string
}

// Losses implements dialect.Encoder.
func (e *encoder) Losses() []dialect.Loss { return e.List() }

// Encode implements dialect.Encoder. The frames are good until the next call.
func (e *encoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.reset()
	e.event(ev)
	return e.frames, nil
}

func (e *encoder) reset() {
	clear(e.frames)
	e.frames, e.w.Buf = e.frames[:0], e.w.Buf[:0]
}

// Observe implements dialect.Encoder: the same as saying it, to nobody.
func (e *encoder) Observe(ev llm.Event) {
	kept := e.losses
	e.losses = losses{}
	e.event(ev)
	if _, failed := ev.(llm.Fault); failed {
		e.ended = true
	}
	e.losses = kept
	e.reset()
}

func (e *encoder) event(ev llm.Event) {
	if e.ended {
		return
	}
	switch v := ev.(type) {
	case llm.Start:
		e.begin(v)
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Ping:
		from := len(e.w.Buf)
		e.w.Buf = frame.AppendComment(e.w.Buf, "ping")
		e.frames = append(e.frames, dialect.Frame{Raw: e.w.Buf[from:len(e.w.Buf):len(e.w.Buf)]})
	case llm.OpaqueEvent:
		e.opaqueEvent(v.Opaque)
	case llm.End:
		e.end(v)
	case llm.Fault: // said by Close
	default:
		e.begin(llm.Start{})
		if n := choiceOf(ev); n > 0 {
			e.Add("choices["+itoa(n)+"]", "one answer is given here")
			return
		}
		if !e.finished {
			e.choiceEvent(ev)
		}
	}
}

func choiceOf(ev llm.Event) int {
	switch v := ev.(type) {
	case llm.BlockStart:
		return v.Choice
	case llm.TextDelta:
		return v.Choice
	case llm.ThoughtDelta:
		return v.Choice
	case llm.ArgsDelta:
		return v.Choice
	case llm.CiteDelta:
		return v.Choice
	case llm.MediaDelta:
		return v.Choice
	case llm.OpaqueDelta:
		return v.Choice
	case llm.BlockEnd:
		return v.Choice
	case llm.LogprobsDelta:
		return v.Choice
	case llm.Finish:
		return v.Choice
	}
	return 0
}

func (e *encoder) choiceEvent(ev llm.Event) {
	switch v := ev.(type) {
	case llm.BlockStart:
		e.blockStart(v.Index, v.Block)
	case llm.TextDelta:
		e.text(e.at(v.Index, llm.Text{}), v.Text)
	case llm.ThoughtDelta:
		e.thoughtDelta(e.at(v.Index, llm.Thought{}), v)
	case llm.ArgsDelta:
		e.args(e.at(v.Index, llm.ToolUse{Kind: llm.ToolFunction}), v.JSON)
	case llm.CiteDelta:
		x := e.at(v.Index, llm.Text{})
		x.cites = append(x.cites, v.Citation)
	case llm.MediaDelta:
		e.at(v.Index, llm.Media{}).text.WriteString(v.Data)
	case llm.OpaqueDelta:
		e.opaqueDelta(e.at(v.Index, v.Opaque), v.Opaque)
	case llm.BlockEnd:
		e.blockEnd(v)
	case llm.LogprobsDelta:
		e.logprobs = append(e.logprobs, v.Logprobs.Content...)
	case llm.Finish:
		e.finish(v)
	}
}

// begin says that the answer was created. There is one in an answer: a second start is that of a
// continuation on another target.
func (e *encoder) begin(s llm.Start) {
	if e.started {
		return
	}
	e.started, e.shell = true, s
	e.extra("", s.Extra)
	if e.shell.ID == "" || e.meta.Kept != nil && s.Extra.Dialect != Name {
		e.shell.ID = e.answerID()
	}
	if e.shell.Created == 0 {
		e.shell.Created = e.meta.Now
	}
	for _, kind := range [...]string{"response.created", "response.in_progress"} {
		e.lifecycle(kind, outcome{status: inProgress})
	}
}

// lifecycle says an event of the answer as a whole.
func (e *encoder) lifecycle(kind string, out outcome) {
	sh := e.shell
	if sh.Extra.Empty() {
		sh.Extra = llm.Extra{} // what the upstream says of itself comes at the end
	}
	e.say(kind, func(w *jsonw.Writer) {
		w.Key("response")
		e.answer(w, sh, out, func() {
			for _, it := range e.items {
				if it.done {
					w.Raw(it.raw)
				}
			}
		})
	})
}

// say says an event.
func (e *encoder) say(kind string, members func(w *jsonw.Writer)) {
	from := len(e.w.Buf)
	w := jsonw.Writer{Buf: e.w.Buf}
	w.Open('{')
	w.KeyStr("type", kind)
	w.KeyInt("sequence_number", e.sequence)
	e.sequence++
	members(&w)
	w.Close('}')
	e.w.Buf = w.Buf
	e.frames = append(e.frames, dialect.Frame{Event: kind, Data: e.w.Buf[from:len(e.w.Buf):len(e.w.Buf)]})
}

// itemSay says an event of an item.
func (e *encoder) itemSay(kind string, it *itemEncoder, members func(w *jsonw.Writer)) {
	e.say(kind, func(w *jsonw.Writer) {
		w.KeyInt("output_index", int64(it.index))
		w.KeyStr("item_id", it.id)
		members(w)
	})
}

// at returns the state of a block; a delta of one that was never started starts it.
func (e *encoder) at(index int, b llm.Block) *blockEncoder {
	if e.blocks[index] == nil {
		e.blockStart(index, b)
	}
	return e.blocks[index]
}

func (e *encoder) blockStart(index int, b llm.Block) {
	x := &blockEncoder{block: b, path: "choices[0].message.content[" + itoa(index) + "]"}
	e.blocks[index] = x
	if t, ok := b.(llm.Text); ok {
		x.cites = t.Citations
	}
	if e.message != nil && !e.message.full && joins(&e.message.item, b) {
		e.release()
		x.join(e.message)
		e.begun(x)
		return
	}
	it, ok := e.itemFor(b, x.path)
	if !ok {
		return // named as lost
	}
	e.leave()
	e.release()
	whole := &itemEncoder{item: *it, index: len(e.items)}
	e.items = append(e.items, whole)
	x.join(whole)
	if it.kind == kindMessage {
		e.message = whole
	}
	e.added(x)
	e.begun(x)
}

func (x *blockEncoder) join(it *itemEncoder) {
	x.item, x.part = it, len(it.blocks)
	it.blocks = append(it.blocks, x)
	it.open++
}

// added says that an item begins.
func (e *encoder) added(x *blockEncoder) {
	it := x.item
	if it.kind == kindImage {
		return // said when it is whole
	}
	e.say("response.output_item.added", func(w *jsonw.Writer) {
		w.KeyInt("output_index", int64(it.index))
		w.Key("item")
		start := item{kind: it.kind, id: it.id, head: it.head, rest: it.rest, status: inProgress}
		if b, ok := e.asBegun(x.block); ok {
			start.blocks = []llm.Block{b}
		}
		if it.kind == kindMessage && it.head != "" {
			start.head = withStatus(it.head, inProgress)
		}
		start.append(w)
	})
}

// withStatus returns the head of a message with another status, where it has one.
func withStatus(head, status string) string {
	v := wire.Raw(head)
	if s := v.Get("status"); s.Found() {
		at := s.Span()
		return head[:at.Start] + quote(status) + head[at.End:]
	}
	return head
}

// asBegun returns a call or reasoning without what its deltas say.
func (e *encoder) asBegun(b llm.Block) (llm.Block, bool) {
	switch b := b.(type) {
	case llm.ToolUse:
		n := e.calls
		b.Args = ""
		b = e.fitCall(b, "")
		e.calls = n
		return b, true
	case llm.Thought:
		return llm.Thought{Field: "summary"}, true
	case llm.Opaque:
		return b, true
	}
	return nil, false
}

// begun says that a part begins, and what a block holds from its start.
func (e *encoder) begun(x *blockEncoder) {
	switch b := x.block.(type) {
	case llm.Text:
		e.beginPart(x)
		e.text(x, b.Text)
	case llm.Refusal:
		e.spoke = true
		e.beginPart(x)
		e.text(x, b.Text)
	case llm.Thought:
		e.thoughtDelta(x, llm.ThoughtDelta{Text: b.Text, Signature: b.Signature, Sealed: b.Sealed})
	case llm.ToolUse:
		e.args(x, b.Args)
	case llm.Opaque:
		if x.item.kind == kindMessage {
			e.beginPart(x)
		}
	}
}

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
	return ok && x.item.kind == kindCustom && b.Kind != llm.ToolCustom
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
	switch it.kind {
	case kindMessage:
		e.endPart(x, final)
		if it.full && it.open == 0 {
			e.done(it)
		}
	case kindCall, kindCustom:
		it.item.blocks[x.part] = final
		e.release()
		e.held = it
	case kindReasoning:
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
	if it.kind == kindCall && isObject(it.blocks[0].text.String()) {
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
