package openai_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func decodeError(status int, header http.Header, body string) *llm.Error {
	if header == nil {
		header = http.Header{}
	}
	return chat().DecodeError(dialect.Reply{Status: status, Header: header, Body: []byte(body)})
}

func TestErrorsOfUpstreams(t *testing.T) {
	for _, tt := range []struct {
		status  int
		body    string
		kind    llm.Kind
		message string // a part of it
	}{
		{400, `{"error":{"message":"no such role","type":"invalid_request_error","param":"messages","code":null}}`, llm.Invalid, "no such role"},
		{400, `{"error":{"message":"maximum","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, llm.TooLong, "maximum"},
		{400, `{"error":{"message":"This model's maximum context length is 1048565 tokens.","type":"invalid_request_error","code":"invalid_request_error"}}`, llm.TooLong, "1048565"},
		{400, `{"error":{"message":"prompt too long; exceeded max context length by 11 tokens","type":"invalid_request_error"}}`, llm.TooLong, "by 11"},
		{400, `{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter"}}`, llm.Blocked, "filtered"},
		{400, `{"error":{"code":"tool_use_failed","message":"did not match schema","type":"invalid_request_error"}}`, llm.Invalid, "schema"},
		{401, `{"error":{"message":"Incorrect API key provided: sk-1234","type":"invalid_request_error","code":"invalid_api_key"}}`, llm.UpstreamAuth, "gateway's credential"},
		{401, `{"detail":"Invalid API Key"}`, llm.UpstreamAuth, "gateway's credential"},
		{402, `{"error":{"message":"Insufficient Balance"}}`, llm.Payment, "credit"},
		{403, `{"error":"forbidden"}`, llm.UpstreamAuth, "gateway's credential"},
		{404, `{"error":{"message":"The model does not exist","code":"model_not_found"}}`, llm.NotFound, "does not exist"},
		{404, `{"error":{"type":"invalid_request_error","code":"DeploymentNotFound","message":"no deployment"}}`, llm.NotFound, "no deployment"},
		{408, ``, llm.Timeout, "408"},
		{410, `{"error":"Live search is deprecated."}`, llm.Invalid, "Live search"},
		{413, `{"message":"large"}`, llm.TooLarge, "large"},
		{422, `{"detail":[{"loc":["body"],"msg":"field required"}]}`, llm.Invalid, "field required"},
		{429, `{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}`, llm.RateLimited, "reached"},
		{429, `{"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}}`, llm.Quota, "quota"},
		{429, `{"error":{"code":429,"message":"Provider returned error"}}`, llm.RateLimited, "Provider"},
		{429, `{"error":{"code":"RateLimitReached","message":"slow"}}`, llm.RateLimited, "slow"},
		{498, `{"error":{"message":"capacity_exceeded"}}`, llm.Overloaded, "capacity"},
		{500, `{"error":{"message":"oops","type":"server_error"}}`, llm.UpstreamFault, "oops"},
		{502, "<html><head><title>502 Bad Gateway</title></head>\n<body>nginx</body></html>", llm.UpstreamFault, "502 Bad Gateway nginx"},
		{503, `upstream connect error`, llm.Overloaded, "upstream connect error"},
		{504, ``, llm.Timeout, "504"},
		{529, `{"error":{"type":"overloaded_error","message":"Overloaded"}}`, llm.Overloaded, "Overloaded"},
		{429, `[{"error":{"code":429,"message":"Resource exhausted.","status":"RESOURCE_EXHAUSTED"}}]`, llm.RateLimited, "exhausted"},
		{302, ``, llm.BadUpstream, "302"},
		{400, "\xff\x00{", llm.Invalid, ""},
	} {
		e := decodeError(tt.status, nil, tt.body)
		if e.Kind != tt.kind || !strings.Contains(e.Message, tt.message) || e.Upstream == nil || e.Upstream.Status != tt.status {
			t.Errorf("%d %s: %+v", tt.status, tt.body, e)
		}
		r := chat().EncodeError(e)
		if !json.Valid(r.Body) && string(r.Body) != tt.body {
			t.Errorf("%d %s: said as %s", tt.status, tt.body, r.Body)
		}
		if strings.Contains(string(r.Body), "sk-1234") {
			t.Errorf("the upstream's words about our key: %s", r.Body)
		}
	}
}

func TestRecordedErrorsPass(t *testing.T) {
	xs := dialecttest.Recordings(t, openai.Name).Filter(func(x *testkit.Exchange) bool { return x.Response.Status >= 400 })
	for _, x := range xs {
		e := chat().DecodeError(dialecttest.Reply(&x))
		r := chat().EncodeError(e)
		switch x.Response.Status {
		case 401, 402, 403:
			if r.Status != http.StatusBadGateway || string(r.Body) == string(x.Response.Body) {
				t.Errorf("%s: %d %s", x.Name(), r.Status, r.Body)
			}
		default:
			if r.Status != x.Response.Status || string(r.Body) != string(x.Response.Body) {
				t.Errorf("%s: %d %s", x.Name(), r.Status, r.Body)
			}
		}
	}
	t.Logf("%d errors", len(xs))
}

func TestErrorsOfOurOwn(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		body   string
	}{
		{&llm.Error{Kind: llm.Invalid, Param: "n", Message: "n must be a whole number"}, 400, `{"error":{"message":"n must be a whole number","type":"invalid_request_error","param":"n","code":null}}`},
		{&llm.Error{Kind: llm.Unauthorized, Message: "no key"}, 401, `{"error":{"message":"Incorrect API key provided: no key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`},
		{&llm.Error{Kind: llm.NotFound, Param: "model", Code: "model_not_found", Message: "no such model"}, 404, `{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}`},
		{&llm.Error{Kind: llm.RateLimited, Message: "slow"}, 429, `{"error":{"message":"slow","type":"requests","param":null,"code":"rate_limit_exceeded"}}`},
		{&llm.Error{Kind: llm.Quota, Message: "gone"}, 429, `{"error":{"message":"gone","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{&llm.Error{Kind: llm.TooLong, Message: "long"}, 400, `{"error":{"message":"long","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}`},
		{&llm.Error{Kind: llm.Internal, Message: "internal error", Err: http.ErrBodyNotAllowed}, 500, `{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal_error"}}`},
		{http.ErrBodyNotAllowed, 500, `{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal_error"}}`},
		{
			&llm.Error{Kind: llm.Overloaded, Message: "busy", Upstream: &llm.Upstream{Status: 529, Dialect: "anthropic", Body: []byte(`{"type":"error"}`)}},
			503, `{"error":{"message":"busy","type":"server_error","param":null,"code":"overloaded"}}`,
		},
	} {
		r := chat().EncodeError(tt.err)
		if r.Status != tt.status || string(r.Body) != tt.body || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: %d %s", tt.err, r.Status, r.Body)
		}
	}
}

func TestCase_J2_RetryAfterPasses(t *testing.T) {
	date := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for _, tt := range []struct {
		header   http.Header
		min, max time.Duration
	}{
		{http.Header{"Retry-After": {"2"}}, 2 * time.Second, 2 * time.Second},
		{http.Header{"Retry-After": {"2"}, "Retry-After-Ms": {"1500"}}, 1500 * time.Millisecond, 1500 * time.Millisecond},
		{http.Header{"Retry-After": {date}}, 85 * time.Second, 90 * time.Second},
		{http.Header{"Retry-After": {"soon"}}, 0, 0},
		{http.Header{"Retry-After": {"-1"}}, 0, 0},
		{http.Header{"Retry-After": {"NaN"}}, 0, 0},
		{http.Header{"Retry-After": {"1e300"}}, 24 * time.Hour, 24 * time.Hour},
		{http.Header{}, 0, 0},
	} {
		e := decodeError(429, tt.header, `{"error":{"message":"slow"}}`)
		if e.Retry < tt.min || e.Retry > tt.max {
			t.Errorf("%v: %v", tt.header, e.Retry)
		}
	}
	r := chat().EncodeError(&llm.Error{Kind: llm.RateLimited, Message: "slow", Retry: 1200 * time.Millisecond})
	if r.Header.Get("Retry-After") != "2" || r.Header.Get("Retry-After-Ms") != "1200" {
		t.Errorf("got %v", r.Header)
	}
	if e := decodeError(500, http.Header{"X-Should-Retry": {"false"}}, ""); !e.Upstream.NoRetry {
		t.Error("x-should-retry: false is not heard")
	}
	if e := decodeError(400, http.Header{"X-Should-Retry": {"true"}}, ""); !e.Upstream.DoRetry {
		t.Error("x-should-retry: true is not heard")
	}
}

func TestAnErrorWithStatus200(t *testing.T) {
	_, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(`{"error":{"code":429,"message":"busy"}}`)})
	if e := llm.AsError(err); e.Kind != llm.RateLimited || e.Message != "busy" {
		t.Errorf("got %v", err)
	}
	for _, body := range []string{"", "null", "[]", "<html>", `{"choices":[{"message":{"tool_calls":7}}]}`, `{"choices":{}}`, `{"choices":[7]}`} {
		if _, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)}); !llm.IsKind(err, llm.BadUpstream) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
