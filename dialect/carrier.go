package dialect

import "github.com/plenum-foundry/plenum/llm"

// Carrier is a Server whose requests carry those of another dialect, as hosts of other vendors' models
// have it: the model is named in the address, and the body is the vendor's, or nearly so.
type Carrier interface {
	// Unpack returns the request that another carries. An error is an *llm.Error of kind Invalid or
	// NotFound, and is said by the Carrier itself.
	Unpack(Inbound, Bounds) (Carried, error)
}

// Carried is a request as its own dialect has it, and who reads and answers it. It takes the place of the
// one that carried it: from there on the call is one of that dialect, so that its bytes pass to an upstream
// that speaks it.
type Carried struct {
	In      Inbound
	Dialect *Dialect
	Codec   Codec
	// Op is the operation, where it is another than that of the route.
	Op llm.Op
}
