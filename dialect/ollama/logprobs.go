package ollama

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// decodeLogprobs reads the log probabilities of an answer.
func decodeLogprobs(v wire.Value) (*llm.Logprobs, bool) { return dialect.LogprobList(v, decodeLogprob) }

func decodeLogprob(v wire.Value) (llm.Logprob, error) {
	var p llm.Logprob
	err := v.Fields(Name, &p.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "token":
			p.Token, err = m.Str()
		case "logprob":
			_, err = m.Float()
			p.Value = m.JSON()
		case "bytes":
			p.Bytes = []int{}
			err = m.Elems(func(_ int, b wire.Value) error {
				n, err := b.Int()
				p.Bytes = append(p.Bytes, int(n))
				return err
			})
		case "top_logprobs":
			err = m.Elems(func(_ int, el wire.Value) error {
				t, err := decodeLogprob(el)
				p.Top = append(p.Top, t)
				return err
			})
			return len(p.Top) > 0, err
		default:
			return false, nil
		}
		return true, err
	})
	if p.Extra.Empty() {
		p.Extra = llm.Extra{}
	}
	return p, err
}

// logprobs writes the log probabilities of an answer's tokens.
func (a *answer) logprobs(w *jsonw.Writer, l llm.Logprobs) {
	a.extra("logprobs", l.Extra)
	if len(l.Refusal) > 0 {
		a.Add("logprobs.refusal", "")
	}
	if len(l.Content) == 0 {
		return
	}
	w.KeyOpen("logprobs", '[')
	for _, p := range l.Content {
		a.logprob(w, p)
	}
	w.Close(']')
}

func (a *answer) logprob(w *jsonw.Writer, p llm.Logprob) {
	a.extra("logprobs.content", p.Extra)
	o := wire.Begin(w, p.Extra.In(Name))
	o.Str("token", p.Token)
	o.Raw("logprob", p.Value)
	if p.Bytes != nil {
		w.KeyOpen("bytes", '[')
		for _, b := range p.Bytes {
			w.Int(int64(b))
		}
		w.Close(']')
	}
	if len(p.Top) > 0 {
		w.KeyOpen("top_logprobs", '[')
		for _, t := range p.Top {
			a.logprob(w, t)
		}
		w.Close(']')
	}
	o.End()
}
