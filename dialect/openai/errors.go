package openai

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// EncodeError implements dialect.Server.
func (c *codec) EncodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	return dialect.Refuse(e, Name, llm.Of(e.Kind).Status, errorBody(e))
}

// errorBody writes an error of ours.
func errorBody(e *llm.Error) []byte { return platform.FaultOf(e).Body() }

// DecodeError implements dialect.Client.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	return platform.DecodeError(Name, namespace(), r)
}

// inStream returns the error that an upstream said within a stream, or in a body with status 200.
func inStream(data []byte) *llm.Error { return platform.InStream(Name, wire.Whole(data), data) }

func badUpstream(err error, msg string) *llm.Error {
	return dialect.BadUpstream("dialect/openai", err, msg)
}

func internal(op string, err error) error { return dialect.InternalFault("dialect/openai."+op, err) }

// invalid makes an error of kind Invalid of what is wrong with a request.
func invalid(err error) error { return dialect.Invalid("dialect/openai", err) }

func notJSON(err error) error { return dialect.NotJSON("dialect/openai", err) }
