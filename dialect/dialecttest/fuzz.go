package dialecttest

import (
	"encoding/json"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// Fuzzed is a codec that is given anything at all. Its methods are the bodies of fuzz targets.
type Fuzzed struct {
	dialect.Codec
	Vars  map[string]string // of the route
	Shape dialect.Shape     // how EditRequest is asked to change a request
	Lossy bool              // what is read and said again need not be all that was there
}

// Seeds returns the recorded exchanges of a dialect of at most so many bytes, if that is not 0, and none where there
// is no corpus.
func Seeds(f *testing.F, name string, most int) testkit.Exchanges {
	f.Helper()
	dir, err := testkit.FindCorpus()
	if err != nil {
		return nil
	}
	xs, err := testkit.LoadCorpus(dir)
	if err != nil {
		f.Fatal(err)
	}
	return xs.Dialect(name).Filter(func(x *testkit.Exchange) bool {
		return most == 0 || len(x.Request.Body)+len(x.Response.Body) < most
	})
}

// Holds runs a fuzz target: it gives bodies to what is held of each codec.
func Holds(f *testing.F, codecs []Fuzzed, seeds [][]byte, holds func(c Fuzzed, t *testing.T, body []byte)) {
	f.Helper()
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range codecs {
			holds(c, t, body)
		}
	})
}

// Request holds that a body is refused as the caller's, or said again without a loss.
func (c Fuzzed) Request(t *testing.T, body []byte) {
	t.Helper()
	p, err := c.DecodeRequest(dialect.Inbound{Body: body, Vars: c.Vars})
	if err != nil {
		if !llm.IsKind(err, llm.Invalid) {
			t.Fatal(err)
		}
		return
	}
	out, losses, err := c.EncodeRequest(p, dialect.Shape{})
	if err != nil || !json.Valid(out.Body) || !c.Lossy && len(losses) > 0 {
		t.Fatalf("%q: %v, %v", out.Body, losses, err)
	}
}

// Edit holds that a body is refused as the caller's, or JSON after it was changed.
func (c Fuzzed) Edit(t *testing.T, body []byte) {
	t.Helper()
	in := dialect.Inbound{Body: body, Vars: c.Vars}
	h, err := c.Peek(in, dialect.Bounds{})
	var out dialect.Outbound
	if err == nil {
		out, err = c.EditRequest(in, h, c.Shape)
	}
	switch {
	case err != nil && !llm.IsKind(err, llm.Invalid):
		t.Fatal(err)
	case err == nil && json.Valid(body) && !json.Valid(out.Body):
		t.Fatalf("%q became %q", body, out.Body)
	}
}

// Response holds that an answer is refused as the upstream's, or said again, and that an error is at any rate.
func (c Fuzzed) Response(t *testing.T, body []byte) {
	t.Helper()
	for class, n := range c.Gist(body).Usage.Classes() {
		if n < 0 {
			t.Fatalf("%s is %d", class, n)
		}
	}
	_ = c.EncodeError(c.DecodeError(dialect.Reply{Status: 400, Body: body}))
	res, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: body})
	if err != nil {
		if llm.IsKind(err, llm.Internal) {
			t.Fatal(err)
		}
		return
	}
	out, losses, err := c.EncodeResponse(nil, res, dialect.Meta{})
	if err != nil || !json.Valid(out.Body) || !c.Lossy && len(losses) > 0 {
		t.Fatalf("%q: %v, %v", out.Body, losses, err)
	}
}

// Stream holds that a stream ends well or in an error, its events in the right order; that metering finds no fault
// where a full reading found none; and that what was read can be said.
func (c Fuzzed) Stream(t *testing.T, stream []byte) {
	t.Helper()
	got := Decode(c, Frames(stream), dialect.Want{})
	metered := Decode(c, Frames(stream), dialect.Want{Meter: true})
	if len(got.Events) > 0 || !c.Lossy {
		if s := Grammar(got.Events, got.Fault() != nil); s != "" {
			t.Fatal(s)
		}
	}
	if got.Fault() != nil || c.Lossy {
		return
	}
	if metered.Fault() != nil {
		t.Fatal(metered.Fault())
	}
	out, err := Encode(c.NewEncoder(nil, dialect.Meta{}), got.Events, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again := Decode(c, Frames(out), dialect.Want{}); again.Fault() != nil {
		t.Fatalf("%v\n%s", again.Fault(), out)
	}
}

// BenchmarkEdit measures the raw path of a request.
func (c Fuzzed) BenchmarkEdit(b *testing.B, body []byte) {
	b.Helper()
	in := dialect.Inbound{Body: body, Vars: c.Vars}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		h, err := c.Peek(in, dialect.Bounds{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.EditRequest(in, h, c.Shape); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStreams measures reading recorded streams, for metering and whole.
func (c Fuzzed) BenchmarkStreams(b *testing.B, xs testkit.Exchanges) {
	b.Helper()
	for _, x := range Streams(xs) {
		for name, want := range map[string]dialect.Want{"meter": {Meter: true}, "whole": {}} {
			b.Run(x.File+" "+name, func(b *testing.B) {
				b.SetBytes(int64(len(x.Response.Body)))
				b.ReportAllocs()
				for b.Loop() {
					_ = Decode(c, Frames(x.Response.Body), want)
				}
			})
		}
	}
}
