package xaigrpc

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(p llm.Payload, meta dialect.Meta) dialect.Encoder {
	return &encoder{answerEncoder: answerEncoder{names: namesOf(p)}, meta: meta, open: map[[2]int]*openBlock{}}
}

// encoder speaks a stream of GetChatCompletionChunk. Calls of tools are said when they are whole, and why
// the outputs ended with the usage, in the last chunk, as xAI does.
type encoder struct {
	answerEncoder
	meta     dialect.Meta
	start    llm.Start
	open     map[[2]int]*openBlock
	finishes []llm.Finish
	usage    llm.Usage
	ended    llm.End
	cites    int
	closed   bool
}

// openBlock is a block whose end has not come. What must be said whole is put together in it.
type openBlock struct {
	block llm.Block
	args  []byte
	text  strings.Builder // of a thought
}

var _ dialect.Encoder = (*encoder)(nil)

// Observe implements dialect.Encoder.
func (e *encoder) Observe(ev llm.Event) {
	switch ev := ev.(type) {
	case llm.Start:
		e.start = ev
	case llm.UsageReport:
		e.usage = ev.Usage
	}
}

// Encode implements dialect.Encoder.
func (e *encoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	switch ev := ev.(type) {
	case llm.Start:
		e.start = ev
		e.lost("", ev.Extra)
	case llm.BlockStart:
		return e.begin(ev), nil
	case llm.TextDelta:
		if b := e.open[[2]int{ev.Choice, ev.Index}]; b != nil && ev.Text != "" {
			return e.delta(ev.Choice, func(m *message) { m.text(1, ev.Text) }), nil
		}
	case llm.ThoughtDelta:
		return e.thought(ev), nil
	case llm.ArgsDelta:
		if b := e.open[[2]int{ev.Choice, ev.Index}]; b != nil {
			b.args = append(b.args, ev.JSON...)
		}
	case llm.CiteDelta:
		return e.citation(ev), nil
	case llm.BlockEnd:
		return e.finishBlock(ev), nil
	case llm.LogprobsDelta:
		return e.logprobs(ev), nil
	case llm.Finish:
		e.finishes = append(e.finishes, ev)
	case llm.UsageReport:
		e.usage = ev.Usage
	case llm.End:
		e.ended = ev
		e.lost("", ev.Extra)
	case llm.MediaDelta:
		e.Add("outputs", "media cannot be said in an answer here")
	case llm.OpaqueEvent:
		e.Add(ev.Opaque.Type, "an event of another dialect")
	case llm.OpaqueDelta:
		if ev.Opaque.Dialect != Name {
			e.Add(ev.Opaque.Type, "an event of another dialect")
		}
	}
	return nil, nil
}

func (e *encoder) begin(ev llm.BlockStart) []dialect.Frame {
	b := &openBlock{block: ev.Block}
	e.open[[2]int{ev.Choice, ev.Index}] = b
	path := "outputs[" + strconv.Itoa(ev.Choice) + "].content[" + strconv.Itoa(ev.Index) + "]"
	switch x := ev.Block.(type) {
	case llm.ToolUse:
		b.args = append(b.args, x.Args...)
		return nil
	case llm.Thought:
		// Its state is said at its end, when it is whole.
		t := x
		t.Signature, t.Sealed = "", ""
		if t.Text == "" {
			e.lost(path, t.Extra)
			return nil
		}
		return e.say(ev.Choice, t, path)
	}
	return e.say(ev.Choice, ev.Block, path)
}

// say says a block that is whole.
func (e *encoder) say(choice int, b llm.Block, path string) []dialect.Frame {
	if o, ok := b.(llm.Opaque); ok && o.Dialect == Name && o.Type == opaqueOutput {
		return e.frame(func(m *message) { m.bytes(2, unsaid(o.Raw)) })
	}
	var s step
	e.block(&s, b, path)
	if s.empty() && len(s.citations) == 0 {
		return nil
	}
	return e.frame(func(m *message) {
		m.sub(2, func(m *message) {
			m.sub(1, s.write)
			m.int(4, int64(choice))
		})
	})
}

func (e *encoder) thought(ev llm.ThoughtDelta) []dialect.Frame {
	b := e.open[[2]int{ev.Choice, ev.Index}]
	if b == nil {
		return nil
	}
	if t, ok := b.block.(llm.Thought); ok {
		b.text.WriteString(ev.Text)
		t.Signature, t.Sealed = t.Signature+ev.Signature, t.Sealed+ev.Sealed
		b.block = t
	}
	if ev.Text == "" {
		return nil
	}
	return e.delta(ev.Choice, func(m *message) { m.text(4, ev.Text) })
}

func (e *encoder) citation(ev llm.CiteDelta) []dialect.Frame {
	var s step
	e.cite(&s, ev.Citation, e.cites+1, "outputs["+strconv.Itoa(ev.Choice)+"].content["+strconv.Itoa(ev.Index)+"].citations")
	if len(s.citations) == 0 {
		return nil
	}
	c := s.citations[0]
	e.cites++
	return e.delta(ev.Choice, func(m *message) { m.whole(6, c.b) })
}

// finishBlock says what could not be said before the block was whole.
func (e *encoder) finishBlock(ev llm.BlockEnd) []dialect.Frame {
	k := [2]int{ev.Choice, ev.Index}
	b := e.open[k]
	delete(e.open, k)
	if b == nil {
		return nil
	}
	path := "outputs[" + strconv.Itoa(ev.Choice) + "].content[" + strconv.Itoa(ev.Index) + "]"
	switch x := b.block.(type) {
	case llm.ToolUse:
		x.Args = string(b.args)
		if whole, ok := ev.Block.(llm.ToolUse); ok {
			x = whole
		}
		return e.say(ev.Choice, x, path)
	case llm.Thought:
		x.Text += b.text.String()
		if whole, ok := ev.Block.(llm.Thought); ok {
			x = whole
		}
		if !dialect.Signed(x) {
			return nil
		}
		if x.Origin == Name {
			x.Text = "" // it was said already
			return e.say(ev.Choice, x, path)
		}
		return e.delta(ev.Choice, func(m *message) { m.text(5, seal([]llm.Thought{x})) })
	}
	return nil
}

func (e *encoder) logprobs(ev llm.LogprobsDelta) []dialect.Frame {
	e.AddLogprobs(Name, "outputs["+strconv.Itoa(ev.Choice)+"].logprobs", &ev.Logprobs)
	return e.frame(func(m *message) {
		m.sub(2, func(m *message) {
			m.sub(1, func(m *message) { m.num(2, roleAssistant) })
			m.sub(2, func(m *message) { writeLogprobs(m, &ev.Logprobs) })
			m.int(4, int64(ev.Choice))
		})
	})
}

func (e *encoder) delta(choice int, write func(*message)) []dialect.Frame {
	return e.frame(func(m *message) {
		m.sub(2, func(m *message) {
			m.sub(1, func(m *message) {
				m.num(2, roleAssistant)
				write(m)
			})
			m.int(4, int64(choice))
		})
	})
}

// chunkRoom is how long most chunks are at most: names, a time, some words.
const chunkRoom = 192

// frame writes a chunk with what every chunk says.
func (e *encoder) frame(write func(*message)) []dialect.Frame {
	m := message{make([]byte, 0, chunkRoom)}
	id, created := answerID(e.start.ID, e.meta), e.start.Created
	if created == 0 {
		created = e.meta.Now
	}
	m.text(1, id)
	write(&m)
	m.sub(3, func(m *message) { writeTime(m, created, e.start.Extra) })
	m.text(4, e.meta.ModelOr(e.start.Model))
	return []dialect.Frame{{Data: m.b, Raw: frame.AppendMessage(nil, m.b)}}
}

// Close implements dialect.Encoder. An error is the gateway's to say, as the status of the call.
func (e *encoder) Close(err error) []dialect.Frame {
	if e.closed || err != nil {
		return nil
	}
	e.closed = true
	return e.frame(func(m *message) {
		for _, f := range e.finishes {
			e.finish(m, f)
		}
		if !e.usage.Zero() || !e.usage.Extra.Empty() {
			e.lost("usage", e.usage.Extra)
			e.AddUsage(Name, e.usage, llm.ClassCacheRead, llm.ClassInputImage, llm.ClassReasoning)
			m.sub(6, func(m *message) { writeUsage(m, e.usage) })
		}
		tier := e.ended.Tier
		if tier == "" {
			tier = e.start.Tier
		}
		e.tier(m, 12, tier)
		m.extra(e.ended.Extra)
	})
}

func (e *encoder) finish(m *message, f llm.Finish) {
	path := "outputs[" + strconv.Itoa(f.Choice) + "]"
	e.lost(path, f.Extra)
	e.lost(path+".message", f.Message)
	e.stop(path, f.Stop)
	m.sub(2, func(m *message) {
		m.sub(1, func(m *message) {
			m.num(2, roleAssistant)
			m.extra(f.Message)
		})
		m.int(3, reasonOf(f.Stop))
		m.int(4, int64(f.Choice))
		m.extra(f.Extra)
	})
}

// Losses implements dialect.Encoder.
func (e *encoder) Losses() []dialect.Loss { return e.List() }
