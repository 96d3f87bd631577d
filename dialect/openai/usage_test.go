package openai_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
)

// answerWith makes a whole answer with a usage object.
func answerWith(usage string) []byte {
	return []byte(`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":` + usage + `}`)
}

func TestCase_D5_UsageInClassesThatDoNotOverlap(t *testing.T) {
	both := llm.InSide | llm.OutSide
	tests := []struct {
		name, usage string
		want        llm.Usage
	}{
		{"plain", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`, llm.Usage{Input: 10, Output: 5, Reported: both}},
		{
			"cached and reasoning", `{"prompt_tokens":2000,"completion_tokens":300,"total_tokens":2300,"prompt_tokens_details":{"cached_tokens":1792,"audio_tokens":8},"completion_tokens_details":{"reasoning_tokens":256,"audio_tokens":4}}`,
			llm.Usage{Input: 200, CacheRead: 1792, InputAudio: 8, Output: 40, Reasoning: 256, OutputAudio: 4, Reported: both},
		},
		{
			"written", `{"prompt_tokens":4020,"completion_tokens":4,"total_tokens":4024,"prompt_tokens_details":{"cache_write_tokens":4012,"cached_tokens":0}}`,
			llm.Usage{Input: 8, CacheWrite5m: 4012, Output: 4, Reported: both},
		},
		{
			"more cached than read", `{"prompt_tokens":56322,"completion_tokens":1,"total_tokens":56323,"prompt_tokens_details":{"cached_tokens":72960}}`,
			llm.Usage{CacheRead: 56322, Output: 1, Reported: both},
		},
		{
			"reasoning apart", `{"prompt_tokens":496,"completion_tokens":77,"total_tokens":694,"prompt_tokens_details":{"cached_tokens":448},"completion_tokens_details":{"reasoning_tokens":121}}`,
			llm.Usage{Input: 48, CacheRead: 448, Output: 77, Reasoning: 121, Reported: both},
		},
		{
			"more reasoning than output", `{"prompt_tokens":1,"completion_tokens":10,"total_tokens":11,"completion_tokens_details":{"reasoning_tokens":15}}`,
			llm.Usage{Input: 1, Reasoning: 10, Reported: both},
		},
		{
			"hits", `{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}`,
			llm.Usage{Input: 36, CacheRead: 64, Output: 1, Reported: both},
		},
		{"negative", `{"prompt_tokens":-5,"completion_tokens":-1}`, llm.Usage{}},
		{"input only", `{"prompt_tokens":5}`, llm.Usage{Input: 5, Reported: llm.InSide}},
		{"nulls", `{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":null,"completion_tokens_details":null}`, llm.Usage{Input: 5, Output: 1, Reported: both}},
		{"floats", `{"prompt_tokens":5.0,"completion_tokens":1e1,"total_tokens":15}`, llm.Usage{Input: 5, Output: 10, Reported: both}},
		{"searches", `{"prompt_tokens":5,"completion_tokens":1,"server_tool_use":{"web_search_requests":2}}`, llm.Usage{Input: 5, Output: 1, Searches: 2, Reported: both}},
		{"nothing", `{}`, llm.Usage{}},
		{"null", `null`, llm.Usage{}},
	}
	for _, tt := range tests {
		body := answerWith(tt.usage)
		res, err := chat().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			t.Fatal(tt.name, err)
		}
		got := res.(*llm.Response).Usage
		for class, n := range got.Classes() {
			if n < 0 {
				t.Errorf("%s: %s is %d", tt.name, class, n)
			}
		}
		if gist := chat().Gist(body).Usage; !cmp.Equal(gist.Metered(), got.Metered()) {
			t.Errorf("%s: gist %+v", tt.name, gist)
		}
		// What the caller of this dialect is told is what the upstream told.
		out, _, err := chat().EncodeResponse(nil, res, dialect.Meta{})
		if d := dialecttest.SameJSON(body, out.Body); d != "" || err != nil {
			t.Errorf("%s: %v %s", tt.name, err, d)
		}
		got.Extra = llm.Extra{}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestUsageOfAnotherDialectIsToldInclusively(t *testing.T) {
	r := &llm.Response{ID: "x", Usage: llm.Usage{
		Input: 3, CacheRead: 100, CacheWrite5m: 10, CacheWrite1h: 5, Output: 20, Reasoning: 7, Reported: llm.InSide | llm.OutSide,
	}}
	out, _, err := chat().EncodeResponse(nil, r, dialect.Meta{Now: 2})
	want := `{"id":"x","object":"chat.completion","created":2,"model":"","choices":[],"usage":{"prompt_tokens":118,"completion_tokens":27,"total_tokens":145,` +
		`"prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":15,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":7,"audio_tokens":0}}}`
	if string(out.Body) != want || err != nil {
		t.Errorf("got %s, %v", out.Body, err)
	}
}
