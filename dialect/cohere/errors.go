package cohere

import (
	"bytes"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// EncodeError implements dialect.Server. The API tells errors apart by their status.
func (c *codec) EncodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	var w jsonw.Writer
	w.Open('{')
	if e.Kind == llm.TooLong {
		w.KeyStr("error_type", tooManyTokens)
	}
	w.KeyStr("message", message(e))
	w.Close('}')
	return dialect.Refuse(e, Name, llm.Of(e.Kind).Status, w.Buf)
}

// tooManyTokens is the type of the error of a prompt that does not fit.
const tooManyTokens = "TOO_MANY_TOKENS"

func message(e *llm.Error) string {
	if e.Message == "" {
		return "the call could not be answered (" + string(e.Kind) + ")"
	}
	return e.Message
}

// DecodeError implements dialect.Client.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	typ, msg := dialect.ErrorWords(r.Body)
	up := dialect.Refusal(r, namespace())
	up.Type = typ
	if v := wire.Whole(bytes.TrimSpace(r.Body)); v.Get("message").Kind() == '"' && !v.Get("error").Found() {
		up.Dialect = Name
	}
	e := &llm.Error{Op: op + ".DecodeError", Retry: dialect.RetryAfter(r.Header), Upstream: up}
	kind := dialect.KindOfStatus(r.Status, msg)
	switch {
	case typ == tooManyTokens:
		kind = llm.TooLong
	case r.Status == 498: // an invalid token
		kind = llm.UpstreamAuth
	case r.Status == 499: // the vendor gave up
		kind = llm.UpstreamFault
	case r.Status == 422:
		kind = llm.Invalid
	}
	dialect.Word(e, kind, msg)
	return e
}

// inStream returns the error that an upstream said within a stream, or in a body with status 200.
func inStream(data []byte) *llm.Error {
	v := wire.Whole(data)
	typ, msg := dialect.ErrorWords(data)
	up := &llm.Upstream{Status: 200, Type: typ, Body: bytes.Clone(data), InStream: true}
	if e := v.Get("delta", "error"); e.Kind() == '"' {
		msg, up.Dialect = e.Text(), Name
	}
	kind := dialect.KindOfStatus(400, msg)
	if kind == llm.Invalid { // the status was 200 and says nothing
		kind = llm.UpstreamFault
	}
	e := &llm.Error{Op: op + ".DecodeStream", Upstream: up}
	dialect.Word(e, kind, msg)
	return e
}
