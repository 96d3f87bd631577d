package xaigrpc

import (
	"errors"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// Redact implements dialect.Client.
func (c *codec) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	if ch.Body != nil || ch.Result != nil {
		return c.redactWhole(ch, edits)
	}
	events, err := dialect.RedactEvents(ch.Events, edits)
	if err != nil {
		return ch, err
	}
	q := textQueue{events: events}
	data, err := q.chunk(ch.Frame.Data)
	if err != nil {
		return ch, err
	}
	ch.Events = events
	ch.Frame.Data, ch.Frame.Raw = data, frame.AppendMessage(nil, data)
	return ch, nil
}

func (c *codec) redactWhole(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	res := ch.Result
	if res == nil {
		r, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: ch.Body})
		if err != nil {
			return ch, err
		}
		res = r
	}
	r, ok := res.(*llm.Response)
	if !ok {
		return ch, errors.New("there is no text to change")
	}
	r, err := dialect.RedactAnswer(r, edits)
	if err != nil {
		return ch, err
	}
	for i := range r.Choices {
		r.Choices[i].Logprobs = nil // they repeat the text
	}
	ch.Result = r
	if ch.Body == nil {
		return ch, nil
	}
	reply, _, err := c.EncodeResponse(nil, r, dialect.Meta{})
	ch.Body = reply.Body
	return ch, err
}

// textQueue writes a chunk anew with the texts of events, which stand in the same order.
type textQueue struct{ events []llm.Event }

// next takes the next text of a kind.
func (q *textQueue) next(take func(llm.Event) (string, bool)) string {
	for i, ev := range q.events {
		if s, ok := take(ev); ok {
			q.events = append(append([]llm.Event{}, q.events[:i]...), q.events[i+1:]...)
			return s
		}
	}
	return ""
}

func (q *textQueue) text() string {
	return q.next(func(ev llm.Event) (string, bool) { e, ok := ev.(llm.TextDelta); return e.Text, ok })
}

func (q *textQueue) thought() string {
	return q.next(func(ev llm.Event) (string, bool) {
		e, ok := ev.(llm.ThoughtDelta)
		return e.Text, ok && e.Signature == ""
	})
}

func (q *textQueue) args() string {
	return q.next(func(ev llm.Event) (string, bool) { e, ok := ev.(llm.ArgsDelta); return e.JSON, ok })
}

// rewrite copies a message, with some fields written otherwise.
func rewrite(b []byte, change func(m *message, f field) (bool, error)) ([]byte, error) {
	var m message
	err := fields(b, func(f field) error {
		done, err := change(&m, f)
		if !done {
			m.b = append(m.b, f.raw...)
		}
		return err
	})
	return m.b, err
}

func (q *textQueue) chunk(b []byte) ([]byte, error) {
	shape := chunkShape()
	return rewrite(b, func(m *message, f field) (bool, error) {
		if f.tag != 2<<3|chars {
			return false, nil
		}
		var o output
		if err := shape.read(f.data, &o); err != nil || o.role == roleTool {
			return false, err
		}
		out, err := rewrite(f.data, func(m *message, f field) (bool, error) {
			switch f.tag {
			case shape.logprobs<<3 | chars: // they repeat the text
				return true, nil
			case shape.message<<3 | chars:
				d, err := q.delta(f.data)
				m.whole(shape.message, d)
				return true, err
			}
			return false, nil
		})
		m.whole(2, out)
		return true, err
	})
}

func (q *textQueue) delta(b []byte) ([]byte, error) {
	return rewrite(b, func(m *message, f field) (bool, error) {
		switch f.tag {
		case 1<<3 | chars:
			if len(f.data) > 0 {
				m.text(1, q.text())
				return true, nil
			}
		case 4<<3 | chars:
			if len(f.data) > 0 {
				m.text(4, q.thought())
				return true, nil
			}
		case 3<<3 | chars:
			if callKind(f.data) > callClient {
				return false, nil
			}
			out, err := rewrite(f.data, func(m *message, f field) (bool, error) {
				if f.tag != 10<<3|chars {
					return false, nil
				}
				call, err := rewrite(f.data, func(m *message, f field) (bool, error) {
					if f.tag != 2<<3|chars || len(f.data) == 0 {
						return false, nil
					}
					m.text(2, q.args())
					return true, nil
				})
				m.whole(10, call)
				return true, err
			})
			m.whole(3, out)
			return true, err
		}
		return false, nil
	})
}
