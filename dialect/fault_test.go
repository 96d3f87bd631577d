package dialect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

func TestNoBodyOfAnErrorLosesItsMessage(t *testing.T) {
	for body, want := range map[string][2]string{
		`{"type":"error","error":{"type":"api_error","message":"oops"}}`: {"api_error", "oops"},
		`{"error":"no model","type":"x"}`:                                {"x", "no model"},
		`[{"error":{"message":"m","status":"S"}}]`:                       {"S", "m"},
		`{"detail":[{"msg":"field"}]}`:                                   {"", `[{"msg":"field"}]`},
		`"just text"`:                                                    {"", "just text"},
		`{"odd":1}`:                                                      {"", `{"odd":1}`},
		`null`:                                                           {"", "null"},
		`17`:                                                             {"", "17"},
		`[]`:                                                             {"", "[]"},
		"<html><h1>Bad\nGateway</h1></html>":                             {"", "Bad Gateway"},
	} {
		typ, msg := dialect.ErrorWords([]byte(body))
		if typ != want[0] || msg != want[1] {
			t.Errorf("%s: %q, %q", body, typ, msg)
		}
	}
}

func TestABadRequestIsClassedByItsWords(t *testing.T) {
	for msg, want := range map[string]llm.Kind{
		"input length and max_tokens exceed context limit: 199 + 8 > 200": llm.TooLong,
		"This model's maximum prompt length is 131072":                    llm.TooLong,
		"Your prompt is too long":                                         llm.TooLong,
		"Incorrect API key provided: x":                                   llm.UpstreamAuth,
		"Invalid API Key":                                                 llm.UpstreamAuth,
		"no such role":                                                    llm.Invalid,
	} {
		if got := dialect.KindOfStatus(400, msg); got != want {
			t.Errorf("%s: %s, want %s", msg, got, want)
		}
	}
}

func TestABodyThatIsNestedTooDeepIsCalledSo(t *testing.T) {
	for _, e := range []error{
		dialect.Invalid("x", &splice.DepthError{Max: 7}), dialect.NotJSON("x", &splice.DepthError{Max: 7}),
	} {
		if m := llm.AsError(e).Message; m != "the body is nested deeper than 7 levels" {
			t.Errorf("got %q", m)
		}
	}
	if m := dialect.NotJSON("x", errors.New("odd")).Message; !strings.Contains(m, "JSON object: odd") {
		t.Errorf("got %q", m)
	}
}
