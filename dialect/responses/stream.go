package responses

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

const (
	mostItems = 4096 // items of an answer, and parts of one
	mostTail  = 16   // frames read and dropped after the end, so that the connection can be used again
)

// DecodeStream implements dialect.Client.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{want: want, items: map[int]*itemDecoder{}}
		tail := 0
		for f, err := range frames {
			if d.ended && (err != nil || f.Data != nil && !isDone(f.Data)) {
				if tail++; err != nil || tail > mostTail {
					return
				}
				continue
			}
			var ch dialect.Chunk
			if err == nil {
				ch, err = d.frame(f)
			} else if d.failure != nil {
				break
			}
			if !yield(ch, err) || err != nil || d.faulted {
				return
			}
		}
		switch {
		case d.ended:
		case d.failure != nil:
			yield(dialect.Chunk{Events: []llm.Event{llm.Fault{Err: d.failure}}}, nil)
		default:
			yield(dialect.Chunk{}, badUpstream(nil, "the upstream's stream ended before its end"))
		}
	}
}

func isDone(data []byte) bool { return string(bytes.TrimSpace(data)) == "[DONE]" }

// streamDecoder reads one streamed answer.
//
// Where only metering listens it reads everything up to the first content, and then looks only into the
// events that end the answer.
type streamDecoder struct {
	want   dialect.Want
	doc    wire.Doc
	events []llm.Event
	items  map[int]*itemDecoder // by output_index
	order  []*itemDecoder
	next   int // the index of the block that will be opened next

	started, quiet, ended, faulted bool
	text                           int        // bytes of answer in the frame at hand
	failure                        *llm.Error // said by an error event: what follows may tell more
}

// itemDecoder is what is known of one item while it comes.
type itemDecoder struct {
	kind   string
	id     string
	head   llm.Block // of a message: a block that holds nothing but its head
	blocks []*blockDecoder
	late   llm.Block // a call that was done without arguments: they may follow
	done   bool
}

// blockDecoder is what is known of one block.
type blockDecoder struct {
	index, part int // part is the index within the item
	block       llm.Block
	text        strings.Builder
	whole       string // what an event said that tells a text or arguments whole
}

func (d *streamDecoder) frame(f dialect.Frame) (dialect.Chunk, error) {
	clear(d.events)
	d.events, d.text = d.events[:0], 0
	var err error
	switch {
	case f.Data == nil:
		if bytes.IndexByte(f.Raw, ':') >= 0 && d.started && !d.ended {
			d.emit(llm.Ping{})
		}
	case isDone(f.Data):
	case d.quiet && d.skim(f):
	default:
		err = d.data(f)
	}
	if d.want.Meter && !d.quiet {
		for _, ev := range d.events {
			d.quiet = d.quiet || llm.IsContent(ev)
		}
	}
	return dialect.Chunk{Frame: f, Events: d.events, Text: d.text, More: f.More}, err
}

// skim reports whether a frame tells metering nothing but how much came.
func (d *streamDecoder) skim(f dialect.Frame) bool {
	kind := f.Event
	if kind == "" {
		const head = `{"type":"`
		rest, ok := bytes.CutPrefix(f.Data, []byte(head))
		if !ok {
			return false
		}
		word, _, _ := bytes.Cut(rest, []byte(`"`))
		switch string(word) {
		case "response.completed", "response.incomplete", "response.failed", "response.cancelled", "error":
			return false
		}
		d.count(f.Data)
		return true
	}
	switch kind {
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled", "error":
		return false
	}
	if !strings.HasPrefix(kind, "response.") {
		return false
	}
	d.count(f.Data)
	return true
}

// count adds up how long the delta in a frame is.
func (d *streamDecoder) count(data []byte) {
	_, rest, ok := bytes.Cut(data, []byte(`"delta":`))
	if !ok {
		return
	}
	rest = bytes.TrimLeft(rest, " ")
	if len(rest) == 0 || rest[0] != '"' {
		return
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			d.text += i - 1
			return
		}
	}
}

// emit adds an event. Once metering has seen the first content, only what it needs is told.
func (d *streamDecoder) emit(ev llm.Event) {
	if d.quiet {
		switch ev.(type) {
		case llm.Start, llm.Finish, llm.UsageReport, llm.Fault, llm.End:
		default:
			return
		}
	}
	d.events = append(d.events, ev)
}

func (d *streamDecoder) data(f dialect.Frame) error {
	v, err := d.doc.Read(f.Data)
	if err != nil || v.Kind() != '{' {
		return unreadable(f.Data, err)
	}
	kind := v.Get("type").Text()
	if kind == "" {
		kind = f.Event
	}
	if kind == "" && v.Get("error").Found() {
		kind = "error"
	}
	if d.failure != nil && kind != "response.failed" {
		return d.fault(d.failure)
	}
	if err := d.event(kind, v, f.Data); err != nil {
		return unreadable(f.Data, err)
	}
	return nil
}

func unreadable(data []byte, cause error) error {
	if cause == nil {
		cause = errors.New("not a JSON object")
	}
	return badUpstream(fmt.Errorf("%w: %.200q", cause, data), "the upstream's stream holds an event that cannot be understood")
}

func (d *streamDecoder) event(kind string, v wire.Value, data []byte) error {
	switch kind {
	case "error":
		d.failure = inStream(v, data)
		return nil
	case "response.created", "response.queued", "response.in_progress":
		d.begin(v.Get("response"))
		return nil
	case "response.completed", "response.incomplete", "response.cancelled":
		d.begin(v.Get("response"))
		return d.end(v.Get("response"))
	case "response.failed":
		return d.failed(v.Get("response"), data)
	}
	if !strings.HasPrefix(kind, "response.") {
		return nil // keep-alives of proxies
	}
	d.begin(wire.Value{})
	at := v.Get("output_index")
	if at.Kind() != '0' {
		d.emit(llm.OpaqueEvent{Opaque: opaque(kind, v)})
		return nil
	}
	index := int(at.Count())
	if index > mostItems {
		return wire.Bad("output_index", "a small number")
	}
	return d.itemEvent(kind, index, v)
}

// begin tells the start.
func (d *streamDecoder) begin(v wire.Value) {
	if d.started {
		return
	}
	d.started = true
	created, _ := v.Get("created_at").Int()
	d.emit(llm.Start{
		ID: v.Get("id").Text(), Model: v.Get("model").Text(), Created: created, Tier: v.Get("service_tier").Text(), Extra: named(),
	})
}

func (d *streamDecoder) fault(e *llm.Error) error {
	d.faulted = true
	d.emit(llm.Fault{Err: e})
	return nil
}

// failed tells that the answer failed, and what it consumed. What an error event said before says more.
func (d *streamDecoder) failed(v wire.Value, data []byte) error {
	if v.Get("usage").Kind() == '{' {
		d.emit(llm.UsageReport{Usage: decodeUsage(v, true)})
	}
	e := inStream(v, data)
	if d.failure != nil && e.Code == "" {
		e = d.failure
	}
	return d.fault(e)
}

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
	for _, x := range it.blocks {
		if x.part == part {
			return x, nil
		}
	}
	if len(it.blocks) == 0 && it.head != nil {
		if head, rest, ok := headOf(it.head); ok {
			b = heads(b, head, llm.Extra{Dialect: Name, Fields: rest})
		}
	}
	return it.start(d, part, b), nil
}

func beginning(kind string) llm.Block {
	if strings.HasPrefix(kind, "refusal") {
		return llm.Refusal{Extra: named()}
	}
	t := llm.Text{Extra: named()}
	tell(&t.Extra, "type", quote(outputText))
	return t
}

func (d *streamDecoder) textDelta(it *itemDecoder, kind string, v wire.Value) error {
	if it.kind != kindMessage || it.done {
		return nil
	}
	x, err := d.block(it, v.Get("content_index"), beginning(kind))
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
	x, err := d.block(it, v.Get("content_index"), beginning(kind))
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
	x, err := d.block(it, v.Get("content_index"), beginning(""))
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

// end tells why and how the answer ended. Items that have not ended by themselves are told in it whole.
func (d *streamDecoder) end(v wire.Value) error {
	called := false
	output := v.Get("output")
	if output.Kind() == '[' {
		if err := output.Elems(func(i int, el wire.Value) error {
			kind := el.Get("type").Text()
			called = called || kind == kindCall || kind == kindCustom
			if i > mostItems {
				return wire.Bad("", "a small number of items")
			}
			d.late(i, el)
			return nil
		}); err != nil {
			return wire.Under(err, "response.output")
		}
	}
	for _, it := range d.order {
		called = called || it.kind == kindCall || it.kind == kindCustom
		if !it.done {
			var final []llm.Block
			if it.late != nil {
				final = []llm.Block{it.late}
			}
			d.finishItem(it, final)
		}
	}
	d.ended = true
	if v.Get("usage").Kind() == '{' {
		d.emit(llm.UsageReport{Usage: decodeUsage(v, true)})
	}
	d.emit(llm.Finish{Stop: decodeStop(v, called)})
	end := llm.End{Tier: v.Get("service_tier").Text()}
	if !d.quiet {
		end.Extra = d.extra(v)
	}
	d.emit(end)
	return nil
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

// whole ends an item as the whole answer tells it.
func (it *itemDecoder) whole(d *streamDecoder, v wire.Value) { d.finishItem(it, answerItem(v)) }

// extra returns the members of an answer that are said at its end.
func (d *streamDecoder) extra(v wire.Value) llm.Extra {
	e := named()
	if v.Kind() != '{' {
		return e
	}
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch k := string(key); {
		case k == "id" || k == "model" || k == "object" || k == "created_at" || k == "service_tier" || k == "usage" ||
			k == "output" || k == "status" || k == "incomplete_details":
		case repeats(k):
			tell(&e, k, m.JSON())
		default:
			e.Add(Name, k, m.JSON())
		}
		return nil
	})
	return e
}
