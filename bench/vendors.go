package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// vendorsRole is the argument that makes this program an upstream of every dialect.
const vendorsRole = "vendors"

// pairModel is what every vendor calls its model: a name that all hosts know what to do with.
const pairModel = "anthropic.claude-bench"

// burstDeltas is how many pieces of text a streamed answer has.
const burstDeltas = 200

// vendors answers in every dialect. Answers are made once, by the dialects themselves, and numbered for each request.
type vendors struct {
	sides  []sides.Side
	whole  map[string]numbered
	stream map[string]numbered
}

// numbered is an answer in pieces, with zeros where the number of the request stands.
type numbered struct {
	header http.Header
	parts  [][]byte
	binary bool // a part is a message with a checksum
}

// with returns the answer to a request.
func (n numbered) with(id []byte) []byte {
	var out []byte
	for _, p := range n.parts {
		switch {
		case !bytes.Contains(p, blank):
			out = append(out, p...)
		case n.binary:
			f, err := frame.NewEventStream(bytes.NewReader(p), 0).Next()
			if err != nil {
				return nil // it was made by us; the caller sees that nothing came
			}
			out = frame.AppendEvent(out, frame.Frame{Event: f.Event, Data: bytes.ReplaceAll(f.Data, blank, id)})
		default:
			out = append(out, bytes.ReplaceAll(p, blank, id)...)
		}
	}
	return out
}

func newVendors() (*vendors, error) {
	v := &vendors{sides: sides.All(), whole: map[string]numbered{}, stream: map[string]numbered{}}
	for _, s := range v.sides {
		var err error
		if v.whole[s.Name], err = wholeOf(s); err != nil {
			return nil, fmt.Errorf("an answer of %s: %w", s.Title, err)
		}
		if v.stream[s.Name], err = streamOf(s); err != nil {
			return nil, fmt.Errorf("a stream of %s: %w", s.Title, err)
		}
	}
	return v, nil
}

// pairAnswer is what vendors answer, whatever they speak.
func pairAnswer(st style) *llm.Response {
	return &llm.Response{
		ID: "an-answer-of-the-vendor", Model: pairModel, Created: 1782321936,
		Choices: []llm.Choice{{Blocks: []llm.Block{llm.Text{Text: st.text()}}, Stop: llm.Stop{Reason: llm.StopEnd}}},
		Usage:   llm.Usage{Input: 77, Output: 60, Reported: llm.InSide | llm.OutSide},
	}
}

func pairMeta() dialect.Meta {
	return dialect.Meta{CallID: "call-of-the-vendor", Now: 1782321936, Model: pairModel}
}

func wholeOf(s sides.Side) (numbered, error) {
	codec, _ := s.Codec(pairModel, false)
	r, _, err := codec.EncodeResponse(&llm.Request{Model: pairModel}, pairAnswer(style{words: 60}), pairMeta())
	if err != nil {
		return numbered{}, err
	}
	body := r.Body
	if s.GRPC {
		body = frame.AppendMessage(nil, body)
	}
	return numbered{header: r.Header, parts: [][]byte{body}}, nil
}

func streamOf(s sides.Side) (numbered, error) {
	codec, _ := s.Codec(pairModel, true)
	st := style{words: burstDeltas}
	var events []llm.Event
	for ev := range llm.Replay(pairAnswer(st)) {
		if d, ok := ev.(llm.BlockStart); ok && d.Block != nil {
			d.Block = llm.Text{}
			events = append(events, d)
			for _, piece := range st.deltas() {
				events = append(events, llm.TextDelta{Choice: d.Choice, Index: d.Index, Text: piece})
			}
			continue
		}
		if _, ok := ev.(llm.TextDelta); !ok {
			events = append(events, ev)
		}
	}
	req := &llm.Request{Model: pairModel, Stream: true, StreamUsage: llm.Some(true)}
	wire, err := dialecttest.Encode(codec.NewEncoder(req, pairMeta()), events, nil)
	if err != nil {
		return numbered{}, err
	}
	n := numbered{header: http.Header{"Content-Type": {s.Media()}}, binary: s.Dialect().Streams == dialect.EventStream}
	if !n.binary {
		n.parts = [][]byte{wire}
		return n, nil
	}
	for f, err := range s.Frames(wire) {
		if err != nil {
			return n, err
		}
		n.parts = append(n.parts, slices.Clone(f.Raw))
	}
	return n, nil
}

// serveVendors listens on a free port, tells it, and serves until standard input ends.
func serveVendors() error {
	v, err := newVendors()
	if err != nil {
		return err
	}
	l, err := announce()
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: v, Protocols: new(http.Protocols)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	if err := srv.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (v *vendors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, s := range v.sides {
		codec, vars := s.Route(r.URL.EscapedPath())
		if codec == nil {
			continue
		}
		if s.GRPC && len(body) > 5 {
			body = body[5:]
		}
		head, err := codec.Peek(dialect.Inbound{Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Vars: vars, Header: r.Header, Body: body}, dialect.Bounds{})
		if err == nil && head.Model != pairModel {
			err = fmt.Errorf("model %q", head.Model)
		}
		id, wrong := sum(body, s.GRPC)
		if err = errors.Join(err, wrong); err != nil {
			http.Error(w, fmt.Sprintf(`{"error":{"message":%q}}`, err), http.StatusBadRequest)
			return
		}
		answer := v.whole[s.Name]
		if head.Stream {
			answer = v.stream[s.Name]
		}
		reply(w, answer, id, s.GRPC)
		return
	}
	http.NotFound(w, r)
}

func reply(w http.ResponseWriter, n numbered, id []byte, grpc bool) {
	for k, vs := range n.header {
		w.Header()[http.CanonicalHeaderKey(k)] = vs
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if grpc {
		w.Header().Set("Content-Type", dialect.GRPC)
		w.Header().Set("Trailer", "Grpc-Status")
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(n.with(id))
	if grpc {
		w.Header().Set("Grpc-Status", "0")
	}
}

// sum checks that the prompt is the one that was sent, and returns the number of the request.
func sum(body []byte, plain bool) ([]byte, error) {
	_, rest, ok := bytes.Cut(body, []byte(openMark))
	head, rest, _ := bytes.Cut(rest, []byte("]]"))
	text, _, end := bytes.Cut(rest, []byte(closeMark))
	fields := strings.Fields(string(head))
	if !ok || !end || len(fields) != 2 {
		return nil, errors.New("there is no prompt")
	}
	said := string(text)
	if !plain {
		if err := json.Unmarshal(slices.Concat([]byte{'"'}, text, []byte{'"'}), &said); err != nil {
			return nil, err
		}
	}
	if fields[1] != fmt.Sprintf("sum=%08x", crc32.ChecksumIEEE([]byte(said))) {
		return nil, errors.New("the prompt is not what was sent")
	}
	return []byte(strings.TrimPrefix(fields[0], "id=")), nil
}
