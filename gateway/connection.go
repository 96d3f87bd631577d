package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/h1"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/provider"
)

// Connection is a configured provider with the transport that its calls go over. It outlives the
// configuration snapshot that made it for as long as a call uses it.
type Connection struct {
	Name      string
	Kind      string
	Provider  provider.Provider
	Transport http.RoundTripper
	Timeouts  provider.Timeouts
	Network   outbound.Network // what it may reach; "" is the internet alone
	TLS       *tls.Config      // whom it trusts and who it is; nil is the system's authorities, and nobody
	// Secrets are its credentials, which are taken out of errors that repeat them.
	Secrets []plenum.Secret
}

// Close gives up idle connections. Calls in flight go on.
func (c *Connection) Close() {
	if t, ok := c.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// connection returns what the configuration made of a connection's name.
func connection(s *config.Snapshot, name string) (*Connection, error) {
	cc, ok := s.Connection(name)
	if !ok {
		return nil, fmt.Errorf("connection %q is not in the configuration", name)
	}
	conn, ok := cc.Handle.(*Connection)
	if !ok {
		return nil, fmt.Errorf("connection %q was never set up", name)
	}
	return conn, nil
}

// NewTransport returns a transport for one connection. It never asks for compression (a compressed
// stream delays events), keeps enough idle connections for a busy gateway, and speaks HTTP/2 where the
// place does. What goes over plain HTTP, mostly to engines nearby, takes the shorter way of package h1. It
// reaches the network alone, whatever a name resolves to. Secure is as Connection.TLS.
func NewTransport(t provider.Timeouts, n outbound.Network, secure *tls.Config) http.RoundTripper {
	d := n.Leave(or(t.Connect, 5*time.Second))
	return &transport{plain: h1.New(d.DialContext), any: anyTransport(t, d, secure), grpc: grpcTransport(t, d, secure)}
}

// transport sends each request the way that fits it.
type transport struct {
	plain *h1.Transport
	any   *http.Transport
	grpc  *http.Transport // HTTP/2 alone, also without TLS
}

// RoundTrip sends a request.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), dialect.GRPC) {
		return t.grpc.RoundTrip(r)
	}
	if h1.Takes(r) {
		if proxy, err := t.any.Proxy(r); proxy == nil && err == nil {
			return t.plain.RoundTrip(r)
		}
	}
	return t.any.RoundTrip(r)
}

// CloseIdleConnections closes what is not in use.
func (t *transport) CloseIdleConnections() {
	t.plain.CloseIdleConnections()
	t.any.CloseIdleConnections()
	t.grpc.CloseIdleConnections()
}

// grpcTransport speaks what gRPC needs. It makes no connection before the first call.
func grpcTransport(t provider.Timeouts, d *outbound.Route, secure *tls.Config) *http.Transport {
	g := anyTransport(t, d, secure)
	g.Protocols = new(http.Protocols)
	g.Protocols.SetHTTP2(true)
	g.Protocols.SetUnencryptedHTTP2(true)
	return g
}

func anyTransport(t provider.Timeouts, d *outbound.Route, secure *tls.Config) *http.Transport {
	if secure == nil {
		secure = &tls.Config{}
	}
	secure = secure.Clone() // each transport adds what it speaks
	secure.MinVersion = tls.VersionTLS12
	return &http.Transport{
		Proxy:                 d.Proxy,
		DialContext:           d.DialContext,
		TLSHandshakeTimeout:   or(t.Connect, 5*time.Second),
		TLSClientConfig:       secure,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
		MaxIdleConns:          0,
		MaxIdleConnsPerHost:   512,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       16 << 10,
		ReadBufferSize:        16 << 10,
	}
}

func or(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

// The causes with which an attempt is called off.
var (
	errFirstByte = errors.New("the upstream sent nothing in the time set by timeouts.first_byte; try again, ask for a stream, or have the time raised")
	errIdle      = errors.New("the upstream fell silent for longer than timeouts.idle; try again, or have the time raised")
	errTotal     = errors.New("the answer took longer than timeouts.total; ask for less at a time, or have the time raised")
)

// watch calls an attempt off when the upstream takes too long: with one timer, which each sign of life
// sets back and which never reaches beyond the end of all patience.
type watch struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
	end    time.Time
	begun  atomic.Bool
}

func newWatch(parent context.Context, t provider.Timeouts) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(parent)
	total := or(t.Total, 15*time.Minute)
	w := &watch{cancel: cancel, idle: or(t.Idle, time.Minute), end: time.Now().Add(total)}
	w.timer = time.AfterFunc(min(or(t.FirstByte, 2*time.Minute), total), w.due)
	return ctx, w
}

func (w *watch) due() {
	switch {
	case !time.Now().Before(w.end):
		w.cancel(errTotal)
	case w.begun.Load():
		w.cancel(errIdle)
	default:
		w.cancel(errFirstByte)
	}
}

// alive sets the timer back. The first content makes the wait for it a wait between pieces; before it
// signs of life (a ping, an opening event) do not count, or a stalled upstream could hold a call for ever.
func (w *watch) alive(content bool) {
	if !w.begun.Load() {
		if !content {
			return
		}
		w.begun.Store(true)
	}
	if w.timer.Stop() {
		w.timer.Reset(min(w.idle, time.Until(w.end)))
	}
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}
