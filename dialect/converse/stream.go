package converse

import (
	"bytes"
	"iter"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

const endedEarly = "the upstream's stream ended before its end"

// DecodeStream implements dialect.Client.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{want: want}
		for f, err := range frames {
			if err != nil {
				if d.stopped { // all that matters was said
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
			yield(dialect.Chunk{}, dialect.BadUpstream(op, nil, endedEarly))
			return
		}
		d.events = d.events[:0]
		d.end()
		yield(dialect.Chunk{Events: d.events}, nil)
	}
}

// streamDecoder reads one streamed answer.
type streamDecoder struct {
	want    dialect.Want
	doc     wire.Doc    // of the frame at hand
	events  []llm.Event // of the frame at hand; the next one's take their place
	blocks  []*openBlock
	late    llm.Extra // members that come at the end
	tier    string
	started bool
	content bool // something of the answer was there
	stopped bool // messageStop was there
	metered bool // metadata was there
	ended   bool
}

// openBlock is a block that has begun and not ended.
type openBlock struct {
	index int
	kind  llm.Block // as it began
	args  bool      // arguments of a tool were there
	fold  *folder   // for what llm has no word for
}

// say adds an event. An upstream that forgot its start is given one.
func (d *streamDecoder) say(ev llm.Event) {
	if !d.started {
		switch ev.(type) {
		case llm.Fault, llm.OpaqueEvent:
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
	if d.want.Meter && d.content && !f.Fault && passing(f.Event) {
		ch.Text = deltaSize(f.Event, f.Data)
		return ch, nil
	}
	d.events = d.events[:0]
	v, err := d.doc.Check(f.Data)
	switch {
	case f.Fault:
		d.say(llm.Fault{Err: inStream(f.Event, f.Data)})
		d.ended = true
		ch.Events = d.events
		return ch, nil
	case err != nil && d.want.Meter:
		return ch, nil // the bytes pass; whoever reads them will know
	case err != nil:
		return ch, dialect.BadUpstream(op, err, "an event of the upstream's stream is not valid JSON")
	case v.Kind() != '{':
		return ch, nil
	}
	if err := d.event(f.Event, v); err != nil {
		return ch, dialect.BadUpstream(op, err, "an event of the upstream's stream cannot be understood: "+err.Error())
	}
	ch.Events = d.events
	ch.Text = dialect.TextSize(d.events)
	return ch, nil
}

// passing reports whether events of a kind tell metering nothing once content has begun.
func passing(kind string) bool {
	return kind == "contentBlockDelta" || kind == "contentBlockStart" || kind == "contentBlockStop"
}

// deltaSize returns about how many bytes of text a delta has, without reading it.
func deltaSize(kind string, data []byte) int {
	if kind != "contentBlockDelta" {
		return 0
	}
	for _, mark := range [...]string{`"text":"`, `"input":"`} {
		_, rest, ok := bytes.Cut(data, []byte(mark))
		if !ok {
			continue
		}
		for i := 0; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return i
			}
		}
	}
	return 0
}

func (d *streamDecoder) event(kind string, v wire.Value) error {
	index := int(v.Get("contentBlockIndex").Count())
	switch kind {
	case "messageStart":
		if !d.started {
			d.say(llm.Start{})
			d.events = d.events[1:]
		}
	case "contentBlockStart":
		return d.blockStart(index, v.Get("start"))
	case "contentBlockDelta":
		return d.delta(index, v.Get("delta"))
	case "contentBlockStop":
		d.blockEnd(index)
	case "messageStop":
		return d.stop(v)
	case "metadata":
		d.metadata(v)
	default:
		d.say(llm.OpaqueEvent{Opaque: opaque(kind, v)})
	}
	return nil
}

// blockStart begins a block that says at its start what it is: a tool's call, or what llm has no word for.
func (d *streamDecoder) blockStart(index int, start wire.Value) error {
	key, in, ok := only(start)
	if !ok {
		return wire.Bad("start", "an object with one member")
	}
	d.blockEnd(index)
	if key == "toolUse" {
		b, err := decodeToolUse(in)
		if err != nil {
			return wire.Under(err, "start.toolUse")
		}
		if b != nil {
			d.open(index, b)
			return nil
		}
	}
	o := d.open(index, opaque(key, start))
	o.fold = &folder{key: key, start: in.JSON()}
	return nil
}

func (d *streamDecoder) open(index int, b llm.Block) *openBlock {
	o := &openBlock{index: index, kind: b}
	d.blocks = append(d.blocks, o)
	d.say(llm.BlockStart{Index: index, Block: b})
	return o
}

// block returns the open block of an index. Text and reasoning begin with their first delta.
func (d *streamDecoder) block(index int, kind llm.Block) *openBlock {
	for _, o := range d.blocks {
		if o.index == index {
			return o
		}
	}
	return d.open(index, kind)
}

func (d *streamDecoder) delta(index int, v wire.Value) error {
	key, in, ok := only(v)
	if !ok {
		return wire.Bad("delta", "an object with one member")
	}
	switch key {
	case "text":
		if fits(d, index, llm.Text{Extra: home()}) {
			d.say(llm.TextDelta{Index: index, Text: in.Text()})
			return nil
		}
	case "toolUse":
		if fits(d, index, llm.ToolUse{Kind: llm.ToolFunction, Extra: home()}) {
			if args := in.Get("input").Text(); args != "" {
				d.block(index, nil).args = true
				d.say(llm.ArgsDelta{Index: index, JSON: args})
			}
			return nil
		}
	case "reasoningContent":
		if d.thought(index, in) {
			return nil
		}
	case "citation":
		if fits(d, index, llm.Text{Extra: home()}) && in.Kind() == '{' {
			d.say(llm.CiteDelta{Index: index, Citation: decodeCitation(in)})
			return nil
		}
	}
	o := d.block(index, llm.Opaque{Dialect: Name, Type: key, Raw: `{"` + key + `":{}}`})
	if o.fold == nil {
		if _, unknown := o.kind.(llm.Opaque); unknown {
			o.fold = &folder{key: key, start: "{}"}
		}
	}
	if o.fold != nil {
		o.fold.add(in)
	}
	d.say(llm.OpaqueDelta{Index: index, Opaque: opaque(key, v)})
	return nil
}

// thought reads a delta of reasoning.
func (d *streamDecoder) thought(index int, v wire.Value) bool {
	key, in, ok := only(v)
	if !ok || in.Kind() != '"' {
		return false
	}
	switch key {
	case "text":
		if fits(d, index, llm.Thought{Origin: claude, Extra: home()}) {
			d.say(llm.ThoughtDelta{Index: index, Text: in.Text()})
			return true
		}
	case "signature":
		if fits(d, index, llm.Thought{Origin: claude, Extra: home()}) {
			d.say(llm.ThoughtDelta{Index: index, Signature: in.Text()})
			return true
		}
	case "redactedContent":
		t := sealed(in.Text())
		data := t.Sealed
		t.Sealed = ""
		if fits(d, index, t) {
			d.say(llm.ThoughtDelta{Index: index, Sealed: data})
			return true
		}
	}
	return false
}

// fits reports whether a block is of the kind of fresh; one that nobody began is begun as that.
func fits[B llm.Block](d *streamDecoder, index int, fresh B) bool {
	_, ok := d.block(index, fresh).kind.(B)
	return ok
}

func (d *streamDecoder) blockEnd(index int) {
	for i, o := range d.blocks {
		if o.index == index {
			d.blocks = append(d.blocks[:i:i], d.blocks[i+1:]...)
			d.close(o)
			return
		}
	}
}

func (d *streamDecoder) close(o *openBlock) {
	end := llm.BlockEnd{Index: o.index}
	if _, tool := o.kind.(llm.ToolUse); tool && !o.args {
		d.say(llm.ArgsDelta{Index: o.index, JSON: "{}"}) // a tool without arguments has no delta
	}
	if o.fold != nil {
		end.Block = o.fold.block()
	}
	d.say(end)
}

// stop reads messageStop: it closes what is open and ends the one choice, once.
func (d *streamDecoder) stop(v wire.Value) error {
	s := llm.Stop{Extra: home()}
	err := v.Fields(Name, &llm.Extra{}, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "stopReason":
			s.Reason, s.Raw = stopReason(m.Text())
		case "p":
		default:
			d.late.Add(Name, string(key), m.JSON())
		}
		return true, nil
	})
	for len(d.blocks) > 0 {
		d.blockEnd(d.blocks[0].index)
	}
	if !d.stopped {
		d.stopped = true
		d.say(llm.Finish{Stop: s})
	}
	if d.metered {
		d.end()
	}
	return err
}

// metadata reads what an answer consumed. It is the last that comes.
func (d *streamDecoder) metadata(v wire.Value) {
	_ = v.Fields(Name, &llm.Extra{}, func(key []byte, m wire.Value) (bool, error) { // the visit has no error to give
		switch string(key) {
		case "usage":
			if m.Kind() == '{' {
				d.say(llm.UsageReport{Usage: decodeUsage(m)})
				return true, nil
			}
		case "serviceTier":
			if decodeTier(&d.tier, m) {
				return true, nil
			}
		case "p":
			return true, nil
		}
		d.late.Add(Name, string(key), m.JSON())
		return true, nil
	})
	d.metered = true
	if d.stopped {
		d.end()
	}
}

func (d *streamDecoder) end() {
	d.say(llm.End{Tier: d.tier, Extra: d.late})
	d.ended = true
}

// folder puts the deltas of a block that llm has no word for into the block: what a tool of the vendor's
// was called with, what it answered, an image.
type folder struct {
	key, start string
	input      []byte   // text of a tool's input
	parts      []string // of a tool's result
	more       []llm.Field
}

func (f *folder) add(delta wire.Value) {
	switch {
	case f.key == "toolUse" && delta.Get("input").Kind() == '"':
		f.input = append(f.input, delta.Get("input").Text()...)
	case delta.Kind() == '[':
		_ = delta.Elems(func(_ int, el wire.Value) error { f.parts = append(f.parts, el.JSON()); return nil })
	case delta.Kind() == '{':
		_ = delta.Members(func(key []byte, m wire.Value) error {
			f.more = append(f.more, llm.Field{Key: string(key), Raw: m.JSON()})
			return nil
		})
	}
}

// block returns the block in its final form. An input that was cut short is kept as text.
func (f *folder) block() llm.Block {
	var w jsonw.Writer
	w.Open('{')
	w.KeyOpen(f.key, '{')
	wire.AppendMembers(&w, f.start)
	if f.key == "toolUse" {
		switch in := string(f.input); {
		case blank(in):
			w.KeyRaw("input", "{}")
		case splice.IsObject(in):
			w.KeyRaw("input", in)
		default:
			w.KeyStr("input", in)
		}
	}
	if f.key == "toolResult" {
		w.KeyOpen("content", '[')
		for _, p := range f.parts {
			w.Raw(p)
		}
		w.Close(']')
	}
	wire.AppendFields(&w, f.more)
	w.Close('}')
	w.Close('}')
	raw := w.String()
	if f.key == "image" {
		if b, err := decodeBlock(wire.Raw(raw), llm.Assistant); err == nil {
			return b
		}
	}
	return llm.Opaque{Dialect: Name, Type: f.key, Raw: raw}
}
