package wire

import (
	"errors"

	"github.com/plenum-foundry/plenum/llm"
)

// Fault says which value was wrong and what should have stood there.
type Fault struct{ Path, Want string }

func (f *Fault) Error() string {
	if f.Path == "" {
		return "the body must be " + f.Want
	}
	return f.Path + " must be " + f.Want
}

// Bad returns the fault of the value at a path: Bad("role", "user or assistant").
func Bad(path, want string) error { return &Fault{path, want} }

// Under puts a key, or an index in brackets, in front of the path of a fault. Other errors, and nil, stay
// as they are.
func Under(err error, key string) error {
	f, ok := errors.AsType[*Fault](err)
	if !ok {
		return err
	}
	path := key
	if f.Path != "" && f.Path[0] != '[' {
		path += "."
	}
	return &Fault{path + f.Path, f.Want}
}

// Invalid returns what the caller is told of a fault: an *llm.Error of kind Invalid that names the
// parameter. It returns nil where there is no fault in err.
func Invalid(op string, err error) *llm.Error {
	f, ok := errors.AsType[*Fault](err)
	if !ok {
		return nil
	}
	return &llm.Error{Kind: llm.Invalid, Op: op, Param: f.Path, Message: f.Error()}
}
