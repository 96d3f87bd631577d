package anthropic

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

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
	h := http.Header{"Content-Type": {"application/json"}}
	if passes(e) {
		for k, v := range e.Upstream.Header {
			if !strings.EqualFold(k, "Content-Type") {
				h[http.CanonicalHeaderKey(k)] = v
			}
		}
		retryHeaders(h, e.Retry)
		status := e.Upstream.Status
		if status < http.StatusBadRequest { // said within a stream
			status, _ = said(e.Kind)
		}
		return dialect.Reply{Status: status, Header: h, Body: e.Upstream.Body}
	}
	retryHeaders(h, e.Retry)
	status, _ := said(e.Kind)
	return dialect.Reply{Status: status, Header: h, Body: errorBody(e)}
}

// passes reports whether an upstream's own words go on to the caller: those of this dialect, unless
// they are about our credential and not the caller's.
func passes(e *llm.Error) bool {
	if e.Upstream == nil || e.Upstream.Dialect != Name || len(e.Upstream.Body) == 0 {
		return false
	}
	switch e.Upstream.Status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden:
		return false
	}
	switch e.Kind {
	case llm.UpstreamAuth, llm.Payment, llm.Forbidden, llm.Unauthorized:
		return false
	}
	return true
}

func retryHeaders(h http.Header, after time.Duration) {
	if after <= 0 {
		return
	}
	if h.Get("Retry-After") == "" {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(after.Seconds())), 10))
	}
	if h.Get("Retry-After-Ms") == "" {
		h.Set("Retry-After-Ms", strconv.FormatInt(after.Milliseconds(), 10))
	}
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
	typ, msg, ours := errorWords(r.Body)
	up := &llm.Upstream{Status: r.Status, Type: typ, Header: ownHeaders(r.Header), Body: slices.Clone(r.Body)}
	if ours {
		up.Dialect = Name
	}
	switch r.Header.Get("X-Should-Retry") {
	case "true":
		up.DoRetry = true
	case "false":
		up.NoRetry = true
	}
	e := &llm.Error{Op: "dialect/anthropic.DecodeError", Retry: retryAfter(r.Header), Upstream: up}
	word(e, kindOf(r.Status, typ, msg), msg)
	return e
}

// word gives an error its kind and its message. What an upstream says about our credential is not for
// the caller.
func word(e *llm.Error, k llm.Kind, msg string) {
	e.Kind, e.Message = k, msg
	switch k {
	case llm.UpstreamAuth:
		e.Message = "the upstream refused the gateway's credential; whoever runs the gateway must renew it"
		e.Err = errors.New("the upstream said: " + msg)
	case llm.Payment:
		e.Message = "the gateway's account with the upstream has no credit; whoever runs the gateway must top it up"
		e.Err = errors.New("the upstream said: " + msg)
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("the upstream answered with status %d", e.Upstream.Status)
	}
}

// ownHeaders returns those headers of an answer that belong to the dialect.
func ownHeaders(in http.Header) http.Header {
	ns, h := namespace(), http.Header{}
	for k, v := range in {
		if ns.Holds(k) {
			h[http.CanonicalHeaderKey(k)] = v
		}
	}
	return h
}

// errorWords reads the type and the message out of an error's body, and whether it has this dialect's
// shape. Proxies and look-alikes answer in many others; none may lose its message.
func errorWords(body []byte) (typ, msg string, ours bool) {
	trimmed := bytes.TrimSpace(body)
	if splice.Valid(trimmed, splice.DefaultDepth) != nil {
		return "", plainWords(trimmed), false
	}
	v := wire.Whole(trimmed)
	if v.Kind() == '[' {
		v = v.Get("0")
	}
	if v.Kind() == '"' {
		return "", v.Text(), false
	}
	inner := v.Get("error")
	if inner.Kind() == '{' {
		typ, msg = inner.Get("type").Text(), messageOf(inner)
		ours = v.Get("type").Text() == "error" && typ != "" && wire.Whole(trimmed).Kind() == '{'
		if typ == "" {
			typ = inner.Get("code").Text()
		}
		return typ, msg, ours
	}
	if inner.Kind() == '"' {
		return v.Get("type").Text(), inner.Text(), false
	}
	return v.Get("type").Text(), messageOf(v), false
}

// messageOf returns what an object says in words.
func messageOf(v wire.Value) string {
	if v.Kind() != '{' {
		return v.JSON()
	}
	for _, key := range [...]string{"message", "detail", "Message", "error_description", "msg"} {
		m := v.Get(key)
		switch m.Kind() {
		case '"':
			return m.Text()
		case '{', '[':
			return m.JSON()
		}
	}
	return v.JSON()
}

// mostWords is how much of a body that is not JSON becomes a message.
const mostWords = 500

// plainWords makes a message of text or of a page of HTML.
func plainWords(body []byte) string {
	s := string(body[:min(len(body), 16<<10)])
	if strings.HasPrefix(s, "<") {
		var b strings.Builder
		for s != "" {
			text, rest, _ := strings.Cut(s, "<")
			b.WriteString(text + " ")
			_, s, _ = strings.Cut(rest, ">")
		}
		s = b.String()
	}
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
	if len(s) > mostWords {
		s = strings.ToValidUTF8(s[:mostWords], "") + "..."
	}
	return s
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
		return invalidKind(status, msg)
	case "api_error":
		if status < http.StatusInternalServerError {
			return llm.UpstreamFault
		}
	}
	return kindOfStatus(status, msg)
}

func invalidKind(status int, msg string) llm.Kind {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return llm.UpstreamAuth
	case status == http.StatusPaymentRequired:
		return llm.Payment
	case status == http.StatusNotFound:
		return llm.NotFound
	case status == http.StatusRequestEntityTooLarge:
		return llm.TooLarge
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		// Look-alikes say this of everything: their status knows better.
		return kindOfStatus(status, msg)
	}
	return badRequest(msg)
}

// badRequest tells apart the few bad requests that something else must be done about. The vendor gives
// them no type of their own.
func badRequest(msg string) llm.Kind {
	low := strings.ToLower(msg)
	switch {
	case strings.Contains(low, "prompt is too long"), strings.Contains(low, "exceed context limit"),
		strings.Contains(low, "input is too long"), strings.Contains(low, "context length"):
		return llm.TooLong
	case strings.Contains(low, "credit balance is too low"):
		return llm.Payment
	}
	return llm.Invalid
}

func kindOfStatus(status int, msg string) llm.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return llm.UpstreamAuth
	case http.StatusPaymentRequired:
		return llm.Payment
	case http.StatusNotFound:
		return llm.NotFound
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return llm.Timeout
	case http.StatusRequestEntityTooLarge:
		return llm.TooLarge
	case http.StatusTooManyRequests:
		return llm.RateLimited
	case http.StatusServiceUnavailable, overloadedStatus:
		return llm.Overloaded
	}
	switch {
	case status >= http.StatusInternalServerError, status == 0:
		return llm.UpstreamFault
	case status >= http.StatusBadRequest:
		return badRequest(msg)
	}
	return llm.BadUpstream
}

// retryAfter reads how long the upstream asks to wait: milliseconds, seconds or a date.
func retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return wait(ms / 1000)
	}
	s := strings.TrimSpace(h.Get("Retry-After"))
	if sec, err := strconv.ParseFloat(s, 64); err == nil {
		return wait(sec)
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	// The upstream's own clock, where it shows it, is the one that its date was made by.
	if now, err := http.ParseTime(h.Get("Date")); err == nil {
		return wait(at.Sub(now).Seconds())
	}
	return wait(time.Until(at).Seconds())
}

// wait bounds what an upstream may ask for: a day.
func wait(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, 86400) * float64(time.Second))
}

// inStream returns the error that an upstream said within a stream, or in a body with status 200.
func inStream(data []byte) *llm.Error {
	typ, msg, _ := errorWords(data)
	e := &llm.Error{
		Op:       "dialect/anthropic.DecodeStream",
		Upstream: &llm.Upstream{Status: http.StatusOK, Type: typ, Dialect: Name, Body: slices.Clone(data), InStream: true},
	}
	word(e, kindOf(0, typ, msg), msg) // the status was 200 and says nothing
	return e
}

func badUpstream(err error, msg string) *llm.Error {
	return &llm.Error{Kind: llm.BadUpstream, Op: "dialect/anthropic", Message: msg, Err: err}
}
