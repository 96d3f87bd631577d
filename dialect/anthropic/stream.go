package anthropic

import (
	"bytes"
	"iter"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeStream implements dialect.Client.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{want: want}
		for f, err := range frames {
			if err != nil {
				yield(dialect.Chunk{}, dialect.StreamBroken("dialect/anthropic", err))
				return
			}
			ch, err := d.frame(f)
			if !yield(ch, err) || err != nil || d.ended {
				return
			}
		}
		if !d.stopped {
			yield(dialect.Chunk{}, badUpstream(nil, "the upstream's stream ended before its end"))
			return
		}
		yield(d.missingEnd(), nil)
	}
}

// streamDecoder reads one streamed answer.
type streamDecoder struct {
	want    dialect.Want
	doc     wire.Doc    // of the frame at hand
	events  []llm.Event // of the frame at hand; the next one's take their place
	tally   tally
	blocks  []openBlock
	late    llm.Extra // members that came with message_delta
	started bool
	content bool // something of the answer was there
	stopped bool // a stop reason was there
	ended   bool
}

// openBlock is a block that has begun and not ended.
type openBlock struct {
	index int
	kind  llm.Block     // as it began
	args  bool          // arguments of a tool were there
	fold  *opaqueFolder // for what llm has no word for
}

// say adds an event. An upstream that forgot its start is given one.
func (d *streamDecoder) say(ev llm.Event) {
	if !d.started {
		switch ev.(type) {
		case llm.Ping, llm.Fault, llm.OpaqueEvent:
		default:
			d.started = true
			d.events = append(d.events, llm.Start{})
		}
	}
	d.events = append(d.events, ev)
	d.content = d.content || llm.IsContent(ev)
}

// frame reads one frame. Its events are good until the next.
func (d *streamDecoder) frame(f dialect.Frame) (dialect.Chunk, error) {
	ch := dialect.Chunk{Frame: f, More: f.More}
	if len(f.Data) == 0 {
		return ch, nil
	}
	kind := f.Event
	quiet := d.want.Meter && d.content && !f.Partial
	if quiet && passing(kind) {
		ch.Text = deltaSize(kind, f.Data)
		return ch, nil
	}
	v, err := d.doc.Read(f.Data)
	if !known(kind) {
		if kind = v.Get("type").Text(); quiet && passing(kind) {
			ch.Text = deltaSize(kind, f.Data)
			return ch, nil
		}
	}
	d.events = d.events[:0]
	if kind == "content_block_delta" && d.quickDelta(v) {
		ch.Events, ch.Text = d.events, dialect.TextSize(d.events)
		return ch, nil
	}
	if err == nil {
		err = splice.Valid(f.Data, splice.MaxDepth)
	}
	switch {
	case err != nil && f.Partial:
		return ch, badUpstream(err, "the upstream's stream ended before its end")
	case err != nil && d.want.Meter:
		return ch, nil // the bytes pass; whoever reads them will know
	case err != nil:
		return ch, badUpstream(err, "an event of the upstream's stream is not valid JSON")
	case v.Kind() != '{':
		return ch, nil
	}
	if err := d.event(kind, v, f.Data); err != nil {
		return ch, badUpstream(err, "an event of the upstream's stream cannot be understood: "+err.Error())
	}
	ch.Events = d.events
	ch.Text = dialect.TextSize(d.events)
	return ch, nil
}

func known(kind string) bool {
	switch kind {
	case "message_start", "message_delta", "message_stop", "ping", "error":
		return true
	}
	return passing(kind)
}

// passing reports whether events of a kind tell metering nothing once content has begun.
func passing(kind string) bool {
	switch kind {
	case "content_block_delta", "content_block_start", "content_block_stop":
		return true
	}
	return false
}

// deltaSize returns about how many bytes of text a delta has, without reading it.
func deltaSize(kind string, data []byte) int {
	if kind != "content_block_delta" {
		return 0
	}
	const mark = `_delta"`
	i := bytes.LastIndex(data[:min(len(data), 120)], []byte(mark))
	if i < 0 || bytes.HasSuffix(data[:i], []byte("signature")) {
		return 0
	}
	from := bytes.Index(data[i+len(mark):], []byte(`":`))
	if from < 0 {
		return 0
	}
	// The key's closing quote, a colon, the text's quotes.
	return max(bytes.LastIndexByte(data, '"')-(i+len(mark)+from+3), 0)
}

func (d *streamDecoder) event(kind string, v wire.Value, data []byte) error {
	switch kind {
	case "message_start":
		return d.start(v.Get("message"))
	case "content_block_start":
		return d.blockStart(v)
	case "content_block_delta":
		d.delta(v)
	case "content_block_stop":
		d.blockEnd(int(v.Get("index").Count()))
	case "message_delta":
		return d.messageDelta(v)
	case "message_stop":
		return d.stop(v)
	case "ping":
		d.say(llm.Ping{})
	case "error":
		d.say(llm.Fault{Err: inStream(data)})
		d.ended = true
	default:
		d.say(llm.OpaqueEvent{Opaque: opaque(kind, v)})
	}
	return nil
}

// start reads message_start. Some upstreams say it again when they fall back to another model: there is
// one start, and the later usage counts.
func (d *streamDecoder) start(v wire.Value) error {
	var r llm.Response
	var s llm.Stop
	err := v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "type", "role":
			return true, nil
		case "content":
			return m.Get("0").Kind() == 0, nil
		case "usage":
			if m.Kind() != '{' {
				return false, nil
			}
			return true, d.tally.add(m)
		}
		return decodeAnswerMember(&r, &s, key, m)
	})
	if err != nil {
		return wire.Under(err, "message")
	}
	if !d.started {
		d.started = true
		extra := dropNull(r.Extra, "stop_reason", "stop_sequence")
		d.say(llm.Start{ID: r.ID, Model: r.Model, Tier: d.tally.tier, Extra: extra})
	}
	d.say(llm.UsageReport{Usage: d.tally.usage()})
	return nil
}

func (d *streamDecoder) blockStart(v wire.Value) error {
	block := v.Get("content_block")
	if block.Kind() != '{' {
		return wire.Bad("content_block", "an object")
	}
	i := int(v.Get("index").Count())
	d.blockEnd(i)
	b := answerBlock(block)
	o := openBlock{index: i, kind: b}
	switch k := b.(type) {
	case llm.ToolUse:
		if !emptyObject(k.Args) {
			o.args = true
		} else {
			k.Args = ""
			b = k
		}
	case llm.Opaque:
		o.fold = newOpaqueFolder(k)
	}
	d.blocks = append(d.blocks, o)
	d.say(llm.BlockStart{Index: i, Block: b})
	return nil
}

func emptyObject(raw string) bool {
	v := wire.Raw(raw)
	if v.Kind() != '{' {
		return raw == ""
	}
	empty := true
	_ = v.Members(func([]byte, wire.Value) error { empty = false; return splice.ErrStop })
	return empty
}

// block returns the open block of an index. A delta whose block was never begun begins one.
func (d *streamDecoder) block(i int, kind llm.Block) *openBlock {
	for j := range d.blocks {
		if d.blocks[j].index == i {
			return &d.blocks[j]
		}
	}
	o := openBlock{index: i, kind: kind}
	if k, ok := kind.(llm.Opaque); ok {
		o.fold = newOpaqueFolder(k)
	}
	d.blocks = append(d.blocks, o)
	d.say(llm.BlockStart{Index: i, Block: kind})
	return &d.blocks[len(d.blocks)-1]
}

// parts are the members of content_block_delta and of its delta that are looked for.
type parts struct {
	index, delta, typ                            wire.Value
	text, thinking, signature, partial, citation wire.Value
}

// readDelta finds the members of content_block_delta. The second result is false where there is no delta,
// the third where the delta says a member twice: no such delta is known.
func readDelta(v wire.Value) (p parts, ok, plain bool) {
	ok, plain = true, true
	once := func(at *wire.Value, m wire.Value) bool {
		first := !at.Found()
		*at = m
		return first
	}
	// The visits have no error to give.
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "index":
			ok = once(&p.index, m) && ok
		case "delta":
			ok = once(&p.delta, m) && ok
		}
		return nil
	})
	if !ok || p.delta.Kind() != '{' {
		return p, false, false
	}
	_ = p.delta.Members(func(key []byte, m wire.Value) error {
		if at := p.member(key); at != nil {
			plain = once(at, m) && plain
		}
		return nil
	})
	return p, true, plain
}

// member returns where a member of a delta is noted, or nil for one that is not looked for.
func (p *parts) member(key []byte) *wire.Value {
	switch string(key) {
	case "type":
		return &p.typ
	case "text":
		return &p.text
	case "thinking":
		return &p.thinking
	case "signature":
		return &p.signature
	case "partial_json":
		return &p.partial
	case "citation":
		return &p.citation
	}
	return nil
}

// quickDelta reads a delta of text, thinking or arguments, which nearly every frame of a stream is,
// without checking first that all of it is JSON. It leaves every other to be read with care.
func (d *streamDecoder) quickDelta(v wire.Value) bool {
	p, _, plain := readDelta(v)
	return plain && d.plainDelta(int(p.index.Count()), &p)
}

func (d *streamDecoder) delta(v wire.Value) {
	p, ok, plain := readDelta(v)
	i := int(p.index.Count())
	switch {
	case !ok:
		d.say(llm.OpaqueEvent{Opaque: opaque("content_block_delta", v)})
	case plain && d.citation(i, &p):
	default:
		d.opaqueDelta(i, p.delta)
	}
}

// plainDelta reads a delta that adds text to a block of its kind.
func (d *streamDecoder) plainDelta(i int, p *parts) bool {
	switch {
	case p.typ.Is("text_delta"):
		if !fits(d, i, llm.Text{Extra: home()}) {
			return false
		}
		d.say(llm.TextDelta{Index: i, Text: p.text.Text()})
	case p.typ.Is("thinking_delta"), p.typ.Is("signature_delta"):
		if !fits(d, i, llm.Thought{Origin: Name, Extra: home()}) {
			return false
		}
		d.say(llm.ThoughtDelta{Index: i, Text: p.thinking.Text(), Signature: p.signature.Text()})
	case p.typ.Is("input_json_delta"):
		if !fits(d, i, llm.ToolUse{Kind: llm.ToolFunction, Extra: home()}) {
			return false
		}
		if json := p.partial.Text(); json != "" {
			d.block(i, nil).args = true
			d.say(llm.ArgsDelta{Index: i, JSON: json})
		}
	default:
		return false
	}
	return true
}

// fits reports whether a block is of the kind of fresh; one that nobody began is begun as that.
func fits[B llm.Block](d *streamDecoder, i int, fresh B) bool {
	for j := range d.blocks {
		if d.blocks[j].index == i {
			_, ok := d.blocks[j].kind.(B)
			return ok
		}
	}
	d.block(i, fresh)
	return true
}

func (d *streamDecoder) citation(i int, p *parts) bool {
	if !p.typ.Is("citations_delta") || p.citation.Kind() != '{' || !fits(d, i, llm.Text{Extra: home()}) {
		return false
	}
	d.say(llm.CiteDelta{Index: i, Citation: decodeCitation(p.citation)})
	return true
}

func (d *streamDecoder) opaqueDelta(i int, part wire.Value) {
	o := d.block(i, llm.Opaque{Dialect: Name, Raw: "{}"})
	if o.fold != nil {
		o.fold.add(part)
	}
	d.say(llm.OpaqueDelta{Index: i, Opaque: opaque(part.Get("type").Text(), part)})
}

func (d *streamDecoder) blockEnd(i int) {
	for j := range d.blocks {
		if d.blocks[j].index == i {
			o := d.blocks[j]
			d.blocks = append(d.blocks[:j], d.blocks[j+1:]...)
			d.close(o)
			return
		}
	}
}

func (d *streamDecoder) close(o openBlock) {
	end := llm.BlockEnd{Index: o.index}
	if _, tool := o.kind.(llm.ToolUse); tool && !o.args {
		d.say(llm.ArgsDelta{Index: o.index, JSON: "{}"}) // a tool without arguments has no delta
	}
	if o.fold != nil && o.fold.changed {
		end.Block = o.fold.block()
	}
	d.say(end)
}

func (d *streamDecoder) messageDelta(v wire.Value) error {
	d.tally.final = true
	var s llm.Stop
	s.Extra.Dialect = Name
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "type":
			return true, nil
		case "usage":
			if m.Kind() != '{' {
				return false, nil
			}
			return true, d.tally.add(m)
		case "delta":
			return true, m.Fields(Name, &rest, func(key []byte, m wire.Value) (bool, error) { return decodeStop(&s, key, m) })
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, f := range dropNull(rest, "stop_reason", "stop_sequence").Fields {
		d.late.Add(Name, f.Key, f.Raw)
	}
	d.say(llm.UsageReport{Usage: d.tally.usage()})
	if s.Reason != llm.StopUnset {
		d.finish(s)
	}
	return nil
}

// finish closes what is open and ends the one choice, once.
func (d *streamDecoder) finish(s llm.Stop) {
	for len(d.blocks) > 0 {
		d.blockEnd(d.blocks[0].index)
	}
	if !d.stopped {
		d.stopped = true
		d.say(llm.Finish{Stop: s})
	}
}

// stop reads message_stop. Some hosts add figures of their own to it.
func (d *streamDecoder) stop(v wire.Value) error {
	err := v.Fields(Name, &llm.Extra{}, func(key []byte, m wire.Value) (bool, error) {
		if string(key) != "type" {
			d.late.Add(Name, string(key), m.JSON())
		}
		return true, nil
	})
	if !d.started && err == nil {
		return wire.Bad("the first event", "message_start")
	}
	d.end()
	return err
}

func (d *streamDecoder) end() {
	d.finish(llm.Stop{Reason: llm.StopOther, Extra: llm.Extra{Dialect: Name}})
	d.say(llm.End{Tier: d.tally.tier, Extra: d.late})
	d.ended = true
}

// missingEnd makes the end of a stream that told why it stopped and broke off after that.
func (d *streamDecoder) missingEnd() dialect.Chunk {
	d.events = d.events[:0]
	d.end()
	return dialect.Chunk{Frame: event("message_stop", []byte(`{"type":"message_stop"}`)), Events: d.events}
}
