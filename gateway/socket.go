package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/identity"
)

// upgrade is what a session needs of the edge: the caller's side of the WebSocket, and a way to make calls.
type upgrade struct {
	accept  func() (*websocket.Conn, error)
	runner  Runner
	current *config.Current
	room    *inflight
	ending  func() bool // the node takes no more calls
	idle    time.Duration
	// safely runs a call that is made outside of the goroutine of its request. A panic in it is a fault of ours
	// that ends that call, and nothing else.
	safely func(id string, call func() error) error
}

// upgradable makes a call one that may become a session.
func (e *Edge) upgradable(c *Call, w http.ResponseWriter, r *http.Request) {
	c.req.upgrade = &upgrade{
		runner: NewRunner(e.current, e.pipeline), current: e.current, room: &e.room, ending: e.ending.Load,
		idle: or(c.Config.Declared.Timeouts.WriteIdle, time.Minute), safely: e.safely,
		accept: func() (*websocket.Conn, error) {
			return websocket.Accept(w, r, &websocket.AcceptOptions{
				Subprotocols: []string{"realtime"}, InsecureSkipVerify: true, // the key says who it is, not the page that it came from
			})
		},
	}
}

// End tells sessions that the node stops: each is closed when no answer is under way in it.
func (e *Edge) End() { e.ending.Store(true) }

// socket is the caller's side of a session.
type socket struct {
	call    *Call
	up      *upgrade
	caller  *websocket.Conn
	ctx     context.Context //nolint:containedctx // the session is as long as it
	stop    context.CancelCauseFunc
	wire    context.Context //nolint:containedctx // of reading and writing, which a cancelled context would break off in the middle
	cut     context.CancelFunc
	say     sync.Mutex     // of what goes to the caller: it must keep its order
	running sync.WaitGroup // the calls of the session
}

func newSocket(ctx context.Context, c *Call, up *upgrade) *socket {
	s := &socket{call: c, up: up}
	s.ctx, s.stop = context.WithCancelCause(ctx)
	s.wire, s.cut = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// release lets go of what a session holds that is over.
func (s *socket) release() {
	s.stop(nil)
	s.cut()
}

// ended is why a session is over, and what the caller is told.
type ended struct {
	code   websocket.StatusCode
	reason string
}

// Error returns the reason.
func (e *ended) Error() string { return e.reason }

// ending returns what the caller is told when the session is over.
func (s *socket) ending() *ended {
	cause := context.Cause(s.ctx)
	why := &ended{websocket.StatusNormalClosure, ""}
	if errors.As(cause, &why) {
		return why
	}
	if code := websocket.CloseStatus(cause); code > 0 && code != websocket.StatusNoStatusRcvd && code != websocket.StatusAbnormalClosure {
		why.code = code
		return why
	}
	return &ended{websocket.StatusGoingAway, "the other side is gone"}
}

// note writes down how the session ended.
func (s *socket) note() {
	s.call.Trail.Note("the session ended: " + clip([]byte(context.Cause(s.ctx).Error()), 200))
}

// watchEvery is how often is looked whether a session may go on.
const watchEvery = time.Second

// pingEvery is how often the caller is asked whether they are still there.
const pingEvery = 30

// watch ends a session whose key or deployment is no more, or whose node stops. What is given may end it as well.
func (s *socket) watch(quiet func() bool, more func() error) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case <-tick.C:
		}
		snap := s.up.current.Load()
		k, ok := snap.KeyByID(s.call.Caller.KeyID)
		if !ok || identity.Usable(k, time.Now()) != nil {
			return &ended{websocket.StatusPolicyViolation, "the key of this session is not good any more"}
		}
		if s.up.ending() && quiet() {
			return &ended{websocket.StatusGoingAway, "the gateway stops; open a new session"}
		}
		if err := more(); err != nil {
			return err
		}
		if n%pingEvery == 0 {
			ctx, cancel := context.WithTimeout(s.wire, s.up.idle)
			err := s.caller.Ping(ctx)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}

// tell sends a message to the caller. One who does not take it in time is gone.
func (s *socket) tell(text []byte) error {
	s.say.Lock()
	defer s.say.Unlock()
	ctx, cancel := context.WithTimeout(s.wire, s.up.idle)
	defer cancel()
	return s.caller.Write(ctx, websocket.MessageText, text)
}
