package cohere

import (
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
	if r, ok := ch.Result.(*llm.Response); ok && ch.Body != nil {
		fresh, err := dialect.RedactAnswer(r, edits)
		if err != nil {
			return ch, dialect.InternalFault(op, err)
		}
		var a answer
		ch.Result, ch.Body = fresh, a.whole(fresh)
		return ch, nil
	}
	events, err := dialect.RedactEvents(ch.Events, edits)
	if err != nil {
		return ch, dialect.InternalFault(op, err)
	}
	ch.Events = events
	data, err := put(ch.Frame.Data, events)
	if err != nil {
		return ch, dialect.InternalFault(op, err)
	}
	ch.Frame.Data = data
	ch.Frame.Raw = frame.Append(nil, ch.Frame)
	return ch, nil
}

// put sets the text of the event in the frame that it came of: a frame adds to one block.
func put(body []byte, events []llm.Event) ([]byte, error) {
	v := wire.Whole(body)
	message := v.Get("delta", "message")
	ed := splice.NewEdit(body)
	for _, ev := range events {
		switch e := ev.(type) {
		case llm.TextDelta:
			ed.SetString(message.Get("content", "text").Span(), e.Text)
		case llm.ThoughtDelta:
			at := message.Get("content", "thinking")
			if plan := message.Get("tool_plan"); plan.Found() {
				at = plan
			}
			ed.SetString(at.Span(), e.Text)
		case llm.ArgsDelta:
			ed.SetString(message.Get("tool_calls", "function", "arguments").Span(), e.JSON)
		}
	}
	if p := v.Get("logprobs", "text"); p.Found() {
		ed.SetString(p.Span(), "")
	}
	return ed.Bytes()
}
