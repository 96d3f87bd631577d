package xaigrpc

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// The headers, or trailers, in which gRPC says how a call ended.
const (
	statusHeader  = "Grpc-Status"
	messageHeader = "Grpc-Message"
	detailsHeader = "Grpc-Status-Details-Bin"
)

// The status codes of gRPC.
const (
	codeOK            = 0
	codeCanceled      = 1
	codeUnknown       = 2
	codeInvalid       = 3
	codeDeadline      = 4
	codeNotFound      = 5
	codeForbidden     = 7
	codeExhausted     = 8
	codePrecondition  = 9
	codeAborted       = 10
	codeRange         = 11
	codeUnimplemented = 12
	codeInternal      = 13
	codeUnavailable   = 14
	codeUnauthorized  = 16
)

// codeOf returns the code that an error of a kind has.
func codeOf(e *llm.Error) int {
	//exhaustive:enforce
	switch e.Kind {
	case llm.Invalid, llm.TooLong, llm.TooLarge, llm.Blocked, llm.Lossy:
		return codeInvalid
	case llm.Unauthorized:
		return codeUnauthorized
	case llm.Forbidden:
		return codeForbidden
	case llm.NotFound:
		if e.Code == "unknown_url" {
			return codeUnimplemented
		}
		return codeNotFound
	case llm.NotAllowed, llm.Unsupported:
		return codeUnimplemented
	case llm.Conflict:
		return codeAborted
	case llm.RateLimited, llm.Quota:
		return codeExhausted
	case llm.Canceled:
		return codeCanceled
	case llm.Timeout, llm.SlowCaller:
		return codeDeadline
	case llm.Unavailable, llm.Overloaded:
		return codeUnavailable
	case llm.BadUpstream, llm.UpstreamFault, llm.UpstreamAuth, llm.Payment:
		return codeInternal
	default:
		return codeInternal
	}
}

func headersOut() http.Header { return http.Header{"Content-Type": {dialect.GRPC}} }

// EncodeError implements dialect.Server. The status and its message stand in the headers of the reply, and
// the gateway says them as trailers; the reply's status is what it would be over HTTP, for the record.
func (c *codec) EncodeError(err error) dialect.Reply { return encodeError(err) }

func encodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	h := headersOut()
	msg := e.Message
	if msg == "" {
		msg = "the call could not be answered (" + string(e.Kind) + ")"
	}
	if e.Param != "" && !strings.Contains(msg, e.Param) {
		msg = e.Param + ": " + msg
	}
	code, status := codeOf(e), llm.Of(e.Kind).Status
	if passes(e) {
		for k, v := range e.Upstream.Header {
			h[http.CanonicalHeaderKey(k)] = v
		}
		code, _ = strconv.Atoi(h.Get(statusHeader))
		msg, status = string(e.Upstream.Body), e.Upstream.Status
		h["Content-Type"] = []string{dialect.GRPC}
	}
	dialect.RetryHeaders(h, e.Retry)
	h.Set(statusHeader, strconv.Itoa(code))
	h.Set(messageHeader, escape(msg))
	return dialect.Reply{Status: status, Header: h}
}

// passes reports whether an upstream's own status goes on to the caller.
func passes(e *llm.Error) bool {
	if !dialect.Passes(e, Name) {
		return false
	}
	n, err := strconv.Atoi(e.Upstream.Header.Get(statusHeader))
	return err == nil && n > 0
}

// escape makes a text fit for grpc-message: percent-encoded outside of the letters that ASCII shows.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	if len(s) > 4<<10 {
		s = strings.ToValidUTF8(s[:4<<10], "") + "..." // clients bound the size of metadata
	}
	var b strings.Builder
	for i := range len(s) {
		if ch := s[i]; ch >= ' ' && ch <= '~' && ch != '%' {
			b.WriteByte(ch)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[ch>>4])
			b.WriteByte(hex[ch&15])
		}
	}
	return b.String()
}

// unescape reads a grpc-message. One that is broken is taken as it stands.
func unescape(s string) string {
	if out, err := url.PathUnescape(s); err == nil {
		return strings.ToValidUTF8(out, "\uFFFD")
	}
	return s
}

// DecodeError implements dialect.Client. The reply's headers hold gRPC's status where the upstream gave one;
// else a proxy has answered.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	e := &llm.Error{Op: "dialect/xaigrpc.DecodeError", Retry: dialect.RetryAfter(r.Header)}
	up := dialect.Refusal(r, namespace())
	e.Upstream = up
	code, err := strconv.Atoi(r.Header.Get(statusHeader))
	if err != nil || code < 0 {
		_, msg := dialect.ErrorWords(r.Body)
		dialect.Word(e, dialect.KindOfStatus(r.Status, msg), msg)
		return e
	}
	msg := unescape(r.Header.Get(messageHeader))
	up.Dialect, up.Type, up.Body = Name, "grpc "+strconv.Itoa(code), []byte(msg)
	up.Header.Set(statusHeader, strconv.Itoa(code))
	if d := r.Header[detailsHeader]; len(d) > 0 {
		up.Header[detailsHeader] = slices.Clone(d)
	}
	k := kindOfCode(code, msg)
	up.Status = llm.Of(k).Status
	dialect.Word(e, k, msg)
	if e.Message == "" {
		e.Message = "the upstream answered with the gRPC status " + strconv.Itoa(code)
	}
	return e
}

// kindOfCode classes an upstream's status.
func kindOfCode(code int, msg string) llm.Kind {
	switch code {
	case codeCanceled, codeAborted, codeUnavailable:
		return llm.Unavailable
	case codeInvalid, codeRange:
		return badRequest(msg)
	case codePrecondition:
		return badRequest(msg)
	case codeDeadline:
		return llm.Timeout
	case codeNotFound:
		return llm.NotFound
	case codeForbidden, codeUnauthorized:
		if strings.Contains(strings.ToLower(msg), "credits") {
			return llm.Payment
		}
		return llm.UpstreamAuth
	case codeExhausted:
		if low := strings.ToLower(msg); strings.Contains(low, "credits") || strings.Contains(low, "spending limit") {
			return llm.Quota
		}
		return llm.RateLimited
	case codeUnimplemented:
		return llm.NotFound
	case codeOK:
		return llm.BadUpstream
	case codeUnknown, codeInternal:
		return llm.UpstreamFault
	}
	return llm.UpstreamFault
}

func badRequest(msg string) llm.Kind { return dialect.KindOfStatus(http.StatusBadRequest, msg) }
