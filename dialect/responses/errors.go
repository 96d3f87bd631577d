package responses

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// faultOf returns what an error of ours says.
func faultOf(e *llm.Error) platform.Fault {
	f := platform.FaultOf(e)
	if e.Kind == llm.Overloaded && e.Code == "" {
		f.Code = "server_is_overloaded" // which is called so in this API alone
	}
	return f
}

// EncodeError implements dialect.Server.
func (c *codec) EncodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	return dialect.Refuse(e, Name, llm.Of(e.Kind).Status, faultOf(e).Body())
}

// DecodeError implements dialect.Client.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	return platform.DecodeError(Name, namespace(), r)
}

// inStream returns the error that an upstream said within a stream, or in an answer whose status is 200.
// v is the error, data the event or the answer that it stood in.
func inStream(v wire.Value, data []byte) *llm.Error { return platform.InStream(Name, v, data) }

func badUpstream(err error, msg string) *llm.Error {
	return dialect.BadUpstream("dialect/responses", err, msg)
}

func internal(op string, err error) *llm.Error {
	return dialect.InternalFault("dialect/responses."+op, err)
}

// invalid makes an error of kind Invalid of what is wrong with a request.
func invalid(err error) error { return dialect.Invalid("dialect/responses", err) }
