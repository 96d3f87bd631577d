package converse

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// errorType is the header that names an error.
const errorType = "X-Amzn-Errortype"

// said returns how an error of a kind is said here: its status, and its type.
func said(k llm.Kind) (status int, kind string) {
	status = llm.Of(k).Status
	//exhaustive:enforce
	switch k {
	case llm.Invalid, llm.TooLong, llm.Blocked, llm.Lossy, llm.NotAllowed, llm.Unsupported, llm.Canceled, llm.SlowCaller, llm.TooLarge:
		return status, "ValidationException"
	case llm.Conflict:
		return status, "ConflictException"
	case llm.Unauthorized:
		return status, "UnrecognizedClientException"
	case llm.Forbidden:
		return status, "AccessDeniedException"
	case llm.NotFound:
		return status, "ResourceNotFoundException"
	case llm.RateLimited:
		return status, "ThrottlingException"
	case llm.Quota:
		return status, "ServiceQuotaExceededException"
	case llm.Overloaded:
		return status, "ServiceUnavailableException"
	case llm.Timeout:
		return http.StatusRequestTimeout, "ModelTimeoutException"
	case llm.Unavailable, llm.BadUpstream, llm.UpstreamFault, llm.UpstreamAuth, llm.Payment:
		return status, "InternalServerException"
	default:
		return status, "InternalServerException"
	}
}

// EncodeError implements dialect.Server.
func (c *codec) EncodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	status, kind := said(e.Kind)
	if dialect.Passes(e, Name) && e.Upstream.Type != "" {
		kind = e.Upstream.Type
	}
	switch e.Code {
	case "invalid_signature", "expired_signature":
		kind = "InvalidSignatureException"
	case "incomplete_signature":
		kind = "IncompleteSignatureException"
	}
	r := dialect.Refuse(e, Name, status, errorBody(e))
	if r.Header.Get(errorType) == "" {
		r.Header.Set(errorType, kind)
	}
	return r
}

// Exception returns the frame by which a stream of Bedrock says an error.
func Exception(err error) dialect.Frame {
	x := llm.AsError(err)
	body := errorBody(x)
	if dialect.Passes(x, Name) && splice.IsObject(string(x.Upstream.Body)) {
		body = x.Upstream.Body
	}
	return event(dialect.Frame{Event: exceptionOf(x), Data: body, Fault: true})
}

// errorBody writes an error of ours.
func errorBody(e *llm.Error) []byte {
	msg := e.Message
	switch {
	case msg == "":
		msg = "the call could not be answered (" + string(e.Kind) + ")"
	case e.Kind == llm.TooLong && !strings.Contains(strings.ToLower(msg), "too long"):
		// Agents look for these words to know that they must shorten their history.
		msg = "Input is too long for requested model: " + msg
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("message", msg)
	w.Close('}')
	return w.Buf
}

// DecodeError implements dialect.Client.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	up := dialect.Refusal(r, namespace())
	_, msg := dialect.ErrorWords(r.Body)
	up.Type = typeOf(r)
	if v := wire.Whole(r.Body); v.Kind() == '{' && (v.Get("message").Kind() == '"' || v.Get("Message").Kind() == '"') && !v.Get("error").Found() {
		up.Dialect = Name
	}
	e := &llm.Error{Op: op + ".DecodeError", Retry: dialect.RetryAfter(r.Header), Upstream: up}
	dialect.Word(e, kindOf(r.Status, up.Type, msg), msg)
	return e
}

// typeOf reads the type of an error, from its header or, as older services say it, its body.
func typeOf(r dialect.Reply) string {
	typ := r.Header.Get(errorType)
	if typ == "" {
		if v := wire.Whole(r.Body); v.Kind() == '{' {
			typ = v.Get("__type").Text()
		}
		typ = typ[strings.LastIndexByte(typ, '#')+1:]
	}
	typ, _, _ = strings.Cut(typ, ":")
	return typ
}

// kindOf classes an upstream's error, by its type where that says more than the status.
func kindOf(status int, typ, msg string) llm.Kind {
	switch strings.ToLower(typ) {
	case "validationexception":
		return validation(msg)
	case "throttlingexception", "toomanyrequestsexception":
		return llm.RateLimited
	case "servicequotaexceededexception":
		return llm.Quota
	case "resourcenotfoundexception":
		return llm.NotFound
	case "serviceunavailableexception", "modelnotreadyexception":
		return llm.Overloaded
	case "modeltimeoutexception":
		return llm.Timeout
	case "internalserverexception", "modelerrorexception", "modelstreamerrorexception", "internalfailure":
		return llm.UpstreamFault
	case "accessdeniedexception", "unrecognizedclientexception", "expiredtokenexception", "invalidsignatureexception",
		"missingauthenticationtokenexception", "incompletesignatureexception", "notauthorized", "optinrequired":
		return llm.UpstreamAuth
	}
	if status == http.StatusBadRequest {
		return validation(msg)
	}
	if status == http.StatusFailedDependency {
		return llm.UpstreamFault
	}
	return dialect.KindOfStatus(status, msg)
}

// validation tells apart the few bad requests that something else must be done about. The vendor gives
// them no type of their own.
func validation(msg string) llm.Kind {
	low := strings.ToLower(msg)
	switch {
	case strings.Contains(low, "model identifier is invalid"), strings.Contains(low, "model id") && strings.Contains(low, "not found"):
		return llm.NotFound
	case strings.Contains(low, "too many tokens, please wait"):
		return llm.RateLimited
	}
	return dialect.KindOfStatus(http.StatusBadRequest, msg)
}

// inStream returns the error that an upstream said within a stream, or in a body with status 200.
func inStream(typ string, data []byte) *llm.Error {
	_, msg := dialect.ErrorWords(data)
	e := &llm.Error{
		Op:       op + ".DecodeStream",
		Upstream: &llm.Upstream{Status: http.StatusOK, Type: typ, Dialect: Name, Body: slices.Clone(data), InStream: true},
	}
	dialect.Word(e, kindOf(0, typ, msg), msg) // the status was 200 and says nothing
	return e
}

// exceptionOf returns the name of the exception by which a stream says an error of a kind: there are five.
func exceptionOf(e *llm.Error) string {
	if dialect.Passes(e, Name) && e.Upstream.InStream && strings.HasSuffix(e.Upstream.Type, "Exception") {
		return e.Upstream.Type
	}
	_, kind := said(e.Kind)
	switch kind {
	case "ValidationException", "ResourceNotFoundException", "ConflictException":
		return "validationException"
	case "ThrottlingException", "ServiceQuotaExceededException":
		return "throttlingException"
	case "ServiceUnavailableException":
		return "serviceUnavailableException"
	case "ModelTimeoutException":
		return "modelStreamErrorException"
	}
	if e.Kind == llm.UpstreamFault || e.Kind == llm.BadUpstream {
		return "modelStreamErrorException"
	}
	return "internalServerException"
}

// latency says how long an answer took, as far as is known.
func latency(m dialect.Meta) string {
	ms := int64(0)
	if !m.Began.IsZero() {
		ms = time.Since(m.Began).Milliseconds()
	}
	return `{"latencyMs":` + itoa(int(ms)) + `}`
}
