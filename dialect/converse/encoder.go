package converse

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	req := dialect.RequestOf(p)
	e := &encoder{req: req, meta: m}
	e.answer = answer{losses: &losses{}, names: dialect.NewToolNames(req), callID: m.CallID}
	e.queue.encoder = e
	return e
}

// encoder speaks one streamed answer. Its grammar is the vendor's: messageStart; then blocks, one after the
// other and never two at once, counted from 0 without a gap; messageStop; metadata with usage. After an
// exception nothing follows.
type encoder struct {
	answer
	queue
	req    *llm.Request
	meta   dialect.Meta
	frames []dialect.Frame // of the event at hand

	started, ended bool
	usage          llm.Usage
	stopped        llm.Stop
	tier           string
	said           int // bytes of answer, to estimate from
}

// emit adds an event whose data is an object, and what more writes into it.
func (e *encoder) emit(kind string, more func(w *jsonw.Writer)) {
	w := jsonw.Writer{Buf: make([]byte, 0, 160)}
	w.Open('{')
	more(&w)
	w.Close('}')
	e.frames = append(e.frames, event(dialect.Frame{Event: kind, Data: w.Buf}))
}

// event frames an event.
func event(f dialect.Frame) dialect.Frame {
	f.Raw = frame.AppendEvent(nil, f)
	return f
}

// Losses implements dialect.Encoder.
func (e *encoder) Losses() []dialect.Loss { return e.List() }

// Encode implements dialect.Encoder.
func (e *encoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.frames = nil
	if e.ended {
		return nil, nil
	}
	switch ev.(type) {
	case llm.Start, llm.UsageReport, llm.Ping, llm.Fault:
	default:
		e.begin(llm.Start{})
	}
	e.event(ev)
	return e.frames, nil
}

func (e *encoder) event(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		e.begin(v)
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Fault:
		e.fail(v.Err)
	case llm.OpaqueEvent:
		e.opaqueEvent(v.Opaque)
	case llm.LogprobsDelta:
		e.Add("choices["+itoa(v.Choice)+"].logprobs", "")
	case llm.Finish:
		if e.only(v.Choice) {
			e.queue.drain()
			e.stopped = v.Stop
			e.nameChoice(v.Extra, v.Message, nil)
		}
	case llm.End:
		e.end(v)
	default:
		e.blockEvent(ev)
	}
}

// blockEvent tells the queue of blocks of what belongs to one.
func (e *encoder) blockEvent(ev llm.Event) {
	switch v := ev.(type) {
	case llm.BlockStart:
		if e.only(v.Choice) {
			e.queue.start(v.Index, v.Block)
		}
	case llm.TextDelta:
		if e.only(v.Choice) && v.Text != "" {
			e.queue.say(v.Index, llm.Text{}, piece{kind: textPiece, s: v.Text})
		}
	case llm.ThoughtDelta:
		if e.only(v.Choice) {
			e.thought(v)
		}
	case llm.ArgsDelta:
		if e.only(v.Choice) && v.JSON != "" {
			e.queue.say(v.Index, llm.ToolUse{Kind: llm.ToolFunction}, piece{kind: argsPiece, s: v.JSON})
		}
	case llm.CiteDelta:
		if e.only(v.Choice) {
			e.cite(v)
		}
	case llm.OpaqueDelta:
		if v.Opaque.Dialect != Name {
			e.Add("content["+itoa(v.Index)+"]", v.Opaque.Type+" "+dialect.Foreign)
		}
	case llm.MediaDelta:
		e.Add("choices["+itoa(v.Choice)+"].message.audio", "")
	case llm.BlockEnd:
		if v.Choice == 0 {
			e.queue.end(v.Index, v.Block)
		}
	}
}

// only names every choice but the first, which is the only one told here.
func (e *encoder) only(choice int) bool {
	if choice != 0 {
		e.Add("choices["+itoa(choice)+"]", "one answer is given here")
	}
	return choice == 0
}

func (e *encoder) thought(v llm.ThoughtDelta) {
	t := llm.Thought{}
	if v.Text != "" {
		e.queue.say(v.Index, t, piece{kind: thoughtPiece, s: v.Text})
	}
	if v.Signature != "" {
		e.queue.say(v.Index, t, piece{kind: signaturePiece, s: v.Signature})
	}
	if v.Sealed != "" {
		e.queue.say(v.Index, t, piece{kind: sealedPiece, s: v.Sealed})
	}
}

func (e *encoder) cite(v llm.CiteDelta) {
	if !citable(v.Citation) {
		e.Add("content["+itoa(v.Index)+"].citations", "")
		return
	}
	var w jsonw.Writer
	appendCitation(&w, v.Citation)
	e.queue.say(v.Index, llm.Text{}, piece{kind: citePiece, s: w.String()})
}

func (e *encoder) opaqueEvent(o llm.Opaque) {
	if o.Dialect != Name {
		e.Add(o.Type, dialect.Foreign)
		return
	}
	e.frames = append(e.frames, event(dialect.Frame{Event: o.Type, Data: []byte(o.Raw)}))
}

// begin says messageStart. There is one in an answer: a second start is a continuation on another target,
// which goes on with the next block.
func (e *encoder) begin(s llm.Start) {
	e.extra("", s.Extra)
	if s.Tier != "" {
		e.tier = s.Tier
	}
	if e.started {
		if s.ID != "" || s.Model != "" {
			e.queue.drain()
		}
		return
	}
	e.started = true
	e.emit("messageStart", func(w *jsonw.Writer) { w.KeyStr("role", "assistant") })
}

// end says how the answer ended and what it consumed.
func (e *encoder) end(v llm.End) {
	e.queue.drain()
	e.extra("", v.Extra)
	if v.Tier != "" {
		e.tier = v.Tier
	}
	e.extra("usage", e.usage.Extra)
	word, more := e.stop(e.stopped)
	fields, rest := wire.Take(v.Extra, Name, "additionalModelResponseFields")
	if fields != "" {
		more = fields
	}
	e.emit("messageStop", func(w *jsonw.Writer) {
		w.KeyStr("stopReason", word)
		if more != "" {
			w.KeyRaw("additionalModelResponseFields", more)
		}
	})
	e.AddUsage(Name, e.total(), llm.ClassCacheRead, llm.ClassCacheWrite5m, llm.ClassCacheWrite1h)
	e.emit("metadata", func(w *jsonw.Writer) {
		w.Key("usage")
		appendUsage(w, e.total())
		if _, ok := rest.Get("metrics"); !ok || rest.Dialect != Name {
			w.KeyRaw("metrics", latency(e.meta))
		}
		if tier := e.losses.tier(e.tier); tier != "" {
			w.KeyOpen("serviceTier", '{')
			w.KeyStr("type", tier)
			w.Close('}')
		}
		wire.AppendFields(w, rest.In(Name))
	})
	e.ended = true
}

// total returns the usage of the answer, with an estimate for a side that the upstream did not report.
func (e *encoder) total() llm.Usage {
	return dialect.Estimated(e.usage, e.req, e.said)
}

func (e *encoder) fail(err error) {
	e.frames = append(e.frames, Exception(err))
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
		e.begin(llm.Start{})
		e.end(llm.End{})
	}
	return e.frames
}

// Observe implements dialect.Encoder.
func (e *encoder) Observe(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		e.started, e.tier = true, v.Tier
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Finish:
		if v.Choice == 0 {
			e.stopped = v.Stop
		}
	case llm.End, llm.Fault:
		e.ended = true
	default:
		e.started = true
		e.queue.observe(ev)
	}
}

func frameOf(f dialect.Frame) []byte { return frame.AppendEvent(nil, f) }
