package openai

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

// said returns the type and the code that an error of a kind has here.
func said(k llm.Kind) (typ, code string) {
	//exhaustive:enforce
	switch k {
	case llm.Invalid, llm.NotAllowed, llm.Unsupported, llm.Canceled, llm.SlowCaller, llm.Conflict:
		return "invalid_request_error", ""
	case llm.TooLarge:
		return "invalid_request_error", "request_too_large"
	case llm.TooLong:
		return "invalid_request_error", "context_length_exceeded"
	case llm.Blocked:
		return "invalid_request_error", "content_filter"
	case llm.Lossy:
		return "invalid_request_error", "lossy_call_refused"
	case llm.Unauthorized:
		return "invalid_request_error", "invalid_api_key"
	case llm.Forbidden:
		return "invalid_request_error", "permission_denied"
	case llm.NotFound:
		return "invalid_request_error", "not_found"
	case llm.RateLimited:
		return "requests", "rate_limit_exceeded"
	case llm.Quota:
		return "insufficient_quota", "insufficient_quota"
	case llm.Timeout:
		return "server_error", "timeout"
	case llm.Overloaded:
		return "server_error", "overloaded"
	case llm.UpstreamAuth, llm.Payment:
		return "server_error", "upstream_credential_refused"
	case llm.Unavailable, llm.BadUpstream, llm.UpstreamFault:
		return "server_error", "upstream_error"
	default:
		return "server_error", "internal_error"
	}
}

// EncodeError implements dialect.Server.
func (c *codec) EncodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	h := http.Header{"Content-Type": {"application/json"}}
	status := llm.Of(e.Kind).Status
	if passes(e) {
		for k, v := range e.Upstream.Header {
			if !strings.EqualFold(k, "Content-Type") {
				h[http.CanonicalHeaderKey(k)] = v
			}
		}
		retryHeaders(h, e.Retry)
		if e.Upstream.Status >= http.StatusBadRequest { // else it was said within a stream
			status = e.Upstream.Status
		}
		return dialect.Reply{Status: status, Header: h, Body: e.Upstream.Body}
	}
	retryHeaders(h, e.Retry)
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
	return e.Kind != llm.UpstreamAuth && e.Kind != llm.Payment
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
	typ, code := said(e.Kind)
	if e.Code != "" {
		code = e.Code
	}
	msg := e.Message
	if msg == "" {
		msg = "the call could not be answered (" + string(e.Kind) + ")"
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyOpen("error", '{')
	w.KeyStr("message", msg)
	w.KeyStr("type", typ)
	keyOrNull(&w, "param", e.Param)
	keyOrNull(&w, "code", code)
	w.Close('}')
	w.Close('}')
	return w.Buf
}

func keyOrNull(w *jsonw.Writer, key, s string) {
	if s == "" {
		w.KeyNull(key)
	} else {
		w.KeyStr(key, s)
	}
}

// DecodeError implements dialect.Client.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	words := errorWords(r.Body)
	up := &llm.Upstream{Status: r.Status, Type: words.typ, Header: ownHeaders(r.Header), Body: slices.Clone(r.Body)}
	if words.ours {
		up.Dialect = Name
	}
	switch r.Header.Get("X-Should-Retry") {
	case "true":
		up.DoRetry = true
	case "false":
		up.NoRetry = true
	}
	e := &llm.Error{Op: "dialect/openai.DecodeError", Param: words.param, Code: words.code, Retry: retryAfter(r.Header), Upstream: up}
	word(e, kindOf(r.Status, words), words.msg)
	return e
}

// word gives an error its kind and its message. What an upstream says about our credential is not for
// the caller.
func word(e *llm.Error, k llm.Kind, msg string) {
	e.Kind, e.Message = k, msg
	switch k {
	case llm.UpstreamAuth:
		e.Message = "the upstream refused the gateway's credential; whoever runs the gateway must renew it"
		e.Err, e.Code, e.Param = errors.New("the upstream said: "+msg), "", ""
	case llm.Payment:
		e.Message = "the gateway's account with the upstream has no credit; whoever runs the gateway must top it up"
		e.Err, e.Code, e.Param = errors.New("the upstream said: "+msg), "", ""
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

// words are what an error's body says.
type words struct {
	typ, code, param, msg string
	ours                  bool // it has this dialect's shape
}

// errorWords reads an error's body. Proxies and look-alikes answer in many shapes; none may lose its
// message.
func errorWords(body []byte) words {
	trimmed := bytes.TrimSpace(body)
	if splice.Valid(trimmed, splice.DefaultDepth) != nil {
		return words{msg: plainWords(trimmed)}
	}
	v := wire.Whole(trimmed)
	list := v.Kind() == '['
	if list {
		v = v.Get("0")
	}
	switch v.Kind() {
	case '"':
		return words{msg: v.Text()}
	case '{':
	default:
		return words{msg: plainWords(trimmed)}
	}
	inner := v.Get("error")
	switch inner.Kind() {
	case '{':
		return words{
			typ: inner.Get("type").Text(), code: scalar(inner.Get("code")), param: scalar(inner.Get("param")),
			msg: messageOf(inner), ours: !list,
		}
	case '"':
		// xAI's older shape says the code beside.
		return words{code: scalar(v.Get("code")), typ: v.Get("type").Text(), msg: inner.Text(), ours: true}
	}
	if at := v.Get("base_resp"); at.Get("status_msg").Kind() == '"' { // MiniMax's
		return words{code: scalar(at.Get("status_code")), msg: at.Get("status_msg").Text()}
	}
	return words{typ: v.Get("type").Text(), code: scalar(v.Get("code")), param: scalar(v.Get("param")), msg: messageOf(v)}
}

// scalar returns a string or a number as text.
func scalar(v wire.Value) string {
	switch v.Kind() {
	case '"':
		return v.Text()
	case '0':
		return v.JSON()
	}
	return ""
}

// messageOf returns what an object says in words.
func messageOf(v wire.Value) string {
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

// kindOf classes an upstream's error, by its code or type where that says more than the status.
func kindOf(status int, w words) llm.Kind {
	switch w.code {
	case "context_length_exceeded", "string_above_max_length":
		return llm.TooLong
	case "insufficient_quota", "billing_hard_limit_reached":
		return llm.Quota
	case "rate_limit_exceeded":
		return llm.RateLimited
	case "model_not_found", "DeploymentNotFound":
		return llm.NotFound
	case "content_filter", "content_policy_violation":
		return llm.Blocked
	case "invalid_api_key":
		return llm.UpstreamAuth
	}
	switch w.typ {
	case "authentication_error":
		return llm.UpstreamAuth
	case "exceed_context_size_error":
		return llm.TooLong
	case "insufficient_quota":
		return llm.Quota
	case "rate_limit_error", "rate_limit_exceeded":
		return llm.RateLimited
	case "overloaded_error", "engine_overloaded_error":
		return llm.Overloaded
	}
	return kindOfStatus(status, w.msg)
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
	case http.StatusServiceUnavailable, 529, 498:
		return llm.Overloaded
	}
	switch {
	case status >= http.StatusInternalServerError:
		return llm.UpstreamFault
	case status >= http.StatusBadRequest:
		return badRequest(msg)
	}
	return llm.BadUpstream
}

// badRequest tells apart the few bad requests that something else must be done about where the host
// gives them no code of their own.
func badRequest(msg string) llm.Kind {
	low := strings.ToLower(msg)
	switch {
	case strings.Contains(low, "context length"), strings.Contains(low, "maximum prompt length"),
		strings.Contains(low, "context window"), strings.Contains(low, "too many tokens"), strings.Contains(low, "prompt is too long"):
		return llm.TooLong
	case strings.Contains(low, "incorrect api key"), strings.Contains(low, "invalid api key"):
		// xAI answers a wrong key with 400.
		return llm.UpstreamAuth
	}
	return llm.Invalid
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
	w := errorWords(data)
	status := http.StatusInternalServerError
	if n, err := strconv.Atoi(w.code); err == nil && n >= 400 && n < 600 {
		status = n // some hosts give the status that it would have been as the code
	}
	e := &llm.Error{
		Op: "dialect/openai.DecodeStream", Code: w.code, Param: w.param,
		Upstream: &llm.Upstream{Status: http.StatusOK, Type: w.typ, Dialect: Name, Body: slices.Clone(data), InStream: true},
	}
	k := kindOf(status, w)
	if w.typ == "invalid_request_error" && k == llm.UpstreamFault {
		k = badRequest(w.msg)
	}
	word(e, k, w.msg)
	return e
}

func badUpstream(err error, msg string) *llm.Error {
	return &llm.Error{Kind: llm.BadUpstream, Op: "dialect/openai", Message: msg, Err: err}
}

func internal(op string, err error) error {
	return &llm.Error{Kind: llm.Internal, Op: "dialect/openai." + op, Message: "internal error", Err: err}
}

// invalid makes an error of kind Invalid of what is wrong with a request.
func invalid(err error) error {
	if e := wire.Invalid("dialect/openai", err); e != nil {
		return e
	}
	return notJSON(err)
}

func notJSON(err error) error {
	var deep *splice.DepthError
	if errors.As(err, &deep) {
		return &llm.Error{Kind: llm.Invalid, Op: "dialect/openai", Message: fmt.Sprintf("the body is nested deeper than %d levels", deep.Max), Err: err}
	}
	return &llm.Error{Kind: llm.Invalid, Op: "dialect/openai", Message: "the body must be a JSON object: " + err.Error(), Err: err}
}
