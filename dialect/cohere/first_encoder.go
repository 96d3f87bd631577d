package cohere

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// The events of a stream of the first version. Each is a line.
const (
	streamStart  = "stream-start"
	textPart     = "text-generation"
	citationPart = "citation-generation"
	callPart     = "tool-calls-chunk"
	callsWhole   = "tool-calls-generation"
	streamEnd    = "stream-end"
	streamError  = "stream-error"
)

// NewEncoder implements dialect.Server.
func (c *first) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	req, _ := p.(*llm.Request)
	return &firstSpeaker{req: req, meta: m, names: dialect.NewToolNames(req), fold: llm.NewFolder(), calls: map[int]int{}}
}

// firstSpeaker speaks one streamed answer. Its end says the whole again, which is folded on the way.
type firstSpeaker struct {
	lost  dialect.Losses
	req   *llm.Request
	meta  dialect.Meta
	names dialect.ToolNames
	fold  *llm.Folder

	frames         []dialect.Frame
	started, ended bool
	usage          llm.Usage
	said           int          // bytes of answer, to estimate from
	plans          map[int]bool // blocks of reasoning that are said as text
	calls          map[int]int  // blocks that are calls, by their number
}

// emit says an event.
func (s *firstSpeaker) emit(kind string, rest func(w *jsonw.Writer)) {
	w := jsonw.Writer{Buf: make([]byte, 0, 160)}
	w.Open('{')
	w.KeyBool("is_finished", kind == streamEnd || kind == streamError)
	w.KeyStr("event_type", kind)
	rest(&w)
	w.Close('}')
	s.line(w.Buf)
}

func (s *firstSpeaker) line(data []byte) {
	s.frames = append(s.frames, dialect.Frame{Data: data, Raw: append(data[:len(data):len(data)], '\n')})
}

// Encode implements dialect.Encoder.
func (s *firstSpeaker) Encode(ev llm.Event) ([]dialect.Frame, error) {
	s.frames = nil
	if !s.ended {
		s.event(ev)
	}
	return s.frames, nil
}

func (s *firstSpeaker) event(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Ping:
		return
	case llm.UsageReport:
		s.usage = v.Usage
		s.fold.Add(ev)
		return
	case llm.Fault:
		s.fail(v.Err)
		return
	case llm.Start:
		if !s.started {
			s.fold.Add(ev)
			s.begin(v.ID)
		}
		return
	}
	if !s.started {
		s.begin("")
	}
	if o, ok := ev.(llm.OpaqueEvent); ok {
		s.opaque(o)
		return
	}
	s.fold.Add(ev)
	switch v := ev.(type) {
	case llm.BlockStart:
		if v.Choice == 0 {
			s.start(v)
		}
	case llm.TextDelta:
		if v.Choice == 0 {
			s.text(v.Text)
		}
	case llm.ThoughtDelta:
		s.said += len(v.Text)
		if v.Choice == 0 && s.plans[v.Index] {
			s.text(v.Text)
		}
	case llm.ArgsDelta:
		if v.Choice == 0 {
			s.args(v.Index, v.JSON)
		}
	case llm.End:
		s.end()
	}
}

func (s *firstSpeaker) opaque(o llm.OpaqueEvent) {
	if o.Opaque.Dialect != FirstName {
		s.lost.Add(o.Opaque.Type, dialect.Foreign)
		return
	}
	s.line([]byte(o.Opaque.Raw))
}

func (s *firstSpeaker) begin(id string) {
	s.started = true
	if id == "" {
		id = s.meta.CallID
	}
	s.emit(streamStart, func(w *jsonw.Writer) { w.KeyStr("generation_id", id) })
}

func (s *firstSpeaker) start(v llm.BlockStart) {
	switch b := v.Block.(type) {
	case llm.Text:
		s.text(b.Text)
	case llm.Refusal:
		s.text(b.Text)
	case llm.Thought:
		if b.Field == notePlan && b.Extra.Dialect == Name {
			if s.plans == nil {
				s.plans = map[int]bool{}
			}
			s.plans[v.Index] = true
			s.text(b.Text)
		}
	case llm.ToolUse:
		n := len(s.calls)
		s.calls[v.Index] = n
		name := s.names.Back(b.Name)
		s.emit(callPart, func(w *jsonw.Writer) {
			w.KeyOpen("tool_call_delta", '{')
			w.KeyInt("index", int64(n))
			w.KeyStr("name", name)
			w.Close('}')
		})
		if b.Args != "{}" {
			s.args(v.Index, b.Args)
		}
	}
}

func (s *firstSpeaker) text(text string) {
	if text == "" {
		return
	}
	s.said += len(text)
	s.emit(textPart, func(w *jsonw.Writer) { w.KeyStr("text", text) })
}

func (s *firstSpeaker) args(index int, json string) {
	n, ok := s.calls[index]
	if json == "" || !ok {
		return
	}
	s.said += len(json)
	s.emit(callPart, func(w *jsonw.Writer) {
		w.KeyOpen("tool_call_delta", '{')
		w.KeyInt("index", int64(n))
		w.KeyStr("parameters", json)
		w.Close('}')
	})
}

// whole folds what was said.
func (s *firstSpeaker) whole() *llm.Response {
	r := s.fold.Response()
	r.Usage = dialect.Estimated(s.usage, s.req, s.said)
	if len(r.Choices) > 0 && r.Choices[0].Stop.Reason == llm.StopUnset {
		r.Choices[0].Stop.Reason = llm.StopOther
	}
	return r
}

// end says the citations, the calls and the whole answer again.
func (s *firstSpeaker) end() {
	r := s.whole()
	a := newFirstAnswer(s.req, s.meta.CallID)
	var whole jsonw.Writer
	a.whole(&whole, r)
	for _, l := range a.List() {
		s.lost.Add(l.What, l.Why)
	}
	if len(a.citations) > 0 {
		s.emit(citationPart, func(w *jsonw.Writer) { appendAll(w, "citations", a.citations) })
	}
	if len(a.calls) > 0 {
		s.emit(callsWhole, func(w *jsonw.Writer) {
			w.KeyStr("text", a.text)
			w.KeyOpen("tool_calls", '[')
			for _, c := range a.calls {
				appendFirstCall(w, c)
			}
			w.Close(']')
		})
	}
	stop := llm.Stop{}
	if len(r.Choices) > 0 {
		stop = r.Choices[0].Stop
	}
	silent := newFirstAnswer(nil, "") // what is lost of the reason is named already
	silent.answer.calls = len(a.calls)
	word := silent.firstReason(stop)
	if word == "" {
		word = "COMPLETE"
	}
	s.emit(streamEnd, func(w *jsonw.Writer) {
		w.KeyStr("finish_reason", word)
		w.Key("response")
		w.Raw(string(whole.Buf))
	})
	s.ended = true
}

// fail ends the stream with an error, as the vendor does: the end says the reason, and what was said till then.
func (s *firstSpeaker) fail(err error) {
	x := llm.AsError(err)
	if dialect.Passes(x, Name) && splice.IsObject(string(x.Upstream.Body)) {
		s.line(x.Upstream.Body)
		s.ended = true
		return
	}
	if !s.started {
		s.begin("")
	}
	r := s.whole()
	text := ""
	if len(r.Choices) > 0 {
		for _, b := range r.Choices[0].Blocks {
			if t, ok := b.(llm.Text); ok {
				text += t.Text
			}
		}
	}
	s.emit(streamEnd, func(w *jsonw.Writer) {
		w.KeyStr("finish_reason", "ERROR")
		w.KeyStr("error", message(x))
		w.KeyOpen("response", '{')
		w.KeyStr("text", text)
		w.KeyStr("finish_reason", "ERROR")
		w.Close('}')
	})
	s.ended = true
}

// Observe implements dialect.Encoder.
func (s *firstSpeaker) Observe(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		if s.started {
			return
		}
		s.started = true
	case llm.UsageReport:
		s.usage = v.Usage
	case llm.BlockStart:
		s.started = true
		if _, call := v.Block.(llm.ToolUse); call && v.Choice == 0 {
			s.calls[v.Index] = len(s.calls)
		}
	case llm.TextDelta:
		s.said += len(v.Text)
	case llm.OpaqueEvent, llm.Ping:
		return
	case llm.End, llm.Fault:
		s.ended = true
		return
	}
	s.fold.Add(ev)
}

// Close implements dialect.Encoder.
func (s *firstSpeaker) Close(err error) []dialect.Frame {
	s.frames = nil
	switch {
	case s.ended:
	case err != nil:
		s.fail(err)
	default:
		if !s.started {
			s.begin("")
		}
		s.end()
	}
	return s.frames
}

// Losses implements dialect.Encoder.
func (s *firstSpeaker) Losses() []dialect.Loss { return s.lost.List() }
