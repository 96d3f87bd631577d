package dialect

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// refuses returns the parameters that the target refuses, unless they are to be passed all the same.
func (s Shape) refuses() []string {
	if s.Offer == nil || s.Params == plenum.ParamPass {
		return nil
	}
	return s.Offer.Traits.Refuses
}

// refuse says what becomes of a parameter that the target refuses, as the deployment wants it: what is said of its
// removal for Changed, or the error that refuses the call.
func (s Shape) refuse(op, name string) (changed []string, err error) {
	switch s.Params {
	case plenum.ParamStrict:
		msg := name + " is refused by the model this call would go to; leave it out"
		return nil, &llm.Error{Kind: llm.Invalid, Op: op, Param: name, Message: msg}
	case plenum.ParamDrop:
		return nil, nil
	}
	return []string{name + " removed (refused by the model)"}, nil
}

// WithoutRefused takes the parameters that the target refuses out of a body, by the names that they have
// at its top, or refuses the call, as the deployment wants it. What it returns besides is for Changed.
// One that is null asks for nothing: it goes without a word, for hosts refuse the name.
func WithoutRefused(op string, body []byte, s Shape) ([]byte, []string, error) {
	names := s.refuses()
	if len(names) == 0 {
		return body, nil, nil
	}
	found := make([]splice.Member, len(names))
	if _, err := splice.Scan(body, splice.MaxDepth, names, found); err != nil {
		return nil, nil, NotJSON(op, err)
	}
	var changed []string
	ed := splice.NewEdit(body)
	for i, m := range found {
		if !m.Found() || slices.Contains(names[:i], names[i]) {
			continue
		}
		if !m.Value.IsNull(body) {
			said, err := s.refuse(op, names[i])
			if err != nil {
				return nil, nil, err
			}
			changed = append(changed, said...)
		}
		ed.Delete(m)
	}
	out, err := ed.Bytes()
	if err != nil {
		return nil, nil, InternalFault(op, err)
	}
	return out, changed, nil
}

// WithoutRefusedIn is WithoutRefused for bodies in which a parameter stands in one of several places. Without
// returns a body without it, by its name alone, and whether it asked for something.
func WithoutRefusedIn(op string, body []byte, s Shape, without func(body []byte, key string) ([]byte, bool, error)) ([]byte, []string, error) {
	var changed []string
	for _, name := range s.refuses() {
		fresh, found, err := without(body, name[strings.LastIndexByte(name, '.')+1:])
		if err != nil {
			return nil, nil, err
		}
		if found {
			said, err := s.refuse(op, name)
			if err != nil {
				return nil, nil, err
			}
			changed = append(changed, said...)
		}
		body = fresh
	}
	return body, changed, nil
}

// WithoutMember returns, for WithoutRefusedIn, what takes a parameter out of the top of a body and out of the
// objects of these names there.
func WithoutMember(op string, within ...string) func(body []byte, key string) (fresh []byte, found bool, err error) {
	return func(body []byte, key string) ([]byte, bool, error) {
		ed := splice.NewEdit(body)
		top := make([]splice.Member, 1+len(within))
		if _, err := splice.Scan(body, splice.MaxDepth, append([]string{key}, within...), top); err != nil {
			return nil, false, NotJSON(op, err)
		}
		if top[0].Found() && !top[0].Value.IsNull(body) {
			ed.Delete(top[0])
		}
		for _, object := range top[1:] {
			if !object.Found() || object.Value.Kind(body) != '{' {
				continue
			}
			inner := body[object.Value.Start:object.Value.End]
			var m [1]splice.Member
			if _, err := splice.Scan(inner, splice.MaxDepth, []string{key}, m[:]); err != nil || !m[0].Found() || m[0].Value.IsNull(inner) {
				continue
			}
			inside := splice.NewEdit(inner)
			inside.Delete(m[0])
			smaller, err := inside.Bytes()
			if err != nil {
				return nil, false, InternalFault(op, err)
			}
			ed.Set(object.Value, smaller)
		}
		if !ed.Changed() {
			return body, false, nil
		}
		fresh, err := ed.Bytes()
		if err != nil {
			return nil, false, InternalFault(op, err)
		}
		return fresh, true, nil
	}
}

// Again reads a request of a codec's own dialect and says it anew, with the caller's headers that go on: so it is with
// what cannot be spliced. Changed says what was to be changed.
func Again(c Codec, in Inbound, s Shape, h http.Header, changed ...string) (Outbound, error) {
	p, err := c.DecodeRequest(in)
	if err != nil {
		return Outbound{}, err
	}
	out, _, err := c.EncodeRequest(p, s)
	if err != nil {
		return Outbound{}, err
	}
	out.Header, out.Changed = h, append(out.Changed, changed...)
	return out, nil
}

// Redacted is what plenum-changed says of a redaction.
const Redacted = "text redacted"

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
