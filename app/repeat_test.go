package app

import (
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// A phrase that is taken out of a stream of Responses is in none of its repetitions, and the stream is whole:
// for a caller of the dialect, of another, streamed or not, and where it is kept.
func TestWhatIsTakenOutOfAStreamIsNotSaidAgain(t *testing.T) {
	ev := func(kind, rest string) string {
		return testkit.Event("response."+kind, `{"type":"response.`+kind+`",`+rest+`}`)
	}
	const text = "The secret plan"
	part := `{"type":"output_text","text":"` + text + `","annotations":[],"logprobs":[{"token":"secret","bytes":[],"logprob":-1,"top_logprobs":[]}]}`
	item := `{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[` + part + `]}`
	where := `"output_index":0,"item_id":"msg_1","content_index":0,`
	stream := testkit.SSE(
		ev("created", `"sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"model":"up","status":"in_progress","output":[]}`),
		ev("output_item.added", `"output_index":0,"item":{"type":"message","id":"msg_1","status":"in_progress","role":"assistant","content":[]}`),
		ev("content_part.added", where+`"part":{"type":"output_text","text":"","annotations":[]}`),
		ev("output_text.delta", where+`"delta":"The sec","logprobs":[]`),
		ev("output_text.delta", where+`"delta":"ret plan","logprobs":[]`),
		ev("output_text.done", where+`"text":"`+text+`"`),
		ev("content_part.done", where+`"part":`+part),
		ev("output_item.done", `"output_index":0,"item":`+item),
		ev("completed", `"response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"up","output":[`+item+`],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}`),
	)
	up := testkit.NewUpstream(t, stream)
	const yaml = "\nconnections:\n  - {name: rs, provider: openai, base_url: \"%s/v1\", credentials: {api_key: k}}\n" +
		"deployments:\n  - {name: m, targets: [{connection: rs, upstream_model: up, traits: {no_state: true}}]}\n  - {name: n, targets: [{connection: rs, upstream_model: up}]}\n"
	w := newKeepingWith(t, Mechanisms{Guard: &censor{"secret plan"}}, keeping+strings.Replace(yaml, "provider: openai,", "provider: openai, dialect: responses,", 1), up.URL)
	check := func(name, got string) {
		t.Helper()
		if strings.Contains(got, "secret") || strings.Contains(got, "plan") || !strings.Contains(got, "[redacted]") {
			t.Errorf("%s: the caller heard %s", name, got)
		}
	}
	_, got := w.post("/v1/responses", `{"model":"m","input":"x","stream":true}`)
	check("streamed", got)
	r := lastResponse(t, got)
	if !strings.Contains(got, "response.output_text.done") || r["status"] != "completed" || strings.Count(got, "The [redacted]") != 5 {
		t.Errorf("the stream is not whole: %s", got)
	}
	_, got = w.post("/v1/responses", `{"model":"n","input":"x"}`)
	check("whole", got)
	_, got = w.post("/v1/chat/completions", strings.Replace(ask, `"stream":true,`, "", 1))
	check("chat", got)
	_, got = w.post("/v1/messages", `{"model":"m","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Tell me."}]}`)
	check("messages", got)
}
