package dialect

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

	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// ErrorWords reads the type and the message out of an error's body. Hosts and proxies answer in many
// shapes (an object within an object, a bare string, a list, HTML, nothing): none may lose its message.
func ErrorWords(body []byte) (typ, msg string) {
	body = bytes.TrimSpace(body)
	if splice.Valid(body, splice.DefaultDepth) != nil {
		return "", plainWords(body)
	}
	v := wire.Whole(body)
	if v.Kind() == '[' {
		v = v.Get("0")
	}
	switch v.Kind() {
	case '"':
		return "", v.Text()
	case '{':
	default:
		return "", plainWords(body)
	}
	inner := v.Get("error")
	switch inner.Kind() {
	case '"':
		return v.Get("type").Text(), inner.Text()
	case '{':
		v = inner
	}
	for _, key := range [...]string{"type", "error_type", "code", "status"} {
		if typ = v.Get(key).Text(); typ != "" {
			break
		}
	}
	return typ, messageOf(v)
}

// messageOf returns what an object says in words.
func messageOf(v wire.Value) string {
	for _, key := range [...]string{"message", "detail", "Message", "error_description", "msg"} {
		switch m := v.Get(key); m.Kind() {
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

// KindOfStatus classes an upstream's error of which nothing but its status and its words are known.
func KindOfStatus(status int, msg string) llm.Kind {
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
	case http.StatusServiceUnavailable, 529: // 529 is what some vendors say of an overload
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

// badRequest tells apart the few bad requests that something else must be done about, and that hosts give no
// status or type of their own.
func badRequest(msg string) llm.Kind {
	low := strings.ToLower(msg)
	for _, words := range [...]string{
		"prompt too long", "prompt is too long", "too many tokens", "context length", "context window", "input is too long",
		"exceed context limit", "maximum prompt length",
	} {
		if strings.Contains(low, words) {
			return llm.TooLong
		}
	}
	if strings.Contains(low, "incorrect api key") || strings.Contains(low, "invalid api key") { // xAI's, with status 400
		return llm.UpstreamAuth
	}
	return llm.Invalid
}

// Word gives an error its kind and its message. What an upstream says about our credential is for the
// operator and not for the caller.
func Word(e *llm.Error, k llm.Kind, msg string) {
	e.Kind, e.Message = k, msg
	switch k {
	case llm.UpstreamAuth:
		e.Message = "the upstream refused the gateway's credential; whoever runs the gateway must renew it"
		e.Err = errors.New("the upstream said: " + msg)
	case llm.Payment:
		e.Message = "the gateway's account with the upstream has no credit; whoever runs the gateway must top it up"
		e.Err = errors.New("the upstream said: " + msg)
	}
	if e.Message == "" && e.Upstream != nil {
		e.Message = fmt.Sprintf("the upstream answered with status %d", e.Upstream.Status)
	}
}

// Refusal returns the upstream's side of an error answer, with the headers of the dialect's namespace.
// Whose shape its body has is for the codec to say.
func Refusal(r Reply, ns Namespace) *llm.Upstream {
	up := &llm.Upstream{Status: r.Status, Header: http.Header{}, Body: slices.Clone(r.Body)}
	for k, v := range r.Header {
		if ns.Holds(k) {
			up.Header[http.CanonicalHeaderKey(k)] = v
		}
	}
	switch r.Header.Get("X-Should-Retry") {
	case "true":
		up.DoRetry = true
	case "false":
		up.NoRetry = true
	}
	return up
}

// Passes reports whether an upstream's own words go on to a caller of the named dialect: those of this
// dialect, unless they are about our credential and not the caller's.
func Passes(e *llm.Error, name string) bool {
	if e.Upstream == nil || e.Upstream.Dialect != name || len(e.Upstream.Body) == 0 {
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

// Refuse says an error to a caller: the upstream's own words where they pass, else the body given.
func Refuse(e *llm.Error, name string, status int, body []byte) Reply {
	h := http.Header{"Content-Type": {"application/json"}}
	if Passes(e, name) {
		for k, v := range e.Upstream.Header {
			if !strings.EqualFold(k, "Content-Type") {
				h[http.CanonicalHeaderKey(k)] = v
			}
		}
		body = e.Upstream.Body
		if e.Upstream.Status >= http.StatusBadRequest { // else it was said within a stream
			status = e.Upstream.Status
		}
	}
	if e.Upstream != nil && e.Upstream.NoRetry && h.Get("X-Should-Retry") == "" {
		h.Set("X-Should-Retry", "false")
	}
	RetryHeaders(h, e.Retry)
	return Reply{Status: status, Header: h, Body: body}
}

// RetryHeaders says how long to wait, unless that is said already.
func RetryHeaders(h http.Header, after time.Duration) {
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

// RetryAfter reads how long the upstream asks to wait: milliseconds, seconds or a date.
func RetryAfter(h http.Header) time.Duration {
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

// StreamBroken returns the error of a stream whose frames could not be read on.
func StreamBroken(op string, err error) *llm.Error {
	if e := llm.AsError(err); e.Kind != llm.Internal {
		return e
	}
	return BadUpstream(op, err, "the upstream's stream broke off")
}

// NotJSON returns the error of a body that is no JSON object, or nested too deep.
func NotJSON(op string, err error) *llm.Error {
	e := &llm.Error{Kind: llm.Invalid, Op: op, Message: "the body must be a JSON object: " + err.Error(), Err: err}
	if deep, ok := errors.AsType[*splice.DepthError](err); ok {
		e.Message = fmt.Sprintf("the body is nested deeper than %d levels", deep.Max)
	}
	return e
}

// Invalid returns what the caller is told of a request that cannot be read: which member is wrong, or that the
// body is no JSON.
func Invalid(op string, err error) *llm.Error {
	if e := wire.Invalid(op, err); e != nil {
		return e
	}
	return NotJSON(op, err)
}

// BadUpstream returns the error of an answer that cannot be understood.
func BadUpstream(op string, err error, msg string) *llm.Error {
	return &llm.Error{Kind: llm.BadUpstream, Op: op, Message: msg, Err: err}
}

// InternalFault returns an error that is a fault of ours.
func InternalFault(op string, err error) *llm.Error {
	return &llm.Error{Kind: llm.Internal, Op: op, Message: "internal error", Err: err}
}
