package anthropic_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

const both = llm.InSide | llm.OutSide

// usageOf returns the classes that a whole answer's usage is read as, less what was kept beside them.
func usageOf(t *testing.T, usage string) llm.Usage {
	t.Helper()
	body := fmt.Sprintf(`{"id":"i","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":%s}`, usage)
	res, err := messages().DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	reply, lost, err := messages().EncodeResponse(nil, res, dialect.Meta{})
	if err != nil || len(lost) > 0 {
		t.Fatal(err, lost)
	}
	sameJSON(t, []byte(body), reply.Body)
	if d := cmp.Diff(res.(*llm.Response).Usage, messages().Gist([]byte(body)).Usage); d != "" {
		t.Errorf("Gist tells another usage:\n%s", d)
	}
	u := res.(*llm.Response).Usage
	u.Extra = llm.Extra{}
	return u
}

// startAndDelta returns the classes that a stream's two usage objects are read as, at its start and at
// its end.
func startAndDelta(t *testing.T, start, delta string) (first, last llm.Usage) {
	t.Helper()
	wire := sse(
		fmt.Sprintf(`{"type":"message_start","message":{"id":"i","model":"m","content":[],"usage":%s}}`, start),
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"x"}}`,
		fmt.Sprintf(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":%s}`, delta),
		`{"type":"message_stop"}`)
	for _, want := range []dialect.Want{{}, {Meter: true}} {
		evs, err := decode(messages(), wire, want)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, ev := range evs {
			if r, ok := ev.(llm.UsageReport); ok {
				r.Usage.Extra = llm.Extra{}
				if last = r.Usage; n == 0 {
					first = r.Usage
				}
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d reports", n)
		}
	}
	return first, last
}

func wantUsage(t *testing.T, got, want llm.Usage) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(llm.Usage{}, "Extra")); d != "" {
		t.Errorf("usage differs (-want +got):\n%s", d)
	}
}

func TestCase_D1_CacheWritesAreNotInput(t *testing.T) {
	got := usageOf(t, `{"input_tokens":3,"cache_creation_input_tokens":12304,"output_tokens":550}`)
	wantUsage(t, got, llm.Usage{Input: 3, CacheWrite5m: 12304, Output: 550, Reported: both})
}

func TestCase_D2_CacheReadsOfAStream(t *testing.T) {
	first, last := startAndDelta(t, `{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":2455,"output_tokens":1}`, `{"output_tokens":100}`)
	wantUsage(t, first, llm.Usage{Input: 11, CacheRead: 2455, Output: 1, Reported: llm.InSide})
	wantUsage(t, last, llm.Usage{Input: 11, CacheRead: 2455, Output: 100, Reported: both})
}

func TestCase_D3_LastValueOfEachFieldCounts(t *testing.T) {
	for name, c := range map[string]struct {
		start, delta string
		want         llm.Usage
	}{
		"only in the delta": {
			`{"input_tokens":0,"output_tokens":0}`, `{"input_tokens":4522,"cache_creation_input_tokens":4511,"output_tokens":5}`,
			llm.Usage{Input: 4522, CacheWrite5m: 4511, Output: 5, Reported: both},
		},
		"in both": {
			`{"input_tokens":10,"cache_read_input_tokens":7,"output_tokens":1}`, `{"input_tokens":10,"cache_read_input_tokens":7,"output_tokens":5}`,
			llm.Usage{Input: 10, CacheRead: 7, Output: 5, Reported: both},
		},
		"null takes nothing back": {
			`{"input_tokens":10,"cache_read_input_tokens":7,"output_tokens":1}`, `{"input_tokens":null,"cache_read_input_tokens":null,"output_tokens":5}`,
			llm.Usage{Input: 10, CacheRead: 7, Output: 5, Reported: both},
		},
		"a stale split": {
			`{"input_tokens":1,"cache_creation_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1}`, `{"cache_creation_input_tokens":9,"output_tokens":5}`,
			llm.Usage{Input: 1, CacheWrite5m: 9, Output: 5, Reported: both},
		},
		"thinking told late": {
			`{"input_tokens":1,"output_tokens":1}`, `{"output_tokens":50,"output_tokens_details":{"thinking_tokens":30},"server_tool_use":{"web_search_requests":2}}`,
			llm.Usage{Input: 1, Output: 20, Reasoning: 30, Searches: 2, Reported: both},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, last := startAndDelta(t, c.start, c.delta)
			wantUsage(t, last, c.want)
		})
	}
}

func TestCase_D5_ClassesAreNeverNegativeAndAddUp(t *testing.T) {
	for _, usage := range []string{
		`{"input_tokens":-16638,"cache_read_input_tokens":72960,"output_tokens":-1}`,
		`{"input_tokens":1,"output_tokens":5,"output_tokens_details":{"thinking_tokens":9}}`,
		`{"input_tokens":1,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":9,"ephemeral_1h_input_tokens":9},"output_tokens":5}`,
	} {
		body := fmt.Sprintf(`{"id":"i","model":"m","content":[],"stop_reason":"end_turn","usage":%s}`, usage)
		res, err := messages().DecodeResponse(dialect.Reply{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		u := res.(*llm.Response).Usage
		for class, n := range u.Classes() {
			if n < 0 {
				t.Errorf("%s: %s is %d", usage, class, n)
			}
		}
		if u.Out() > 5 {
			t.Errorf("%s: %d tokens of output", usage, u.Out())
		}
	}
}

func TestCase_D6_CacheWritesBySplit(t *testing.T) {
	got := usageOf(t, `{"input_tokens":1,"cache_creation_input_tokens":100,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":40,"ephemeral_1h_input_tokens":60},"output_tokens":2}`)
	wantUsage(t, got, llm.Usage{Input: 1, CacheWrite5m: 40, CacheWrite1h: 60, Output: 2, Reported: both})
	got = usageOf(t, `{"input_tokens":1,"cache_creation_input_tokens":100,"output_tokens":2}`)
	wantUsage(t, got, llm.Usage{Input: 1, CacheWrite5m: 100, Output: 2, Reported: both})
	got = usageOf(t, `{"input_tokens":1,"cache_creation_input_tokens":100,"cache_creation":{"ephemeral_1h_input_tokens":60,"ephemeral_24h_input_tokens":1},"output_tokens":2}`)
	wantUsage(t, got, llm.Usage{Input: 1, CacheWrite5m: 40, CacheWrite1h: 60, Output: 2, Reported: both})
	for _, details := range []string{`{"thinking_tokens":0}`, `{"thinking_tokens":2}`, `{}`, `null`, `{"thinking_tokens":1,"x":1}`} {
		usageOf(t, `{"input_tokens":1,"output_tokens":2,"output_tokens_details":`+details+`}`)
	}
	got = usageOf(t, `{"input_tokens":1,"cache_creation":null,"output_tokens":2,"iterations":[{"type":"message"}],"inference_geo":"eu","service_tier":"batch"}`)
	wantUsage(t, got, llm.Usage{Input: 1, Output: 2, Reported: both})
}

func TestUsageOfAnotherDialectIsPutTogether(t *testing.T) {
	r := &llm.Response{ID: "i", Model: "m", Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopEnd}}}, Tier: "flex", Usage: llm.Usage{
		Input: 1, InputAudio: 2, InputImage: 4, CacheRead: 8, CacheWrite1h: 16, Output: 32, Reasoning: 64, OutputAudio: 128, Searches: 3,
		Extra: llm.Extra{Dialect: "openai", Fields: []llm.Field{{Key: "cost", Raw: "1.5"}, {Key: "none", Raw: "null"}}},
	}}
	reply, lost, err := messages().EncodeResponse(nil, r, dialect.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, []byte(`{"id":"i","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":{
		"input_tokens":7,"cache_read_input_tokens":8,"cache_creation_input_tokens":16,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":16},
		"output_tokens":224,"output_tokens_details":{"thinking_tokens":64},"server_tool_use":{"web_search_requests":3,"web_fetch_requests":0}}}`), reply.Body)
	rest := func(class string) dialect.Loss {
		return dialect.Loss{What: "usage." + class, Why: "counted with the rest"}
	}
	if d := cmp.Diff([]dialect.Loss{{What: "usage.cost"}, rest("input_audio"), rest("input_image"), rest("output_audio"), {What: "service_tier", Why: "flex is not a tier here"}}, lost); d != "" {
		t.Error(d)
	}
}
