package anthropic

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	req := dialect.RequestOf(p)
	e := &encoder{req: req}
	e.answer = answer{losses: &losses{}, names: dialect.NewToolNames(req), meta: m}
	e.queue.encoder = e
	return e
}

// encoder speaks one streamed answer. Its grammar is the vendor's: message_start; then blocks, one
// after the other and never two at once, counted from 0 without a gap; message_delta with usage;
// message_stop. After an error nothing follows.
type encoder struct {
	answer
	queue
	req    *llm.Request
	frames []dialect.Frame // of the event at hand

	started, ended bool
	usage          llm.Usage
	stopped        llm.Stop
	tier           string
	said           int // bytes of answer, to estimate from
}

// event makes a frame.
func event(kind string, data []byte) dialect.Frame {
	f := dialect.Frame{Event: kind, Data: data}
	f.Raw = frame.Append(nil, f)
	return f
}

// emit adds a frame whose data is an object with a type, and what more writes into it.
func (e *encoder) emit(kind string, more func(w *jsonw.Writer)) {
	w := jsonw.Writer{Buf: make([]byte, 0, 160)}
	w.Open('{')
	w.KeyStr("type", kind)
	if more != nil {
		more(&w)
	}
	w.Close('}')
	e.frames = append(e.frames, dialect.Frame{Event: kind, Data: w.Buf})
}

// Losses implements dialect.Encoder.
func (e *encoder) Losses() []dialect.Loss { return e.List() }

// Encode implements dialect.Encoder.
func (e *encoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.frames = nil
	if e.ended {
		return nil, nil
	}
	if s, ok := ev.(llm.Start); ok {
		e.begin(s)
		return e.frames, nil
	}
	switch ev.(type) {
	case llm.UsageReport, llm.Ping, llm.Fault:
	default:
		if !e.started {
			e.begin(llm.Start{})
		}
	}
	e.event(ev)
	return e.frames, nil
}

func (e *encoder) event(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Ping:
		e.emit("ping", nil)
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Fault:
		e.fail(v.Err)
	case llm.OpaqueEvent:
		e.opaqueEvent(v.Opaque)
	case llm.LogprobsDelta:
		e.Add("choices["+itoa(v.Choice)+"].logprobs", "")
	case llm.Finish:
		e.finish(v)
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
		if e.only(v.Choice) {
			e.opaqueDelta(v)
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
	c := v.Citation
	if c.Opaque.Dialect != Name && (c.Kind != llm.CiteURL || c.URL == "") {
		e.Add("content["+itoa(v.Index)+"].annotations", "")
		return
	}
	var w jsonw.Writer
	appendCitation(&w, c)
	e.queue.say(v.Index, llm.Text{}, piece{kind: citePiece, s: w.String()})
}

func (e *encoder) opaqueDelta(v llm.OpaqueDelta) {
	if v.Opaque.Dialect != Name {
		e.Add("content["+itoa(v.Index)+"]", v.Opaque.Type+" "+dialect.Foreign)
		return
	}
	e.queue.say(v.Index, llm.Text{}, piece{kind: opaquePiece, s: v.Opaque.Raw})
}

func (e *encoder) opaqueEvent(o llm.Opaque) {
	if o.Dialect != Name {
		e.Add(o.Type, dialect.Foreign)
		return
	}
	e.frames = append(e.frames, dialect.Frame{Event: o.Type, Data: []byte(o.Raw)})
}

// begin says message_start. There is one in an answer: a second start is a continuation on another
// target, which goes on with the next block.
func (e *encoder) begin(s llm.Start) {
	if e.started {
		e.queue.drain()
		return
	}
	e.started = true
	e.extra("", s.Extra)
	e.tier = s.Tier
	u := e.usage
	if u.In() == 0 {
		// What OpenAI's dialect tells of the input comes last. Agents show this figure meanwhile.
		u.Input = llm.EstimateRequest(e.req)
	}
	if u.Extra.Empty() && u.CacheWrite5m+u.CacheWrite1h == 0 {
		u.Extra = llm.Extra{Dialect: Name}
		u.Extra.Note(Name, "cache_creation") // how writes split is told at the end
	}
	e.emit("message_start", func(w *jsonw.Writer) {
		w.Key("message")
		o := wire.Begin(w, s.Extra.In(Name))
		o.Str("id", e.id(s.ID))
		o.Str("type", "message")
		o.Str("role", "assistant")
		o.Str("model", e.meta.ModelOr(s.Model))
		o.Raw("content", "[]")
		o.Raw("stop_reason", "null")
		o.Raw("stop_sequence", "null")
		w.Key("usage")
		appendUsage(w, u, e.losses.tier(s.Tier))
		o.End()
	})
}

func (e *encoder) finish(v llm.Finish) {
	if !e.only(v.Choice) {
		return
	}
	e.queue.drain()
	e.stopped = v.Stop
	e.nameChoice(v.Extra, v.Message, nil)
}

// end says how the answer ended and what it consumed.
func (e *encoder) end(v llm.End) {
	e.queue.drain()
	e.extra("", v.Extra)
	if v.Tier != "" && v.Tier != e.tier && e.losses.tier(v.Tier) != "" && !dialect.PlainTier(v.Tier) {
		e.Add("service_tier", "it is known only at the end")
	}
	if e.stopped.Reason == llm.StopUnset {
		e.stopped.Reason = llm.StopOther
	}
	e.extra("usage", e.usage.Extra)
	e.losses.usage(e.usage)
	e.emit("message_delta", func(w *jsonw.Writer) {
		container, rest := wire.Take(v.Extra, Name, "container")
		w.KeyOpen("delta", '{')
		e.stop(w, e.stopped)
		if container != "" {
			w.KeyRaw("container", container)
		}
		// What is named like a member of the event stood in its delta.
		var beside []llm.Field
		for _, f := range rest.In(Name) {
			if f.Key != "type" && f.Key != "delta" && f.Key != "usage" {
				beside = append(beside, f)
				continue
			}
			w.KeyRaw(f.Key, f.Raw)
		}
		w.Close('}')
		w.Key("usage")
		appendUsage(w, e.total(), "")
		for _, f := range beside {
			w.KeyRaw(f.Key, f.Raw)
		}
	})
	e.emit("message_stop", nil)
	e.ended = true
}

// total returns the usage of the answer, with an estimate for a side that the upstream did not report.
func (e *encoder) total() llm.Usage {
	u := dialect.Estimated(e.usage, e.req, e.said)
	// Clients need this one, whatever the upstream made of it.
	if _, rest := wire.Take(u.Extra, Name, "output_tokens"); len(rest.Fields) < len(u.Extra.Fields) {
		u.Extra = rest
	}
	return u
}

func (e *encoder) fail(err error) {
	x := llm.AsError(err)
	body := errorBody(x)
	if dialect.Passes(x, Name) && splice.Valid(x.Upstream.Body, splice.DefaultDepth) == nil {
		body = x.Upstream.Body
	}
	e.frames = append(e.frames, dialect.Frame{Event: "error", Data: body})
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
		if !e.started {
			e.begin(llm.Start{})
		}
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
