package responses

import (
	"fmt"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Redact implements dialect.Client. Of a stream only deltas are changed: what says a text again when it is
// done is not, and a chunk of that is refused.
func (c *codec) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if len(edits) == 0 {
		return ch, nil
	}
	if r, ok := ch.Result.(*llm.Response); ok && ch.Body != nil {
		fresh, err := dialect.RedactAnswer(r, edits)
		if err != nil {
			return ch, internal("Redact", err)
		}
		for i := range fresh.Choices {
			fresh.Choices[i].Logprobs = nil
			for j, b := range fresh.Choices[i].Blocks {
				fresh.Choices[i].Blocks[j] = untold(b)
			}
		}
		fresh.Extra = without(fresh.Extra, "output_text=")
		s := newSpeaker(nil, dialect.Meta{})
		var w jsonw.Writer
		s.whole(&w, fresh)
		ch.Result, ch.Body = fresh, w.Buf
		return ch, nil
	}
	events, err := dialect.RedactEvents(ch.Events, edits)
	if err != nil {
		return ch, internal("Redact", err)
	}
	data, err := redactDelta(ch.Frame.Data, events)
	if err != nil {
		return ch, internal("Redact", err)
	}
	ch.Events = events
	ch.Frame.Data = data
	ch.Frame.Raw = frame.Append(nil, ch.Frame)
	return ch, nil
}

// untold returns a text without what spells it out token by token.
func untold(b llm.Block) llm.Block {
	t, ok := b.(llm.Text)
	if !ok {
		return b
	}
	if _, ok := told(t.Extra, "logprobs"); ok {
		t.Extra = without(t.Extra, "logprobs=")
		tell(&t.Extra, "logprobs", "[]")
	}
	return t
}

// without returns an Extra without the notes that begin with a prefix.
func without(e llm.Extra, prefix string) llm.Extra {
	out := llm.Extra{Dialect: e.Dialect}
	for _, f := range e.Fields {
		if f.Raw != "" || len(f.Key) < len(prefix) || f.Key[:len(prefix)] != prefix {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// redactDelta puts the text of the one delta of a frame into it.
func redactDelta(data []byte, events []llm.Event) ([]byte, error) {
	v := wire.Whole(data)
	delta := v.Get("delta")
	if delta.Kind() != '"' {
		return nil, fmt.Errorf("a %s says its text again", v.Get("type").Text())
	}
	var text string
	for _, ev := range events {
		switch e := ev.(type) {
		case llm.TextDelta:
			text += e.Text
		case llm.ThoughtDelta:
			text += e.Text
		case llm.ArgsDelta:
			text += e.JSON
		}
	}
	ed := splice.NewEdit(data)
	ed.SetString(delta.Span(), text)
	if l := v.Get("logprobs"); l.Found() {
		ed.Set(l.Span(), []byte("[]"))
	}
	return ed.Bytes()
}
