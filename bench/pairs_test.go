package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// What is asked of a vendor without Plenum between is answered right in every dialect, and an answer to someone else
// is seen to be one.
func TestEveryVendorAnswersCallersOfItsDialect(t *testing.T) {
	v, err := newVendors()
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(v)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	defer srv.Close()
	for _, s := range sides.All() {
		for _, sh := range pairShapes() {
			l, err := newPairLoad(sh, s, pairModel, strings.TrimPrefix(srv.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if err := l.ask(t.Context(), numbers.Add(1)); err != nil {
				t.Errorf("%s, %s: %v", s.Title, sh.name, err)
			}
			l.want += "?"
			if err := l.ask(t.Context(), numbers.Add(1)); err == nil {
				t.Errorf("%s, %s: a wrong answer is taken for right", s.Title, sh.name)
			}
			l.client.CloseIdleConnections()
		}
	}
}

func TestTheTableStandsWhereTheLastOneStood(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("before\n"+tableBegins+"old\n"+tableEnds+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &pairs{sides: sides.All(), shapes: pairShapes(), cpu: map[[3]string][]float64{}}
	for _, sh := range p.shapes {
		for _, from := range p.sides {
			for _, to := range p.sides {
				p.cpu[[3]string{sh.name, from.Name, to.Name}] = []float64{100, 100, 100}
			}
		}
	}
	p.cpu[[3]string{"100k", "openai", "gemini"}] = []float64{150, 250, 900}
	if err := insert(page, p.table(options{}, time.Time{})); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n" + tableBegins, "| *100 µs* | 1.00 | 1.00 | 2.50 |", "1 of 56 pairs: Chat Completions to Gemini.", tableEnds + "after\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") || strings.Count(string(text), "All 56 pairs") != 2 {
		t.Errorf("it is\n%s", text)
	}
	if err := os.WriteFile(page, []byte("nothing"), 0o600); err != nil || insert(page, "x") == nil {
		t.Error("a page without a place for it takes the table")
	}
}

// BenchmarkCodecs tells what each dialect spends on its half of a crossing: reading a request and saying one, reading
// an event of a stream and saying one; edit is the way of bytes that stay within the dialect.
//
//	go test ./bench -run '^$' -bench Codecs/100k/decode
func BenchmarkCodecs(b *testing.B) {
	for _, sh := range pairShapes() {
		for _, s := range sides.All() {
			if sh.stream {
				benchmarkStream(b, s)
				continue
			}
			l, err := newPairLoad(sh, s, pairModel, "")
			if err != nil {
				b.Fatal(err)
			}
			body := l.body
			if s.GRPC {
				body = body[5:]
			}
			_, vars := s.Codec(pairModel, false)
			in := dialect.Inbound{Method: http.MethodPost, Path: s.Path(pairModel, false), Vars: vars, Header: http.Header{}, Body: body}
			shape := dialect.Shape{Offer: &plenum.Offer{Upstream: "another"}, Meter: true}
			p, err := l.codec.DecodeRequest(in)
			if err != nil {
				b.Fatal(err)
			}
			measured(b, sh.name+"/edit/"+s.Name, func() error {
				h, err := l.codec.Peek(in, dialect.Bounds{})
				if err == nil {
					_, err = l.codec.EditRequest(in, h, shape)
				}
				return err
			})
			measured(b, sh.name+"/decode/"+s.Name, func() error { _, err := l.codec.DecodeRequest(in); return err })
			measured(b, sh.name+"/encode/"+s.Name, func() error { _, _, err := l.codec.EncodeRequest(p, shape); return err })
		}
	}
}

func benchmarkStream(b *testing.B, s sides.Side) {
	n, err := streamOf(s)
	if err != nil {
		b.Fatal(err)
	}
	codec, _ := s.Codec(pairModel, true)
	wire := n.with(blank)
	for name, want := range map[string]dialect.Want{"meter": {Meter: true}, "decode": {}} {
		measured(b, "burst/"+name+"/"+s.Name, func() error { return dialecttest.Decode(codec, s.Frames(wire), want).Err })
	}
	events := dialecttest.Decode(codec, s.Frames(wire), dialect.Want{}).Events
	req := &llm.Request{Model: pairModel, Stream: true, StreamUsage: llm.Some(true)}
	measured(b, "burst/encode/"+s.Name, func() error { _, err := dialecttest.Encode(codec.NewEncoder(req, pairMeta()), events, nil); return err })
}

func measured(b *testing.B, name string, f func() error) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
