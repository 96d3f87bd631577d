package openai

import (
	"slices"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// decodeLogprobs reads the log probabilities of a choice. Shapes other than lists of tokens stay as they
// stand.
func decodeLogprobs(v value) (*llm.Logprobs, error) {
	var l llm.Logprobs
	err := v.members(func(key []byte, m value) (err error) {
		name := string(key)
		list := &l.Content
		switch {
		case name == "content":
		case name == "refusal":
			list = &l.Refusal
		default:
			l.Extra.Add(Name, name, m.raw())
			return nil
		}
		switch {
		case m.isNull():
			l.Null = append(l.Null, name)
		case m.kind() != '[':
			l.Extra.Add(Name, name, m.raw())
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

func decodeTokens(v value) ([]llm.Logprob, error) {
	var out []llm.Logprob
	err := v.elems(func(_ int, el value) error {
		var p llm.Logprob
		err := el.fields(&p.Extra, func(key []byte, m value) (known bool, err error) {
			switch string(key) {
			case "token":
				p.Token, err = m.str()
			case "logprob":
				p.Value = m.raw()
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

func decodeBytes(v value) ([]int, error) {
	out := []int{}
	err := v.elems(func(_ int, el value) error {
		n, err := el.integer()
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
			_, extra = without(extra, m.name)
		}
	}
	o := begin(w, extra)
	for _, m := range lists {
		switch {
		case slices.Contains(l.Null, m.name) && len(m.list) == 0:
			o.raw(m.name, "null")
		case len(m.list) > 0:
			w.Key(m.name)
			appendTokens(w, m.list)
		}
	}
	o.end()
}

func appendTokens(w *jsonw.Writer, list []llm.Logprob) {
	w.Open('[')
	for _, p := range list {
		o := begin(w, p.Extra)
		o.str("token", p.Token)
		o.raw("logprob", p.Value)
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
		o.end()
	}
	w.Close(']')
}
