package cohere

import (
	"bytes"
	"iter"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The events of a stream.
const (
	messageStart  = "message-start"
	contentStart  = "content-start"
	contentDelta  = "content-delta"
	contentEnd    = "content-end"
	planDelta     = "tool-plan-delta"
	callStart     = "tool-call-start"
	callDelta     = "tool-call-delta"
	callEnd       = "tool-call-end"
	citationStart = "citation-start"
	citationEnd   = "citation-end"
	messageEnd    = "message-end"
)

// DecodeStream implements dialect.Client.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{want: want, blocks: map[slot]int{}, text: -1, plan: -1}
		for f, err := range frames {
			if err != nil {
				if d.stopped {
					break
				}
				yield(dialect.Chunk{}, dialect.StreamBroken(op, err))
				return
			}
			ch, err := d.frame(f)
			if !yield(ch, err) || err != nil || d.ended {
				return
			}
		}
		if !d.stopped {
			yield(dialect.Chunk{}, dialect.BadUpstream(op, nil, "the upstream's stream ended before its end"))
			return
		}
		// Older versions of the API end with message-end.
		yield(dialect.Chunk{Events: []llm.Event{llm.End{}}}, nil)
	}
}

// slot is a place in one of the two lists that an answer is made of.
type slot struct {
	call  bool
	index int
}

// streamDecoder reads one streamed answer.
type streamDecoder struct {
	want   dialect.Want
	doc    wire.Doc    // of the frame at hand
	events []llm.Event // of the frame at hand; the next one's take their place
	blocks map[slot]int
	next   int // index of the next block
	text   int // the last block of text, or -1
	plan   int // the open block of a plan, or -1
	// thoughts are those that another vendor may have signed: whose the signature is comes with it, at the end.
	thoughts map[int]*thoughtSoFar
	started  bool
	content  bool // something of the answer was there
	stopped  bool // message-end was there
	ended    bool
}

func (d *streamDecoder) say(ev llm.Event) {
	if _, start := ev.(llm.Start); !start && !d.started {
		d.started = true
		d.events = append(d.events, llm.Start{})
	}
	d.events = append(d.events, ev)
	d.content = d.content || llm.IsContent(ev)
}

// frame reads one frame. Its events are good until the next.
func (d *streamDecoder) frame(f dialect.Frame) (dialect.Chunk, error) {
	ch := dialect.Chunk{Frame: f, More: f.More}
	d.events = d.events[:0]
	switch {
	case len(f.Data) == 0:
		return ch, nil
	case d.stopped:
		if string(bytes.TrimSpace(f.Data)) == "[DONE]" {
			d.end()
			ch.Events = d.events
			return ch, nil
		}
		return dialect.Chunk{More: f.More}, nil // nothing is said after the end
	case d.want.Meter && d.content && !f.Partial && passing(f):
		ch.Text = deltaText(f.Data)
		return ch, nil
	}
	v, err := d.doc.Check(f.Data)
	switch {
	case err != nil && f.Partial:
		return ch, dialect.BadUpstream(op, err, "the upstream's stream ended before its end")
	case err != nil && d.want.Meter:
		return ch, nil // the bytes pass; whoever reads them will know
	case err != nil:
		return ch, dialect.BadUpstream(op, err, "an event of the upstream's stream is not valid JSON")
	}
	if err := d.event(v, f.Data); err != nil {
		return ch, dialect.BadUpstream(op, err, "an event of the upstream's stream cannot be understood: "+err.Error())
	}
	ch.Events, ch.Text = d.events, dialect.TextSize(d.events)
	return ch, nil
}

// passing reports whether a frame tells metering nothing once content has begun.
func passing(f dialect.Frame) bool {
	return f.Event == contentDelta || f.Event == planDelta || f.Event == callDelta ||
		f.Event == "" && bytes.Contains(f.Data, []byte(`"type":"`+contentDelta+`"`))
}

// deltaText returns about how many bytes of text a delta has, without reading it.
func deltaText(data []byte) int {
	for _, key := range [...]string{`"text":"`, `"thinking":"`, `"arguments":"`, `"tool_plan":"`} {
		at := bytes.Index(data, []byte(key))
		if at < 0 {
			continue
		}
		n, rest := 0, data[at+len(key):]
		for i := 0; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == '\\' {
				i++
			}
			n++
		}
		return n
	}
	return 0
}

func (d *streamDecoder) event(v wire.Value, data []byte) error {
	index := int(v.Get("index").Count())
	message := v.Get("delta", "message")
	switch kind := v.Get("type").Text(); kind {
	case messageStart:
		return d.start(v)
	case contentStart:
		return d.contentStart(index, message.Get("content"))
	case contentDelta:
		d.contentDelta(index, message.Get("content"), v.Get("logprobs"))
	case contentEnd:
		d.close(slot{index: index})
	case planDelta:
		d.planDelta(message.Get("tool_plan").Text())
	case callStart:
		return d.callStart(index, message.Get("tool_calls"))
	case callDelta:
		if at, ok := d.blocks[slot{true, index}]; ok {
			if args := message.Get("tool_calls", "function", "arguments").Text(); args != "" {
				d.say(llm.ArgsDelta{Index: at, JSON: args})
			}
		}
	case callEnd:
		d.close(slot{true, index})
	case citationStart:
		d.cite(message.Get("citations"))
	case citationEnd:
	case messageEnd:
		return d.messageEnd(v, data)
	case "":
		if v.Get("message").Kind() == '"' || v.Get("error").Found() {
			d.say(llm.Fault{Err: inStream(data)})
			d.ended = true
		}
	default:
		d.say(llm.OpaqueEvent{Opaque: llm.Opaque{Dialect: Name, Type: kind, Raw: v.JSON()}})
	}
	return nil
}

func (d *streamDecoder) start(v wire.Value) error {
	var s llm.Start
	err := v.Fields(Name, &s.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "id":
			return m.StrTo(&s.ID)
		case "type", "delta":
			return true, nil
		}
		return false, nil
	})
	s.Extra = zero(s.Extra)
	if !d.started {
		d.started = true
		d.say(s)
	}
	return err
}

// open begins a block.
func (d *streamDecoder) open(s slot, b llm.Block) int {
	d.closePlan()
	d.close(s)
	at := d.next
	d.next++
	d.blocks[s] = at
	if _, ok := b.(llm.Text); ok {
		d.text = at
	}
	d.say(llm.BlockStart{Index: at, Block: b})
	return at
}

func (d *streamDecoder) close(s slot) {
	if at, ok := d.blocks[s]; ok {
		delete(d.blocks, s)
		end := llm.BlockEnd{Index: at}
		if t := d.thoughts[at]; t != nil && dialect.Signed(t.seal) {
			t.seal.Text = t.text.String()
			end.Block = t.seal
		}
		d.say(end)
	}
}

// thought remembers what was thought, and what seals it.
func (d *streamDecoder) thought(at int, text string, seal llm.Thought) {
	if d.want.Meter {
		return
	}
	if d.thoughts == nil {
		d.thoughts = map[int]*thoughtSoFar{}
	}
	t := d.thoughts[at]
	if t == nil {
		t = &thoughtSoFar{}
		d.thoughts[at] = t
	}
	t.text.WriteString(text)
	if dialect.Signed(seal) {
		t.seal.Signature, t.seal.Sealed, t.seal.Item, t.seal.Origin = seal.Signature, seal.Sealed, seal.Item, seal.Origin
	}
}

// thoughtSoFar is what was thought, and what seals it.
type thoughtSoFar struct {
	seal llm.Thought
	text strings.Builder
}

func (d *streamDecoder) contentStart(index int, v wire.Value) error {
	b, err := decodeContent(v)
	if err != nil {
		return wire.Under(err, "content")
	}
	s := slot{index: index}
	switch b := b.(type) {
	case llm.Text:
		text := b.Text
		b.Text = ""
		if at := d.open(s, b); text != "" {
			d.say(llm.TextDelta{Index: at, Text: text})
		}
	case llm.Thought:
		delta := llm.ThoughtDelta{Text: b.Text, Signature: b.Signature, Sealed: b.Sealed}
		b.Text, b.Signature, b.Sealed = "", "", ""
		if delta.Index = d.open(s, b); delta.Text+delta.Signature+delta.Sealed != "" {
			d.say(delta)
		}
	default:
		d.open(s, b)
	}
	return nil
}

// contentDelta reads a delta. One whose block was never begun begins it.
func (d *streamDecoder) contentDelta(index int, v, probs wire.Value) {
	s := slot{index: index}
	thinking, text := v.Get("thinking"), v.Get("text")
	details := dialect.ReadDetails(v.Get(dialect.Details))
	at, ok := d.blocks[s]
	if !ok {
		var b llm.Block = llm.Text{Extra: home()}
		if thinking.Found() || len(details) > 0 {
			b = llm.Thought{Extra: home()}
		}
		at = d.open(s, b)
	}
	switch {
	case len(details) > 0:
		d.thought(at, thinking.Text(), details[0])
		d.say(llm.ThoughtDelta{Index: at, Text: thinking.Text(), Signature: details[0].Signature, Sealed: details[0].Sealed})
	case thinking.Found():
		d.thought(at, thinking.Text(), llm.Thought{})
		d.say(llm.ThoughtDelta{Index: at, Text: thinking.Text()})
	default:
		d.say(llm.TextDelta{Index: at, Text: text.Text()})
	}
	if probs.Kind() == '{' {
		if p, err := decodeLogprob(probs); err == nil {
			d.say(llm.LogprobsDelta{Logprobs: llm.Logprobs{Content: []llm.Logprob{p}}})
		}
	}
}

func (d *streamDecoder) planDelta(text string) {
	if d.plan < 0 {
		d.plan = d.next
		d.next++
		d.say(llm.BlockStart{Index: d.plan, Block: llm.Thought{Field: notePlan, Extra: home()}})
	}
	d.say(llm.ThoughtDelta{Index: d.plan, Text: text})
}

func (d *streamDecoder) closePlan() {
	if d.plan >= 0 {
		d.say(llm.BlockEnd{Index: d.plan})
		d.plan = -1
	}
}

func (d *streamDecoder) callStart(index int, v wire.Value) error {
	if v.Kind() == '[' {
		v = v.Get("0")
	}
	t, err := decodeCall(v)
	if err != nil {
		return wire.Under(err, "tool_calls")
	}
	args := t.Args
	t.Args = ""
	// A call is begun with no arguments yet, which says nothing of them.
	t.Extra.Fields = slices.DeleteFunc(t.Extra.Fields, func(f llm.Field) bool { return f.Key == "function.arguments" && f.Raw == `""` })
	if at := d.open(slot{true, index}, t); args != "" {
		d.say(llm.ArgsDelta{Index: at, JSON: args})
	}
	return nil
}

// cite adds a citation to the text that it is of, which may have ended already: then it stands in a block
// of its own.
func (d *streamDecoder) cite(v wire.Value) {
	if v.Kind() == '[' {
		v = v.Get("0")
	}
	if v.Kind() != '{' {
		return
	}
	c := decodeCitation(v)
	for s, at := range d.blocks {
		if !s.call && at == d.text {
			d.say(llm.CiteDelta{Index: at, Citation: c})
			return
		}
	}
	d.say(llm.BlockStart{Index: d.next, Block: llm.Text{Extra: home()}})
	d.say(llm.CiteDelta{Index: d.next, Citation: c})
	d.say(llm.BlockEnd{Index: d.next})
	d.next++
}

func (d *streamDecoder) messageEnd(v wire.Value, data []byte) error {
	delta := v.Get("delta")
	if e := delta.Get("error"); e.Found() && !e.IsNull() {
		d.say(llm.Fault{Err: inStream(data)})
		d.ended = true
		return nil
	}
	d.closePlan()
	for _, at := range sorted(d.blocks) {
		d.say(llm.BlockEnd{Index: at})
	}
	clear(d.blocks)
	f := llm.Finish{Stop: decodeStop(delta.Get("finish_reason").Text())}
	err := delta.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "finish_reason", "usage", "error":
		default:
			f.Extra.Add(Name, string(key), m.JSON())
		}
		return nil
	})
	d.say(f)
	if u := delta.Get("usage"); u.Kind() == '{' {
		d.say(llm.UsageReport{Usage: decodeUsage(u)})
	}
	d.stopped = true
	return err
}

// sorted returns the open blocks in their order.
func sorted(blocks map[slot]int) []int {
	most := -1
	for _, at := range blocks {
		most = max(most, at)
	}
	var out []int
	for i := range most + 1 {
		for _, at := range blocks {
			if at == i {
				out = append(out, at)
			}
		}
	}
	return out
}

func (d *streamDecoder) end() {
	d.say(llm.End{})
	d.ended = true
}
