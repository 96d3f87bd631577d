package ollama

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(_ llm.Payload, m dialect.Meta) dialect.Encoder {
	return &encoder{meta: m, answer: answer{generate: c.generate}, calls: map[int]*openCall{}, images: map[int]*openImage{}, seals: map[int]llm.Thought{}}
}

// encoder speaks one streamed answer: lines that each add something, in whatever order it comes, and a
// last one that says done. A call of a tool is one line, for its arguments are an object: it is said when
// it is whole.
type encoder struct {
	answer
	meta   dialect.Meta
	frames []dialect.Frame // of the event at hand
	calls  map[int]*openCall
	images map[int]*openImage
	seals  map[int]llm.Thought // by block: what seals reasoning, without its text
	said   int                 // calls

	model   string
	created string
	usage   llm.Usage
	stop    llm.Stop
	served  string // at which tier
	late    llm.Extra
	message llm.Extra
	ended   bool
}

// emit adds a line.
func (e *encoder) emit(more func(w *jsonw.Writer)) {
	w := jsonw.Writer{Buf: make([]byte, 0, 160)}
	w.Open('{')
	more(&w)
	w.Close('}')
	e.frames = append(e.frames, lineFrame(w.Buf))
}

func lineFrame(data []byte) dialect.Frame {
	// Arguments stand as their model wrote them, perhaps over several lines: within JSON a line's end is only
	// space, and here it would end the object.
	for i, c := range data {
		if c == '\n' || c == '\r' {
			data[i] = ' '
		}
	}
	return dialect.Frame{Data: data, Raw: append(data[:len(data):len(data)], '\n')}
}

// add says a piece of the answer.
func (e *encoder) add(t turn, more func(w *jsonw.Writer)) {
	e.emit(func(w *jsonw.Writer) {
		e.head(w)
		e.appendMessage(w, t)
		if more != nil {
			more(w)
		}
		w.KeyBool("done", false)
	})
}

func (e *encoder) head(w *jsonw.Writer) {
	if e.created == "" {
		e.created = timeOf(llm.Extra{}, 0, e.meta.Now)
	}
	w.KeyStr("model", e.model)
	w.KeyStr("created_at", e.created)
}

// openCall is a call whose end has not come, and what was said of its arguments since it was begun.
type openCall struct {
	use  llm.ToolUse
	args strings.Builder
}

// openImage is an image whose end has not come, and what was said of it since it was begun.
type openImage struct {
	media llm.Media
	data  strings.Builder
}

// Losses implements dialect.Encoder.
func (e *encoder) Losses() []dialect.Loss { return e.List() }

// Encode implements dialect.Encoder.
func (e *encoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.frames = nil
	if !e.ended {
		e.event(ev)
	}
	return e.frames, nil
}

func (e *encoder) event(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		e.start(v)
		e.served = v.Tier
		e.extra("", v.Extra)
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Fault:
		e.fail(v.Err)
	case llm.OpaqueEvent:
		e.Add(v.Opaque.Type, dialect.Foreign)
	case llm.LogprobsDelta:
		if e.only(v.Choice) {
			e.add(turn{}, func(w *jsonw.Writer) { e.logprobs(w, v.Logprobs) })
		}
	case llm.Finish:
		if e.only(v.Choice) {
			e.flush()
			e.stop, e.message = v.Stop, v.Message
			e.extra("choices[0]", v.Extra)
			e.extra("choices[0].message", v.Message)
		}
	case llm.End:
		e.late = v.Extra
		if v.Tier != "" {
			e.served = v.Tier
		}
		e.tier(e.served)
		e.extra("", v.Extra)
		e.end()
	default:
		e.blockEvent(ev)
	}
}

func (e *encoder) start(v llm.Start) {
	if e.model == "" {
		e.model = e.meta.ModelOr(v.Model)
	}
	if e.created == "" {
		e.created = timeOf(v.Extra, v.Created, e.meta.Now)
	}
}

// only names every choice but the first, which is the only one told here.
func (e *encoder) only(choice int) bool {
	if choice != 0 {
		e.Add("choices["+itoa(choice)+"]", "one answer is given here")
	}
	return choice == 0
}

func (e *encoder) blockEvent(ev llm.Event) {
	switch v := ev.(type) {
	case llm.BlockStart:
		if e.only(v.Choice) {
			e.begin(v.Index, v.Block)
		}
	case llm.TextDelta:
		if e.only(v.Choice) && v.Text != "" {
			e.add(turn{content: v.Text}, nil)
		}
	case llm.ThoughtDelta:
		if e.only(v.Choice) {
			e.thought(v.Index, llm.Thought{Text: v.Text, Signature: v.Signature, Sealed: v.Sealed})
		}
	case llm.ArgsDelta:
		if c := e.calls[v.Index]; e.only(v.Choice) && c != nil {
			c.args.WriteString(v.JSON)
		}
	case llm.MediaDelta:
		if m := e.images[v.Index]; e.only(v.Choice) && m != nil {
			m.data.WriteString(v.Data)
		} else {
			e.Add("content["+itoa(v.Index)+"]", "audio in an answer")
		}
	case llm.CiteDelta:
		e.Add("content["+itoa(v.Index)+"].citations", "")
	case llm.OpaqueDelta:
		e.Add("content["+itoa(v.Index)+"]", v.Opaque.Type+" "+dialect.Foreign)
	case llm.BlockEnd:
		if v.Choice == 0 {
			e.finish(v)
		}
	}
}

func (e *encoder) begin(index int, b llm.Block) {
	path := "content[" + itoa(index) + "]"
	switch b := b.(type) {
	case llm.ToolUse:
		e.calls[index] = &openCall{use: b}
	case llm.Media:
		if b.Kind != llm.Image {
			e.Add(path, string(b.Kind)+" in an answer")
			return
		}
		e.images[index] = &openImage{media: b}
	case llm.Thought:
		e.extra(path, b.Extra)
		e.thought(index, b)
	default:
		var t turn
		e.answer.add(&t, b, path)
		if t.content != "" {
			e.add(t, nil)
		}
	}
}

// thought says what was thought. What seals it waits for the end of the block, which may tell whose it is.
func (e *encoder) thought(index int, b llm.Thought) {
	s := e.seals[index]
	s.Signature, s.Sealed = s.Signature+b.Signature, s.Sealed+b.Sealed
	if b.Origin != "" {
		s.Origin, s.Item = b.Origin, b.Item
	}
	e.seals[index] = s
	if b.Text != "" {
		e.add(turn{thinking: b.Text}, nil)
	}
}

// seal says what seals a thought.
func (e *encoder) seal(v llm.BlockEnd) {
	s := e.seals[v.Index]
	delete(e.seals, v.Index)
	if whole, ok := v.Block.(llm.Thought); ok {
		s = whole
		s.Text = "" // it was said already
	}
	if dialect.Signed(s) {
		e.add(turn{details: []llm.Thought{s}}, nil)
	}
}

// finish says what could only be said whole.
func (e *encoder) finish(v llm.BlockEnd) {
	path := "content[" + itoa(v.Index) + "]"
	e.seal(v)
	if c := e.calls[v.Index]; c != nil {
		delete(e.calls, v.Index)
		c.use.Args += c.args.String()
		if whole, ok := v.Block.(llm.ToolUse); ok {
			c.use = whole
		}
		e.call(c.use, path)
	}
	if m := e.images[v.Index]; m != nil {
		delete(e.images, v.Index)
		var t turn
		m.media.Data += m.data.String()
		e.answer.add(&t, m.media, path)
		if len(t.images) > 0 {
			e.add(t, nil)
		}
	}
}

func (e *encoder) call(c llm.ToolUse, path string) {
	c, ok := e.answer.call(c, path)
	if !ok {
		return
	}
	if c.Extra.Dialect != Name {
		c.Extra = llm.Extra{Dialect: Name}
		c.Extra.Add(Name, "function.index", itoa(e.said))
	}
	e.said++
	e.add(turn{calls: []llm.ToolUse{c}}, nil)
}

// flush says what was begun and never ended.
func (e *encoder) flush() {
	for len(e.calls)+len(e.images) > 0 {
		least := -1
		for i := range e.calls {
			if least < 0 || i < least {
				least = i
			}
		}
		for i := range e.images {
			if least < 0 || i < least {
				least = i
			}
		}
		e.finish(llm.BlockEnd{Index: least})
	}
}

// end says the last line.
func (e *encoder) end() {
	e.flush()
	if e.stop.Reason == llm.StopUnset {
		e.stop.Reason = llm.StopEnd
	}
	w := jsonw.Writer{}
	o := wire.Begin(&w, e.late.In(Name))
	o.Str("model", e.model)
	o.Str("created_at", timeOf(e.late, 0, e.meta.Now))
	e.appendMessage(&w, turn{extra: e.message})
	e.answer.end(&w, o, e.stop, e.usage)
	o.End()
	e.frames = append(e.frames, lineFrame(w.Buf))
	e.ended = true
}

func (e *encoder) fail(err error) {
	x := llm.AsError(err)
	body := errorBody(x)
	if dialect.Passes(x, Name) {
		body = oneLine(x.Upstream.Body, body)
	}
	e.frames = append(e.frames, lineFrame(body))
	e.ended = true
}

// Close implements dialect.Encoder.
func (e *encoder) Close(err error) []dialect.Frame {
	e.frames = nil
	switch {
	case e.ended:
	case err != nil:
		e.fail(err)
	default:
		e.end()
	}
	return e.frames
}

// Observe implements dialect.Encoder.
func (e *encoder) Observe(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		e.start(v)
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Finish:
		if v.Choice == 0 {
			e.stop = v.Stop
		}
	case llm.End, llm.Fault:
		e.ended = true
	}
}
