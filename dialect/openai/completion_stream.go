package openai

import (
	"bytes"
	"iter"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeStream implements dialect.Client.
func (c *completions) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := completionReader{want: want, choices: map[int]bool{}}
		for f, err := range frames {
			if err != nil {
				if d.whole() {
					break
				}
				yield(dialect.Chunk{}, dialect.StreamBroken("dialect/openai", err))
				return
			}
			ch, err := d.frame(f)
			if !yield(ch, err) || err != nil || d.ended {
				return
			}
		}
		if !d.whole() {
			yield(dialect.Chunk{}, badUpstream(nil, "the upstream's stream ended before its end"))
			return
		}
		yield(dialect.Chunk{Frame: doneFrame(), Events: []llm.Event{llm.End{}}}, nil)
	}
}

func doneFrame() dialect.Frame {
	f := dialect.Frame{Data: []byte("[DONE]")}
	f.Raw = frame.Append(nil, f)
	return f
}

// completionReader reads one streamed answer.
type completionReader struct {
	want    dialect.Want
	events  []llm.Event
	choices map[int]bool // that were begun, and whether they are done
	started bool
	content bool
	ended   bool
}

// whole reports whether every choice said why it ended.
func (d *completionReader) whole() bool {
	for _, done := range d.choices {
		if !done {
			return false
		}
	}
	return len(d.choices) > 0
}

func (d *completionReader) say(ev llm.Event) {
	if _, start := ev.(llm.Start); !start && !d.started {
		d.started = true
		d.events = append(d.events, llm.Start{})
	}
	d.events = append(d.events, ev)
	d.content = d.content || llm.IsContent(ev)
}

func (d *completionReader) frame(f dialect.Frame) (dialect.Chunk, error) {
	ch := dialect.Chunk{Frame: f, More: f.More}
	d.events = nil
	switch {
	case len(f.Data) == 0:
		return ch, nil
	case isDone(f.Data):
		if !d.whole() {
			return ch, badUpstream(nil, "the upstream's stream ended before its end")
		}
		d.say(llm.End{})
		d.ended = true
		ch.Events = d.events
		return ch, nil
	case d.want.Meter && d.content && !f.Partial && plainPiece(f.Data):
		ch.Text = textSize(f.Data)
		return ch, nil
	}
	v := wire.Whole(f.Data)
	err := splice.Valid(f.Data, splice.MaxDepth)
	switch {
	case err != nil && f.Partial:
		return ch, badUpstream(err, "the upstream's stream ended before its end")
	case err != nil && d.want.Meter:
		return ch, nil // the bytes pass; whoever reads them will know
	case err != nil:
		return ch, badUpstream(err, "an event of the upstream's stream is not valid JSON")
	case hasError(v):
		d.say(llm.Fault{Err: inStream(f.Data)})
		d.ended = true
	default:
		err = d.chunk(v, &ch)
	}
	if err != nil {
		return ch, badUpstream(err, "an event of the upstream's stream cannot be understood: "+err.Error())
	}
	ch.Events = d.events
	return ch, nil
}

// textSize is about how many bytes of text a chunk has.
func textSize(data []byte) int {
	_, rest, found := bytes.Cut(data, []byte(`"text":`))
	if rest = bytes.TrimLeft(rest, " "); !found || len(rest) == 0 || rest[0] != '"' {
		return 0
	}
	return max(bytes.IndexByte(rest[1:], '"'), 0)
}

// plainPiece reports whether a chunk tells metering nothing once content has begun.
func plainPiece(data []byte) bool {
	for _, word := range [...]string{`"finish_reason":"`, `"finish_reason": "`, `"error"`, `"usage":{`, `"usage": {`} {
		if bytes.Contains(data, []byte(word)) {
			return false
		}
	}
	return true
}

func (d *completionReader) chunk(v wire.Value, ch *dialect.Chunk) error {
	var h completionHead
	var extra llm.Extra
	var pieces []piece
	err := v.Fields(CompletionsName, &extra, func(key []byte, m wire.Value) (bool, error) {
		if string(key) != "choices" {
			return h.member(string(key), m)
		}
		return true, m.Elems(func(_ int, el wire.Value) error {
			p, err := decodePiece(el)
			pieces = append(pieces, p)
			return err
		})
	})
	if err != nil {
		return err
	}
	if !d.started {
		d.started = true
		var kept llm.Extra
		for _, f := range extra.Fields {
			if f.Telling() {
				kept.Add(CompletionsName, f.Key, f.Raw)
			}
		}
		d.say(llm.Start{ID: h.id, Model: h.model, Created: h.created, Extra: kept})
	}
	for _, p := range pieces {
		ch.Text += len(p.text)
		d.piece(p)
	}
	if h.counted {
		d.say(llm.UsageReport{Usage: h.usage})
		ch.Mute = d.want.MuteUsage && len(pieces) == 0
	}
	return nil
}

func (d *completionReader) piece(p piece) {
	done, begun := d.choices[p.index]
	if done {
		return
	}
	if !begun {
		d.choices[p.index] = false
		d.say(llm.BlockStart{Choice: p.index, Block: llm.Text{}})
	}
	if p.text != "" {
		d.say(llm.TextDelta{Choice: p.index, Text: p.text})
	}
	if p.logprobs != nil {
		d.say(llm.LogprobsDelta{Choice: p.index, Logprobs: *p.logprobs})
	}
	if p.word != "" {
		d.choices[p.index] = true
		d.say(llm.BlockEnd{Choice: p.index})
		d.say(llm.Finish{Choice: p.index, Stop: p.stop, Extra: p.extra})
	}
}

// NewEncoder implements dialect.Server.
func (c *completions) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	e := &completionSpeaker{meta: m, payload: p, done: map[int]bool{}}
	if r, ok := p.(*llm.Request); ok && r != nil {
		e.wantUsage = r.StreamUsage.V
	}
	return e
}

// completionSpeaker speaks one streamed answer: chunks that add to a text, the last of each choice with why
// it ended, usage if it is wanted, and [DONE].
type completionSpeaker struct {
	completionAnswer
	meta      dialect.Meta
	payload   llm.Payload
	start     llm.Start
	wantUsage bool
	usage     llm.Usage
	done      map[int]bool // choices that were begun, and whether they are done

	started, ended bool
	frames         []dialect.Frame
}

// Losses implements dialect.Encoder.
func (e *completionSpeaker) Losses() []dialect.Loss { return e.List() }

// Encode implements dialect.Encoder.
func (e *completionSpeaker) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.frames = nil
	if !e.ended {
		e.event(ev)
	}
	return e.frames, nil
}

func (e *completionSpeaker) event(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		if !e.started {
			e.started, e.start = true, v
			e.extra("", v.Extra)
			e.echo = echoOf(e.payload, v.Extra)
		}
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Fault:
		e.frames = append(e.frames, (&codec{}).NewEncoder(nil, e.meta).Close(v.Err)...)
		e.ended = true
	case llm.TextDelta:
		if v.Text != "" {
			e.say(v.Choice, v.Text, nil, "", llm.Extra{})
		}
	case llm.BlockStart:
		if text := e.text(v.Block, choicePath(v.Choice)+".message.content["+itoa(v.Index)+"]"); text != "" {
			e.say(v.Choice, text, nil, "", llm.Extra{})
		}
	case llm.LogprobsDelta:
		e.say(v.Choice, "", &v.Logprobs, "", llm.Extra{})
	case llm.ThoughtDelta:
		e.Add(choicePath(v.Choice)+".message.content["+itoa(v.Index)+"]", "a completion has no reasoning")
	case llm.CiteDelta:
		e.Add(choicePath(v.Choice)+".message.content["+itoa(v.Index)+"].citations", "")
	case llm.OpaqueEvent:
		e.Add(v.Opaque.Type, dialect.Foreign)
	case llm.Finish:
		path := choicePath(v.Choice)
		e.stop(v.Stop, path)
		e.extra(path, v.Extra)
		e.extra(path+".message", v.Message)
		word := stopWord(v.Stop, false)
		if word == "" {
			word = "stop"
		}
		e.say(v.Choice, "", nil, word, v.Extra)
		e.done[v.Choice] = true
	case llm.End:
		e.extra("", v.Extra)
		e.end()
	}
}

// say says a chunk that adds to a choice. The first begins with what is echoed.
func (e *completionSpeaker) say(choice int, text string, l *llm.Logprobs, word string, extra llm.Extra) {
	if _, begun := e.done[choice]; !begun {
		e.done[choice] = false
		text = e.echo + text
	}
	e.chunk(func(w *jsonw.Writer) { e.piece(w, choice, text, l, word, extra) }, nil)
}

func (e *completionSpeaker) chunk(choice, more func(w *jsonw.Writer)) {
	w := jsonw.Writer{Buf: make([]byte, 0, 200)}
	o := wire.Begin(&w, e.start.Extra.In(CompletionsName))
	o.Str("id", completionID(e.start.ID, e.meta))
	o.Str("object", completionObject)
	o.Int("created", createdAt(e.start.Created, e.meta))
	o.Str("model", e.meta.ModelOr(e.start.Model))
	w.KeyOpen("choices", '[')
	if choice != nil {
		choice(&w)
	}
	w.Close(']')
	if more != nil {
		more(&w)
	}
	o.End()
	e.frames = append(e.frames, dialect.Frame{Data: w.Buf})
}

func (e *completionSpeaker) end() {
	if len(e.done) == 0 {
		e.say(0, "", nil, "stop", llm.Extra{})
		e.done[0] = true
	}
	for i := range len(e.done) {
		if done, begun := e.done[i]; begun && !done {
			e.say(i, "", nil, "stop", llm.Extra{})
		}
	}
	if e.wantUsage {
		e.chunk(nil, func(w *jsonw.Writer) { e.completionAnswer.usage(w, e.usage) })
	}
	e.frames = append(e.frames, dialect.Frame{Data: []byte("[DONE]")})
	e.ended = true
}

// Close implements dialect.Encoder.
func (e *completionSpeaker) Close(err error) []dialect.Frame {
	e.frames = nil
	switch {
	case e.ended:
	case err != nil:
		e.frames = (&codec{}).NewEncoder(nil, e.meta).Close(err)
		e.ended = true
	default:
		e.end()
	}
	return e.frames
}

// Observe implements dialect.Encoder.
func (e *completionSpeaker) Observe(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		e.started, e.start = true, v
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.TextDelta:
		e.done[v.Choice] = false
	case llm.Finish:
		e.done[v.Choice] = true
	case llm.End, llm.Fault:
		e.ended = true
	}
}

// Redact implements dialect.Client.
func (c *completions) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	if r, ok := ch.Result.(*llm.Response); ok && ch.Body != nil {
		fresh, err := dialect.RedactAnswer(r, edits)
		if err != nil {
			return ch, internal("Redact", err)
		}
		reply, _, err := c.EncodeResponse(nil, fresh, dialect.Meta{})
		ch.Result, ch.Body = fresh, reply.Body
		return ch, err
	}
	events, err := dialect.RedactEvents(ch.Events, edits)
	if err != nil {
		return ch, internal("Redact", err)
	}
	v := wire.Whole(ch.Frame.Data)
	ed := splice.NewEdit(ch.Frame.Data)
	for _, ev := range events {
		if t, ok := ev.(llm.TextDelta); ok {
			choiceText(ed, v.Get("choices"), t)
		}
	}
	data, err := ed.Bytes()
	if err != nil {
		return ch, internal("Redact", err)
	}
	ch.Events, ch.Frame.Data = events, data
	ch.Frame.Raw = frame.Append(nil, ch.Frame)
	return ch, nil
}

// choiceText puts a text into the choice that it adds to.
func choiceText(ed *splice.Edit, choices wire.Value, t llm.TextDelta) {
	for i := range choices.Len() {
		x := choices.Get(itoa(i))
		if int(x.Get("index").Count()) != t.Choice {
			continue
		}
		ed.SetString(x.Get("text").Span(), t.Text)
		if l := x.Get("logprobs"); l.Found() {
			ed.Set(l.Span(), []byte("null"))
		}
	}
}
