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
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stage/audit"
)

type auditObserver = audit.Observer

// flushEvery is how long a line of the call log may wait: one write for many lines costs a busy node
// far less than one for each. The ledger, not the log, is what must not lose a line.
const flushEvery = 100 * time.Millisecond

// callLog writes one line for each call.
type callLog struct {
	mu   sync.Mutex
	buf  *bufio.Writer
	log  *slog.Logger
	json bool
	line []byte // the line being made, under mu
}

var _ audit.Observer = (*callLog)(nil)

func newCallLog(w io.Writer, f config.Log) *callLog {
	l := &callLog{buf: bufio.NewWriterSize(w, 64<<10)}
	h := logHandler(locked{l}, w, f)
	_, l.json = h.(*slog.JSONHandler)
	l.log = slog.New(h)
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
	if l.json {
		l.writeJSON(level, r)
		return
	}
	as := make([]slog.Attr, 0, 24)
	fields(r, attrs{&as})
	l.log.LogAttrs(ctx, level, "call", as...)
}

// sink takes the fields of a line, in order.
type sink interface {
	str(name, v string)
	num(name string, v int64)
	flag(name string, v bool)
	ms(name string, micros int64) // in milliseconds
	list(name string, v []string)
}

// fields tells what a line has of a call.
func fields(r *plenum.Record, to sink) {
	to.str("id", r.ID)
	to.num("status", int64(r.Status))
	to.str("outcome", string(r.Outcome))
	to.ms("ms", r.End-r.Start)
	to.str("dialect", r.Dialect)
	text(to, "path", r.Path)
	text(to, "key", r.KeyID)
	text(to, "project", r.Project)
	text(to, "deployment", r.Deployment)
	text(to, "target", r.Target)
	if r.Deployment != "" {
		to.flag("stream", r.Stream)
		to.num("attempts", int64(len(r.Attempts)))
		to.num("in", r.Usage.Input+r.Usage.CacheRead+r.Usage.CacheWrite5m+r.Usage.CacheWrite1h)
		to.num("out", r.Usage.Output+r.Usage.Reasoning)
	}
	if r.Priced {
		to.str("usd", r.Cost.String())
	}
	if r.FirstByte > 0 {
		to.ms("first_ms", r.FirstByte)
	}
	text(to, "error_kind", string(r.ErrorKind))
	text(to, "error", r.Error)
	if len(r.Lost) > 0 {
		to.list("lost", r.Lost)
	}
}

func text(to sink, name, v string) {
	if v != "" {
		to.str(name, v)
	}
}

// attrs are the fields for slog.
type attrs struct{ to *[]slog.Attr }

func (a attrs) add(at slog.Attr)             { *a.to = append(*a.to, at) }
func (a attrs) str(name, v string)           { a.add(slog.String(name, v)) }
func (a attrs) num(name string, v int64)     { a.add(slog.Int64(name, v)) }
func (a attrs) flag(name string, v bool)     { a.add(slog.Bool(name, v)) }
func (a attrs) ms(name string, micros int64) { a.add(slog.Float64(name, float64(micros)/1e3)) }
func (a attrs) list(name string, v []string) { a.add(slog.Any(name, v)) }

// line is the line that slog's JSONHandler would write, written by hand: every call pays for it.
type line struct{ *jsonw.Writer }

func (w line) str(name, v string)           { w.KeyStr(name, v) }
func (w line) num(name string, v int64)     { w.KeyInt(name, v) }
func (w line) flag(name string, v bool)     { w.KeyBool(name, v) }
func (w line) ms(name string, micros int64) { w.KeyFloat(name, float64(micros)/1e3) }

func (w line) list(name string, v []string) {
	w.KeyOpen(name, '[')
	for _, s := range v {
		w.Str(s)
	}
	w.Close(']')
}

func (l *callLog) writeJSON(level slog.Level, r *plenum.Record) {
	now := time.Now().Format(time.RFC3339Nano)
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &jsonw.Writer{Buf: l.line[:0]}
	w.Open('{')
	w.KeyStr("time", now)
	w.KeyStr("level", level.String())
	w.KeyStr("msg", "call")
	fields(r, line{w})
	w.Close('}')
	l.line = append(w.Buf, '\n')
	_, _ = l.buf.Write(l.line)
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
