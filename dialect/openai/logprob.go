package openai

import (
	"slices"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// decodeLogprobs reads the log probabilities of a choice. Shapes other than lists of tokens stay as they
// stand.
func decodeLogprobs(v wire.Value) (*llm.Logprobs, error) {
	var l llm.Logprobs
	err := v.Members(func(key []byte, m wire.Value) (err error) {
		name := string(key)
		list := &l.Content
		switch {
		case name == "content":
		case name == "refusal":
			list = &l.Refusal
		default:
			l.Extra.Add(Name, name, m.JSON())
			return nil
		}
		switch {
		case m.IsNull():
			l.Null = append(l.Null, name)
		case m.Kind() != '[':
			l.Extra.Add(Name, name, m.JSON())
		default:
			*list, err = decodeTokens(m)
			if len(*list) == 0 {
				l.Extra.Add(Name, name, "[]")
			}
		}
		return err
	})
	return &l, err
}

func decodeTokens(v wire.Value) ([]llm.Logprob, error) {
	var out []llm.Logprob
	err := v.Elems(func(_ int, el wire.Value) error {
		var p llm.Logprob
		err := el.Fields(Name, &p.Extra, func(key []byte, m wire.Value) (known bool, err error) {
			switch string(key) {
			case "token":
				p.Token, err = m.Str()
			case "logprob":
				p.Value = m.JSON()
			case "bytes":
				p.Bytes, err = decodeBytes(m)
			case "top_logprobs":
				p.Top, err = decodeTokens(m)
				if len(p.Top) == 0 {
					return false, err
				}
			default:
				return false, nil
			}
			return true, err
		})
		out = append(out, p)
		return err
	})
	return out, err
}

func decodeBytes(v wire.Value) ([]int, error) {
	out := []int{}
	err := v.Elems(func(_ int, el wire.Value) error {
		n, err := el.Int()
		out = append(out, int(n))
		return err
	})
	return out, err
}

func appendLogprobs(w *jsonw.Writer, l *llm.Logprobs) {
	extra := l.Extra
	lists := []struct {
		name string
		list []llm.Logprob
	}{{"content", l.Content}, {"refusal", l.Refusal}}
	for _, m := range lists {
		if len(m.list) > 0 { // a stream may say an empty list before
			_, extra = wire.Take(extra, Name, m.name)
		}
	}
	o := wire.Begin(w, extra.In(Name))
	for _, m := range lists {
		switch {
		case slices.Contains(l.Null, m.name) && len(m.list) == 0:
			o.Raw(m.name, "null")
		case len(m.list) > 0:
			w.Key(m.name)
			appendTokens(w, m.list)
		}
	}
	o.End()
}

func appendTokens(w *jsonw.Writer, list []llm.Logprob) {
	w.Open('[')
	for _, p := range list {
		o := wire.Begin(w, p.Extra.In(Name))
		o.Str("token", p.Token)
		o.Raw("logprob", p.Value)
		if p.Bytes != nil {
			w.KeyOpen("bytes", '[')
			for _, n := range p.Bytes {
				w.Int(int64(n))
			}
			w.Close(']')
		}
		if len(p.Top) > 0 {
			w.Key("top_logprobs")
			appendTokens(w, p.Top)
		}
		o.End()
	}
	w.Close(']')
}
