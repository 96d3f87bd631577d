package ollama

import (
	"bytes"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// EncodeError implements dialect.Server. The API tells errors apart by their status alone.
func (c *codec) EncodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	return dialect.Refuse(e, Name, llm.Of(e.Kind).Status, errorBody(e))
}

func errorBody(e *llm.Error) []byte {
	msg := e.Message
	if msg == "" {
		msg = "the call could not be answered (" + string(e.Kind) + ")"
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("error", msg)
	w.Close('}')
	return w.Buf
}

// DecodeError implements dialect.Client.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	typ, msg := dialect.ErrorWords(r.Body)
	up := dialect.Refusal(r, namespace())
	up.Type = typ
	if ours(r.Body) {
		up.Dialect = Name
	}
	e := &llm.Error{Op: c.op("DecodeError"), Retry: dialect.RetryAfter(r.Header), Upstream: up}
	dialect.Word(e, dialect.KindOfStatus(r.Status, msg), msg)
	return e
}

// ours reports whether an error's body has this dialect's shape.
func ours(body []byte) bool {
	v := wire.Whole(bytes.TrimSpace(body))
	return v.Get("error").Kind() == '"'
}

// inStream returns the error that an upstream said within a stream, or in a body with status 200.
func (c *codec) inStream(data []byte) *llm.Error {
	typ, msg := dialect.ErrorWords(data)
	up := &llm.Upstream{Status: 200, Type: typ, Body: bytes.Clone(data), InStream: true}
	if ours(data) {
		up.Dialect = Name
	}
	e := &llm.Error{Op: c.op("DecodeStream"), Upstream: up}
	kind := dialect.KindOfStatus(400, msg)
	if kind == llm.Invalid { // the status was 200 and says nothing
		kind = llm.UpstreamFault
	}
	dialect.Word(e, kind, msg)
	return e
}

// oneLine returns an upstream's error as a line of a stream, or ours where it is no JSON.
func oneLine(body, fallback []byte) []byte {
	body = bytes.TrimSpace(body)
	if splice.Valid(body, splice.DefaultDepth) != nil || bytes.ContainsAny(body, "\r\n") {
		return fallback
	}
	return body
}
