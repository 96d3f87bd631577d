package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// Structured output of hosts that have none, through the whole gateway, in every dialect of callers.

const (
	personSchema = `{"type":"object","properties":{"name":{"type":"string"},"born":{"type":"integer","minimum":1000}},"required":["name","born"],"additionalProperties":false}`
	rightPerson  = `{"name":"Ada","born":1815}`
	wrongPerson  = `{"name":"Ada","born":3}`

	structuredYAML = `
connections:
  - {name: a, provider: %s, base_url: "%%s%s"}
deployments:
  - name: m
    structured: %s
    targets:
      - {connection: a, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}, traits: {%s}}
`
)

// shaper is an upstream that answers badly until it is told so. It calls the answering tool where it has one.
type shaper struct {
	dialect string
	wrong   int // how many answers are wrong at first
}

// answer answers one request in its dialect.
func (s *shaper) answer(n int, r *testkit.Request) testkit.Answer {
	body, text := string(r.Body), rightPerson
	if n <= s.wrong {
		text = wrongPerson
	}
	calls := strings.Contains(body, `"name":"answer"`) && strings.Contains(body, `"tools"`)
	streams := strings.Contains(body, `"stream":true`)
	if !calls {
		text = "Here it is:\n```json\n" + text + "\n```"
	}
	quoted, _ := json.Marshal(text)
	if s.dialect == "anthropic" {
		return s.claude(string(quoted), text, calls, streams)
	}
	return s.chat(string(quoted), calls, streams)
}

func (s *shaper) chat(quoted string, calls, streams bool) testkit.Answer {
	const head, deltaHead = `{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,`, `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,`
	said, why := `{"role":"assistant","content":`+quoted+`}`, "stop"
	if calls {
		said = `{"role":"assistant","content":"Let me see.","tool_calls":[{"index":0,"id":"call_7","type":"function","function":{"name":"answer","arguments":` + quoted + `}}]}`
		why = "tool_calls"
	}
	if streams {
		return testkit.SSE(deltaHead+`"delta":`+said+`,"finish_reason":null}]}`, deltaHead+`"delta":{},"finish_reason":"`+why+`"}]}`, usageChunk, "[DONE]")
	}
	return testkit.JSON(head + `"message":` + said + `,"finish_reason":"` + why + `"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`)
}

func (s *shaper) claude(quoted, text string, calls, streams bool) testkit.Answer {
	block, delta, why := `{"type":"text","text":`+quoted+`}`, `{"type":"text_delta","text":`+quoted+`}`, "end_turn"
	start := `{"type":"text","text":""}`
	if calls {
		block, why = `{"type":"tool_use","id":"call_7","name":"answer","input":`+text+`}`, "tool_use"
		start, delta = `{"type":"tool_use","id":"call_7","name":"answer","input":{}}`, `{"type":"input_json_delta","partial_json":`+quoted+`}`
	}
	if streams {
		return sse(`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}`,
			`{"type":"content_block_start","index":0,"content_block":`+start+`}`, `{"type":"content_block_delta","index":0,"delta":`+delta+`}`,
			`{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"`+why+`","stop_sequence":null},"usage":{"output_tokens":5}}`, `{"type":"message_stop"}`)
	}
	return testkit.JSON(`{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[` + block + `],"stop_reason":"` + why + `","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`)
}

// upstream starts it. What it counts begins anew with begin.
func (s *shaper) upstream(t *testing.T) (up *testkit.Upstream, begin func()) {
	up = testkit.NewUpstream(t)
	from := 0
	begin = func() {
		from = up.Count()
		up.Handle(func(r *testkit.Request) testkit.Answer { return s.answer(up.Count()-from, r) })
	}
	begin()
	return up, begin
}

// doors are where each dialect of callers asks: whole, streamed.
func doors() map[string][2]string {
	return map[string][2]string{
		"openai":    {"/v1/chat/completions", "/v1/chat/completions"},
		"responses": {"/v1/responses", "/v1/responses"},
		"anthropic": {"/v1/messages", "/v1/messages"},
		"gemini":    {"/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse"},
		"converse":  {"/model/m/converse", "/model/m/converse-stream"},
		"cohere":    {"/v2/chat", "/v2/chat"},
		"ollama":    {"/api/chat", "/api/chat"},
	}
}

// shapedAnswer is an answer as a caller reads it, with what was said beside it.
type shapedAnswer struct {
	status  int
	text    string // the whole body, for messages
	got     *llm.Response
	changed string
}

// ask asks as a client of a dialect does.
func (w *world) ask(t *testing.T, name string, r *llm.Request) shapedAnswer {
	t.Helper()
	codec := w.codec(t, name)
	ob, _, err := codec.EncodeRequest(r, dialect.Shape{Offer: &plenum.Offer{Upstream: "m"}})
	if err != nil {
		t.Fatal(err)
	}
	path := doors()[name][0]
	if r.Stream {
		path = doors()[name][1]
	}
	resp, text := w.post(path, string(ob.Body))
	a := shapedAnswer{status: resp.StatusCode, text: text, changed: resp.Header.Get("Plenum-Changed")}
	if resp.StatusCode != 200 {
		return a
	}
	if r.Stream {
		said := dialecttest.Decode(codec, dialecttest.Frames([]byte(text)), dialect.Want{})
		if err := said.Fault(); err != nil {
			t.Fatalf("%v\n%q", err, text)
		}
		a.got = said.Fold()
		return a
	}
	res, err := codec.DecodeResponse(dialect.Reply{Status: 200, Body: []byte(text)})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	a.got = res.(*llm.Response)
	return a
}

func (a shapedAnswer) says(t *testing.T, want string, stop llm.StopReason) {
	t.Helper()
	if a.status != http.StatusOK || a.got == nil || len(a.got.Choices) != 1 {
		t.Fatalf("%d %s", a.status, a.text)
	}
	got, calls := "", 0
	for _, b := range a.got.Choices[0].Blocks {
		switch b := b.(type) {
		case llm.Text:
			got += b.Text
		case llm.ToolUse:
			calls++
		}
	}
	if got != want || calls > 0 || a.got.Choices[0].Stop.Reason != stop {
		t.Errorf("said %q with %d calls, ended by %q\n%s", got, calls, a.got.Choices[0].Stop.Reason, a.text)
	}
}

func askPerson(stream bool) *llm.Request {
	return &llm.Request{
		Model: "m", Stream: stream, StreamUsage: llm.Some(stream), MaxOut: llm.Some(100),
		Messages: []llm.Message{
			{Role: llm.System, Plain: true, Place: "field", Blocks: []llm.Block{llm.Text{Text: "Be brief."}}},
			{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: "Who wrote the first program?"}}},
		},
		Output: llm.Format{Kind: llm.FormatSchema, Name: "person", Schema: personSchema, Strict: llm.Some(true)},
	}
}

// hosts are the upstreams, which have no structured output of their own.
func shapeHosts() map[string]string {
	return map[string]string{"openai": "openai-compatible /v1", "anthropic": "anthropic-compatible "}
}

func TestStructuredOutputOfHostsWithoutIt(t *testing.T) {
	for host, place := range shapeHosts() {
		for _, way := range []string{"auto", "retry"} {
			t.Run(host+" "+way, func(t *testing.T) {
				s := &shaper{dialect: host, wrong: 1}
				up, begin := s.upstream(t)
				provider, base, _ := strings.Cut(place, " ")
				w := newWorld(t, Mechanisms{}, fmt.Sprintf(structuredYAML, provider, base, way, "capabilities: {schema: false}"), up.URL)
				n := 0
				for client := range doors() {
					for _, stream := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s stream=%v", client, stream), func(t *testing.T) {
							begin()
							a := w.ask(t, client, askPerson(stream))
							a.says(t, rightPerson, llm.StopEnd)
							if !strings.Contains(a.changed, "response_format said as") {
								t.Errorf("plenum-changed: %q", a.changed)
							}
							isToldWhatIsWrong(t, up, way)
							rec := w.records.nth(t, n)
							wasMeteredTwice(t, &rec)
						})
						n++
					}
				}
			})
		}
	}
}

// isToldWhatIsWrong checks the last request: the model hears what was wrong, and the host is asked for no format.
func isToldWhatIsWrong(t *testing.T, up *testkit.Upstream, way string) {
	t.Helper()
	body := string(up.Last().Body)
	wants := []string{"Be brief.", "at '/born'"}
	if way == "auto" {
		wants = append(wants, `"name":"answer"`, "call_7", `1000`)
	} else {
		wants = append(wants, "matches this JSON Schema")
	}
	holds(t, "the second request", body, wants)
	for _, none := range []string{"response_format", "output_config", "output_format"} {
		if strings.Contains(body, none) {
			t.Errorf("the host was asked for %s: %s", none, body)
		}
	}
}

func wasMeteredTwice(t *testing.T, rec *plenum.Record) {
	t.Helper()
	if len(rec.Attempts) != 2 || rec.Attempts[0].Won || !rec.Attempts[1].Won || rec.Attempts[0].ErrorKind != llm.BadUpstream {
		t.Fatalf("attempts %+v", rec.Attempts)
	}
	if rec.Usage.Input != 20 || rec.Usage.Output != 10 || rec.Cost != 2*(10+50) {
		t.Errorf("usage %+v, cost %v", rec.Usage, rec.Cost)
	}
	if strings.Contains(rec.Attempts[0].Error, "Ada") || !strings.Contains(rec.Attempts[0].Error, "properties/born/minimum") {
		t.Errorf("the record says %q", rec.Attempts[0].Error)
	}
	if !slices.ContainsFunc(rec.Changed, func(s string) bool { return strings.Contains(s, "response_format said as") }) {
		t.Errorf("the record's changes: %q", rec.Changed)
	}
}

// The caller of a host that cannot be brought to it hears an error in its dialect, and nothing of the answer.
func TestAnAnswerThatNeverFitsIsAnError(t *testing.T) {
	s := &shaper{dialect: "openai", wrong: 99}
	up, begin := s.upstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(structuredYAML, "openai-compatible", "/v1", "auto", "capabilities: {schema: false}"), up.URL)
	for client := range doors() {
		for _, stream := range []bool{false, true} {
			begin()
			before := up.Count()
			a := w.ask(t, client, askPerson(stream))
			if a.status != http.StatusBadGateway || strings.Contains(a.text, "Ada") || !strings.Contains(a.text, "properties/born/minimum") {
				t.Errorf("%s stream=%v: %d %s", client, stream, a.status, a.text)
			}
			if n := up.Count() - before; n != 3 {
				t.Errorf("%s: asked %d times", client, n)
			}
		}
	}
}

// Where the caller has tools the model may call them, and the answering tool stands beside them.
func TestStructuredOutputBesideTools(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(structuredYAML, "openai-compatible", "/v1", "auto", "capabilities: {schema: false}"), up.URL)
	r := askPerson(false)
	r.Tools = []llm.Tool{{Kind: llm.ToolFunction, Name: "answer", Description: "A tool of the caller's.", Schema: `{"type":"object","properties":{}}`}}
	up.Script(testkit.JSON(`{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"answer","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`))
	a := w.ask(t, "openai", r)
	if a.got == nil || len(a.got.Choices[0].Blocks) != 1 || a.got.Choices[0].Stop.Reason != llm.StopTool {
		t.Fatalf("%s", a.text)
	}
	if u, ok := a.got.Choices[0].Blocks[0].(llm.ToolUse); !ok || u.Name != "answer" {
		t.Errorf("%s", a.text)
	}
	holds(t, "request", string(up.Last().Body), []string{`"name":"answer"`, `"name":"answer_2"`, `"tool_choice":"required"`})

	quoted, _ := json.Marshal(rightPerson)
	up.Script(testkit.JSON(`{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"answer_2","arguments":` + string(quoted) + `}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`))
	for client := range doors() {
		if client == "gemini" {
			continue // no turn of its has a function and a schema at once
		}
		w.ask(t, client, r).says(t, rightPerson, llm.StopEnd)
	}
}

// Any JSON object, of a vendor that knows only schemas.
func TestAnyJSONObjectOfAVendorThatHasOnlySchemas(t *testing.T) {
	s := &shaper{dialect: "anthropic"}
	up, begin := s.upstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(structuredYAML, "anthropic-compatible", "", "auto", "capabilities: {schema: true}"), up.URL)
	for client := range doors() {
		if client == "anthropic" || client == "converse" {
			continue // they cannot ask for it
		}
		for _, stream := range []bool{false, true} {
			begin()
			r := askPerson(stream)
			r.Output = llm.Format{Kind: llm.FormatJSON}
			a := w.ask(t, client, r)
			a.says(t, rightPerson, llm.StopEnd)
			if !strings.Contains(a.changed, "no JSON mode") {
				t.Errorf("%s: %q", client, a.changed)
			}
			holds(t, client, string(up.Last().Body), []string{`"tool_choice":{"type":"tool","name":"answer"`})
		}
	}
}

// xAI's own clients are callers like any other.
func TestStructuredOutputByGRPC(t *testing.T) {
	s := &shaper{dialect: "anthropic", wrong: 1}
	up, begin := s.upstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(structuredYAML, "anthropic-compatible", "", "auto", "capabilities: {schema: false}"), up.URL)
	door := w.grpcDoor()
	r := askPerson(false)
	r.Messages[0].Place, r.Output.Name, r.Output.Strict, r.StreamUsage = "", "", llm.Opt[bool]{}, llm.Opt[bool]{}
	whole := rpc(t, door, xaigrpc.PathWhole, worldKey, xaiRequest(t, r)).whole(t)
	shapedAnswer{status: 200, got: whole}.says(t, rightPerson, llm.StopEnd)
	begin()
	streamed := rpc(t, door, xaigrpc.PathStream, worldKey, xaiRequest(t, r)).folded(t)
	shapedAnswer{status: 200, got: streamed}.says(t, rightPerson, llm.StopEnd)
}

// A host of which nothing is known is asked for the format; what comes passes, is held to the schema, and is named
// where it does not match.
func TestAnAnswerOfAHostThatMayNotHoldToItIsChecked(t *testing.T) {
	s := &shaper{dialect: "openai", wrong: 99}
	up, _ := s.upstream(t)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(structuredYAML, "openai-compatible", "/v1", "auto", ""), up.URL)
	n := 0
	for client := range doors() {
		for _, stream := range []bool{false, true} {
			a := w.ask(t, client, askPerson(stream))
			if a.got == nil || !strings.Contains(a.text, "Here it is") {
				t.Errorf("%s: %d %s", client, a.status, a.text)
			}
			rec := w.records.nth(t, n)
			if len(rec.Attempts) != 1 || !slices.Contains(rec.Lost, "response_format.schema: the answer is not JSON") {
				t.Errorf("%s stream=%v: %d attempts, lost %q", client, stream, len(rec.Attempts), rec.Lost)
			}
			holds(t, client, string(up.Last().Body), []string{`"response_format":`})
			n++
		}
	}
}

func TestADeploymentMayRefuseToMakeAShape(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.JSON(`{}`))
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(structuredYAML, "openai-compatible", "/v1", "refuse", "capabilities: {schema: false}"), up.URL)
	a := w.ask(t, "anthropic", askPerson(false))
	if a.status != http.StatusBadRequest || !strings.Contains(a.text, "structured output") || up.Count() != 0 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestCase_F4_WordsThatAHostRefusesAreTakenOutAndCheckedHere(t *testing.T) {
	const schema = `{"type":"object","properties":{"tags":{"type":"array","description":"Some.","items":{"type":"string","maxLength":3},"maxItems":2,"minItems":1}},"required":["tags"],"additionalProperties":false}`
	const answer = `{"tags":["a","b","c"]}`
	quoted, _ := json.Marshal(answer)
	said := testkit.JSON(`{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":` + string(quoted) + `},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`)
	const traits = `capabilities: {schema: true}, schema_refuses: [maxItems, maxLength, "minItems>1"]`
	up := testkit.NewUpstream(t, said)
	w := newWorld(t, Mechanisms{}, fmt.Sprintf(structuredYAML, "openai-compatible", "/v1", "auto", traits), up.URL)
	r := askPerson(false)
	r.Output.Schema = schema
	r.Tools = []llm.Tool{{Kind: llm.ToolFunction, Name: "note", Strict: llm.Some(true), Schema: `{"type":"object","properties":{"n":{"type":"array","items":{"type":"string"},"maxItems":7}},"required":["n"],"additionalProperties":false}`}}
	n := 0
	for client := range doors() {
		if client == "gemini" {
			r.Tools = nil // see above
		}
		a := w.ask(t, client, r)
		a.says(t, answer, llm.StopEnd)
		body := string(up.Last().Body)
		for _, word := range []string{`"maxItems":`, `"maxLength":`} {
			if strings.Contains(body, word) {
				// Only tools that are held to their schema lose what is refused: not every dialect has a word for that.
				if !strings.Contains(body, `"maxItems":7`) || strings.Contains(body, `"strict":true,"parameters"`) {
					t.Errorf("%s: the host was sent %s: %s", client, word, body)
				}
			}
		}
		holds(t, client, body, []string{`"minItems":1`, `maxItems: 2`})
		if !strings.Contains(a.changed, "response_format.schema.properties.tags.maxItems removed") {
			t.Errorf("%s: changed %q", client, a.changed)
		}
		if rec := w.records.nth(t, n); !slices.Contains(rec.Lost, "response_format.schema: the answer does not match the schema at properties/tags/maxItems") {
			t.Errorf("%s: lost %q", client, rec.Lost)
		}
		n++
	}
	// Within the dialect all other bytes pass.
	body := `{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"t","schema":` + schema + `,"later":[1.50]}},"newer":{"b":1,"a":2}}`
	_, _ = w.post("/v1/chat/completions", body)
	holds(t, "within the dialect", string(up.Last().Body), []string{`"later":[1.50]`, `"newer":{"b":1,"a":2}`, `"minItems":1`, `maxItems: 2`})
}
