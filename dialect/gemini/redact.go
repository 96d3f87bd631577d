package gemini

import (
	"fmt"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Redact implements dialect.Client.
func (c *codec) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	if ch.Body != nil {
		return c.redactBody(ch, edits)
	}
	events, err := dialect.RedactEvents(ch.Events, edits)
	if err != nil {
		return ch, dialect.InternalFault(op+".Redact", err)
	}
	data, err := respell(ch.Frame.Data, events)
	if err != nil {
		return ch, dialect.InternalFault(op+".Redact", err)
	}
	ch.Events = events
	ch.Frame.Data = data
	ch.Frame.Raw = frame.Append(nil, ch.Frame)
	return ch, nil
}

// redactBody changes a whole answer, its bytes and its meaning. What repeats the text (what grounds it, its
// tokens) goes.
func (c *codec) redactBody(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	res, err := c.DecodeResponse(dialect.Reply{Body: ch.Body})
	if err != nil {
		return ch, err
	}
	r, ok := res.(*llm.Response)
	if !ok {
		return ch, dialect.InternalFault(op+".Redact", fmt.Errorf("no text in a %T", res))
	}
	fresh, err := dialect.RedactAnswer(r, edits)
	if err != nil {
		return ch, dialect.InternalFault(op+".Redact", err)
	}
	for i := range fresh.Choices {
		x := &fresh.Choices[i]
		for _, key := range [...]string{"groundingMetadata", "citationMetadata", "logprobsResult"} {
			_, x.Extra = wire.Take(x.Extra, Name, key)
		}
	}
	reply, _, err := c.EncodeResponse(nil, fresh, dialect.Meta{})
	if err != nil {
		return ch, err
	}
	ch.Body, ch.Result = reply.Body, fresh
	return ch, nil
}

// respell puts the texts of events into the piece that they came of: in order, for each part tells one.
func respell(data []byte, events []llm.Event) ([]byte, error) {
	v := wire.Whole(data)
	ed := splice.NewEdit(data)
	texts, calls := placesOf(v)
	for _, ev := range events {
		switch e := ev.(type) {
		case llm.TextDelta:
			texts = spell(ed, texts, e.Text)
		case llm.ThoughtDelta:
			if e.Text != "" || e.Signature == "" && e.Sealed == "" {
				texts = spell(ed, texts, e.Text)
			}
		case llm.ArgsDelta:
			if len(calls) > 0 {
				args := e.JSON
				if !splice.IsObject(args) {
					args = "{}"
				}
				ed.Set(calls[0].Span(), []byte(args))
				calls = calls[1:]
			}
		}
	}
	candidates := v.Get("candidates")
	if candidates.Kind() == '[' {
		_ = candidates.Elems(func(_ int, c wire.Value) error { // the visit has no error to give
			for _, key := range [...]string{"groundingMetadata", "citationMetadata", "logprobsResult"} {
				if m := c.Get(key); m.Kind() == '{' {
					ed.Set(m.Span(), []byte("{}"))
				}
			}
			return nil
		})
	}
	return ed.Bytes()
}

func spell(ed *splice.Edit, places []wire.Value, text string) []wire.Value {
	if len(places) == 0 {
		return nil
	}
	ed.SetString(places[0].Span(), text)
	return places[1:]
}

// placesOf returns where the texts that are not empty and the arguments of calls stand in a piece.
func placesOf(v wire.Value) (texts, calls []wire.Value) {
	candidates := v.Get("candidates")
	if candidates.Kind() != '[' {
		return nil, nil
	}
	_ = candidates.Elems(func(_ int, c wire.Value) error { // the visit has no error to give
		parts := c.Get("content", "parts")
		if parts.Kind() != '[' {
			return nil
		}
		return parts.Elems(func(_ int, p wire.Value) error {
			if t := p.Get(partText); t.Bytes() > 0 {
				texts = append(texts, t)
			}
			if a := p.Get(partCall, "args"); a.Found() {
				calls = append(calls, a)
			}
			return nil
		})
	})
	return texts, calls
}
