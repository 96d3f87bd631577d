package route

import (
	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stray"
)

// leak reads calls of tools out of the text of an attempt's answer.
type leak struct {
	next   gateway.Out
	trail  *gateway.Trail
	reader *stray.Reader
	events []llm.Event
	told   bool
}

var _ gateway.Out = (*leak)(nil)

// unleaked returns the Out for an attempt's answer: out itself, unless the target is known to leave calls in text and
// the request has tools that may be called.
func unleaked(a *gateway.Call, o *plenum.Offer, out gateway.Out) gateway.Out {
	if !o.Traits.LeakedCalls || a.Op != llm.OpGenerate {
		return out
	}
	p, err := a.Payload()
	if err != nil {
		return out // dispatch says it
	}
	r, ok := p.(*llm.Request)
	if !ok {
		return out
	}
	reader := stray.New(r, "call_"+a.ID)
	if reader == nil {
		return out
	}
	a.Understand = true
	return &leak{next: out, trail: a.Trail, reader: reader}
}

// Begin passes the head on.
func (l *leak) Begin(h gateway.Head) error { return l.next.Begin(h) }

// Chunk passes on what is said of a piece. A stream is said from its meaning from the start, because what was said as
// bytes could not be gone on from where a call was taken out.
func (l *leak) Chunk(ch dialect.Chunk) error {
	if r, ok := ch.Result.(*llm.Response); ok {
		if read := l.reader.Whole(r); read != r {
			ch.Result, ch.Body = read, nil
			ch.Events = []llm.Event{llm.UsageReport{Usage: read.Usage}}
			if len(read.Choices) > 0 {
				ch.Events = append(ch.Events, llm.Finish{Stop: read.Choices[0].Stop})
			}
		}
		l.tell()
		return l.next.Chunk(ch)
	}
	l.events = l.events[:0]
	for _, ev := range ch.Events {
		l.events = l.reader.Add(l.events, ev)
	}
	ch.Events, ch.Resay = l.events, true
	l.tell()
	return l.next.Chunk(ch)
}

// tell names the change, once.
func (l *leak) tell() {
	if l.told || l.reader.Found() == 0 {
		return
	}
	l.told = true
	l.trail.Change("tool_calls: read out of the text")
}
