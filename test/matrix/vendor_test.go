package matrix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// vendor answers in a dialect, by its own server side, what the scene of a model's name says.
type vendor struct {
	side sides.Side
	url  string

	mu     sync.Mutex
	scenes map[string]*scene
}

// scene is what a vendor is to answer for one model, and what it was told.
type scene struct {
	answers []*llm.Response // one for each turn
	failure *llm.Error

	bodies [][]byte        // of the requests
	asked  []*llm.Request  // as it understood them
	said   []*llm.Response // as its dialect has words for them
	err    error           // what it did not understand
}

func newVendor(t *testing.T, s sides.Side) *vendor {
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
	if err == nil && v.side.GRPC {
		body, err = frame.OneMessage(body, "", 0)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	codec, vars := v.side.Route(r.URL.EscapedPath())
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
	sc.bodies = append(sc.bodies, body)
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
	said := dialecttest.Decode(codec, v.side.Frames(wire), dialect.Want{})
	sc.err = errors.Join(sc.err, err, said.Fault())
	sc.said = append(sc.said, said.Fold())
	w.Header().Set("Content-Type", v.side.Media())
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(wire)
	if v.side.GRPC {
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}
}

func (v *vendor) reply(w http.ResponseWriter, r dialect.Reply) {
	for k, vs := range r.Header {
		w.Header()[http.CanonicalHeaderKey(k)] = vs
	}
	if !v.side.GRPC {
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

// caller calls Plenum in a dialect, by its client side.
type caller struct {
	side   sides.Side
	url    string
	client *http.Client
}

const key = "a-key-of-the-matrix-0123456789"

func newCaller(s sides.Side, url string) *caller {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!s.GRPC)
	tr.Protocols.SetUnencryptedHTTP2(s.GRPC)
	return &caller{side: s, url: url, client: &http.Client{Transport: tr}}
}

// heard is what a caller was answered.
type heard struct {
	status        int
	asked, body   []byte
	answer        *llm.Response
	fault         *llm.Error
	lost, changed []string
}

// named returns what the answer's headers name as lost or changed. They do not say why: of a class of usage it is that
// it was counted with another, of the choice of a tool that the others were left out.
func (h heard) named() []dialect.Loss {
	var out []dialect.Loss
	for _, name := range h.lost {
		l := dialect.Loss{What: name, Why: "said otherwise"}
		if name == "tool_choice" {
			l.Why = "leaving out the others"
		}
		out = append(out, l)
	}
	for _, what := range h.changed {
		word, _, _ := strings.Cut(what, " ")
		out = append(out, dialect.Loss{What: word})
	}
	return out
}

// call sends a request that was encoded in the caller's dialect, and reads the answer as its SDK would.
func (c *caller) call(t *testing.T, model string, stream bool, out dialect.Outbound) heard {
	t.Helper()
	body, path := out.Body, c.side.Path(model, stream)
	codec, _ := c.side.Route(path)
	if c.side.GRPC {
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
	if c.side.GRPC {
		req.Header.Set("Content-Type", dialect.GRPC)
		req.Header.Set("Te", "trailers")
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := c.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h := heard{status: resp.StatusCode, asked: out.Body}
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
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func (h *heard) read(codec dialect.Codec, s sides.Side, resp *http.Response, stream bool) {
	header := resp.Header
	if s.GRPC {
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
		said := dialecttest.Decode(codec, s.Frames(h.body), dialect.Want{})
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
	if s.GRPC {
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
