package dialect

import (
	"net/http"

	"github.com/plenum-foundry/plenum/llm"
)

// HeadMeter is a Client whose upstream may say what an answer consumed in its headers alone. It is asked where
// the body says nothing.
type HeadMeter interface {
	HeadUsage(http.Header) llm.Usage
}
