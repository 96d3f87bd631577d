package dialecttest

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// Requests checks that recorded requests are encoded again as they were. vars gives the variables of the
// route that a request came by; its model is then theirs.
func Requests(t *testing.T, c dialect.Codec, xs testkit.Exchanges, vars func(*testkit.Exchange) map[string]string) {
	n := 0
	for i := range xs {
		x := &xs[i]
		if !json.Valid(x.Request.Body) || x.Response.Status >= 400 && x.Response.Status != 401 {
			continue
		}
		n++
		in := Inbound(x, vars(x))
		p, err := c.DecodeRequest(in)
		if err != nil {
			t.Errorf("%s: %v", x.Name(), err)
			continue
		}
		out, losses, err := c.EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: losses %v, %v", x.Name(), losses, err)
			continue
		}
		want := in.Body
		if r, ok := p.(*llm.Request); ok {
			want = withModel(want, r.Model)
		}
		if d := SameJSON(want, out.Body); d != "" {
			t.Errorf("%s: %s", x.Name(), d)
		}
	}
	t.Logf("%d requests", n)
}

// RequestsByPath is Requests for a dialect whose model is in the path, and so in no body. The offer is what they are
// encoded for.
func RequestsByPath(t *testing.T, c dialect.Codec, xs testkit.Exchanges, vars func(*testkit.Exchange) map[string]string, offer *plenum.Offer) {
	t.Helper()
	n := 0
	for i := range xs {
		x := &xs[i]
		if !json.Valid(x.Request.Body) {
			continue
		}
		n++
		in := Inbound(x, vars(x))
		p, err := c.DecodeRequest(in)
		if err != nil {
			t.Errorf("%s: %v", x.Name(), err)
			continue
		}
		if r, ok := p.(*llm.Request); ok && (r.Model == "" || strings.Contains(r.Model, "%")) {
			t.Errorf("%s: model %q", x.Name(), r.Model)
		}
		out, losses, err := c.EncodeRequest(p, dialect.Shape{Offer: offer})
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: losses %v, %v", x.Name(), losses, err)
		}
		if d := SameJSON(in.Body, out.Body); d != "" {
			t.Errorf("%s: %s", x.Name(), d)
		}
	}
	t.Logf("%d requests", n)
}

// LawsOfAnswers checks all that holds of recorded answers, whole and streamed.
func LawsOfAnswers(t *testing.T, c dialect.Codec, xs testkit.Exchanges) {
	t.Helper()
	t.Run("responses", func(t *testing.T) { Responses(t, c, xs) })
	t.Run("cuts", func(t *testing.T) { Cuts(t, c, xs) })
	t.Run("prefixes", func(t *testing.T) { Prefixes(t, c, xs) })
	t.Run("speaks", func(t *testing.T) { Speaks(t, c, xs, nil) })
}

// Laws checks all that holds of recorded requests and their answers.
func Laws(t *testing.T, c dialect.Codec, xs testkit.Exchanges, vars func(*testkit.Exchange) map[string]string) {
	t.Helper()
	t.Run("requests", func(t *testing.T) { Requests(t, c, xs, vars) })
	LawsOfAnswers(t, c, xs)
}

func withModel(body []byte, model string) []byte {
	var m map[string]any
	if json.Unmarshal(body, &m) != nil {
		return body
	}
	m["model"] = model
	b, _ := json.Marshal(m)
	return b
}

// Answers returns the recorded answers that are neither errors nor streams.
func Answers(xs testkit.Exchanges) testkit.Exchanges {
	return xs.Filter(func(x *testkit.Exchange) bool {
		return x.Response.Status == 200 && !x.Stream() && json.Valid(x.Response.Body)
	})
}

// Streams returns the recorded streams.
func Streams(xs testkit.Exchanges) testkit.Exchanges {
	return xs.Filter(func(x *testkit.Exchange) bool { return x.Response.Status == 200 && x.Stream() })
}

// Responses checks that recorded answers are encoded again as they were, that they fold from their own
// replay, and that the quick look of metering sees the same.
func Responses(t *testing.T, c dialect.Codec, xs testkit.Exchanges) {
	n := 0
	for _, x := range Answers(xs) {
		res, err := c.DecodeResponse(Reply(&x))
		if err != nil {
			if llm.AsError(err).Upstream == nil { // an error that was recorded with status 200
				t.Errorf("%s: %v", x.Name(), err)
			}
			continue
		}
		n++
		out, losses, err := c.EncodeResponse(nil, res, dialect.Meta{})
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: losses %v, %v", x.Name(), losses, err)
		}
		if d := SameJSON(x.Response.Body, out.Body); d != "" {
			t.Errorf("%s: %s", x.Name(), d)
		}
		r, ok := res.(*llm.Response)
		if !ok {
			continue
		}
		folded, err := llm.Collect(llm.Replay(r))
		if d := cmp.Diff(r, folded); d != "" || err != nil {
			t.Errorf("%s: replayed: %s %v", x.Name(), d, err)
		}
		gist := c.Gist(x.Response.Body)
		if d := cmp.Diff(r.Usage.Metered(), gist.Usage.Metered()); d != "" || gist.ID != r.ID || gist.Model != r.Model {
			t.Errorf("%s: gist %+v: %s", x.Name(), gist, d)
		}
	}
	t.Logf("%d answers", n)
}

// Cuts checks that recorded streams mean the same however they are cut, that their bytes pass, that the
// order of events is right, and that metering learns what a full reading does.
func Cuts(t *testing.T, c dialect.Codec, xs testkit.Exchanges) {
	n := 0
	for _, x := range Streams(xs) {
		n++
		body := x.Response.Body
		whole := Decode(c, Frames(body), dialect.Want{})
		if whole.Err != nil {
			t.Errorf("%s: %v", x.Name(), whole.Err)
			continue
		}
		if s := Grammar(whole.Events, whole.Fault() != nil); s != "" {
			t.Errorf("%s: %s", x.Name(), s)
		}
		if whole.Fault() == nil && !passed(whole.Raw, body) {
			t.Errorf("%s: the bytes differ", x.Name())
		}
		for _, size := range []int{1, 3, 1000} {
			got := Decode(c, framesOf(body, &pieces{body, size}), dialect.Want{})
			if d := whole.diff(got); d != "" {
				t.Errorf("%s in pieces of %d: %s", x.Name(), size, d)
			}
		}
		if len(body) <= 2<<10 {
			everyCut(t, c, x.Name(), body, whole)
		}
		metered(t, c, x.Name(), body, whole)
	}
	t.Logf("%d streams", n)
}

func everyCut(t *testing.T, c dialect.Codec, name string, body []byte, whole Said) {
	for i := range body {
		src := io.MultiReader(bytes.NewReader(body[:i]), bytes.NewReader(body[i:]))
		got := Decode(c, framesOf(body, src), dialect.Want{})
		if d := whole.diff(got); d != "" {
			t.Fatalf("%s cut at %d: %s", name, i, d)
		}
	}
}

// diff returns how two readings differ. The quick comparison comes first: there are very many.
func (s Said) diff(other Said) string {
	if s.Err == nil && other.Err == nil && reflect.DeepEqual(s, other) {
		return ""
	}
	return cmp.Diff(s, other, errorsByText())
}

func errorsByText() cmp.Option {
	return cmp.Comparer(func(a, b error) bool {
		return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error()
	})
}

// metered checks that reading for metering alone tells the same start, finishes, usage and end.
func metered(t *testing.T, c dialect.Codec, name string, body []byte, whole Said) {
	t.Helper()
	got := Decode(c, Frames(body), dialect.Want{Meter: true})
	if d := cmp.Diff(ledger(whole), ledger(got), errorsByText()); d != "" {
		t.Errorf("%s metered: %s", name, d)
	}
	if whole.Fault() == nil && !passed(got.Raw, body) {
		t.Errorf("%s metered: the bytes differ", name)
	}
	if whole.Text > 0 && (got.Text < whole.Text*8/10 || got.Text > whole.Text*3/2+64) {
		t.Errorf("%s metered: %d bytes of text, %d when read whole", name, got.Text, whole.Text)
	}
}

// passed reports whether a stream's bytes came through. The end that some hosts forget to say is added.
func passed(got, want []byte) bool {
	return bytes.Equal(got, want) || bytes.Equal(got, append(bytes.Clone(want), "data: [DONE]\n\n"...))
}

// ledger keeps of a stream what metering needs.
func ledger(s Said) Said {
	out := Said{Err: s.Err}
	for _, ev := range s.Events {
		switch e := ev.(type) {
		case llm.Finish:
			out.Events = append(out.Events, llm.Finish{Choice: e.Choice})
		case llm.Start, llm.UsageReport, llm.Fault:
			out.Events = append(out.Events, ev)
		case llm.End:
			out.Events = append(out.Events, llm.End{})
		}
	}
	return out
}

// pieces reads in pieces of one size.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.size, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

// Prefixes checks that a recorded stream that ends anywhere ends in an error, or well, and never in a
// panic.
func Prefixes(t *testing.T, c dialect.Codec, xs testkit.Exchanges) {
	for _, x := range Streams(xs) {
		body := x.Response.Body
		step := max(1, len(body)/400)
		for i := 0; i < len(body); i += step {
			for _, want := range []dialect.Want{{}, {Meter: true, MuteUsage: true}} {
				got := Decode(c, Frames(body[:i]), want)
				if want.Meter {
					continue
				}
				if s := Grammar(got.Events, got.Fault() != nil); s != "" {
					t.Fatalf("%s up to %d: %s", x.Name(), i, s)
				}
				if got.Err != nil && !llm.IsKind(got.Err, llm.BadUpstream) {
					t.Fatalf("%s up to %d: %v", x.Name(), i, got.Err)
				}
			}
		}
	}
}

// Speaks checks that recorded streams, said again by an encoder and read again, tell the same answer.
func Speaks(t *testing.T, c dialect.Codec, xs testkit.Exchanges, p llm.Payload) {
	for _, x := range Streams(xs) {
		whole := Decode(c, Frames(x.Response.Body), dialect.Want{})
		if whole.Fault() != nil {
			continue
		}
		e := c.NewEncoder(p, dialect.Meta{CallID: "call", Now: 1})
		said, err := Encode(e, whole.Events, nil)
		if err != nil || len(e.Losses()) > 0 {
			t.Errorf("%s: losses %v, %v", x.Name(), e.Losses(), err)
		}
		again := Decode(c, Frames(said), dialect.Want{})
		if again.Err != nil {
			t.Errorf("%s: %v\n%s", x.Name(), again.Err, said)
			continue
		}
		if s := Grammar(again.Events, false); s != "" {
			t.Errorf("%s: %s", x.Name(), s)
		}
		if d := cmp.Diff(Plain(whole.Fold()), Plain(again.Fold())); d != "" {
			t.Errorf("%s: %s", x.Name(), d)
		}
	}
}
