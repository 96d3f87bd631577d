package anthropic_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/llm"
)

func ourError(typ, msg string) string {
	b, _ := json.Marshal(map[string]any{"type": "error", "error": map[string]string{"type": typ, "message": msg}, "request_id": "req_1"})
	return string(b)
}

func TestErrorsOfTheUpstreamByKind(t *testing.T) {
	for _, c := range []struct {
		status   int
		typ, msg string
		kind     llm.Kind
		to       int // status toward the caller
		passes   bool
	}{
		{400, "invalid_request_error", "max_tokens: Field required", llm.Invalid, 400, true},
		{400, "invalid_request_error", "prompt is too long: 3333404 tokens > 200000 maximum", llm.TooLong, 400, true},
		{400, "invalid_request_error", "Your credit balance is too low to access the API", llm.Payment, 502, false},
		{401, "authentication_error", "invalid x-api-key", llm.UpstreamAuth, 502, false},
		{402, "billing_error", "pay", llm.Payment, 502, false},
		{403, "permission_error", "no access", llm.UpstreamAuth, 502, false},
		{404, "not_found_error", "model: x", llm.NotFound, 404, true},
		{413, "request_too_large", "big", llm.TooLarge, 413, true},
		{429, "rate_limit_error", "slow", llm.RateLimited, 429, true},
		{500, "api_error", "oops", llm.UpstreamFault, 500, true},
		{503, "api_error", "down", llm.Overloaded, 503, true},
		{504, "timeout_error", "late", llm.Timeout, 504, true},
		{529, "overloaded_error", "Overloaded", llm.Overloaded, 529, true},
		{418, "sparkle_error", "new", llm.Invalid, 418, true},
	} {
		body := ourError(c.typ, c.msg)
		e := messages().DecodeError(dialect.Reply{Status: c.status, Body: []byte(body)})
		if e.Kind != c.kind || e.Upstream.Type != c.typ || e.Upstream.Status != c.status {
			t.Errorf("%d %s: kind %s, %+v", c.status, c.typ, e.Kind, e.Upstream)
		}
		r := messages().EncodeError(e)
		if r.Status != c.to || bytes.Equal(r.Body, []byte(body)) != c.passes {
			t.Errorf("%d %s: to the caller %d %s", c.status, c.typ, r.Status, r.Body)
		}
		if !c.passes && strings.Contains(string(r.Body), c.msg) {
			t.Errorf("%d %s: the upstream's words about our credential went out: %s", c.status, c.typ, r.Body)
		}
	}
}

func TestErrorsInOtherShapesKeepTheirMessage(t *testing.T) {
	for body, want := range map[string]string{
		``:                       "status 502",
		`upstream connect error`: "upstream connect error",
		"<html><body><h1>Bad\nGateway</h1></html>":                   "Bad Gateway",
		`{"detail":"not here"}`:                                      "not here",
		`{"detail":[{"msg":"field"}]}`:                               "field",
		`{"error":"no model"}`:                                       "no model",
		`{"message":"throttled"}`:                                    "throttled",
		`{"error":{"message":"openai says","code":"x","type":null}}`: "openai says",
		`[{"error":{"message":"google says","status":"X"}}]`:         "google says",

		`"just text"`:         "just text",
		`{"odd":{"shape":1}}`: `{"odd":{"shape":1}}`,
		`[]`:                  "",
		`null`:                "",
		"\xff\xfe":            "",
	} {
		e := messages().DecodeError(dialect.Reply{Status: 502, Body: []byte(body)})
		if e.Kind != llm.UpstreamFault || e.Message == "" || !strings.Contains(e.Message, want) {
			t.Errorf("%s: got %s %q", body, e.Kind, e.Message)
		}
		r := messages().EncodeError(e)
		var said struct {
			Type  string
			Error struct{ Type, Message string }
		}
		if err := json.Unmarshal(r.Body, &said); err != nil || said.Type != "error" || said.Error.Type != "api_error" || said.Error.Message != e.Message {
			t.Errorf("%s: to the caller %s", body, r.Body)
		}
	}
}

func TestRetryAfterIsReadAndSaid(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		{http.Header{"Retry-After": {"7"}, "Retry-After-Ms": {"1500"}}, 1500 * time.Millisecond},
		{http.Header{"Retry-After": {at.Add(30 * time.Second).Format(http.TimeFormat)}, "Date": {at.Format(http.TimeFormat)}}, 30 * time.Second},
		{http.Header{"Retry-After": {"soon"}}, 0},
		{http.Header{"Retry-After": {"-5"}}, 0},
		{http.Header{"Retry-After": {"1e300"}}, 24 * time.Hour},
		{nil, 0},
	} {
		e := messages().DecodeError(dialect.Reply{Status: 429, Header: c.header, Body: []byte(ourError("rate_limit_error", "x"))})
		if e.Retry != c.want {
			t.Errorf("%v: wait %v, want %v", c.header, e.Retry, c.want)
		}
	}
	e := messages().DecodeError(dialect.Reply{Status: 529, Header: http.Header{"X-Should-Retry": {"false"}, "Request-Id": {"req"}, "Set-Cookie": {"a"}, "Anthropic-Organization-Id": {"org"}}})
	if !e.Upstream.NoRetry || e.Upstream.DoRetry {
		t.Errorf("x-should-retry: %+v", e.Upstream)
	}
	if d := cmp.Diff(http.Header{"X-Should-Retry": {"false"}, "Request-Id": {"req"}}, e.Upstream.Header); d != "" {
		t.Error(d)
	}
	r := messages().EncodeError(&llm.Error{Kind: llm.RateLimited, Message: "slow down", Retry: 1200 * time.Millisecond})
	want := http.Header{"Content-Type": {"application/json"}, "Retry-After": {"2"}, "Retry-After-Ms": {"1200"}}
	if d := cmp.Diff(want, r.Header); d != "" || r.Status != 429 {
		t.Errorf("%d\n%s", r.Status, d)
	}
}

func TestErrorsOfOursByKind(t *testing.T) {
	for kind, want := range map[llm.Kind]struct {
		status int
		typ    string
	}{
		llm.Invalid: {400, "invalid_request_error"}, llm.Unauthorized: {401, "authentication_error"}, llm.Forbidden: {403, "permission_error"},
		llm.NotFound: {404, "not_found_error"}, llm.TooLarge: {413, "request_too_large"}, llm.Quota: {429, "rate_limit_error"},
		llm.Overloaded: {529, "overloaded_error"}, llm.Timeout: {504, "timeout_error"}, llm.Unavailable: {502, "api_error"},
		llm.UpstreamAuth: {502, "api_error"}, llm.Internal: {500, "api_error"}, llm.NotAllowed: {405, "invalid_request_error"},
		llm.Kind("unheard of"): {500, "api_error"},
	} {
		r := messages().EncodeError(&llm.Error{Kind: kind, Message: `say "this"`, Err: errors.New("secret")})
		if r.Status != want.status || strings.Contains(string(r.Body), "secret") {
			t.Errorf("%s: %d %s", kind, r.Status, r.Body)
		}
		sameJSON(t, []byte(`{"type":"error","error":{"type":"`+want.typ+`","message":"say \"this\""}}`), r.Body)
	}
	r := messages().EncodeError(&llm.Error{Kind: llm.TooLong, Message: "context_length_exceeded"})
	if !strings.Contains(string(r.Body), `"prompt is too long: context_length_exceeded"`) {
		t.Errorf("got %s", r.Body)
	}
	r = messages().EncodeError(errors.New("secret"))
	if r.Status != 500 || strings.Contains(string(r.Body), "secret") {
		t.Errorf("got %s", r.Body)
	}
}

func TestErrorInABodyOfStatus200(t *testing.T) {
	_, err := messages().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(ourError("overloaded_error", "busy"))})
	if !llm.IsKind(err, llm.Overloaded) {
		t.Fatalf("got %v", err)
	}
	if r := messages().EncodeError(err); r.Status != 529 || string(r.Body) != ourError("overloaded_error", "busy") {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
	for _, body := range []string{``, `[]`, `{}`, `{"content":5}`, `{"content":[`, `null`} {
		if _, err := messages().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)}); !llm.IsKind(err, llm.BadUpstream) {
			t.Errorf("%q: got %v", body, err)
		}
	}
}

func TestErrorOfAnotherDialectIsSaidInThisOne(t *testing.T) {
	e := &llm.Error{Kind: llm.RateLimited, Message: "slow", Upstream: &llm.Upstream{Status: 429, Dialect: "openai", Body: []byte(`{"error":{"message":"slow"}}`)}}
	r := messages().EncodeError(e)
	sameJSON(t, []byte(`{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}`), r.Body)
}

func TestDialect(t *testing.T) {
	d := anthropic.Dialect()
	if d.Name != "anthropic" || d.Codec(llm.OpGenerate) == nil || d.Codec(llm.OpCountTokens) == nil {
		t.Errorf("%+v", d)
	}
	if !d.Headers.Holds("Anthropic-Ratelimit-Tokens-Remaining") || !d.Headers.Holds("request-id") || d.Headers.Holds("x-api-key") || d.Headers.Holds("anthropic-organization-id") {
		t.Error("the namespace holds the wrong headers")
	}
	if !d.Speaks("/v1/messages/batches", nil) || d.Speaks("/v1/chat/completions", http.Header{}) || !d.Speaks("/v1/models", http.Header{"Anthropic-Version": {"x"}}) {
		t.Error("Speaks is wrong")
	}
}
