package cohere

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	req, _ := p.(*llm.Request)
	e := &encoder{req: req, open: map[int]*part{}}
	e.answer = answer{names: dialect.NewToolNames(req), callID: m.CallID}
	return e
}

// encoder speaks one streamed answer: contents and calls of tools are each counted from 0, and each is
// begun and ended once; message-end closes. After an error nothing follows.
type encoder struct {
	answer
	req    *llm.Request
	frames []dialect.Frame // of the event at hand
	open   map[int]*part   // by the index of the block
	order  []int           // in which they were begun
	now    *part           // the call in hand

	started, ended bool
	contents       int // begun
	cites          int
	said           int // bytes of answer, to estimate from
	usage          llm.Usage
	stop           llm.Stop
	began          string    // at which tier
	late           llm.Extra // members of the end
}

// part is a block that is being said.
type part struct {
	block llm.Block
	index int  // of the content or the call
	begun bool // its start has been said
	text  strings.Builder
	cites []llm.Citation
	args  bool // of a call: arguments were said

	// Of a call that waits until another has ended: itself, and its end if that has come.
	waits bool
	held  llm.ToolUse
	more  strings.Builder // of its arguments
	over  bool
}

// emit adds an event.
func (e *encoder) emit(kind string, index int, message func(w *jsonw.Writer)) {
	w := jsonw.Writer{Buf: make([]byte, 0, 160)}
	w.Open('{')
	w.KeyStr("type", kind)
	if index >= 0 {
		w.KeyInt("index", int64(index))
	}
	if message != nil {
		w.KeyOpen("delta", '{')
		w.KeyOpen("message", '{')
		message(&w)
		w.Close('}')
		w.Close('}')
	}
	w.Close('}')
	e.frames = append(e.frames, dialect.Frame{Event: kind, Data: w.Buf})
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
		e.begin(v)
		return
	case llm.UsageReport:
		e.usage = v.Usage
		return
	case llm.Fault:
		e.fail(v.Err)
		return
	case llm.Ping:
		return
	}
	if !e.started {
		e.begin(llm.Start{})
	}
	switch v := ev.(type) {
	case llm.OpaqueEvent:
		if v.Opaque.Dialect != Name {
			e.Add(v.Opaque.Type, dialect.Foreign)
			return
		}
		e.frames = append(e.frames, dialect.Frame{Event: v.Opaque.Type, Data: []byte(v.Opaque.Raw)})
	case llm.LogprobsDelta:
		if e.only(v.Choice) {
			e.probs(v.Logprobs)
		}
	case llm.Finish:
		if e.only(v.Choice) {
			e.stop, e.late = v.Stop, v.Extra
			e.extra("choices[0]", v.Extra)
			e.extra("choices[0].message", v.Message)
		}
	case llm.End:
		e.extra("", v.Extra)
		if v.Tier == "" {
			v.Tier = e.began
		}
		e.tier(v.Tier)
		e.end()
	default:
		e.blockEvent(ev)
	}
}

// only names every choice but the first, which is the only one told here.
func (e *encoder) only(choice int) bool {
	if choice != 0 {
		e.Add("choices["+itoa(choice)+"]", "one answer is given here")
	}
	return choice == 0
}

// begin says message-start. There is one in an answer: a second start is a continuation.
func (e *encoder) begin(s llm.Start) {
	if e.started {
		return
	}
	e.started = true
	e.extra("", s.Extra)
	e.began = s.Tier
	w := jsonw.Writer{}
	o := wire.Begin(&w, s.Extra.In(Name))
	o.Str("id", e.id(s.ID))
	w.KeyStr("type", messageStart)
	w.KeyRaw("delta", `{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}`)
	o.End()
	e.frames = append(e.frames, dialect.Frame{Event: messageStart, Data: w.Buf})
}

func (e *encoder) blockEvent(ev llm.Event) {
	switch v := ev.(type) {
	case llm.BlockStart:
		if e.only(v.Choice) {
			e.start(v.Index, v.Block)
		}
	case llm.TextDelta:
		if e.only(v.Choice) && v.Text != "" {
			e.text(e.part(v.Index, llm.Text{}), v.Text)
		}
	case llm.ThoughtDelta:
		if e.only(v.Choice) {
			e.thought(e.part(v.Index, llm.Thought{}), llm.Thought{Text: v.Text, Signature: v.Signature, Sealed: v.Sealed})
		}
	case llm.ArgsDelta:
		if e.only(v.Choice) && v.JSON != "" {
			e.args(e.part(v.Index, llm.ToolUse{Kind: llm.ToolFunction}), v.JSON)
		}
	case llm.CiteDelta:
		if e.only(v.Choice) {
			p := e.part(v.Index, llm.Text{})
			p.cites = append(p.cites, v.Citation)
		}
	case llm.MediaDelta:
		e.Add("content["+itoa(v.Index)+"]", "audio in an answer")
	case llm.OpaqueDelta:
		e.Add("content["+itoa(v.Index)+"]", v.Opaque.Type+" "+dialect.Foreign)
	case llm.BlockEnd:
		if v.Choice == 0 {
			e.seal(v)
			e.finish(v.Index)
		}
	}
}

// part returns the part of a block. A delta whose block was never begun begins one.
func (e *encoder) part(index int, b llm.Block) *part {
	p := e.open[index]
	if p == nil {
		p = &part{block: b}
		e.open[index] = p
		e.order = append(e.order, index)
	}
	return p
}

func (e *encoder) start(index int, b llm.Block) {
	b, ok := e.fit(b, "content["+itoa(index)+"]")
	if !ok {
		switch b.(type) {
		case llm.Text, llm.Thought: // empty so far
		default:
			return
		}
	}
	p := e.part(index, b)
	switch b := b.(type) {
	case llm.Text:
		p.cites = b.Citations
		if b.Text != "" {
			e.text(p, b.Text)
		}
	case llm.Thought:
		p.block = llm.Thought{Origin: b.Origin, Item: b.Item, Field: b.Field, Extra: b.Extra}
		if !b.Empty() {
			e.thought(p, b)
		}
	case llm.ToolUse:
		e.call(p, b)
	case llm.Opaque:
		e.content(p, func(w *jsonw.Writer) { w.Raw(b.Raw) })
	}
}

// content begins a content, once, with its value.
func (e *encoder) content(p *part, value func(w *jsonw.Writer)) {
	if p.begun {
		return
	}
	p.begun, p.index = true, e.contents
	e.contents++
	e.emit(contentStart, p.index, func(w *jsonw.Writer) {
		w.Key("content")
		value(w)
	})
}

func (e *encoder) text(p *part, text string) {
	e.said += len(text)
	p.text.WriteString(text)
	e.content(p, func(w *jsonw.Writer) { w.Raw(`{"type":"text","text":""}`) })
	e.emit(contentDelta, p.index, func(w *jsonw.Writer) {
		w.KeyOpen("content", '{')
		w.KeyStr("text", text)
		w.Close('}')
	})
}

func (e *encoder) thought(p *part, d llm.Thought) {
	t, _ := p.block.(llm.Thought)
	e.said += len(d.Text)
	if t.Field == notePlan && t.Extra.Dialect == Name {
		e.emit(planDelta, -1, func(w *jsonw.Writer) { w.KeyStr("tool_plan", d.Text) })
		return
	}
	t.Signature, t.Sealed = t.Signature+d.Signature, t.Sealed+d.Sealed
	p.block = t
	if d.Text != "" {
		e.thinking(p, d.Text, llm.Thought{})
	}
}

// seal says what seals a thought at the end of its block, which may tell whose it is.
func (e *encoder) seal(v llm.BlockEnd) {
	p := e.open[v.Index]
	if p == nil {
		return
	}
	t, _ := p.block.(llm.Thought)
	if whole, ok := v.Block.(llm.Thought); ok {
		t = whole
	}
	if dialect.Signed(t) {
		e.thinking(p, "", t)
	}
}

func (e *encoder) thinking(p *part, text string, seal llm.Thought) {
	e.content(p, func(w *jsonw.Writer) { w.Raw(`{"type":"thinking","thinking":""}`) })
	e.emit(contentDelta, p.index, func(w *jsonw.Writer) {
		w.KeyOpen("content", '{')
		w.KeyStr("thinking", text)
		if dialect.Signed(seal) {
			w.Key(dialect.Details)
			dialect.AppendDetails(w, []llm.Thought{{Signature: seal.Signature, Sealed: seal.Sealed, Item: seal.Item, Origin: seal.Origin}})
		}
		w.Close('}')
	})
}

// call begins a call. Its number was given when it was made fit. Calls are said one after the other, since clients
// have one in hand at a time: one that begins before another has ended waits for that.
func (e *encoder) call(p *part, c llm.ToolUse) {
	p.begun, p.index = true, e.calls-1
	if c.Args == "{}" { // nothing is known yet
		c.Args = ""
	}
	if p.waits = e.now != nil; p.waits {
		p.held = c
		return
	}
	e.sayCall(p, c)
}

func (e *encoder) sayCall(p *part, c llm.ToolUse) {
	e.now = p
	args := c.Args
	c.Args = ""
	e.emit(callStart, p.index, func(w *jsonw.Writer) {
		w.Key("tool_calls")
		appendCall(w, c)
	})
	if args != "" {
		e.args(p, args)
	}
}

// nextCall begins the first call that waits.
func (e *encoder) nextCall() {
	e.now = nil
	for _, i := range e.order {
		p := e.open[i]
		if p == nil || !p.waits {
			continue
		}
		p.waits = false
		p.held.Args += p.more.String()
		e.sayCall(p, p.held)
		if p.over {
			e.finish(i)
		}
		return
	}
}

func (e *encoder) args(p *part, json string) {
	if !p.begun {
		c, _ := p.block.(llm.ToolUse)
		e.call(p, e.answer.call(c, "tool_calls"))
	}
	if p.waits {
		p.more.WriteString(json)
		return
	}
	e.said += len(json)
	p.args = true
	e.emit(callDelta, p.index, func(w *jsonw.Writer) {
		w.KeyOpen("tool_calls", '{')
		w.KeyOpen("function", '{')
		w.KeyStr("arguments", json)
		w.Close('}')
		w.Close('}')
	})
}

// probs says log probabilities, each with a delta of no text.
func (e *encoder) probs(l llm.Logprobs) {
	if len(l.Refusal) > 0 {
		e.Add("logprobs.refusal", "")
	}
	for _, x := range l.Content {
		var w jsonw.Writer
		w.Open('{')
		w.KeyStr("type", contentDelta)
		w.KeyInt("index", int64(max(e.contents-1, 0)))
		w.KeyRaw("delta", `{"message":{"content":{"text":""}}}`)
		w.Key("logprobs")
		e.logprob(&w, x)
		w.Close('}')
		e.frames = append(e.frames, dialect.Frame{Event: contentDelta, Data: w.Buf})
	}
}

// finish ends a block.
func (e *encoder) finish(index int) {
	p := e.open[index]
	if p == nil {
		return
	}
	if p.waits {
		p.over = true
		return
	}
	delete(e.open, index)
	if _, call := p.block.(llm.ToolUse); call {
		if !p.begun {
			return
		}
		if !p.args { // no arguments are an object without any
			e.args(p, "{}")
		}
		e.emit(callEnd, p.index, nil)
		e.nextCall()
		return
	}
	e.citations(p, index)
	if p.begun {
		e.emit(contentEnd, p.index, nil)
	}
}

// citations says those of a text when that is whole: where they stand in it is then known.
func (e *encoder) citations(p *part, index int) {
	text := p.text.String()
	for i, c := range p.cites {
		e.cite(c, text, "content["+itoa(index)+"].citations["+itoa(i)+"]")
		at := p.index
		if !p.begun {
			at = max(e.contents-1, 0)
		}
		raw := citation(c, text, at)
		e.emit(citationStart, e.cites, func(w *jsonw.Writer) { w.KeyRaw("citations", raw) })
		e.emit(citationEnd, e.cites, nil)
		e.cites++
	}
}

// end says how the answer ended and what it consumed.
func (e *encoder) end() {
	for _, i := range e.order {
		e.finish(i)
	}
	if e.stop.Reason == llm.StopUnset {
		e.stop.Reason = llm.StopOther
	}
	e.extra("usage", e.usage.Extra)
	e.AddUsage(Name, e.total(), llm.ClassCacheRead, llm.ClassReasoning, llm.ClassSearch)
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", messageEnd)
	w.Key("delta")
	o := wire.Begin(&w, e.late.In(Name))
	o.Str("finish_reason", e.reason(e.stop))
	w.Key("usage")
	appendUsage(&w, e.total())
	o.End()
	w.Close('}')
	e.frames = append(e.frames, dialect.Frame{Event: messageEnd, Data: w.Buf}, dialect.Frame{Data: []byte("[DONE]")})
	e.ended = true
}

// total returns the usage of the answer, with an estimate for a side that the upstream did not report.
func (e *encoder) total() llm.Usage {
	return dialect.Estimated(e.usage, e.req, e.said)
}

// fail ends the stream as the vendor does when it fails in the middle.
func (e *encoder) fail(err error) {
	x := llm.AsError(err)
	if dialect.Passes(x, Name) && splice.IsObject(string(x.Upstream.Body)) {
		e.frames = append(e.frames, dialect.Frame{Event: messageEnd, Data: x.Upstream.Body})
	} else {
		var w jsonw.Writer
		w.Open('{')
		w.KeyStr("type", messageEnd)
		w.KeyOpen("delta", '{')
		w.KeyStr("error", message(x))
		w.KeyStr("finish_reason", "ERROR")
		w.Close('}')
		w.Close('}')
		e.frames = append(e.frames, dialect.Frame{Event: messageEnd, Data: w.Buf})
	}
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
		e.end()
	}
	return e.frames
}

// Observe implements dialect.Encoder.
func (e *encoder) Observe(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		e.started = true
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Finish:
		if v.Choice == 0 {
			e.stop = v.Stop
		}
	case llm.BlockStart:
		if v.Choice != 0 {
			return
		}
		e.started = true
		p := e.part(v.Index, v.Block)
		p.begun = true
		if _, call := v.Block.(llm.ToolUse); call {
			p.index, p.args = e.calls, true
			e.calls++
		} else if t, ok := v.Block.(llm.Thought); ok && t.Field == notePlan {
			p.begun = false
		} else {
			p.index = e.contents
			e.contents++
		}
	case llm.BlockEnd:
		delete(e.open, v.Index)
	case llm.End, llm.Fault:
		e.ended = true
	}
}
