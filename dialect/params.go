package dialect

import (
	"fmt"
	"net/http"
	"slices"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// WithoutRefused takes the parameters that the target refuses out of a body, by the names that they have
// at its top, or refuses the call, as the deployment wants it. What it returns besides is for Changed.
func WithoutRefused(op string, body []byte, s Shape) ([]byte, []string, error) {
	if s.Offer == nil || len(s.Offer.Traits.Refuses) == 0 || s.Params == plenum.ParamPass {
		return body, nil, nil
	}
	names := s.Offer.Traits.Refuses
	found := make([]splice.Member, len(names))
	if _, err := splice.Scan(body, splice.MaxDepth, names, found); err != nil {
		return nil, nil, NotJSON(op, err)
	}
	var changed []string
	ed := splice.NewEdit(body)
	for i, m := range found {
		if !m.Found() || m.Value.IsNull(body) || slices.Contains(names[:i], names[i]) {
			continue
		}
		if s.Params == plenum.ParamStrict {
			msg := names[i] + " is refused by the model this call would go to; leave it out"
			return nil, nil, &llm.Error{Kind: llm.Invalid, Op: op, Param: names[i], Message: msg}
		}
		ed.Delete(m)
		if s.Params != plenum.ParamDrop {
			changed = append(changed, names[i]+" removed (refused by the model)")
		}
	}
	out, err := ed.Bytes()
	if err != nil {
		return nil, nil, InternalFault(op, err)
	}
	return out, changed, nil
}

// LeastCap returns the lowest of the caps among the edits that is below what the caller asked for.
func LeastCap(edits []Edit, asked llm.Opt[int]) (Cap, bool) {
	var least Cap
	found := false
	for _, x := range edits {
		c, ok := x.(Cap)
		if ok && (!asked.Set || c.N < asked.V) && (!found || c.N < least.N) {
			least, found = c, true
		}
	}
	return least, found
}

// Changed says for plenum-changed that the named parameter was set to the cap.
func (c Cap) Changed(param string) string {
	s := fmt.Sprintf("%s %d set", param, c.N)
	if c.Why != "" {
		s += " (" + c.Why + ")"
	}
	return s
}

// Upstream returns the model's name for the upstream, or the caller's where the offer has none.
func (s Shape) Upstream(asked string) string {
	if s.Offer != nil && s.Offer.Upstream != "" {
		return s.Offer.Upstream
	}
	return asked
}

// JSONReply returns an answer of status 200.
func JSONReply(body []byte) Reply {
	return Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}
