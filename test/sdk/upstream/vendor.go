package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// The keys that Plenum has for the vendors, and the one that callers have for Plenum, which must never
// get here.
const (
	vendorKey = "sk-vendor-0123456789abcdef"
	callerKey = "pk-caller-0123456789abcdef"
)

// wire is one vendor's way of putting things.
type wire interface {
	// read understands and checks a request.
	read(r *http.Request, body []byte) (*request, *refusal)
	headers() http.Header
	fail(e failure) []byte
	// whole and stream say an answer; stream's last piece ends it well.
	whole(r *request, a *answer) []byte
	stream(r *request, a *answer) []piece
	fault(message string) string
}

// refusal is why a vendor would not take a request.
type refusal struct {
	status  int
	message string
}

// failure is an error answer.
type failure struct {
	status     int
	message    string
	retryAfter string
	header     map[string]string
}

// piece is an event of a stream; content says that it carries some of the answer.
type piece struct {
	text    string
	content bool
}

// vendor serves one wire.
type vendor struct {
	journal *journal
	wire    wire
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	rec := &record{Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header, Raw: string(body)}
	req, refused := v.wire.read(r, body)
	if refused == nil {
		refused = leaks(r, body)
	}
	model := req.Model
	if model == "" {
		model = modelOf(body)
	}
	rec.Seen = req
	if refused != nil {
		rec.Refused = refused.message
	}
	nth := v.journal.add(model, rec)
	req.nth = nth
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	gone := context.AfterFunc(ctx, func() {
		v.journal.update(func() {
			if !rec.Done {
				rec.CancelledMS = time.Now().UnixMilli()
			}
		})
	})
	defer gone()
	if refused != nil {
		v.refuse(w, failure{status: refused.status, message: refused.message})
	} else {
		v.answer(ctx, w, req, play(req, nth))
	}
	v.journal.update(func() {
		if ctx.Err() != nil && rec.CancelledMS == 0 {
			rec.CancelledMS = time.Now().UnixMilli() // seen here before the watcher woke
		}
		rec.Done = rec.CancelledMS == 0
	})
}

// leaks finds credentials and headers that Plenum must keep to itself.
func leaks(r *http.Request, body []byte) *refusal {
	for name, values := range r.Header {
		if strings.HasPrefix(name, "Plenum-") {
			return &refusal{400, "leak: header " + name + " reached the vendor"}
		}
		if strings.Contains(strings.Join(values, " "), callerKey) {
			return &refusal{400, "leak: the caller's key reached the vendor in " + name}
		}
	}
	if strings.Contains(string(body), callerKey) {
		return &refusal{400, "leak: the caller's key reached the vendor in the body"}
	}
	return nil
}

func modelOf(body []byte) string {
	var m struct{ Model string }
	_ = json.Unmarshal(body, &m)
	return m.Model
}

func (v *vendor) refuse(w http.ResponseWriter, f failure) {
	h := w.Header()
	for k, vs := range v.wire.headers() {
		h[k] = vs
	}
	h.Set("Content-Type", "application/json")
	if f.retryAfter != "" {
		h.Set("Retry-After", f.retryAfter)
	}
	for k, val := range f.header {
		h.Set(k, val)
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(v.wire.fail(f))
}

func (v *vendor) answer(ctx context.Context, w http.ResponseWriter, r *request, a *answer) {
	switch {
	case a.failure != nil:
		v.refuse(w, *a.failure)
	case a.hang:
		<-ctx.Done()
	case r.Count:
		v.reply(w, v.wire.whole(r, a))
	case r.Stream:
		v.tell(ctx, w, r, a)
	default:
		v.reply(w, v.wire.whole(r, a))
	}
}

func (v *vendor) reply(w http.ResponseWriter, body []byte) {
	h := w.Header()
	for k, vs := range v.wire.headers() {
		h[k] = vs
	}
	h.Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// errCut ends a stream in the middle.
var errCut = errors.New("cut")

func (v *vendor) tell(ctx context.Context, w http.ResponseWriter, r *request, a *answer) {
	h := w.Header()
	for k, vs := range v.wire.headers() {
		h[k] = vs
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
	}
	t := &teller{ctx: ctx, w: w, rc: http.NewResponseController(w), a: a}
	err := t.tell(v.wire.stream(r, a), v.wire.fault)
	if errors.Is(err, errCut) {
		panic(http.ErrAbortHandler)
	}
}

// teller writes a stream, event by event.
type teller struct {
	ctx context.Context
	w   io.Writer
	rc  *http.ResponseController
	a   *answer
}

func (t *teller) tell(pieces []piece, fault func(string) string) error {
	said := 0
	for _, p := range pieces {
		if p.content {
			if t.a.breaks != "" && said == t.a.after {
				return t.breakOff(fault)
			}
			said++
			if err := t.pause(); err != nil {
				return err
			}
		}
		if err := t.write(p.text); err != nil {
			return err
		}
	}
	return nil
}

// breakOff ends the stream as the scenario says: with an error event, a cut, or a silent end.
func (t *teller) breakOff(fault func(string) string) error {
	switch t.a.breaks {
	case "fault":
		return t.write(fault("Overloaded"))
	case "cut":
		return errCut
	default:
		return nil
	}
}

func (t *teller) pause() error {
	if t.a.pace == 0 {
		return nil
	}
	select {
	case <-time.After(t.a.pace):
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

// write writes an event, in splinters where the scenario says so.
func (t *teller) write(text string) error {
	n := len(text)
	if t.a.splinter > 0 {
		n = t.a.splinter
	}
	for len(text) > 0 {
		n = min(n, len(text))
		if _, err := io.WriteString(t.w, text[:n]); err != nil {
			return err
		}
		if err := t.rc.Flush(); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}
