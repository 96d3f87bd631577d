package platform_test

import (
	"net/http"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

func TestErrorsOfHosts(t *testing.T) {
	for _, c := range []struct {
		status        int
		body          string
		kind          llm.Kind
		code, message string
		ours          bool
	}{
		{400, `{"error":{"message":"m","type":"invalid_request_error","param":"x","code":"c"}}`, llm.Invalid, "c", "m", true},
		{400, `{"code":"c","error":"m"}`, llm.Invalid, "c", "m", true},
		{429, `[{"error":{"code":429,"message":"m"}}]`, llm.RateLimited, "429", "m", false},
		{200, `{"base_resp":{"status_code":1008,"status_msg":"m"}}`, llm.BadUpstream, "1008", "m", false},
		{498, `{"error":{"message":"m"}}`, llm.Overloaded, "", "m", true},
		{400, `{"error":{"message":"the key is wrong: Invalid API key"}}`, llm.UpstreamAuth, "", "the upstream refused the gateway's credential; whoever runs the gateway must renew it", true},
		{502, `<p>bad`, llm.UpstreamFault, "", "bad", false},
		{500, `{"error":null,"detail":"m"}`, llm.UpstreamFault, "", "m", false},
	} {
		e := platform.DecodeError("openai", dialect.Namespace{}, dialect.Reply{Status: c.status, Header: http.Header{}, Body: []byte(c.body)})
		if e.Kind != c.kind || e.Code != c.code || e.Message != c.message || (e.Upstream.Dialect == "openai") != c.ours {
			t.Errorf("%d %s: %s %q %q %+v", c.status, c.body, e.Kind, e.Code, e.Message, e.Upstream)
		}
	}
}

func TestErrorsWithinAStream(t *testing.T) {
	for data, want := range map[string]llm.Kind{
		`{"error":{"message":"m","code":429}}`:                                           llm.RateLimited,
		`{"error":{"message":"m","type":"invalid_request_error"}}`:                       llm.Invalid,
		`{"error":{"message":"m","type":"invalid_request_error","code":"429"}}`:          llm.RateLimited,
		`{"error":{"message":"the context length is 8","type":"invalid_request_error"}}`: llm.TooLong,
		`{"error":{"message":"m","code":"server_is_overloaded"}}`:                        llm.Overloaded,
		`{"type":"error","code":"content_filter","message":"m","param":null}`:            llm.Blocked,
		`{"error":{"message":"m"}}`:                                                      llm.UpstreamFault,
		`{"error":{"message":"m","type":"server_error","code":"invalid_base64_image"}}`:  llm.Invalid,
	} {
		if e := platform.InStream("openai", wire.Whole([]byte(data)), []byte(data)); e.Kind != want || e.Upstream.Status != 200 {
			t.Errorf("%s: %s, want %s", data, e.Kind, want)
		}
	}
}
