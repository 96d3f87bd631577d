package cohere

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *generate) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	s, _ := (&first{}).NewEncoder(p, m).(*firstSpeaker)
	return &generator{firstSpeaker: s, several: s.req != nil && s.req.N.Or(1) > 1}
}

// generator speaks the stream of a continued text: its parts, each with the number of its text where there are several,
// and the whole again at the end.
type generator struct {
	*firstSpeaker
	several bool
}

// Encode implements dialect.Encoder.
func (g *generator) Encode(ev llm.Event) ([]dialect.Frame, error) {
	g.frames = nil
	if g.ended {
		return nil, nil
	}
	switch v := ev.(type) {
	case llm.Ping:
		return nil, nil
	case llm.OpaqueEvent:
		g.lost.Add(v.Opaque.Type, dialect.Foreign)
		return nil, nil
	case llm.Fault:
		g.fail(v.Err)
		return g.frames, nil
	case llm.UsageReport:
		g.usage = v.Usage
	case llm.Start:
		if g.started {
			return nil, nil
		}
		g.started = true
	}
	g.fold.Add(ev)
	switch v := ev.(type) {
	case llm.BlockStart:
		if t, ok := v.Block.(llm.Text); ok {
			g.part(v.Choice, t.Text)
		}
	case llm.TextDelta:
		g.part(v.Choice, v.Text)
	case llm.End:
		g.end()
	}
	return g.frames, nil
}

func (g *generator) part(choice int, text string) {
	if text == "" {
		return
	}
	g.said += len(text)
	g.emit(textPart, func(w *jsonw.Writer) {
		w.KeyStr("text", text)
		if g.several {
			w.KeyInt("index", int64(choice))
		}
	})
}

func (g *generator) end() {
	r := g.whole()
	a := newFirstAnswer(g.req, g.meta.CallID)
	a.own = GenerateName
	var whole jsonw.Writer
	a.generations(&whole, r)
	for _, l := range a.List() {
		g.lost.Add(l.What, l.Why)
	}
	word := "COMPLETE"
	if len(r.Choices) > 0 {
		word = newFirstAnswer(nil, "").firstReason(r.Choices[0].Stop)
	}
	g.emit(streamEnd, func(w *jsonw.Writer) {
		w.KeyStr("finish_reason", word)
		w.KeyRaw("response", string(whole.Buf))
	})
	g.ended = true
}

func (g *generator) fail(err error) {
	g.emit(streamError, func(w *jsonw.Writer) {
		w.KeyStr("finish_reason", "ERROR")
		w.KeyStr("err", message(llm.AsError(err)))
	})
	g.ended = true
}

// Close implements dialect.Encoder.
func (g *generator) Close(err error) []dialect.Frame {
	g.frames = nil
	switch {
	case g.ended:
	case err != nil:
		g.fail(err)
	default:
		g.end()
	}
	return g.frames
}
