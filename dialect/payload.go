package dialect

import (
	"fmt"

	"github.com/plenum-foundry/plenum/llm"
)

// RequestOf returns the request in a payload, or nil.
func RequestOf(p llm.Payload) *llm.Request {
	switch p := p.(type) {
	case *llm.Request:
		return p
	case *llm.CountTokens:
		if p != nil {
			return p.Request
		}
	}
	return nil
}

// RequestFor returns the request in the payload of a codec's operation. Another payload is a fault of ours.
func RequestFor(where string, op llm.Op, p llm.Payload) (*llm.Request, error) {
	if r := RequestOf(p); r != nil && p.Op() == op {
		return r, nil
	}
	return nil, InternalFault(where+".EncodeRequest", fmt.Errorf("codec of %s was given a %T", op, p))
}
