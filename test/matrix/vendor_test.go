package matrix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// vendor answers in a dialect, by its own server side, what the scene of a model's name says.
type vendor struct {
	side side
	url  string

	mu     sync.Mutex
	scenes map[string]*scene
}

// scene is what a vendor is to answer for one model, and what it was told.
type scene struct {
	answers []*llm.Response // one for each turn
	failure *llm.Error

	asked []*llm.Request  // as it understood them
	said  []*llm.Response // as its dialect has words for them
	err   error           // what it did not understand
}

func newVendor(t *testing.T, s side) *vendor {
	t.Helper()
	v := &vendor{side: s, scenes: map[string]*scene{}}
	srv := httptest.NewUnstartedServer(v)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	v.url = srv.URL
	return v
}

func (v *vendor) set(model string, sc *scene) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.scenes[model] = sc
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err == nil && v.side.grpc {
		body, err = frame.OneMessage(body, "", 0)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	codec, vars := v.side.route(r.URL.EscapedPath())
	if codec == nil {
		http.Error(w, "no such path: "+r.URL.Path, http.StatusTeapot)
		return
	}
	in := dialect.Inbound{Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Vars: vars, Header: r.Header, Body: body}
	head, err := codec.Peek(in, dialect.Bounds{MaxDepth: 100})
	sc := v.scenes[head.Model]
	if sc == nil {
		http.Error(w, fmt.Sprintf("no scene %q, %v", head.Model, err), http.StatusTeapot)
		return
	}
	p, err := codec.DecodeRequest(in)
	if err != nil {
		sc.err = fmt.Errorf("%w: %s", err, body)
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	v.answer(w, codec, sc, p.(*llm.Request), head.Stream)
}

func (v *vendor) answer(w http.ResponseWriter, codec dialect.Codec, sc *scene, req *llm.Request, stream bool) {
	sc.asked = append(sc.asked, req)
	meta := dialect.Meta{CallID: "call-of-the-vendor", Now: 1700000000}
	if sc.failure != nil {
		v.reply(w, codec.EncodeError(sc.failure))
		return
	}
	res := sc.answers[min(len(sc.asked), len(sc.answers))-1]
	if !stream {
		r, _, err := codec.EncodeResponse(req, res, meta)
		if err == nil {
			var said llm.Result
			if said, err = codec.DecodeResponse(r); err == nil {
				sc.said = append(sc.said, said.(*llm.Response))
			}
		}
		sc.err = errors.Join(sc.err, err)
		v.reply(w, r)
		return
	}
	enc := codec.NewEncoder(req, meta)
	var events []llm.Event
	for ev := range llm.Replay(res) {
		events = append(events, ev)
	}
	wire, err := dialecttest.Encode(enc, events, nil)
	said := dialecttest.Decode(codec, v.side.frames(wire), dialect.Want{})
	sc.err = errors.Join(sc.err, err, said.Fault())
	sc.said = append(sc.said, said.Fold())
	media := v.side.dialect().Streams
	if media == "" {
		media = "text/event-stream"
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(wire)
	if v.side.grpc {
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}
}

func (v *vendor) reply(w http.ResponseWriter, r dialect.Reply) {
	for k, vs := range r.Header {
		w.Header()[http.CanonicalHeaderKey(k)] = vs
	}
	if !v.side.grpc {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(r.Status)
		_, _ = w.Write(r.Body)
		return
	}
	w.Header().Set("Content-Type", dialect.GRPC)
	if w.Header().Get("Grpc-Status") != "" { // an error is a status alone
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(frame.AppendMessage(nil, r.Body))
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}

// frames cuts a stream of this dialect.
func (s side) frames(wire []byte) iter.Seq2[dialect.Frame, error] {
	src := bytes.NewReader(wire)
	switch s.dialect().Streams {
	case dialect.NDJSON:
		return frame.NewLines(src, 0).All()
	case dialect.EventStream:
		return frame.NewEventStream(src, 0).All()
	case dialect.GRPC:
		return frame.NewMessages(src, 0, "").All()
	}
	return frame.NewReader(src, 0).All()
}

// caller calls Plenum in a dialect, by its client side.
type caller struct {
	side   side
	url    string
	client *http.Client
}

const key = "a-key-of-the-matrix-0123456789"

func newCaller(s side, url string) *caller {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!s.grpc)
	tr.Protocols.SetUnencryptedHTTP2(s.grpc)
	return &caller{side: s, url: url, client: &http.Client{Transport: tr}}
}

// heard is what a caller was answered.
type heard struct {
	status        int
	body          []byte
	answer        *llm.Response
	fault         *llm.Error
	lost, changed []string
}

// call sends a request that was encoded in the caller's dialect, and reads the answer as its SDK would.
func (c *caller) call(t *testing.T, model string, stream bool, out dialect.Outbound) heard {
	t.Helper()
	body, path := out.Body, c.side.path(model, stream)
	codec, _ := c.side.route(strings.SplitN(path, "?", 2)[0])
	if c.side.grpc {
		body = frame.AppendMessage(nil, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, vs := range out.Header {
		req.Header[http.CanonicalHeaderKey(k)] = vs
	}
	req.Header.Set("Content-Type", "application/json")
	if c.side.grpc {
		req.Header.Set("Content-Type", dialect.GRPC)
		req.Header.Set("Te", "trailers")
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := c.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h := heard{status: resp.StatusCode}
	if h.body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatalf("reading the answer: %v after %q", err, h.body)
	}
	for _, head := range []http.Header{resp.Header, resp.Trailer} {
		h.lost = names(h.lost, head.Get("Plenum-Lost"))
		h.changed = names(h.changed, head.Get("Plenum-Changed"))
	}
	h.read(codec, c.side, resp, stream)
	return h
}

func names(list []string, header string) []string {
	for _, name := range strings.Split(header, ", ") {
		if name != "" && !contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func contains(list []string, name string) bool {
	for _, x := range list {
		if x == name {
			return true
		}
	}
	return false
}

func (h *heard) read(codec dialect.Codec, s side, resp *http.Response, stream bool) {
	header := resp.Header
	if s.grpc {
		if resp.Trailer.Get("Grpc-Status") != "" {
			header = resp.Trailer
		}
		if header.Get("Grpc-Status") != "0" {
			h.fault = codec.DecodeError(dialect.Reply{Status: resp.StatusCode, Header: header})
			return
		}
	} else if resp.StatusCode != http.StatusOK {
		h.fault = codec.DecodeError(dialect.Reply{Status: resp.StatusCode, Header: header, Body: h.body})
		return
	}
	if stream {
		said := dialecttest.Decode(codec, s.frames(h.body), dialect.Want{})
		if err := said.Fault(); err != nil {
			h.fault = llm.AsError(err)
			return
		}
		if wrong := dialecttest.Grammar(said.Events, false); wrong != "" {
			h.fault = &llm.Error{Kind: llm.BadUpstream, Message: wrong}
			return
		}
		h.answer = said.Fold()
		return
	}
	body := h.body
	if s.grpc {
		var err error
		if body, err = frame.OneMessage(body, "", 0); err != nil {
			h.fault = llm.AsError(err)
			return
		}
	}
	res, err := codec.DecodeResponse(dialect.Reply{Status: resp.StatusCode, Header: header, Body: body})
	if err != nil {
		h.fault = llm.AsError(err)
		return
	}
	h.answer = res.(*llm.Response)
}
