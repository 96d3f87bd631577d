package ollama

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Redact implements dialect.Client.
func (c *codec) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	if r, ok := ch.Result.(*llm.Response); ok && ch.Body != nil {
		fresh, err := dialect.RedactAnswer(r, edits)
		if err != nil {
			return ch, dialect.InternalFault(c.op("Redact"), err)
		}
		a := answer{generate: c.generate}
		ch.Result, ch.Body = fresh, a.whole(fresh, dialect.Meta{})
		return ch, nil
	}
	events, err := dialect.RedactEvents(ch.Events, edits)
	if err != nil {
		return ch, dialect.InternalFault(c.op("Redact"), err)
	}
	ch.Events = events
	data, err := c.splice(ch.Frame.Data, events)
	if err != nil {
		return ch, dialect.InternalFault(c.op("Redact"), err)
	}
	ch.Frame.Data = data
	ch.Frame.Raw = append(data[:len(data):len(data)], '\n')
	return ch, nil
}

// splice puts the texts of events into the line that they came of. A line adds to each kind of text once,
// and its log probabilities, which spell the text, go.
func (c *codec) splice(body []byte, events []llm.Event) ([]byte, error) {
	v := wire.Whole(body)
	message := v.Get("message")
	content, thinking := message.Get("content"), message.Get("thinking")
	if c.generate {
		content, thinking = v.Get("response"), v.Get("thinking")
	}
	ed := splice.NewEdit(body)
	call := 0
	for _, ev := range events {
		switch e := ev.(type) {
		case llm.TextDelta:
			ed.SetString(content.Span(), e.Text)
		case llm.ThoughtDelta:
			if thinking.Found() {
				ed.SetString(thinking.Span(), e.Text)
			}
		case llm.ArgsDelta:
			if args := message.Get("tool_calls", itoa(call), "function", "arguments"); args.Kind() == '"' {
				ed.SetString(args.Span(), e.JSON)
			} else if splice.IsObject(e.JSON) {
				ed.Set(args.Span(), []byte(e.JSON))
			} else {
				ed.Set(args.Span(), []byte("{}"))
			}
			call++
		}
	}
	if l := v.Get("logprobs"); l.Found() {
		ed.Set(l.Span(), []byte("[]"))
	}
	return ed.Bytes()
}
