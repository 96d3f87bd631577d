package ollama

import (
	"bytes"
	"iter"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeStream implements dialect.Client.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{codec: c, want: want}
		for f, err := range frames {
			if err != nil {
				yield(dialect.Chunk{}, dialect.StreamBroken(c.op("DecodeStream"), err))
				return
			}
			ch, err := d.frame(f)
			if !yield(ch, err) || err != nil || d.ended {
				return
			}
		}
		yield(dialect.Chunk{}, c.badStream(nil, "the upstream's stream ended before its end"))
	}
}

func (c *codec) badStream(err error, msg string) *llm.Error {
	return dialect.BadUpstream(c.op("DecodeStream"), err, msg)
}

// streamDecoder reads one streamed answer.
type streamDecoder struct {
	codec   *codec
	want    dialect.Want
	doc     wire.Doc    // of the line at hand
	events  []llm.Event // of the line at hand; the next one's take their place
	open    llm.Block   // the block that the last line added to
	index   int         // of the open block, or of the next
	started bool
	content bool // something of the answer was there
	called  bool // a tool was
	ended   bool
}

func (d *streamDecoder) say(ev llm.Event) {
	d.events = append(d.events, ev)
	d.content = d.content || llm.IsContent(ev)
}

// frame reads one line. Its events are good until the next.
func (d *streamDecoder) frame(f dialect.Frame) (dialect.Chunk, error) {
	ch := dialect.Chunk{Frame: f, More: f.More}
	if len(bytes.TrimSpace(f.Data)) == 0 {
		return ch, nil
	}
	if d.want.Meter && d.content && !f.Partial && passing(f.Data) {
		ch.Text = lineText(f.Data)
		return ch, nil
	}
	v, err := d.doc.Check(f.Data)
	switch {
	case err != nil && f.Partial:
		return ch, d.codec.badStream(err, "the upstream's stream ended before its end")
	case err != nil && d.want.Meter:
		return ch, nil // the bytes pass; whoever reads them will know
	case err != nil:
		return ch, d.codec.badStream(err, "a line of the upstream's stream is not valid JSON")
	}
	d.events = d.events[:0]
	if e := v.Get("error"); e.Found() && !e.IsNull() {
		d.say(llm.Fault{Err: d.codec.inStream(f.Data)})
		d.ended = true
		ch.Events = d.events
		return ch, nil
	}
	l := line{between: d.started && v.Get("done").Kind() != 't'}
	if err := l.read(v); err != nil {
		return ch, d.codec.badStream(err, "a line of the upstream's stream cannot be understood: "+err.Error())
	}
	d.line(&l)
	ch.Events, ch.Text = d.events, l.size()
	return ch, nil
}

// passing reports whether a line tells metering nothing once content has begun. What it looks for cannot
// stand in a string, where its quotes would be escaped.
func passing(line []byte) bool {
	for _, word := range [...]string{`"done":true`, `"done": true`, `"error"`, `"tool_calls"`} {
		if bytes.Contains(line, []byte(word)) {
			return false
		}
	}
	return bytes.Contains(line, []byte(`"done":false`))
}

// lineText returns about how many bytes of text a line has, without reading it.
func lineText(line []byte) int {
	n := 0
	for _, key := range [...]string{`"content":"`, `"thinking":"`, `"response":"`} {
		at := bytes.Index(line, []byte(key))
		if at < 0 {
			continue
		}
		rest := line[at+len(key):]
		for i := 0; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == '\\' {
				i++
			}
			n++
		}
	}
	return n
}

func (l *line) size() int {
	n := len(l.parts.content) + len(l.parts.thinking)
	for _, b := range l.parts.calls {
		n += len(b.(llm.ToolUse).Args)
	}
	return n
}

func (d *streamDecoder) line(l *line) {
	if !d.started {
		d.started = true
		s := llm.Start{Model: l.model, Created: l.created}
		if !l.done {
			s.Extra, l.extra = l.extra, llm.Extra{}
		}
		d.say(s)
	}
	d.blocks(&l.parts)
	if l.logprobs != nil {
		d.say(llm.LogprobsDelta{Logprobs: *l.logprobs})
	}
	if !l.done {
		return
	}
	d.close()
	d.say(llm.Finish{Stop: l.stop(d.called), Message: l.rest()})
	if l.counted {
		d.say(llm.UsageReport{Usage: l.usage})
	}
	d.say(llm.End{Extra: l.extra})
	d.ended = true
}

// rest returns the members of the message that have no word, less notes.
func (l *line) rest() llm.Extra {
	var out llm.Extra
	for _, f := range l.inner.Fields {
		if f.Raw != "" {
			out.Add(Name, f.Key, f.Raw)
		}
	}
	return out
}

// blocks says what a line adds. A new kind of thing begins a new block.
func (d *streamDecoder) blocks(p *messageParts) {
	for _, b := range p.blocks() {
		switch b := b.(type) {
		case llm.Thought:
			d.begin(b)
			d.say(llm.ThoughtDelta{Index: d.index, Text: b.Text, Signature: b.Signature, Sealed: b.Sealed})
		case llm.Text:
			d.begin(b)
			d.say(llm.TextDelta{Index: d.index, Text: b.Text})
		case llm.ToolUse:
			d.called = true
			args := b.Args
			b.Args = ""
			d.whole(b)
			if args != "" {
				d.say(llm.ArgsDelta{Index: d.index, JSON: args})
			}
			d.close()
		default:
			d.whole(b)
			d.close()
		}
	}
}

// begin opens a block of the kind of b, unless the open one is of that kind.
func (d *streamDecoder) begin(b llm.Block) {
	switch b := b.(type) {
	case llm.Thought:
		if o, ok := d.open.(llm.Thought); ok && o.Origin == b.Origin && o.Item == b.Item {
			return
		}
		b.Text, b.Signature, b.Sealed = "", "", ""
		d.whole(b)
	case llm.Text:
		if _, ok := d.open.(llm.Text); ok {
			return
		}
		b.Text = ""
		d.whole(b)
	}
}

// whole opens a block as it is given.
func (d *streamDecoder) whole(b llm.Block) {
	d.close()
	d.open = b
	d.say(llm.BlockStart{Index: d.index, Block: b})
}

func (d *streamDecoder) close() {
	if d.open != nil {
		d.say(llm.BlockEnd{Index: d.index})
		d.open = nil
		d.index++
	}
}
