package invoke

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/converse"
	"github.com/plenum-foundry/plenum/llm"
)

// exception says an error within a stream.
func exception(err error) dialect.Frame { return converse.Exception(err) }

// claudeFault returns the error in an error event of Anthropic's dialect.
func claudeFault(data []byte) error {
	typ, msg := dialect.ErrorWords(data)
	e := &llm.Error{Kind: llm.UpstreamFault, Op: op, Message: msg}
	for _, x := range faults() {
		if x.claude == typ {
			e.Kind = x.kind
			break
		}
	}
	return e
}

// fault is how an error within a stream is called: by Bedrock, and in Anthropic's dialect.
type fault struct {
	exception, claude string
	kind              llm.Kind
}

func faults() []fault {
	return []fault{
		{"throttlingException", "rate_limit_error", llm.RateLimited},
		{"serviceUnavailableException", "overloaded_error", llm.Overloaded},
		{"validationException", "invalid_request_error", llm.Invalid},
		{"modelTimeoutException", "timeout_error", llm.Timeout},
		{"internalServerException", "api_error", llm.UpstreamFault},
		{"modelStreamErrorException", "api_error", llm.UpstreamFault},
	}
}

func malformed(err error) error { return dialect.NotJSON(op, err) }

func invalid(err error) error { return dialect.Invalid(op, err) }

func internal(err error) error { return dialect.InternalFault(op, err) }
