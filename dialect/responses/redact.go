package responses

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// Redact implements dialect.Client. A stream of this dialect says its texts again: when they are done, when
// their items are, and all of them at its end. What was changed is therefore said from its meaning from there
// on, so that no repetition says what was taken out.
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
	// Its frame goes nowhere any more, and must not be kept either.
	ch.Events, ch.Frame, ch.Resay = events, dialect.Frame{}, true
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
