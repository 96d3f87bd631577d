package anthropic

import (
	"net/http"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Hosts that only look like the vendor call every error invalid_request_error.
func TestTheStatusCountsWhereTheTypeContradictsIt(t *testing.T) {
	for status, want := range map[int]llm.Kind{
		400: llm.Invalid, 408: llm.Timeout, 409: llm.Invalid, 413: llm.TooLarge, 422: llm.Invalid, 429: llm.RateLimited,
		500: llm.UpstreamFault, 502: llm.UpstreamFault, 503: llm.Overloaded, 529: llm.Overloaded,
	} {
		r := dialect.Reply{Status: status, Header: http.Header{}, Body: []byte(`{"type":"error","error":{"type":"invalid_request_error","message":"no"}}`)}
		if got := (&codec{op: llm.OpGenerate}).DecodeError(r).Kind; got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
	for typ, want := range map[string]llm.Kind{
		"invalid_request_error": llm.Invalid, "overloaded_error": llm.Overloaded, "api_error": llm.UpstreamFault,
		"rate_limit_error": llm.RateLimited, "something_new": llm.UpstreamFault,
	} {
		if got := inStream([]byte(`{"type":"error","error":{"type":"` + typ + `","message":"no"}}`)).Kind; got != want {
			t.Errorf("%s in a stream is %s, want %s", typ, got, want)
		}
	}
}
