package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

// session is one session: a caller, an upstream, and the turns between them.
type session struct {
	*socket
	conn     *Connection
	upstream *websocket.Conn

	mu      sync.Mutex
	waiting []*turn          // asked for, and the upstream has not begun
	turns   map[string]*turn // by the id of the answer
	refused map[string]bool  // answers that the upstream began by itself and that may not be
}

// serveSession opens a session and carries messages until one side, or the owner, ends it.
func serveSession(ctx context.Context, c *Call, out Out) error {
	up := c.req.upgrade
	if up == nil || !strings.EqualFold(c.In.Header.Get("Upgrade"), "websocket") {
		return &llm.Error{Kind: llm.Invalid, Op: "realtime", Code: "websocket_required", Message: "this is reached by a WebSocket: open it with an SDK's realtime client, at ws:// or wss:// in place of http:// or https://"}
	}
	conn, err := connection(c.Config, c.Try.Target.Offer.Connection)
	if err != nil {
		return &llm.Error{Kind: llm.Internal, Op: "realtime", Message: "this deployment's connection is not set up; whoever runs the gateway finds out why with plenum doctor", Err: err}
	}
	s := &session{socket: newSocket(ctx, c, up), conn: conn, turns: map[string]*turn{}, refused: map[string]bool{}}
	defer s.release()
	var opening []byte
	if len(c.Opening) > 0 {
		if opening, err = s.transcriber(dialect.SettingsMessage(c.Opening)); err != nil {
			return err
		}
		if err := s.vet(opening); err != nil {
			return err
		}
	}
	if s.upstream, err = s.dial(); err != nil {
		return err
	}
	defer s.upstream.CloseNow() //nolint:errcheck // it is over
	if s.caller, err = up.accept(); err != nil {
		return &llm.Error{Kind: llm.Invalid, Op: "realtime", Message: "the WebSocket cannot be opened", Err: err}
	}
	defer s.caller.CloseNow() //nolint:errcheck // it is over
	limit := int64(c.Config.Declared.MaxEvent)
	s.caller.SetReadLimit(limit)
	s.upstream.SetReadLimit(limit)
	c.Trail.Record.Status = http.StatusSwitchingProtocols
	if err := out.Begin(Head{Status: http.StatusSwitchingProtocols, Upgraded: true}); err != nil {
		return err
	}
	if err := out.Chunk(dialect.Chunk{Text: 1}); err != nil { // the record has the session before it begins
		return err
	}
	if opening != nil {
		if err := s.send(opening); err != nil {
			s.stop(err)
		}
	}
	s.run()
	return out.Chunk(dialect.Chunk{Events: []llm.Event{llm.End{}}})
}

// dial opens the upstream's side.
func (s *session) dial() (*websocket.Conn, error) {
	c := s.call
	codec, _ := c.Codec.(dialect.Realtime)
	plan, err := provider.PlanFor(s.conn.Provider, c.Dialect.Name, c.Try.Target.Offer.Upstream, llm.OpGenerate, false)
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(plan.URL)
	base, ok := "", false
	if err == nil {
		base, ok = strings.CutSuffix(address.Path, codec.Beside)
	}
	if !ok || plan.Dialect.Name != c.Dialect.Name {
		return nil, &llm.Error{Kind: llm.NotFound, Op: "realtime", Code: "no_such_operation", Message: "the place behind this deployment has no realtime sessions; name a deployment of OpenAI's, Azure's or xAI's realtime models"}
	}
	address.Path = base + codec.Under
	q := address.Query()
	if dialect.OnlyTranscribes(c.In.RawQuery) {
		q.Set("intent", dialect.Transcription) // its model stands in the settings
	} else {
		q.Set("model", c.Try.Target.Offer.Upstream)
	}
	address.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, &llm.Error{Kind: llm.Internal, Op: "realtime", Message: "the connection's address is not usable", Err: err}
	}
	for k, v := range c.In.Header {
		if plan.Dialect.Headers.Holds(k) {
			req.Header[k] = v
		}
	}
	for k, v := range plan.Header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", userAgent)
	if err := s.conn.Provider.Sign(s.ctx, req, nil); err != nil {
		return nil, &llm.Error{Kind: llm.UpstreamAuth, Op: "realtime", Message: "the gateway has no usable credential for the model's host; whoever runs it must renew it", Err: err}
	}
	return s.open(req, plan)
}

func (s *session) open(req *http.Request, plan *provider.Plan) (*websocket.Conn, error) {
	t := anyTransport(s.conn.Timeouts, s.conn.Network.Leave(or(s.conn.Timeouts.Connect, 5*time.Second)), s.conn.TLS)
	t.ForceAttemptHTTP2 = false // a WebSocket is opened over HTTP/1.1
	ctx, cancel := context.WithTimeout(s.ctx, or(s.conn.Timeouts.FirstByte, time.Minute))
	defer cancel()
	s.call.Try.Sent = true
	ws, resp, err := websocket.Dial(ctx, req.URL.String(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		HTTPHeader: req.Header,
	})
	if err == nil {
		s.call.Try.Record.Status = resp.StatusCode
		return ws, nil
	}
	if resp == nil || resp.StatusCode < 300 {
		e := &llm.Error{Kind: llm.Unavailable, Op: "realtime", Message: "the upstream cannot be reached; try again, and if it stays so whoever runs the gateway finds out why with plenum doctor", Err: err}
		s.conn.scrub(e)
		return nil, e
	}
	defer resp.Body.Close()
	s.call.Try.Record.Status = resp.StatusCode
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // the status says enough
	e := plan.Codec.DecodeError(dialect.Reply{Status: resp.StatusCode, Header: resp.Header, Body: text})
	s.conn.scrub(e)
	return nil, e
}

// run carries messages until the session is over, and says why to both sides.
func (s *session) run() {
	var g sync.WaitGroup
	g.Go(func() { s.stop(s.fromCaller()) })
	g.Go(func() { s.stop(s.fromUpstream()) })
	g.Go(func() { s.stop(s.watch(s.quiet, s.here)) })
	<-s.ctx.Done()
	why := s.ending()
	// Closing waits for the other side's word, but not for long.
	var closing sync.WaitGroup
	closing.Go(func() { _ = s.caller.Close(why.code, clip([]byte(why.reason), 120)) })
	closing.Go(func() { _ = s.upstream.Close(websocket.StatusNormalClosure, "") })
	closing.Wait()
	g.Wait()
	s.running.Wait()
	s.note()
}

// here ends a session whose deployment is no more.
func (s *session) here() error {
	if _, ok := s.up.current.Load().Deployment(s.call.Head.Model); !ok {
		return &ended{websocket.StatusPolicyViolation, "the deployment of this session is not there any more"}
	}
	return nil
}

// quiet reports whether no answer is under way.
func (s *session) quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.turns)+len(s.waiting) == 0
}

// fromCaller carries the caller's messages. What asks for an answer waits until it may be asked for.
func (s *session) fromCaller() error {
	for {
		kind, text, err := s.caller.Read(s.wire)
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			return &ended{websocket.StatusUnsupportedData, "messages are texts"}
		}
		m, err := dialect.ReadMessage(text)
		if err == nil {
			err = s.checkSettings(&m)
		}
		if err == nil && strings.HasSuffix(m.Type, "session.update") {
			text, err = s.transcriber(text)
		}
		if err == nil {
			err = s.vet(text)
		}
		switch {
		case err != nil:
			err = s.tell(dialect.ErrorMessage(err, m.EventID))
		case m.Type == "response.create":
			err = s.begin(&turn{session: s, ask: text, event: m.EventID})
		default:
			err = s.send(text)
		}
		if err != nil {
			return err
		}
	}
}

// checkSettings refuses to change the model: what the session was opened for is what it is metered by.
func (s *session) checkSettings(m *dialect.Message) error {
	if m.Type != "session.update" || m.Model == "" || m.Model == s.call.Try.Target.Offer.Upstream {
		return nil
	}
	return &llm.Error{Kind: llm.Invalid, Op: "realtime", Code: "model_is_fixed", Message: fmt.Sprintf("the model of a session is fixed when it is opened; leave session.model out, or name it %q", s.call.Try.Target.Offer.Upstream)}
}

// transcriber sees to the model of a session that only writes down what is said: its settings name it by the
// deployment's name, and the upstream is told its own. Another model would not be what it is metered by.
func (s *session) transcriber(text []byte) ([]byte, error) {
	c := s.call
	name, own := "", c.Try.Target.Offer.Upstream
	if dialect.OnlyTranscribes(c.In.RawQuery) {
		name = dialect.Transcriber(text)
	}
	switch name {
	case "", own:
		return text, nil
	case c.Head.Model, c.Deployment.Name:
		return dialect.WithTranscriber(text, own)
	}
	return text, &llm.Error{
		Kind: llm.Invalid, Op: "realtime", Code: "model_is_fixed",
		Message: fmt.Sprintf("the model of a session is fixed when it is opened; name %q as the model of the transcription", c.Deployment.Name),
	}
}

// vet refuses a message that names what is not the caller's.
func (s *session) vet(text []byte) error {
	c := s.call
	codec, ok := c.Codec.(dialect.Realtime)
	if !ok || c.Vet == nil {
		return nil
	}
	names := codec.Names.Read(dialect.Inbound{Body: text})
	if len(names.Things) == 0 {
		return nil
	}
	return c.Vet(s.ctx, names)
}

// send sends a message to the upstream.
func (s *session) send(text []byte) error {
	ctx, cancel := context.WithTimeout(s.wire, s.up.idle)
	defer cancel()
	return s.upstream.Write(ctx, websocket.MessageText, text)
}

// fromUpstream carries the upstream's messages: those of an answer through its turn, the others as they are.
func (s *session) fromUpstream() error {
	for {
		kind, text, err := s.upstream.Read(s.wire)
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			continue // no dialect has such
		}
		m, err := dialect.ReadMessage(text)
		if err != nil {
			return &ended{websocket.StatusInternalError, "the upstream says what cannot be understood"}
		}
		if err := s.hear(&m, text); err != nil {
			return err
		}
	}
}

// hear takes one message of the upstream to where it belongs.
func (s *session) hear(m *dialect.Message, text []byte) error {
	switch {
	case m.Type == "error":
		s.fault(m)
		return s.tell(s.conn.hideBytes(text))
	case m.Type == "response.created":
		return s.created(m, text)
	case !m.Usage.Zero() && m.Response == "":
		// What was heard is written down by a model too, and that costs.
		return s.begin(&turn{session: s, heard: text, message: *m})
	case m.Response == "":
		return s.tell(text)
	}
	s.mu.Lock()
	t, refused := s.turns[m.Response], s.refused[m.Response]
	s.mu.Unlock()
	switch {
	case refused:
		return nil
	case t == nil:
		return s.tell(text)
	}
	return t.deliver(m, text)
}

// created joins an answer with the turn that asked for it. One that the upstream began by itself, because the
// caller has stopped speaking, is a turn that has yet to be allowed.
func (s *session) created(m *dialect.Message, text []byte) error {
	s.mu.Lock()
	if len(s.waiting) > 0 {
		t := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.turns[m.Response] = t
		s.mu.Unlock()
		return t.deliver(m, text)
	}
	s.mu.Unlock()
	t := &turn{session: s, response: m.Response}
	if err := s.begin(t); err != nil {
		return err
	}
	s.mu.Lock()
	ok := s.turns[m.Response] == t
	s.mu.Unlock()
	if !ok {
		return nil
	}
	return t.deliver(m, text)
}

// fault ends the turn that an error of the upstream is about: its answer never begins.
func (s *session) fault(m *dialect.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.waiting {
		if t.event == m.About || t.event == "" {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			close(t.messages)
			return
		}
	}
}
