package llm

import (
	"errors"
	"net/http"
	"time"
)

// Error is an error that someone will act on. Message may be shown to the caller; Err and Upstream are
// only for the operator. Kind decides the status, whether to try again and whether to go elsewhere.
type Error struct {
	Kind    Kind
	Op      string // where it arose, for the operator: "dialect/openai.DecodeRequest"
	Message string
	Param   string // the parameter at fault, where one is
	Code    string // a more exact word than Kind, in the dialect's own terms where it has one
	Retry   time.Duration
	Err     error
	// Elsewhere says that another target may answer though errors of this kind are the same at all of
	// them: it is this one that has no such operation.
	Elsewhere bool

	// Counts is what a limit of Plenum counts that refused: "requests", "tokens" and the like. The same target is not asked
	// again within the call then, though the caller may come again.
	Counts string

	// Upstream is what the upstream answered, where it did; nil for errors of our own.
	Upstream *Upstream
}

// Upstream is an upstream's error answer, kept so that the same dialect can pass it on as it was.
type Upstream struct {
	Status   int
	Type     string // the upstream's own word for the kind of error
	Dialect  string
	Header   http.Header // those of the dialect's namespace
	Body     []byte
	NoRetry  bool // the upstream said that trying again is useless (x-should-retry: false)
	DoRetry  bool // the upstream said that trying again is sensible (x-should-retry: true)
	InStream bool // said within a stream whose status was 200
}

// Error returns the message for the operator.
func (e *Error) Error() string {
	s := string(e.Kind)
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Kind classes errors. Programs act on it, never on the text of a message.
type Kind string

// The kinds of error. kinds says what follows from each.
const (
	Invalid       Kind = "invalid_request"    // the caller must change the request
	TooLong       Kind = "context_length"     // the prompt does not fit the model
	Unauthorized  Kind = "unauthorized"       // no key, or a wrong one
	Payment       Kind = "payment_required"   // the account with the vendor has no money
	Forbidden     Kind = "forbidden"          // the key may not do this
	NotFound      Kind = "not_found"          // no such model, deployment or path
	NotAllowed    Kind = "method_not_allowed" // the path exists, the method does not
	Conflict      Kind = "conflict"           // the same idempotency key for another request
	TooLarge      Kind = "request_too_large"  // the body is over the limit
	Unsupported   Kind = "unsupported"        // a content type or encoding that is not read here
	RateLimited   Kind = "rate_limited"       // too many requests or tokens just now
	Quota         Kind = "quota_exceeded"     // the allowance is used up; waiting a little does not help
	Blocked       Kind = "content_blocked"    // a guardrail or a host's filter stopped it
	Lossy         Kind = "lossy"              // the deployment refuses what the target cannot carry
	Canceled      Kind = "canceled"           // the caller went away
	Timeout       Kind = "timeout"            // the upstream took too long
	SlowCaller    Kind = "request_timeout"    // the caller's request did not arrive in time
	Unavailable   Kind = "unavailable"        // the upstream cannot be reached
	Overloaded    Kind = "overloaded"         // the upstream, or Plenum, has too much to do
	BadUpstream   Kind = "bad_upstream"       // the upstream's answer cannot be understood or was cut
	UpstreamAuth  Kind = "upstream_auth"      // our credential was refused by the upstream
	UpstreamFault Kind = "upstream_error"     // the upstream failed on its side
	Internal      Kind = "internal"           // a fault of Plenum
)

// Consequence is what follows from a Kind.
type Consequence struct {
	Status   int  // the HTTP status toward the caller
	Again    bool // the same target may answer if asked again
	Fallback bool // another target may answer
}

// Of returns what follows from a kind; an unknown kind is an internal error.
func Of(k Kind) Consequence {
	//exhaustive:enforce
	switch k {
	case Invalid, Blocked, Lossy, TooLong:
		return Consequence{Status: http.StatusBadRequest, Fallback: k == TooLong}
	case Unauthorized:
		return Consequence{Status: http.StatusUnauthorized}
	case Forbidden:
		return Consequence{Status: http.StatusForbidden}
	case NotFound:
		return Consequence{Status: http.StatusNotFound}
	case NotAllowed:
		return Consequence{Status: http.StatusMethodNotAllowed}
	case Conflict:
		return Consequence{Status: http.StatusConflict}
	case TooLarge:
		return Consequence{Status: http.StatusRequestEntityTooLarge, Fallback: true}
	case Unsupported:
		return Consequence{Status: http.StatusUnsupportedMediaType}
	case RateLimited:
		return Consequence{Status: http.StatusTooManyRequests, Again: true, Fallback: true}
	case Quota:
		return Consequence{Status: http.StatusTooManyRequests, Fallback: true}
	case SlowCaller:
		return Consequence{Status: http.StatusRequestTimeout}
	case Canceled:
		return Consequence{Status: 499}
	case Timeout:
		return Consequence{Status: http.StatusGatewayTimeout, Again: true, Fallback: true}
	case Unavailable, UpstreamFault, BadUpstream:
		return Consequence{Status: http.StatusBadGateway, Again: true, Fallback: true}
	case Overloaded:
		return Consequence{Status: http.StatusServiceUnavailable, Again: true, Fallback: true}
	case UpstreamAuth, Payment:
		return Consequence{Status: http.StatusBadGateway, Fallback: true}
	default:
		return Consequence{Status: http.StatusInternalServerError}
	}
}

// AsError returns err as an *Error. One that is not becomes Internal, with a message that gives
// nothing away.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Message: "internal error", Err: err}
}

// IsKind reports whether err is an *Error of kind k.
func IsKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}
