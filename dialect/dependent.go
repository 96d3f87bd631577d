package dialect

import "github.com/plenum-foundry/plenum/llm"

// Dependent is a Server of whose requests some only an upstream of its own dialect can answer: they refer
// to what that upstream keeps, as an earlier answer is by its id.
type Dependent interface {
	// Depends returns an error that tells the caller what a request refers to, or nil where it says all
	// by itself. It is asked before a request crosses to another dialect.
	Depends(llm.Payload) error
}
