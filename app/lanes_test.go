package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// talk opens a WebSocket of Responses.
func (w *world) talk(header ...string) *callerSession {
	w.t.Helper()
	h := http.Header{"Authorization": {"Bearer " + worldKey}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ws, resp, err := websocket.Dial(w.t.Context(), strings.Replace(w.url, "http", "ws", 1)+"/v1/responses", &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		body := ""
		if resp != nil {
			b, _ := io.ReadAll(resp.Body)
			body = string(b)
		}
		w.t.Fatalf("%v %s", err, body)
	}
	w.t.Cleanup(func() { _ = ws.CloseNow() })
	ws.SetReadLimit(1 << 26)
	return &callerSession{w.t, ws}
}

// laneEvent is what the tests look at of a message.
type laneEvent struct {
	Type     string `json:"type"`
	Stream   string `json:"stream_id"`
	Delta    string `json:"delta"`
	Status   int    `json:"status"`
	Response struct {
		ID     string           `json:"id"`
		Status string           `json:"status"`
		Output []map[string]any `json:"output"`
	} `json:"response"`
	Error struct {
		Code    string            `json:"code"`
		Message string            `json:"message"`
		Headers map[string]string `json:"headers"`
	} `json:"error"`
	Plenum struct {
		Target string   `json:"target"`
		Lost   []string `json:"lost"`
	} `json:"plenum"`
}

// turn reads the messages of one answer, up to its end.
func (s *callerSession) turn() (events []laneEvent, last laneEvent) {
	s.t.Helper()
	for {
		_, text, err := s.ws.Read(s.t.Context())
		if err != nil {
			s.t.Fatalf("%v after %+v", err, events)
		}
		var e laneEvent
		if err := json.Unmarshal(text, &e); err != nil {
			s.t.Fatalf("%v: %s", err, text)
		}
		events = append(events, e)
		switch e.Type {
		case "response.completed", "response.incomplete", "response.failed", "error", "response.steer.failed":
			return events, e
		}
	}
}

func eventKinds(events []laneEvent) string {
	var out []string
	for _, e := range events {
		if len(out) == 0 || out[len(out)-1] != e.Type {
			out = append(out, e.Type)
		}
	}
	return strings.Join(out, " ")
}

const lanesStream = `data: {"id":"c1","object":"chat.completion.chunk","model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":"It is "}}]}

data: {"id":"c1","object":"chat.completion.chunk","model":"up","choices":[{"index":0,"delta":{"content":"Paris."}}]}

data: {"id":"c1","object":"chat.completion.chunk","model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"id":"c1","object":"chat.completion.chunk","model":"up","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}

data: [DONE]

`

// Several turns on one socket, on an upstream that speaks another dialect and where nobody keeps anything.
func TestTurnsOnASocketGoOnFromEachOther(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		return testkit.SSE(strings.ReplaceAll(lanesStream, `"c1"`, fmt.Sprintf(`"c%d"`, r.N)))
	})
	w := newKeeping(t, oneTarget, up.URL)
	s := w.talk("Idempotency-Key", "k1", "OpenAI-Beta", "responses_websockets=2026-02-06")
	s.say(`{"type":"response.create","model":"m","store":false,"input":[{"role":"user","content":"The capital of France?"}],"top_k":3}`)
	events, end := s.turn()
	if got := eventKinds(events); got != "response.created response.in_progress response.output_item.added response.content_part.added response.output_text.delta "+
		"response.output_text.done response.content_part.done response.output_item.done response.completed" {
		t.Errorf("the events are %s", got)
	}
	if end.Plenum.Target == "" || fmt.Sprint(end.Plenum.Lost) != "[top_k]" {
		t.Errorf("what is lost is told as %+v", end.Plenum)
	}
	s.say(`{"type":"response.create","model":"m","store":false,"previous_response_id":"` + end.Response.ID + `","input":"And of Spain?"}`)
	_, second := s.turn()
	s.say(`{"type":"response.create","model":"m","previous_response_id":"` + second.Response.ID + `","input":"And of Italy?"}`)
	s.turn()
	sent := up.Requests()
	if len(sent) != 3 {
		t.Fatalf("%d requests were sent", len(sent))
	}
	for _, want := range []string{"The capital of France?", "It is Paris.", "And of Spain?", "And of Italy?"} {
		if !strings.Contains(string(sent[2].Body), want) {
			t.Errorf("%q was not sent: %s", want, sent[2].Body)
		}
	}
	if strings.Contains(string(sent[2].Body), "previous_response_id") || strings.Contains(string(sent[0].Body), "response.create") {
		t.Errorf("sent was %s", sent[2].Body)
	}
	// Only the last answer of a lane is remembered, as with the vendor.
	s.say(`{"type":"response.create","model":"m","previous_response_id":"` + end.Response.ID + `","input":"x"}`)
	if _, e := s.turn(); e.Type != "error" || e.Error.Code != "previous_response_not_found" || e.Status != http.StatusNotFound || e.Error.Headers["plenum-request-id"] == "" {
		t.Errorf("an answer that is forgotten is %+v", e)
	}
	_ = s.ws.Close(websocket.StatusNormalClosure, "")
	first := w.records.nth(t, 0)
	if first.Op != "generate" || first.Parent == "" || first.Outcome != "ok" || first.Usage.Input != 10 || first.Usage.Output != 5 || !first.Priced || first.Deployment != "m" || first.KeyID != "declared:dev" {
		t.Errorf("the record of a turn is %+v", first)
	}
	if session := w.records.nth(t, 4); session.Op != "responses.session" || session.ID != first.Parent || session.Outcome != "ok" || len(session.Attempts) != 0 {
		t.Errorf("the record of the session is %+v", session)
	}
}

// What a turn is stored for is gone on from over HTTP, and the other way round.
func TestASocketGoesOnFromWhatIsKept(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(lanesStream))
	w := newKeeping(t, keeping+oneTarget, up.URL)
	first := w.talk()
	first.say(`{"type":"response.create","model":"m","input":"The capital of France?"}`)
	_, end := first.turn()
	_ = first.ws.Close(websocket.StatusNormalClosure, "")
	s := w.talk()
	s.say(`{"type":"response.create","model":"m","previous_response_id":"` + end.Response.ID + `","input":"And of Spain?"}`)
	_, second := s.turn()
	if second.Type != "response.completed" || !strings.Contains(string(up.Requests()[1].Body), "It is Paris.") {
		t.Errorf("%+v; sent was %s", second, up.Requests()[1].Body)
	}
	if code, got := w.call(http.MethodGet, "/v1/responses/"+second.Response.ID); code != http.StatusOK || got["previous_response_id"] != end.Response.ID {
		t.Errorf("%d %v", code, got)
	}
	// An answer that is not kept is gone on from by one that is, which then stands by itself.
	s.say(`{"type":"response.create","model":"m","store":false,"input":"Quiet"}`)
	_, quiet := s.turn()
	s.say(`{"type":"response.create","model":"m","previous_response_id":"` + quiet.Response.ID + `","input":"Loud"}`)
	_, loud := s.turn()
	got := w.ask(`{"model":"m","input":"Louder","store":false,"stream":false,"previous_response_id":"` + loud.Response.ID + `"}`)
	if got["status"] != "completed" {
		t.Errorf("%v", got)
	}
	if sent := string(up.Requests()[4].Body); !strings.Contains(sent, "Quiet") || !strings.Contains(sent, "Loud") {
		t.Errorf("sent was %s", sent)
	}
}

func TestAWarmUpIsGoneOnFromAndAsksNobody(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(lanesStream))
	w := newKeeping(t, oneTarget, up.URL)
	s := w.talk()
	s.say(`{"type":"response.create","model":"m","store":false,"generate":false,"instructions":"Be brief.","input":[{"role":"user","content":"I am Ada."}]}`)
	events, end := s.turn()
	if eventKinds(events) != "response.created response.in_progress response.completed" || len(end.Response.Output) != 0 || end.Response.ID == "" {
		t.Fatalf("a warm-up is %+v", events)
	}
	if len(up.Requests()) != 0 {
		t.Fatal("a warm-up was sent on")
	}
	s.say(`{"type":"response.create","model":"m","store":false,"previous_response_id":"` + end.Response.ID + `","input":"Who am I?"}`)
	s.turn()
	if sent := string(up.Requests()[0].Body); !strings.Contains(sent, "I am Ada.") || !strings.Contains(sent, "Who am I?") {
		t.Errorf("sent was %s", sent)
	}
	s.say(`{"type":"response.create","model":"nope","generate":false,"input":"x"}`)
	if _, e := s.turn(); e.Error.Code != "model_not_found" || e.Status != http.StatusNotFound {
		t.Errorf("a warm-up of no model is %+v", e)
	}
	_ = s.ws.Close(websocket.StatusNormalClosure, "")
	if r := w.records.nth(t, 0); r.Op != "responses.warmup" || r.Cost != 0 || r.Usage.Input != 0 || r.Outcome != "ok" {
		t.Errorf("the record of a warm-up is %+v", r)
	}
}

func TestWhatIsWrongOnASocketIsAnEventAndTheSocketStays(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		if strings.Contains(string(r.Body), "please fail") {
			return testkit.OpenAIError(http.StatusBadRequest, "invalid_request_error", "no such thing")
		}
		return testkit.SSE(lanesStream)
	})
	w := newKeeping(t, oneTarget, up.URL)
	s := w.talk()
	for _, c := range []struct{ say, code, lane string }{
		{`nonsense`, "", ""},
		{`{"type":"session.update"}`, "unknown_event", ""},
		{`{"type":"response.create","model":"m","input":"x","stream_id":""}`, "invalid_stream_id", ""},
		{`{"type":"response.create","model":"m","input":"x","stream_id":"a b"}`, "invalid_stream_id", ""},
		{`{"type":"response.create","model":"m","input":"x","background":true,"stream_id":"a"}`, "", "a"},
		{`{"type":"response.create","model":"gone","input":"x","stream_id":"a"}`, "model_not_found", "a"},
		{`{"type":"response.create","input":"x"}`, "", ""},
		{`{"type":"response.create","model":"m","input":"please fail"}`, "", ""},
	} {
		s.say(c.say)
		_, e := s.turn()
		if e.Type != "error" || e.Error.Code != c.code && c.code != "" || e.Stream != c.lane || e.Status < 400 || e.Error.Message == "" {
			t.Errorf("%s was answered with %+v", c.say, e)
		}
	}
	s.say(`{"type":"response.steer","previous_response_id":"resp_1","input":"x"}`)
	if _, e := s.turn(); e.Type != "response.steer.failed" || e.Error.Code != "steering_not_supported" {
		t.Errorf("steering is answered with %+v", e)
	}
	s.say(`{"type":"response.create","model":"m","input":"x"}`)
	if _, e := s.turn(); e.Type != "response.completed" {
		t.Errorf("the socket did not stay: %+v", e)
	}
}

// What an upstream breaks off is one end, not two.
func TestATurnThatBreaksOffHasOneEnd(t *testing.T) {
	half := strings.SplitAfter(lanesStream, "\n\n")[0]
	up := testkit.NewUpstream(t, testkit.SSE(half))
	w := newKeeping(t, oneTarget, up.URL)
	s := w.talk()
	s.say(`{"type":"response.create","model":"m","input":"x","stream_id":"a"}`)
	_, e := s.turn()
	if e.Type != "response.failed" || e.Stream != "a" {
		t.Errorf("it ended with %+v", e)
	}
	s.say(`{"type":"response.create","model":"none","input":"x"}`)
	if events, _ := s.turn(); len(events) != 1 || events[0].Type != "error" || events[0].Stream != "" {
		t.Errorf("after it came %+v", events)
	}
}

// Answers of different lanes are given side by side, those of one lane one after the other.
func TestLanesAreGivenSideBySide(t *testing.T) {
	slow := make(chan struct{})
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		if strings.Contains(string(r.Body), "slow") {
			<-slow
		}
		return testkit.SSE(lanesStream)
	})
	w := newKeeping(t, oneTarget, up.URL)
	s := w.talk()
	s.say(`{"type":"response.create","model":"m","store":false,"input":"slow","stream_id":"a"}`)
	s.say(`{"type":"response.create","model":"m","store":false,"input":"behind it","stream_id":"a"}`)
	s.say(`{"type":"response.create","model":"m","store":false,"input":"beside it","stream_id":"b"}`)
	events, end := s.turn()
	for _, e := range events {
		if e.Stream != "b" {
			t.Errorf("lane %q spoke before its turn: %+v", e.Stream, e)
		}
	}
	close(slow)
	for range 2 {
		events, _ := s.turn()
		for _, e := range events {
			if e.Stream != "a" {
				t.Errorf("lane %q: %+v", e.Stream, e)
			}
		}
	}
	// A lane goes on from another's answer.
	s.say(`{"type":"response.create","model":"m","store":false,"input":"and then","stream_id":"c","previous_response_id":"` + end.Response.ID + `"}`)
	if _, e := s.turn(); e.Type != "response.completed" || e.Stream != "c" {
		t.Errorf("%+v", e)
	}
	for i := range 30 {
		s.say(fmt.Sprintf(`{"type":"response.create","model":"m","generate":false,"input":"x","stream_id":"n%d"}`, i))
		if _, e := s.turn(); (e.Error.Code == "websocket_stream_limit_reached") != (i == 29) {
			t.Fatalf("lane %d: %+v", i, e)
		}
	}
}

// Closing the socket stops what is under way, and what it used is metered.
func TestClosingASocketCancels(t *testing.T) {
	up := testkit.NewUpstream(t, testkit.SSE(strings.SplitAfter(lanesStream, "\n\n")...).DelayAt(2, testkit.Forever))
	w := newKeeping(t, oneTarget, up.URL)
	s := w.talk()
	s.say(`{"type":"response.create","model":"m","input":"x"}`)
	s.until("output_text.delta")
	_ = s.ws.CloseNow()
	r := w.records.nth(t, 0)
	if r.Op != "generate" || r.Outcome != "canceled" || !r.Estimated || r.Usage.Output == 0 {
		t.Errorf("the record is %+v", r)
	}
	if session := w.records.nth(t, 1); session.Op != "responses.session" {
		t.Errorf("the session's record is %+v", session)
	}
}

// Bytes pass where the upstream speaks Responses, in messages in place of events.
func TestASocketPassesTheBytesOfAnUpstreamThatSpeaksResponses(t *testing.T) {
	stream := `event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_up","object":"response","status":"in_progress","output":[]}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"odd":1}}

event: response.completed
data: {"type":"response.completed","sequence_number":2,"response":{"id":"resp_up","object":"response","status":"completed","odd" : 2.50,"output":[{"id":"rs_1","type":"reasoning","summary":[]},{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}

`
	up := testkit.NewUpstream(t, testkit.SSE(stream))
	w := newKeeping(t, strings.Replace(oneTarget, "provider: openai-compatible", "provider: openai-compatible, dialect: responses", 1), up.URL)
	s := w.talk()
	s.say(`{"type":"response.create","model":"m","store":false,"input":"x","metadata":{"odd":"1"}}`)
	got := s.until("response.completed")
	if len(got) != 3 || !strings.Contains(got[2], `"odd" : 2.50`) || strings.Contains(got[0], "stream_id") {
		t.Errorf("the messages are %q", got)
	}
	sent := up.Requests()[0]
	if sent.Path != "/v1/responses" || string(sent.Body) != `{"model":"up","store":false,"input":"x","metadata":{"odd":"1"},"stream":true}` {
		t.Errorf("%s was sent %s", sent.Path, sent.Body)
	}
	s.say(`{"type":"response.create","model":"m","store":false,"input":"y","previous_response_id":"resp_up"}`)
	s.until("response.completed")
	// Reasoning that is not sealed only the upstream knew, and has forgotten.
	if body := string(up.Requests()[1].Body); strings.Contains(body, "rs_1") || strings.Contains(body, "msg_1") || !strings.Contains(body, `"text":"Hi"`) {
		t.Errorf("the second turn sent %s", body)
	}
}

func TestASocketNeedsAKeyAndAPlainGetIsNotAllowed(t *testing.T) {
	w := newKeeping(t, oneTarget, "http://127.0.0.1:1")
	_, resp, err := websocket.Dial(t.Context(), strings.Replace(w.url, "http", "ws", 1)+"/v1/responses", nil)
	if err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a key: %v", err)
	}
	if code, got := w.call(http.MethodGet, "/v1/responses"); code != http.StatusMethodNotAllowed {
		t.Errorf("a plain GET is answered %d %v", code, got)
	}
	s := w.talk()
	if err := s.ws.Write(t.Context(), websocket.MessageBinary, []byte("x")); err != nil {
		t.Fatal(err)
	}
	var c websocket.CloseError
	if _, _, err := s.ws.Read(t.Context()); !errors.As(err, &c) || c.Code != websocket.StatusUnsupportedData {
		t.Errorf("bytes are answered with %v", err)
	}
}

// An answer that nobody keeps is forgotten when one that goes on from it fails: what went wrong with it would go
// wrong again.
func TestAFailedTurnForgetsWhatItWentOnFrom(t *testing.T) {
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		if strings.Contains(string(r.Body), "call_missing") {
			return testkit.OpenAIError(http.StatusBadRequest, "invalid_request_error", "no such call")
		}
		return testkit.SSE(strings.ReplaceAll(lanesStream, `"c1"`, fmt.Sprintf(`"c%d"`, r.N)))
	})
	w := newKeeping(t, oneTarget, up.URL)
	s := w.talk()
	s.say(`{"type":"response.create","model":"m","store":false,"input":"Hello."}`)
	_, first := s.turn()
	s.say(`{"type":"response.create","model":"m","store":false,"previous_response_id":"` + first.Response.ID + `","input":[{"type":"function_call_output","call_id":"call_missing","output":"x"}]}`)
	if _, end := s.turn(); end.Type != "error" || end.Status != http.StatusBadRequest {
		t.Fatalf("the second turn ends with %+v", end)
	}
	s.say(`{"type":"response.create","model":"m","store":false,"previous_response_id":"` + first.Response.ID + `","input":"Once more."}`)
	if _, end := s.turn(); end.Error.Code != "previous_response_not_found" {
		t.Errorf("the third turn ends with %+v", end)
	}
}
