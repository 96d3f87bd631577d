package anthropic

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// overloadedStatus is the status of an overload in this dialect.
const overloadedStatus = 529

// said returns how an error of a kind is said here: its status, and the type in its body.
func said(k llm.Kind) (status int, kind string) {
	status = llm.Of(k).Status
	//exhaustive:enforce
	switch k {
	case llm.Invalid, llm.TooLong, llm.Blocked, llm.Lossy, llm.Conflict, llm.NotAllowed, llm.Unsupported, llm.Canceled, llm.SlowCaller:
		return status, "invalid_request_error"
	case llm.Unauthorized:
		return status, "authentication_error"
	case llm.Forbidden:
		return status, "permission_error"
	case llm.NotFound:
		return status, "not_found_error"
	case llm.TooLarge:
		return status, "request_too_large"
	case llm.RateLimited, llm.Quota:
		return status, "rate_limit_error"
	case llm.Overloaded:
		return overloadedStatus, "overloaded_error"
	case llm.Timeout:
		return status, "timeout_error"
	case llm.Unavailable, llm.BadUpstream, llm.UpstreamFault, llm.UpstreamAuth, llm.Payment:
		return status, "api_error"
	default:
		return status, "api_error"
	}
}

// EncodeError implements dialect.Server.
func (c *codec) EncodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	status, _ := said(e.Kind)
	return dialect.Refuse(e, Name, status, errorBody(e))
}

// errorBody writes an error of ours.
func errorBody(e *llm.Error) []byte {
	_, kind := said(e.Kind)
	msg := e.Message
	switch {
	case msg == "":
		msg = "the call could not be answered (" + string(e.Kind) + ")"
	case e.Kind == llm.TooLong && !strings.HasPrefix(msg, "prompt is too long"):
		// Agents look for these words to know that they must shorten their history.
		msg = "prompt is too long: " + msg
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "error")
	w.KeyOpen("error", '{')
	w.KeyStr("type", kind)
	w.KeyStr("message", msg)
	w.Close('}')
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
	e := &llm.Error{Op: "dialect/anthropic.DecodeError", Retry: dialect.RetryAfter(r.Header), Upstream: up}
	dialect.Word(e, kindOf(r.Status, typ, msg), msg)
	if typ == "not_found_error" && strings.HasPrefix(msg, "model:") {
		e.Code = "model_not_found"
	}
	return e
}

// ours reports whether an error's body has this dialect's shape.
func ours(body []byte) bool {
	body = bytes.TrimSpace(body)
	if splice.Valid(body, splice.DefaultDepth) != nil {
		return false
	}
	v := wire.Whole(body)
	return v.Get("type").Is("error") && v.Get("error", "type").Text() != ""
}

// kindOf classes an upstream's error, by its type where that says more than the status.
func kindOf(status int, typ, msg string) llm.Kind {
	switch typ {
	case "authentication_error":
		return llm.UpstreamAuth
	case "billing_error":
		return llm.Payment
	case "permission_error":
		return llm.UpstreamAuth
	case "not_found_error":
		return llm.NotFound
	case "request_too_large":
		return llm.TooLarge
	case "rate_limit_error":
		return llm.RateLimited
	case "overloaded_error":
		return llm.Overloaded
	case "timeout_error":
		return llm.Timeout
	case "invalid_request_error":
		// Look-alikes say this of everything: their status knows better, where it is one of errors.
		return kindOfStatus(max(status, http.StatusBadRequest), msg)
	case "api_error":
		if status < http.StatusInternalServerError {
			return llm.UpstreamFault
		}
	}
	return kindOfStatus(status, msg)
}

// kindOfStatus is dialect.KindOfStatus, and knows the one bad request that the vendor gives no type of its own.
func kindOfStatus(status int, msg string) llm.Kind {
	k := dialect.KindOfStatus(status, msg)
	if k == llm.Invalid && strings.Contains(strings.ToLower(msg), "credit balance is too low") {
		return llm.Payment
	}
	return k
}

// inStream returns the error that an upstream said within a stream, or in a body with status 200.
func inStream(data []byte) *llm.Error {
	typ, msg := dialect.ErrorWords(data)
	e := &llm.Error{
		Op:       "dialect/anthropic.DecodeStream",
		Upstream: &llm.Upstream{Status: http.StatusOK, Type: typ, Dialect: Name, Body: slices.Clone(data), InStream: true},
	}
	dialect.Word(e, kindOf(0, typ, msg), msg) // the status was 200 and says nothing
	return e
}

func badUpstream(err error, msg string) *llm.Error {
	return dialect.BadUpstream("dialect/anthropic", err, msg)
}

func internal(op string, err error) error { return dialect.InternalFault("dialect/anthropic."+op, err) }

// invalid makes an error of kind Invalid of what is wrong with a request.
func invalid(err error) error { return dialect.Invalid("dialect/anthropic", err) }

func notJSON(err error) error { return dialect.NotJSON("dialect/anthropic", err) }
