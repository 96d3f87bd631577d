package invoke

import (
	"fmt"
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// EncodeError implements dialect.Server.
func (c *promptCodec) EncodeError(err error) dialect.Reply { return c.aws.EncodeError(err) }

// EncodeResponse implements dialect.Server.
func (c *promptCodec) EncodeResponse(p llm.Payload, res llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	r, ok := res.(*llm.Response)
	if !ok {
		return dialect.Reply{}, nil, internal(fmt.Errorf("a %T is no answer", res))
	}
	e := promptEncoder{form: c.family, answer: answer{id: m.CallID, usage: r.Usage, last: true, first: true}}
	if req, ok := p.(*llm.Request); ok {
		e.answer.prompt = promptOf(req)
	}
	if len(r.Choices) > 0 {
		e.answer.stop = r.Choices[0].Stop
		for i, b := range r.Choices[0].Blocks {
			e.block(i, b)
		}
	}
	if len(r.Choices) > 1 {
		e.losses.Add("choices", "one answer is given here")
	}
	var w jsonw.Writer
	w.Open('{')
	c.family.whole(&w, &e.answer)
	w.Close('}')
	return dialect.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: w.Buf}, e.Losses(), nil
}

// promptOf returns the text of the last turn, which Cohere's older models say again.
func promptOf(r *llm.Request) string {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		for _, b := range r.Messages[i].Blocks {
			if t, ok := b.(llm.Text); ok {
				return t.Text
			}
		}
	}
	return ""
}

// promptEncoder says an answer in the form of a family, which is text.
type promptEncoder struct {
	lost
	form   *form
	answer answer
	frames []dialect.Frame
	begun  bool
	ended  bool
}

// lost collects what could not be said.
type lost struct{ losses dialect.Losses }

// Losses implements dialect.Encoder.
func (l *lost) Losses() []dialect.Loss { return l.losses.List() }

// NewEncoder implements dialect.Server.
func (c *promptCodec) NewEncoder(_ llm.Payload, m dialect.Meta) dialect.Encoder {
	return &promptEncoder{form: c.family, answer: answer{id: m.CallID, first: true}}
}

func (e *promptEncoder) block(i int, b llm.Block) {
	if t, ok := b.(llm.Text); ok {
		e.answer.text += t.Text
		return
	}
	e.lose(i, b)
}

func (e *promptEncoder) lose(i int, b llm.Block) {
	what := "content"
	switch b.(type) {
	case llm.ToolUse:
		what = "tool call"
	case llm.Thought:
		what = "reasoning"
	}
	e.losses.Add("content["+itoa(int64(i))+"]", what+" has no place in an answer that is text alone")
}

// Observe implements dialect.Encoder.
func (e *promptEncoder) Observe(ev llm.Event) {
	switch v := ev.(type) {
	case llm.UsageReport:
		e.answer.usage = v.Usage
	case llm.Finish:
		e.answer.stop = v.Stop
	case llm.End, llm.Fault:
		e.ended = true
	default:
		e.begun, e.answer.first = true, false
	}
}

// Encode implements dialect.Encoder.
func (e *promptEncoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.frames = nil
	switch v := ev.(type) {
	case llm.Start:
		if e.form.name == cohere && !e.begun {
			e.piece("")
		}
		e.begun = true
	case llm.TextDelta:
		if v.Text != "" {
			e.piece(v.Text)
		}
	case llm.BlockStart:
		if t, ok := v.Block.(llm.Text); !ok {
			e.lose(v.Index, v.Block)
		} else if t.Text != "" {
			e.piece(t.Text)
		}
	case llm.UsageReport:
		e.answer.usage = v.Usage
	case llm.Finish:
		e.answer.stop = v.Stop
	case llm.End:
		e.end()
	}
	return e.frames, nil
}

func (e *promptEncoder) piece(text string) {
	e.answer.text = text
	var w jsonw.Writer
	w.Open('{')
	e.form.piece(&w, &e.answer)
	w.Close('}')
	e.frames = append(e.frames, dialect.Frame{Data: w.Buf})
	e.answer.first = false
}

func (e *promptEncoder) end() {
	if !e.ended {
		e.answer.last = true
		e.piece("")
	}
	e.ended = true
}

// Close implements dialect.Encoder. Errors are said by whoever put the form into its shell.
func (e *promptEncoder) Close(error) []dialect.Frame {
	e.frames = nil
	e.end()
	return e.frames
}
