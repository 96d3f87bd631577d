package h1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server answers plain HTTP/1.1 over TCP: a request of an ordinary method whose head has no surprises and
// whose length is known. One goroutine does all of a call, the answer goes out in one system call where it
// can, and a caller who goes away is noticed without a second goroutine for every call.
//
// Whatever is not plain, a head that is wrong, an upgrade, chunks, HTTP/1.0, HTTP/2, is handed to
// [net/http.Server] with all that was read of it, and the connection stays there: so what is hard about HTTP
// is net/http's, and nothing is decided here that could be decided in two ways.
type Server struct {
	std  *http.Server
	base context.Context //nolint:containedctx // what net/http calls the base context: values for every call
	rest *handover
	date atomic.Pointer[stamp]

	mu       sync.Mutex
	listener net.Listener
	conns    map[*serving]struct{}
	closing  atomic.Bool
	leaving  atomic.Bool
	empty    chan struct{} // closed when the last connection has gone, once closing
}

// NewServer returns a server with the handler, the bounds and the timeouts of std, which answers what is not
// plain.
func NewServer(std *http.Server) *Server {
	return &Server{
		std: std, conns: map[*serving]struct{}{}, empty: make(chan struct{}),
		base: context.WithValue(context.Background(), http.ServerContextKey, std),
	}
}

// The longest and the shortest pause when connections cannot be accepted: there are no more files, mostly.
const (
	shortPause = 5 * time.Millisecond
	longPause  = time.Second
)

// Serve answers what comes in on a listener until Shutdown or Close, and then returns
// [net/http.ErrServerClosed].
func (s *Server) Serve(l net.Listener) error {
	if !canWatch {
		return s.std.Serve(l)
	}
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return http.ErrServerClosed
	}
	s.listener = l
	s.rest = &handover{addr: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	s.mu.Unlock()
	others := make(chan error, 1)
	go func() { others <- s.std.Serve(s.rest) }()
	err := s.accept(l)
	if errors.Is(err, http.ErrServerClosed) {
		if other := <-others; !errors.Is(other, http.ErrServerClosed) {
			err = other
		}
		return err
	}
	return errors.Join(err, s.Close())
}

// ServeTLS answers what comes in over TLS, all of which is net/http's.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	return s.std.ServeTLS(l, certFile, keyFile)
}

func (s *Server) accept(l net.Listener) error {
	pause := shortPause
	for {
		nc, err := l.Accept()
		var ne net.Error
		switch {
		case err == nil:
			pause = shortPause
			s.take(nc)
		case s.closing.Load():
			return http.ErrServerClosed
		case errors.As(err, &ne) && ne.Temporary(): //nolint:staticcheck // of accept's errors it is still true
			time.Sleep(pause)
			pause = min(2*pause, longPause)
		default:
			return err
		}
	}
}

// take begins to serve a connection.
func (s *Server) take(nc net.Conn) {
	c, ok := newServing(s, nc)
	if !ok {
		s.rest.give(nc)
		return
	}
	s.mu.Lock()
	closing := s.closing.Load()
	if !closing {
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if closing {
		_ = nc.Close()
		return
	}
	go c.serve()
}

// leave forgets a connection.
func (s *Server) leave(c *serving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[c]; !ok {
		return
	}
	delete(s.conns, c)
	if s.closing.Load() && len(s.conns) == 0 {
		close(s.empty)
	}
}

// close takes nothing new, and closes the connections that are idle, or all.
func (s *Server) close(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.closing.Swap(true)
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for c := range s.conns {
		if all || c.retire() {
			_ = c.nc.Close()
		}
	}
	if first && len(s.conns) == 0 {
		close(s.empty)
	}
}

// Leave has every answer from now on end its connection, and say so, while calls are still taken: so callers who keep
// connections go elsewhere before Shutdown, and none of them sends a call on one that is just being closed.
func (s *Server) Leave() {
	s.leaving.Store(true)
	s.std.SetKeepAlivesEnabled(false)
}

// Shutdown takes no new calls, closes idle connections and waits until the calls in flight have ended, or for
// ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close(false)
	err := s.std.Shutdown(ctx)
	select {
	case <-s.empty:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Close cuts everything off.
func (s *Server) Close() error {
	s.close(true)
	return s.std.Close()
}

// stamp is the value of Date for one second.
type stamp struct {
	second int64
	text   string
}

// now returns the value of Date.
func (s *Server) now() string {
	now := time.Now()
	d := s.date.Load()
	if d == nil || d.second != now.Unix() {
		d = &stamp{now.Unix(), now.UTC().Format(http.TimeFormat)}
		s.date.Store(d)
	}
	return d.text
}

// handover is the listener at which net/http takes the connections that it is given.
type handover struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// Accept waits for a connection.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case nc := <-h.conns:
		return nc, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the giving.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr returns the address of the true listener.
func (h *handover) Addr() net.Addr { return h.addr }

func (h *handover) give(nc net.Conn) {
	select {
	case h.conns <- nc:
	case <-h.closed:
		_ = nc.Close()
	}
}

// resumed is a connection of which something was read already.
type resumed struct {
	net.Conn
	early []byte
}

// Read returns first what was read before.
func (r *resumed) Read(p []byte) (int, error) {
	if len(r.early) > 0 {
		n := copy(p, r.early)
		if r.early = r.early[n:]; len(r.early) == 0 {
			r.early = nil
		}
		return n, nil
	}
	return r.Conn.Read(p)
}

// CloseWrite says that nothing follows.
func (r *resumed) CloseWrite() error {
	if c, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}
