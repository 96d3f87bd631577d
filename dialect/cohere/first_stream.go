package cohere

import (
	"bytes"
	"iter"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeStream implements dialect.Client.
func (c *first) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := firstReader{want: want, text: -1, calls: map[int]int{}}
		for f, err := range frames {
			if err != nil {
				yield(dialect.Chunk{}, dialect.StreamBroken(op, err))
				return
			}
			ch, err := d.frame(f)
			if !yield(ch, err) || err != nil || d.ended {
				return
			}
		}
		yield(dialect.Chunk{}, dialect.BadUpstream(op, nil, "the upstream's stream ended before its end"))
	}
}

// firstReader reads one streamed answer.
type firstReader struct {
	want      dialect.Want
	doc       wire.Doc    // of the line at hand
	events    []llm.Event // of the line at hand; the next one's take their place
	next      int         // index of the next block
	text      int         // of the block of text, or -1
	calls     map[int]int // the blocks of calls, by their number
	documents wire.Value  // what the vendor found
	started   bool
	content   bool // something of the answer was there
	cited     bool
	ended     bool
}

func (d *firstReader) say(ev llm.Event) {
	if _, start := ev.(llm.Start); !start && !d.started {
		d.started = true
		d.events = append(d.events, llm.Start{})
	}
	d.events = append(d.events, ev)
	d.content = d.content || llm.IsContent(ev)
}

// frame reads one line. Its events are good until the next.
func (d *firstReader) frame(f dialect.Frame) (dialect.Chunk, error) {
	ch := dialect.Chunk{Frame: f, More: f.More}
	d.events = d.events[:0]
	switch {
	case len(bytes.TrimSpace(f.Data)) == 0:
		return ch, nil
	case d.want.Meter && d.content && !f.Partial && firstPassing(f.Data):
		ch.Text = max(deltaText(f.Data), 0)
		return ch, nil
	}
	v, err := d.doc.Read(f.Data)
	if err == nil {
		err = splice.Valid(f.Data, splice.MaxDepth)
	}
	switch {
	case err != nil && f.Partial:
		return ch, dialect.BadUpstream(op, err, "the upstream's stream ended before its end")
	case err != nil && d.want.Meter:
		return ch, nil // the bytes pass; whoever reads them will know
	case err != nil:
		return ch, dialect.BadUpstream(op, err, "a line of the upstream's stream is not valid JSON")
	}
	if err := d.event(v, f.Data); err != nil {
		return ch, dialect.BadUpstream(op, err, "a line of the upstream's stream cannot be understood: "+err.Error())
	}
	ch.Events, ch.Text = d.events, dialect.TextSize(d.events)
	return ch, nil
}

// firstPassing reports whether a line tells metering nothing once content has begun.
func firstPassing(line []byte) bool {
	return bytes.Contains(line, []byte(`"event_type":"`+textPart+`"`)) && !bytes.Contains(line, []byte(`"response"`))
}

func (d *firstReader) event(v wire.Value, data []byte) error {
	switch kind := v.Get("event_type").Text(); kind {
	case streamStart:
		if !d.started {
			d.started = true
			d.say(llm.Start{ID: v.Get("generation_id").Text()})
		}
	case textPart:
		d.textDelta(v.Get("text").Text())
	case citationPart:
		d.cited = true
		return v.Get("citations").Elems(func(_ int, el wire.Value) error {
			d.cite(decodeFirstCitation(el, d.documents))
			return nil
		})
	case callPart:
		d.callPart(v.Get("tool_call_delta"))
	case callsWhole:
		return d.whole(v.Get("tool_calls"))
	case streamEnd:
		return d.end(v, data)
	case streamError:
		d.fault(data)
	case "":
		if v.Get("message").Kind() == '"' || v.Get("error").Found() {
			d.fault(data)
		}
	default:
		if docs := v.Get("documents"); docs.Kind() == '[' {
			d.documents = wire.Raw(docs.JSON())
		}
		d.say(llm.OpaqueEvent{Opaque: llm.Opaque{Dialect: FirstName, Type: kind, Raw: v.JSON()}})
	}
	return nil
}

func (d *firstReader) fault(data []byte) {
	d.say(llm.Fault{Err: inStream(data)})
	d.ended = true
}

// textAt returns the block of text, which is begun if it was not.
func (d *firstReader) textAt() int {
	if d.text < 0 {
		d.text = d.next
		d.next++
		d.say(llm.BlockStart{Index: d.text, Block: llm.Text{Extra: firstHome()}})
	}
	return d.text
}

func (d *firstReader) textDelta(text string) {
	at := d.textAt()
	if text != "" {
		d.say(llm.TextDelta{Index: at, Text: text})
	}
}

func (d *firstReader) cite(c llm.Citation) { d.say(llm.CiteDelta{Index: d.textAt(), Citation: c}) }

// callPart reads a part of a call, or of what is said before it.
func (d *firstReader) callPart(v wire.Value) {
	if text := v.Get("text").Text(); text != "" {
		d.textDelta(text)
	}
	n := int(v.Get("index").Count())
	name, args := v.Get("name").Text(), v.Get("parameters").Text()
	if name == "" && args == "" {
		return
	}
	at, ok := d.calls[n]
	if !ok {
		at = d.begin(n, llm.ToolUse{Kind: llm.ToolFunction, Name: name, Extra: firstHome()})
	}
	if args != "" {
		d.say(llm.ArgsDelta{Index: at, JSON: args})
	}
}

func (d *firstReader) begin(n int, c llm.ToolUse) int {
	at := d.next
	d.next++
	c.ID = "call_" + itoa(n)
	d.calls[n] = at
	d.say(llm.BlockStart{Index: at, Block: c})
	return at
}

// whole reads all calls as they are at their end.
func (d *firstReader) whole(v wire.Value) error {
	if v.Kind() != '[' {
		return nil
	}
	return v.Elems(func(i int, el wire.Value) error {
		c, err := decodeFirstCall(el)
		if _, ok := d.calls[i]; err == nil && !ok {
			d.begin(i, c)
		}
		return err
	})
}

// end reads the end, which says the whole answer again.
func (d *firstReader) end(v wire.Value, data []byte) error {
	if e := v.Get("error"); e.Kind() == '"' {
		d.fault(data)
		return nil
	}
	res := &llm.Response{Choices: []llm.Choice{{}}}
	if again := v.Get("response"); again.Kind() == '{' {
		var err error
		if res, err = decodeFirst(again); err != nil {
			return err
		}
		if err := d.whole(again.Get("tool_calls")); err != nil {
			return err
		}
	}
	d.late(res)
	for at := range d.next {
		d.say(llm.BlockEnd{Index: at})
	}
	stop := decodeStop(v.Get("finish_reason").Text())
	if stop.Reason == llm.StopEnd && len(d.calls) > 0 {
		stop.Reason = llm.StopTool
	}
	d.say(llm.Finish{Stop: stop})
	if u := v.Get("response", "meta"); u.Kind() == '{' {
		d.say(llm.UsageReport{Usage: res.Usage})
	}
	d.say(llm.End{Extra: zero(res.Extra)})
	d.ended = true
	return nil
}

// late says what the end says for the first time.
func (d *firstReader) late(res *llm.Response) {
	for _, b := range res.Choices[0].Blocks {
		t, ok := b.(llm.Text)
		if !ok {
			continue
		}
		if d.text < 0 && (t.Text != "" || len(d.calls) == 0) {
			d.textDelta(t.Text)
		}
		for _, c := range t.Citations {
			if !d.cited {
				d.cite(c)
			}
		}
	}
}

// Redact implements dialect.Client. The end of a stream says the text again: from here on it is said anew.
func (c *first) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	if r, ok := ch.Result.(*llm.Response); ok && ch.Body != nil {
		fresh, err := dialect.RedactAnswer(r, edits)
		if err != nil {
			return ch, dialect.InternalFault(op, err)
		}
		reply, _, err := c.EncodeResponse(nil, fresh, dialect.Meta{})
		ch.Result, ch.Body = fresh, reply.Body
		return ch, err
	}
	events, err := dialect.RedactEvents(ch.Events, edits)
	if err != nil {
		return ch, dialect.InternalFault(op, err)
	}
	ch.Events, ch.Frame, ch.Resay = events, dialect.Frame{}, true
	return ch, nil
}
