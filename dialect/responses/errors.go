package responses

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
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
		return "server_error", "server_is_overloaded"
	case llm.UpstreamAuth, llm.Payment:
		return "server_error", "upstream_credential_refused"
	case llm.Unavailable, llm.BadUpstream, llm.UpstreamFault:
		return "server_error", "upstream_error"
	default:
		return "server_error", "internal_error"
	}
}

// words are what an error says.
type words struct{ typ, code, param, msg string }

// wordsOf returns what an error of ours says.
func wordsOf(e *llm.Error) words {
	w := words{param: e.Param, msg: e.Message}
	w.typ, w.code = said(e.Kind)
	if e.Code != "" {
		w.code = e.Code
	}
	if w.msg == "" {
		w.msg = "the call could not be answered (" + string(e.Kind) + ")"
	}
	return w
}

// append writes the error as an object.
func (x words) append(w *jsonw.Writer) {
	w.Open('{')
	w.KeyStr("message", x.msg)
	w.KeyStr("type", x.typ)
	keyOrNull(w, "param", x.param)
	keyOrNull(w, "code", x.code)
	w.Close('}')
}

func keyOrNull(w *jsonw.Writer, key, s string) {
	if s == "" {
		w.KeyNull(key)
	} else {
		w.KeyStr(key, s)
	}
}

// EncodeError implements dialect.Server.
func (c *codec) EncodeError(err error) dialect.Reply {
	e := llm.AsError(err)
	var w jsonw.Writer
	w.Open('{')
	w.Key("error")
	wordsOf(e).append(&w)
	w.Close('}')
	return dialect.Refuse(e, Name, llm.Of(e.Kind).Status, w.Buf)
}

// DecodeError implements dialect.Client.
func (c *codec) DecodeError(r dialect.Reply) *llm.Error {
	typ, msg := dialect.ErrorWords(r.Body)
	up := dialect.Refusal(r, namespace())
	x := readWords(wire.Whole(r.Body))
	if x.typ == "" {
		x.typ = typ
	}
	x.msg = msg
	up.Type = x.typ
	if wire.Whole(r.Body).Get("error").Found() {
		up.Dialect = Name
	}
	e := &llm.Error{Op: "dialect/responses.DecodeError", Param: x.param, Code: x.code, Retry: dialect.RetryAfter(r.Header), Upstream: up}
	word(e, kindOf(r.Status, x), msg)
	return e
}

// word gives an error its kind and its message. What is said of our credential is not for the caller.
func word(e *llm.Error, k llm.Kind, msg string) {
	dialect.Word(e, k, msg)
	if k == llm.UpstreamAuth || k == llm.Payment {
		e.Code, e.Param = "", ""
	}
}

// readWords reads an error in one of the shapes that hosts of the dialect say it in: within a member
// error, or flat.
func readWords(v wire.Value) words {
	if inner := v.Get("error"); inner.Kind() == '{' {
		v = inner
	} else if inner.Kind() == '"' { // xAI's, with the code beside
		return words{code: scalar(v.Get("code")), typ: v.Get("type").Text(), msg: inner.Text()}
	}
	return words{typ: v.Get("type").Text(), code: scalar(v.Get("code")), param: scalar(v.Get("param")), msg: v.Get("message").Text()}
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

// kindOf classes an upstream's error, by its code or type where that says more than the status.
func kindOf(status int, w words) llm.Kind {
	for _, word := range [...]string{w.code, w.typ} {
		switch word {
		case "context_length_exceeded", "string_above_max_length", "exceed_context_size_error":
			return llm.TooLong
		case "insufficient_quota", "billing_hard_limit_reached":
			return llm.Quota
		case "rate_limit_exceeded", "rate_limit_error", "too_many_requests":
			return llm.RateLimited
		case "model_not_found", "DeploymentNotFound", "not_found_error":
			return llm.NotFound
		case "content_filter", "content_policy_violation", "bio_policy", "image_content_policy_violation":
			return llm.Blocked
		case "invalid_api_key", "authentication_error":
			return llm.UpstreamAuth
		case "server_is_overloaded", "slow_down", "overloaded_error", "engine_overloaded_error":
			return llm.Overloaded
		case "invalid_prompt", "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url",
			"image_too_large", "image_too_small", "image_parse_error", "invalid_image_mode", "image_file_too_large",
			"unsupported_image_media_type", "empty_image_file", "failed_to_download_image", "image_file_not_found":
			return llm.Invalid
		}
	}
	if status == http.StatusBadRequest && wrongKey(w.msg) {
		return llm.UpstreamAuth
	}
	return dialect.KindOfStatus(status, w.msg)
}

// wrongKey knows how xAI, which answers a wrong key with 400, says so.
func wrongKey(msg string) bool {
	const words = "Incorrect API key"
	return len(msg) >= len(words) && msg[:len(words)] == words
}

// inStream returns the error that an upstream said within a stream, or in an answer whose status is 200.
// v is the error, data the event or the answer that it stood in.
func inStream(v wire.Value, data []byte) *llm.Error {
	x := readWords(v)
	if x.msg == "" {
		_, x.msg = dialect.ErrorWords(data)
	}
	status := http.StatusInternalServerError
	if n, err := strconv.Atoi(x.code); err == nil && n >= 400 && n < 600 {
		status = n
	}
	if x.typ == "invalid_request_error" {
		status = http.StatusBadRequest
	}
	up := &llm.Upstream{Status: http.StatusOK, Type: x.typ, Dialect: Name, Body: slices.Clone(data), InStream: true}
	e := &llm.Error{Op: "dialect/responses.DecodeStream", Code: x.code, Param: x.param, Upstream: up}
	word(e, kindOf(status, x), x.msg)
	return e
}

func badUpstream(err error, msg string) *llm.Error {
	return dialect.BadUpstream("dialect/responses", err, msg)
}

func internal(op string, err error) *llm.Error {
	return dialect.InternalFault("dialect/responses."+op, err)
}

// invalid makes an error of kind Invalid of what is wrong with a request.
func invalid(err error) error {
	if e := wire.Invalid("dialect/responses", err); e != nil {
		return e
	}
	return dialect.NotJSON("dialect/responses", err)
}
