package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// voice is an upstream of realtime sessions: it asks a function what to say to each message.
type voice struct {
	URL string

	mu       sync.Mutex
	requests []*http.Request
	heard    []string
	answer   func(say func(string), text string)
	hello    []string
	closed   chan struct{}
}

func newVoice(t *testing.T, answer func(say func(string), text string), hello ...string) *voice {
	v := &voice{answer: answer, hello: hello, closed: make(chan struct{}, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		v.requests = append(v.requests, r)
		v.mu.Unlock()
		if strings.Contains(r.URL.RawQuery, "refuse") {
			http.Error(w, `{"error":{"message":"no such key sk-1","type":"invalid_request_error"}}`, http.StatusUnauthorized)
			return
		}
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { v.closed <- struct{}{} }()
		defer ws.CloseNow()
		ws.SetReadLimit(1 << 26)
		say := func(s string) { _ = ws.Write(r.Context(), websocket.MessageText, []byte(s)) }
		for _, h := range v.hello {
			say(h)
		}
		for {
			_, text, err := ws.Read(r.Context())
			if err != nil {
				return
			}
			v.mu.Lock()
			v.heard = append(v.heard, string(text))
			v.mu.Unlock()
			v.answer(say, string(text))
		}
	}))
	t.Cleanup(srv.Close)
	v.URL = srv.URL
	return v
}

func (v *voice) said() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.heard...)
}

// session is a caller's side.
type callerSession struct {
	t  *testing.T
	ws *websocket.Conn
}

func (w *world) open(header http.Header, protocols ...string) (*callerSession, *http.Response, error) {
	w.t.Helper()
	return w.openAt("?model=m", header, protocols...)
}

func (w *world) openAt(query string, header http.Header, protocols ...string) (*callerSession, *http.Response, error) {
	w.t.Helper()
	ws, resp, err := websocket.Dial(w.t.Context(), strings.Replace(w.url, "http", "ws", 1)+"/v1/realtime"+query, &websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols})
	if err != nil {
		return nil, resp, err
	}
	w.t.Cleanup(func() { _ = ws.CloseNow() })
	ws.SetReadLimit(1 << 26)
	return &callerSession{w.t, ws}, resp, nil
}

func (w *world) session() *callerSession {
	w.t.Helper()
	s, _, err := w.open(http.Header{"Authorization": {"Bearer " + worldKey}})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (s *callerSession) say(text string) {
	s.t.Helper()
	if err := s.ws.Write(s.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// until reads messages up to the first that holds a text.
func (s *callerSession) until(part string) []string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	var got []string
	for {
		_, text, err := s.ws.Read(ctx)
		if err != nil {
			s.t.Fatalf("%v after %q", err, got)
		}
		got = append(got, string(text))
		if strings.Contains(string(text), part) {
			return got
		}
	}
}

// end reads until the session is closed and returns how.
func (s *callerSession) end() websocket.CloseError {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, _, err := s.ws.Read(ctx)
		var c websocket.CloseError
		if errors.As(err, &c) {
			return c
		}
		if err != nil {
			s.t.Fatalf("the session was not closed: %v", err)
		}
	}
}

// answerTo says an answer with usage of every class.
func answerTo(say func(string), id string) {
	say(`{"type":"response.created","event_id":"e1","response":{"id":"` + id + `","object":"realtime.response"}}`)
	say(`{"type":"response.output_text.delta", "response_id":"` + id + `","delta":"Hi  \u00fc"}`)
	say(`{"type":"rate_limits.updated","rate_limits":[]}`)
	say(`{"type":"response.done","response":{"id":"` + id + `","usage":{"total_tokens":150,"input_tokens":100,"output_tokens":50,` +
		`"input_token_details":{"text_tokens":60,"audio_tokens":40,"cached_tokens":30,"cached_tokens_details":{"text_tokens":20,"audio_tokens":10}},"output_token_details":{"text_tokens":20,"audio_tokens":30}}}}`)
}

func chatty(say func(string), text string) {
	if strings.Contains(text, `"response.create"`) {
		answerTo(say, fmt.Sprintf("resp_%d", time.Now().UnixNano()))
	}
}

const hello = `{"type":"session.created","session":{"model":"up"}}`

func TestARealtimeSessionPassesAndEachAnswerIsACall(t *testing.T) {
	v := newVoice(t, chatty, hello)
	w := newWorld(t, Mechanisms{}, oneTarget, v.URL)
	s, resp, err := w.open(http.Header{"Openai-Beta": {"realtime=v1"}, "Cookie": {"a=b"}}, "realtime", "openai-insecure-api-key."+worldKey)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Sec-WebSocket-Protocol") != "realtime" {
		t.Errorf("the subprotocol is %q", resp.Header.Get("Sec-WebSocket-Protocol"))
	}
	s.until("session.created")
	s.say(`{"type":"session.update", "session":{"instructions":"x"}}`)
	s.say(`{"type":"response.create"}`)
	got := s.until("response.done")
	var types []string
	for _, g := range got {
		var m struct{ Type string }
		_ = json.Unmarshal([]byte(g), &m)
		types = append(types, m.Type)
	}
	if strings.Join(types, " ") != "response.created response.output_text.delta rate_limits.updated response.done" || !strings.Contains(got[1], `"delta":"Hi  \u00fc"`) {
		t.Errorf("the caller heard %q", got)
	}
	if h := v.said(); len(h) != 2 || h[0] != `{"type":"session.update", "session":{"instructions":"x"}}` {
		t.Errorf("the upstream heard %q", h)
	}
	r := v.requests[0]
	if r.URL.Path != "/v1/realtime" || r.URL.Query().Get("model") != "up" || r.Header.Get("Openai-Beta") != "realtime=v1" || r.Header.Get("Cookie") != "" || strings.Contains(fmt.Sprint(r.Header), worldKey) {
		t.Errorf("the upstream was asked at %s with %v", r.URL, r.Header)
	}
	turn := w.records.nth(t, 0)
	u := turn.Usage
	if turn.Op != "realtime.turn" || turn.Parent == "" || turn.KeyID != "declared:dev" || turn.Outcome != "ok" || !turn.Priced || turn.Estimated || turn.Deployment != "m" {
		t.Errorf("the turn's record is %+v", turn)
	}
	if u.Input != 40 || u.CacheRead != 30 || u.InputAudio != 30 || u.Output != 20 || u.OutputAudio != 30 || turn.Cost != 100+500 {
		t.Errorf("the usage is %+v and costs %v", u, turn.Cost)
	}
	_ = s.ws.Close(websocket.StatusNormalClosure, "bye")
	session := w.records.nth(t, 1)
	if session.Op != "realtime" || session.ID != turn.Parent || session.Outcome != "ok" || session.Status != 101 || session.Cost != 0 {
		t.Errorf("the session's record is %+v", session)
	}
	select {
	case <-v.closed:
	case <-time.After(5 * time.Second):
		t.Error("the upstream's side stays open")
	}
}

func TestAnAnswerThatTheUpstreamBeginsIsACallToo(t *testing.T) {
	v := newVoice(t, func(say func(string), text string) {
		if strings.Contains(text, "append") {
			say(`{"type":"conversation.item.input_audio_transcription.completed","transcript":"hello","usage":{"type":"tokens","input_tokens":7,"output_tokens":3}}`)
			answerTo(say, "resp_vad")
		}
	})
	w := newWorld(t, Mechanisms{}, oneTarget, v.URL)
	s := w.session()
	s.say(`{"type":"input_audio_buffer.append","audio":"AAAA"}`)
	if got := s.until("response.done"); len(got) != 5 {
		t.Errorf("the caller heard %q", got)
	}
	if r := w.records.nth(t, 0); r.Op != "realtime.turn" || r.Usage.Input != 7 || r.Usage.Output != 3 {
		t.Errorf("what was heard: %+v", r)
	}
	if r := w.records.nth(t, 1); r.Op != "realtime.turn" || r.Usage.OutputAudio != 30 {
		t.Errorf("what was answered: %+v", r)
	}
}

func TestCase_E5_ATurnOverTheLimitIsRefusedAndTheSessionGoesOn(t *testing.T) {
	v := newVoice(t, func(say func(string), text string) {
		if strings.Contains(text, "append") {
			answerTo(say, "resp_vad")
		}
		chatty(say, text)
	})
	limited := strings.Replace(oneTarget, "    retry:", "    limits: {requests_per_minute: 2}\n    retry:", 1)
	w := newWorld(t, Mechanisms{}, limited, v.URL)
	s := w.session() // the first of two
	s.say(`{"type":"response.create","event_id":"mine1"}`)
	s.until("response.done")
	s.say(`{"type":"response.create","event_id":"mine2"}`)
	got := s.until(`"error"`)
	if last := got[len(got)-1]; !strings.Contains(last, `"event_id":"mine2"`) || !strings.Contains(last, "rate_limit_exceeded") {
		t.Errorf("the caller heard %s", last)
	}
	s.say(`{"type":"input_audio_buffer.append","audio":"AAAA"}`)
	if got = s.until(`"error"`); len(got) > 2 || strings.Contains(fmt.Sprint(got), "response.created") {
		t.Errorf("the caller heard %q of an answer that may not be", got)
	}
	for range 200 {
		if h := v.said(); strings.Contains(h[len(h)-1], `{"type":"response.cancel","response_id":"resp_vad"}`) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	h := v.said()
	if len(h) != 3 || !strings.Contains(h[2], "response.cancel") {
		t.Errorf("the upstream heard %q", h)
	}
	refused := 0
	for i := range 3 {
		if r := w.records.nth(t, i); r.Outcome == "refused" && r.ErrorKind == "rate_limited" && r.Op == "realtime.turn" {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d refusals are on record, want 2", refused)
	}
}

func TestCase_E5_ASessionEndsWhenItsMoneyIsSpent(t *testing.T) {
	v := newVoice(t, chatty)
	p := &purse{left: 2 * slice} // the session and one turn
	w := newWorld(t, Mechanisms{Budgets: p}, oneTarget, v.URL)
	s := w.session()
	s.say(`{"type":"response.create"}`)
	s.until("response.done")
	s.say(`{"type":"response.create"}`)
	s.until("used up")
	if c := s.end(); c.Code != websocket.StatusPolicyViolation {
		t.Errorf("it ended with %v", c)
	}
}

func TestASessionEndsWhenItsKeyDoes(t *testing.T) {
	v := newVoice(t, chatty)
	w := newWorld(t, Mechanisms{}, oneTarget, v.URL)
	w.withKeys(fmt.Sprintf(oneTarget, v.URL))
	s, _, err := w.open(http.Header{"Authorization": {another}})
	if err != nil {
		t.Fatal(err)
	}
	s.say(`{"type":"response.create"}`)
	s.until("response.done")
	w.current.Store(w.compile(fmt.Sprintf(oneTarget, v.URL)))
	if c := s.end(); c.Code != websocket.StatusPolicyViolation || !strings.Contains(c.Reason, "key") {
		t.Errorf("it ended with %v", c)
	}
}

func TestSessionsThatCannotBe(t *testing.T) {
	v := newVoice(t, chatty)
	w := newWorld(t, Mechanisms{}, strings.Replace(oneTarget, "upstream_model: up", "upstream_model: refuse", 1), v.URL)
	if _, resp, err := w.open(http.Header{"Authorization": {"Bearer nobody-at-all-012345"}}); err == nil || resp.StatusCode != 401 {
		t.Errorf("without a key: %v %v", resp, err)
	}
	if _, resp, err := w.open(http.Header{"Authorization": {"Bearer " + worldKey}}); err == nil || resp.StatusCode != 502 {
		t.Errorf("an upstream that refuses our key: %v %v", resp, err)
	}
	if resp, got := w.do("GET", "/v1/realtime?model=m"); resp.StatusCode != 400 || !strings.Contains(got, "WebSocket") {
		t.Errorf("without a WebSocket: %d %s", resp.StatusCode, got)
	}
	if resp, got := w.do("GET", "/v1/realtime"); resp.StatusCode != 400 || !strings.Contains(got, "?model=") {
		t.Errorf("without a model: %d %s", resp.StatusCode, got)
	}
	w.current.Store(w.compile(fmt.Sprintf(strings.Replace(oneTarget, "- name: m", "- name: m\n    guardrail: strict", 1), v.URL)))
	if _, resp, err := w.open(http.Header{"Authorization": {"Bearer " + worldKey}}); err == nil || resp.StatusCode != 403 {
		t.Errorf("behind a guardrail that cannot read it: %v %v", resp, err)
	}
}

func TestStrangeMessagesDoNotEndASession(t *testing.T) {
	v := newVoice(t, func(say func(string), text string) {
		if strings.Contains(text, "busy") {
			say(`{"type":"error","error":{"type":"invalid_request_error","code":"conversation_already_has_active_response","message":"busy","event_id":"busy"}}`)
			return
		}
		chatty(say, text)
	})
	w := newWorld(t, Mechanisms{}, oneTarget, v.URL)
	s := w.session()
	for _, bad := range []string{"no JSON", `{"x":1}`, `[]`, `{"type":"session.update","session":{"model":"other"}}`} {
		s.say(bad)
		s.until(`"type":"error"`)
	}
	s.say(`{"type":"response.create","event_id":"busy"}`)
	s.until("already_has_active")
	s.say(`{"type":"response.create"}`)
	s.until("response.done")
	if n := len(v.said()); n != 2 {
		t.Errorf("the upstream heard %d messages", n)
	}
	// The two turns end independently of each other.
	one, other := w.records.nth(t, 0), w.records.nth(t, 1)
	if (one.Outcome == "error") == (other.Outcome == "error") || one.Op != "realtime.turn" || other.Op != "realtime.turn" {
		t.Errorf("of two turns one was refused by the upstream; the records are %+v and %+v", one, other)
	}
	if err := s.ws.Write(t.Context(), websocket.MessageBinary, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if c := s.end(); c.Code != websocket.StatusUnsupportedData {
		t.Errorf("it ended with %v", c)
	}
}

// TestRecordedSessionsPassUnchanged plays the upstream's side of what was recorded of vendors.
func TestRecordedSessionsPassUnchanged(t *testing.T) {
	recorded := recordedSessions(t)
	for name, messages := range recorded {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{}, 1)
			at := 0
			play := func(say func(string)) {
				for at < len(messages) && messages[at].Direction == "received" {
					say(string(messages[at].Data))
					at++
				}
			}
			v := newVoice(t, func(say func(string), _ string) {
				at++
				play(say)
				next <- struct{}{}
			})
			first := 0
			for first < len(messages) && messages[first].Direction == "received" {
				v.hello = append(v.hello, string(messages[first].Data))
				first++
			}
			at = first
			w := newWorld(t, Mechanisms{}, oneTarget, v.URL)
			s := w.session()
			turns := 0
			for i := range messages {
				want := string(messages[i].Data)
				if messages[i].Direction == "sent" {
					s.say(want)
					<-next
					continue
				}
				if got := s.until(""); got[0] != want {
					t.Fatalf("message %d came as %.200s, want %.200s", i, got[0], want)
				}
				if strings.Contains(want, `"response.done"`) {
					turns++
				}
			}
			for i := range turns {
				if r := w.records.nth(t, i); r.Op != "realtime.turn" || r.Outcome != "ok" || r.Usage.Output+r.Usage.OutputAudio == 0 {
					t.Errorf("turn %d has the record %+v", i, r)
				}
			}
		})
	}
}

// wsMessage is a message of a recorded session.
type wsMessage struct {
	Kind, Direction string
	Data            json.RawMessage
}

// recordedSessions returns the sessions of the corpus that are in OpenAI's words.
func recordedSessions(t *testing.T) map[string][]wsMessage {
	t.Helper()
	dir, err := testkit.FindCorpus()
	if err != nil {
		t.Skip(err)
	}
	return readSessions(t, dir)
}

func TestAClientSecretOpensOneKindOfSession(t *testing.T) {
	v := newVoice(t, chatty)
	pepper, err := identity.NewPepper([]byte(strings.Repeat("p", 32))) // the world's
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Mechanisms{Own: clientSecrets{pepper}.Handlers()}, oneTarget, v.URL)
	resp, got := w.post("/v1/realtime/client_secrets", `{"expires_after":{"anchor":"created_at","seconds":60},"session":{"type":"realtime","model":"m","instructions":"`+strings.Repeat("x", 600)+`"}}`)
	var s struct {
		Value     string
		ExpiresAt int64 `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(got), &s); err != nil || resp.StatusCode != 200 || !strings.HasPrefix(s.Value, "ek_") || s.ExpiresAt == 0 {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	c, _, err := w.open(nil, "realtime", "openai-insecure-api-key."+s.Value)
	if err != nil {
		t.Fatal(err)
	}
	c.say(`{"type":"response.create"}`)
	c.until("response.done")
	if h := v.said(); len(h) != 2 || !strings.HasPrefix(h[0], `{"type":"session.update","session":{"instructions":"xxx`) || strings.Contains(h[0], `"model"`) {
		t.Errorf("the upstream heard %q", h)
	}
	if r := w.records.nth(t, 1); r.KeyID != "declared:dev" || r.Op != "realtime.turn" {
		t.Errorf("the record is %+v", r)
	}
	if resp, _ := w.post("/v1/chat/completions", ask, "Authorization", "Bearer "+s.Value); resp.StatusCode != 401 {
		t.Errorf("it opens other things too: %d", resp.StatusCode)
	}
	resp, got = w.post("/v1/realtime/sessions", `{"model":"m","voice":"alloy","client_secret":"x"}`)
	var older struct {
		Object, Model, Voice string
		Secret               struct{ Value string } `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(got), &older); err != nil || older.Object != "realtime.session" || older.Model != "m" || older.Voice != "alloy" || !strings.HasPrefix(older.Secret.Value, "ek_") {
		t.Errorf("the older way: %d %s", resp.StatusCode, got)
	} else if _, _, err := w.open(http.Header{"Authorization": {"Bearer " + older.Secret.Value}}); err != nil {
		t.Errorf("a secret made the older way opens nothing: %v", err)
	}
	for _, bad := range []string{s.Value[:len(s.Value)-3] + "AAA", "ek_", "ek_AAAA"} {
		if _, resp, err := w.open(http.Header{"Authorization": {"Bearer " + bad}}); err == nil || resp.StatusCode != 401 {
			t.Errorf("%.20q: %v", bad, resp)
		}
	}
	w.current.Store(w.compile(fmt.Sprintf(strings.Replace(oneTarget, "name: m", "name: other", 1), v.URL)))
	if resp, got := w.post("/v1/realtime/client_secrets", `{"session":{"model":"m"}}`); resp.StatusCode != 404 {
		t.Errorf("for no deployment: %d %s", resp.StatusCode, got)
	}
}

// A session that only writes down what is said names its model in its settings; each transcription is a call.
func TestATranscriptionSessionIsMeteredByItsDeployment(t *testing.T) {
	v := newVoice(t, func(say func(string), text string) {
		if strings.Contains(text, "buffer.commit") {
			say(`{"type":"conversation.item.input_audio_transcription.delta","item_id":"i","delta":"Hel"}`)
			say(`{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"Hello","usage":{"type":"tokens","input_tokens":26,"output_tokens":4,"input_token_details":{"audio_tokens":20,"text_tokens":6}}}`)
		}
	}, `{"type":"session.created","session":{"type":"transcription"}}`)
	pepper, err := identity.NewPepper([]byte(strings.Repeat("p", 32))) // the world's
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Mechanisms{Own: clientSecrets{pepper}.Handlers()}, oneTarget, v.URL)
	settings := `{"type":"session.update","event_id":"e","session":{"type":"transcription","audio":{"input":{"transcription":{"model":"%s","language":"en"}}}}}`
	key := http.Header{"Authorization": {"Bearer " + worldKey}}
	c, _, err := w.openAt("?intent=transcription&model=m", key)
	if err != nil {
		t.Fatal(err)
	}
	c.say(fmt.Sprintf(settings, "gpt-4o-transcribe"))
	if got := c.until(`"error"`); !strings.Contains(got[len(got)-1], `name \"m\"`) {
		t.Errorf("another model: %s", got)
	}
	c.say(fmt.Sprintf(settings, "m"))
	c.say(`{"type":"input_audio_buffer.commit"}`)
	c.until("transcription.completed")
	if h := v.said(); len(h) != 2 || h[0] != fmt.Sprintf(settings, "up") {
		t.Errorf("the upstream heard %q", h)
	}
	if q := v.requests[0].URL.RawQuery; q != "intent=transcription" {
		t.Errorf("the upstream was called with %s", q)
	}
	if r := w.records.nth(t, 0); r.Op != "realtime.turn" || r.Usage.InputAudio != 20 || r.Usage.Input != 6 || r.Usage.Output != 4 || r.Deployment != "m" || r.Parent == "" {
		t.Errorf("the record is %+v", r)
	}
	resp, got := w.post("/v1/realtime/client_secrets", `{"session":{"type":"transcription","audio":{"input":{"transcription":{"model":"m"}}}}}`)
	var s struct{ Value string }
	if err := json.Unmarshal([]byte(got), &s); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	c, _, err = w.openAt("?intent=transcription", http.Header{"Authorization": {"Bearer " + s.Value}})
	if err != nil {
		t.Fatal(err)
	}
	c.say(`{"type":"input_audio_buffer.commit"}`)
	c.until("transcription.completed")
	if h := v.said(); len(h) != 4 || !strings.Contains(h[2], `"type":"transcription"`) || !strings.Contains(h[2], `"model":"up"`) {
		t.Errorf("the upstream heard %q", h)
	}
	if resp, got := w.post("/v1/realtime/client_secrets", `{"session":{"type":"transcription"}}`); resp.StatusCode != 400 || !strings.Contains(got, "transcription.model") {
		t.Errorf("without a model: %d %s", resp.StatusCode, got)
	}
}
