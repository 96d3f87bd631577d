package dialect

import (
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// LogprobList reads the log probabilities of an answer's tokens, each by one. A list that is not as it should be, or
// that is empty, is left as it stands.
func LogprobList(v wire.Value, one func(wire.Value) (llm.Logprob, error)) (*llm.Logprobs, bool) {
	out := &llm.Logprobs{}
	if v.Kind() != '[' || v.Len() == 0 {
		return nil, false
	}
	err := v.Elems(func(_ int, el wire.Value) error {
		p, err := one(el)
		out.Content = append(out.Content, p)
		return err
	})
	return out, err == nil
}
