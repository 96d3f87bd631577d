package app

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stage/audit"
)

type auditObserver = audit.Observer

// flushEvery is how long a line of the call log may wait: one write for many lines costs a busy node
// far less than one for each. The ledger, not the log, is what must not lose a line.
const flushEvery = 100 * time.Millisecond

// callLog writes one line for each call.
type callLog struct {
	mu  sync.Mutex
	buf *bufio.Writer
	log *slog.Logger
}

var _ audit.Observer = (*callLog)(nil)

func newCallLog(w io.Writer, f config.Log) *callLog {
	l := &callLog{buf: bufio.NewWriterSize(w, 64<<10)}
	l.log = slog.New(logHandler(locked{l}, w, f))
	return l
}

// locked lets log lines and flushes take turns.
type locked struct{ l *callLog }

func (w locked) Write(b []byte) (int, error) {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	return w.l.buf.Write(b)
}

func (l *callLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.buf.Flush()
}

func (l *callLog) run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	defer l.flush()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			l.flush()
		}
	}
}

// Observe writes the line of a call.
func (l *callLog) Observe(r *plenum.Record) {
	level := levelOf(r)
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	var room [24]slog.Attr
	as := append(room[:0],
		slog.String("id", r.ID), slog.Int("status", r.Status), slog.String("outcome", string(r.Outcome)),
		slog.Float64("ms", float64(r.End-r.Start)/1e3), slog.String("dialect", r.Dialect))
	as = text(as, "path", r.Path)
	as = text(as, "key", r.KeyID)
	as = text(as, "project", r.Project)
	as = text(as, "deployment", r.Deployment)
	as = text(as, "target", r.Target)
	if r.Deployment != "" {
		as = append(as, slog.Bool("stream", r.Stream), slog.Int("attempts", len(r.Attempts)),
			slog.Int64("in", r.Usage.Input+r.Usage.CacheRead+r.Usage.CacheWrite5m+r.Usage.CacheWrite1h),
			slog.Int64("out", r.Usage.Output+r.Usage.Reasoning))
	}
	if r.Priced {
		as = append(as, slog.String("usd", r.Cost.String()))
	}
	if r.FirstByte > 0 {
		as = append(as, slog.Float64("first_ms", float64(r.FirstByte)/1e3))
	}
	as = text(as, "error_kind", string(r.ErrorKind))
	as = text(as, "error", r.Error)
	if len(r.Lost) > 0 {
		as = append(as, slog.Any("lost", r.Lost))
	}
	l.log.LogAttrs(ctx, level, "call", as...)
}

func text(as []slog.Attr, name, v string) []slog.Attr {
	if v == "" {
		return as
	}
	return append(as, slog.String(name, v))
}

// levelOf is error for faults of ours, warning for those of upstreams, and information for the rest.
func levelOf(r *plenum.Record) slog.Level {
	switch {
	case r.ErrorKind == llm.Internal:
		return slog.LevelError
	case r.Outcome == plenum.OutcomeError:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// newLog returns the log of everything that is not a call.
func newLog(w io.Writer, f config.Log) *slog.Logger { return slog.New(logHandler(w, w, f)) }

func logHandler(w, terminal io.Writer, f config.Log) slog.Handler {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.Level)) // the configuration allows only levels
	opts := &slog.HandlerOptions{Level: level}
	if f.Format == "text" || f.Format == "auto" && isTerminal(terminal) {
		return slog.NewTextHandler(w, opts)
	}
	return slog.NewJSONHandler(w, opts)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
