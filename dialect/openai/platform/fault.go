package platform

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Fault is what an error says.
type Fault struct{ Type, Code, Param, Message string }

// said returns the type and the code that an error of a kind has.
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

// keyRefused is how the vendor begins to say that a credential is refused.
const keyRefused = "Incorrect API key provided"

// FaultOf returns what an error of ours says.
func FaultOf(e *llm.Error) Fault {
	f := Fault{Param: e.Param, Message: e.Message}
	f.Type, f.Code = said(e.Kind)
	if e.Kind == llm.RateLimited && strings.HasSuffix(e.Counts, "tokens") {
		f.Type = "tokens"
	}
	switch {
	case e.Kind == llm.Unauthorized:
		// Clients know a credential that is refused by the vendor's own words, and take other refusals with this type
		// for bad requests.
		if !strings.HasPrefix(f.Message, keyRefused) {
			f.Message = strings.TrimSuffix(keyRefused+": "+f.Message, ": ")
		}
	case e.Code != "":
		f.Code = e.Code
	}
	if f.Message == "" {
		f.Message = "the call could not be answered (" + string(e.Kind) + ")"
	}
	return f
}

// Append writes the error as an object.
func (f Fault) Append(w *jsonw.Writer) {
	w.Open('{')
	w.KeyStr("message", f.Message)
	w.KeyStr("type", f.Type)
	w.KeyStrOrNull("param", f.Param)
	w.KeyStrOrNull("code", f.Code)
	w.Close('}')
}

// Body returns the body of an answer that says the error.
func (f Fault) Body() []byte {
	var w jsonw.Writer
	w.Open('{')
	w.Key("error")
	f.Append(&w)
	w.Close('}')
	return w.Buf
}

// DecodeError reads an error answer for the named dialect, whose headers are those of the namespace.
func DecodeError(name string, ns dialect.Namespace, r dialect.Reply) *llm.Error {
	body := bytes.TrimSpace(r.Body)
	var v wire.Value
	if splice.Valid(body, splice.DefaultDepth) == nil {
		v = wire.Whole(body)
	}
	f := readFault(v, body)
	up := dialect.Refusal(r, ns)
	up.Type = f.Type
	if k := v.Get("error").Kind(); k == '{' || k == '"' {
		up.Dialect = name
	}
	e := &llm.Error{Op: "dialect/" + name + ".DecodeError", Retry: dialect.RetryAfter(r.Header), Upstream: up}
	f.word(e, f.kind(r.Status))
	return e
}

// InStream returns the error that an upstream of the named dialect said within a stream, or in an answer whose
// status is 200. v is the error, data the event or the answer that it stood in.
func InStream(name string, v wire.Value, data []byte) *llm.Error {
	f := readFault(v, data)
	status := http.StatusInternalServerError
	if n, err := strconv.Atoi(f.Code); err == nil && n >= 400 && n < 600 {
		status = n // some hosts give the status that it would have been as the code
	} else if f.Type == "invalid_request_error" {
		status = http.StatusBadRequest
	}
	up := &llm.Upstream{Status: http.StatusOK, Type: f.Type, Dialect: name, Body: slices.Clone(data), InStream: true}
	e := &llm.Error{Op: "dialect/" + name + ".DecodeStream", Upstream: up}
	f.word(e, f.kind(status))
	return e
}

// word gives an error its kind and its words. What is said of our credential is not for the caller.
func (f Fault) word(e *llm.Error, k llm.Kind) {
	dialect.Word(e, k, f.Message)
	if k != llm.UpstreamAuth && k != llm.Payment {
		e.Code, e.Param = f.Code, f.Param
	}
}

// readFault reads an error in one of the shapes that hosts say it in: within a member error, beside one, or flat.
// None may lose its message: where it has no place of its own, all of data is looked through.
func readFault(v wire.Value, data []byte) Fault {
	f := faultAt(v)
	typ, msg := "", f.Message
	if f.Type == "" || msg == "" {
		typ, msg = dialect.ErrorWords(data)
	}
	if f.Type == "" {
		f.Type = typ
	}
	if f.Message == "" {
		f.Message = msg
	}
	return f
}

func faultAt(v wire.Value) Fault {
	if v.Kind() == '[' {
		v = v.Get("0")
	}
	switch inner := v.Get("error"); inner.Kind() {
	case '{':
		v = inner
	case '"': // xAI's older shape says the code beside
		return Fault{Type: v.Get("type").Text(), Code: scalar(v.Get("code")), Message: inner.Text()}
	}
	if at := v.Get("base_resp"); at.Get("status_msg").Kind() == '"' { // MiniMax's
		return Fault{Code: scalar(at.Get("status_code")), Message: at.Get("status_msg").Text()}
	}
	return Fault{Type: v.Get("type").Text(), Code: scalar(v.Get("code")), Param: scalar(v.Get("param")), Message: v.Get("message").Text()}
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

// noCapacity is the status by which Groq says that there is no capacity for a call.
const noCapacity = 498

// kind classes an upstream's error, by its code or type where that says more than the status.
func (f Fault) kind(status int) llm.Kind {
	for _, word := range [...]string{f.Code, f.Type} {
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
	if status == noCapacity {
		return llm.Overloaded
	}
	return dialect.KindOfStatus(status, f.Message)
}
