package gemini

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// types is what the types of details begin with.
const types = "type.googleapis.com/google.rpc."

// statusOf returns the canonical code of an error of a kind.
func statusOf(k llm.Kind) string {
	//exhaustive:enforce
	switch k {
	case llm.Invalid, llm.TooLong, llm.Lossy, llm.TooLarge, llm.Unsupported:
		return "INVALID_ARGUMENT"
	case llm.Blocked:
		return "FAILED_PRECONDITION"
	case llm.Unauthorized:
		return "UNAUTHENTICATED"
	case llm.Forbidden:
		return "PERMISSION_DENIED"
	case llm.NotFound:
		return "NOT_FOUND"
	case llm.NotAllowed:
		return "UNIMPLEMENTED"
	case llm.Conflict:
		return "ABORTED"
	case llm.RateLimited, llm.Quota:
		return "RESOURCE_EXHAUSTED"
	case llm.Canceled:
		return "CANCELLED"
	case llm.Timeout, llm.SlowCaller:
		return "DEADLINE_EXCEEDED"
	case llm.Overloaded, llm.Unavailable:
		return "UNAVAILABLE"
	case llm.BadUpstream, llm.UpstreamAuth, llm.UpstreamFault, llm.Payment, llm.Internal:
		return "INTERNAL"
	default:
		return "INTERNAL"
	}
}

// EncodeError implements dialect.Server.
func (c *codec) EncodeError(err error) dialect.Reply { return encodeError(err) }

func encodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	status := llm.Of(e.Kind).Status
	return dialect.Refuse(e, Name, status, errorBody(e, status))
}

// errorBody writes an error of ours: a google.rpc.Status.
func errorBody(e *llm.Error, status int) []byte {
	msg := e.Message
	switch {
	case msg == "":
		msg = "the call could not be answered (" + string(e.Kind) + ")"
	case e.Kind == llm.TooLong && !strings.Contains(msg, "input token count"):
		// Agents look for these words to know that they must shorten their history.
		msg = "The input token count exceeds the maximum number of tokens allowed: " + msg
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyOpen("error", '{')
	w.KeyInt("code", int64(status))
	w.KeyStr("message", msg)
	w.KeyStr("status", statusOf(e.Kind))
	w.KeyOpen("details", '[')
	appendDetails(&w, e, msg)
	w.Close(']')
	w.Close('}')
	w.Close('}')
	return w.Buf
}

func appendDetails(w *jsonw.Writer, e *llm.Error, msg string) {
	w.Open('{')
	w.KeyStr("@type", types+"ErrorInfo")
	w.KeyStr("reason", reasonOf(e))
	w.KeyStr("domain", "plenum")
	w.Close('}')
	if e.Param != "" {
		w.Open('{')
		w.KeyStr("@type", types+"BadRequest")
		w.KeyOpen("fieldViolations", '[')
		w.Open('{')
		w.KeyStr("field", e.Param)
		w.KeyStr("description", msg)
		w.Close('}')
		w.Close(']')
		w.Close('}')
	}
	if e.Retry > 0 {
		w.Open('{')
		w.KeyStr("@type", types+"RetryInfo")
		w.KeyStr("retryDelay", strconv.FormatFloat(e.Retry.Seconds(), 'f', -1, 64)+"s")
		w.Close('}')
	}
}

// reasonOf returns a more exact word for an error, in the capitals that reasons have.
func reasonOf(e *llm.Error) string {
	switch {
	case e.Kind == llm.Unauthorized:
		return "API_KEY_INVALID"
	case e.Code != "":
		return strings.ToUpper(e.Code)
	}
	return strings.ToUpper(string(e.Kind))
}

// DecodeError implements dialect.Client.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	up := dialect.Refusal(r, namespace())
	e := &llm.Error{Op: op + ".DecodeError", Retry: dialect.RetryAfter(r.Header), Upstream: up}
	readError(e, r.Body, r.Status)
	return e
}

// readError reads what an upstream said of an error, which within a list of answers is itself in a list.
func readError(e *llm.Error, body []byte, status int) {
	v := wire.Whole(bytes.TrimSpace(body))
	if v.Kind() == '[' {
		v = v.Get("0")
	}
	_, msg := dialect.ErrorWords(body)
	said := v.Get("error")
	if said.Kind() == '{' && said.Get("code").Kind() == '0' {
		e.Upstream.Dialect, e.Upstream.Type = Name, said.Get("status").Text()
		if v.Span().Start > 0 { // out of its list
			e.Upstream.Body = []byte(v.JSON())
		}
		if status == http.StatusOK {
			status = int(said.Get("code").Count())
		}
	}
	d := readDetails(said.Get("details"))
	if e.Retry == 0 {
		e.Retry = d.retry
	}
	if len(d.field) > 0 {
		e.Param = d.field
	}
	dialect.Word(e, kindOfError(status, e.Upstream.Type, d, msg), msg)
}

// details are what the details of an error say that something follows from.
type details struct {
	reason, field string
	daily         bool // a quota that waiting a little does not help against
	retry         time.Duration
}

func readDetails(v wire.Value) details {
	var d details
	if v.Kind() != '[' {
		return d
	}
	_ = v.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
		switch strings.TrimPrefix(el.Get("@type").Text(), types) {
		case "ErrorInfo":
			d.reason = el.Get("reason").Text()
		case "BadRequest":
			d.field = el.Get("fieldViolations", "0", "field").Text()
		case "RetryInfo":
			if wait, err := time.ParseDuration(el.Get("retryDelay").Text()); err == nil && wait > 0 {
				d.retry = min(wait, 24*time.Hour)
			}
		case "QuotaFailure":
			d.daily = d.daily || strings.Contains(el.JSON(), "PerDay")
		}
		return nil
	})
	return d
}

// kindOfError classes an upstream's error.
func kindOfError(status int, word string, d details, msg string) llm.Kind {
	switch d.reason {
	case "API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_EXPIRED", "SERVICE_DISABLED", "CONSUMER_INVALID", "ACCESS_TOKEN_EXPIRED":
		return llm.UpstreamAuth
	case "BILLING_DISABLED":
		return llm.Payment
	}
	switch word {
	case "RESOURCE_EXHAUSTED":
		if d.daily {
			return llm.Quota
		}
		return llm.RateLimited
	case "UNAVAILABLE":
		return llm.Overloaded
	case "DEADLINE_EXCEEDED":
		return llm.Timeout
	case "CANCELLED", "ABORTED":
		return llm.UpstreamFault
	case "UNAUTHENTICATED", "PERMISSION_DENIED":
		return llm.UpstreamAuth
	case "NOT_FOUND":
		return llm.NotFound
	case "FAILED_PRECONDITION":
		low := strings.ToLower(msg)
		if strings.Contains(low, "billing") || strings.Contains(low, "user location") {
			return llm.UpstreamAuth
		}
	}
	if status == http.StatusBadRequest && strings.Contains(msg, "input token count") {
		return llm.TooLong
	}
	if status == 499 {
		return llm.UpstreamFault
	}
	return dialect.KindOfStatus(status, msg)
}

// inStream returns the error that an upstream said within a stream, or in a body with status 200.
func inStream(data []byte) *llm.Error {
	e := &llm.Error{
		Op:       op + ".DecodeStream",
		Upstream: &llm.Upstream{Status: http.StatusOK, Body: slices.Clone(data), InStream: true},
	}
	readError(e, data, http.StatusOK)
	if e.Kind == llm.BadUpstream { // nothing told what it is
		e.Kind = llm.UpstreamFault
	}
	return e
}
