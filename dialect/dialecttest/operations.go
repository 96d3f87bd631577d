package dialecttest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// At returns the recorded exchanges whose path ends so, of the vendors named or of all.
func At(t testing.TB, suffix string, vendors ...string) testkit.Exchanges {
	return testkit.Corpus(t).Filter(func(x *testkit.Exchange) bool {
		vendor, _, _ := strings.Cut(x.File, "/")
		return x.Request.Found && strings.HasSuffix(x.Path(), suffix) && (len(vendors) == 0 || slices.Contains(vendors, vendor))
	})
}

// Operation checks a codec of an operation besides answers by requests and answers in JSON: what is decoded
// and encoded again is the same and loses nothing, the quick look of metering sees the same, and a request
// that was changed at random is refused as the caller's fault or can be said.
func Operation(t *testing.T, c dialect.Codec, vars map[string]string, requests, answers []string) {
	var seeds [][]byte
	for _, body := range requests {
		seeds = append(seeds, []byte(body))
		p, err := c.DecodeRequest(dialect.Inbound{Body: []byte(body), Vars: vars})
		if err != nil {
			t.Errorf("%.300s: %v", body, err)
			continue
		}
		out, losses, err := c.EncodeRequest(p, dialect.Shape{})
		if err != nil || len(losses) > 0 {
			t.Errorf("%.300s: losses %v, %v", body, losses, err)
		}
		if d := SameJSON([]byte(body), out.Body); d != "" {
			t.Errorf("%.300s: %s", body, d)
		}
	}
	for _, body := range answers {
		answer(t, c, body)
	}
	if len(seeds) > 0 && vars == nil {
		Mutations(t, c, seeds, 2000)
	}
	t.Logf("%d requests, %d answers", len(requests), len(answers))
}

func answer(t *testing.T, c dialect.Codec, body string) {
	t.Helper()
	res, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: []byte(body)})
	if err != nil {
		t.Errorf("%.300s: %v", body, err)
		return
	}
	out, losses, err := c.EncodeResponse(nil, res, dialect.Meta{})
	if err != nil || len(losses) > 0 {
		t.Errorf("%.300s: losses %v, %v", body, losses, err)
	}
	if d := SameJSON([]byte(body), out.Body); d != "" {
		t.Errorf("%.300s: %s", body, d)
	}
	m, ok := res.(llm.Measured)
	if !ok {
		t.Fatalf("a %T does not say what it consumed", res)
	}
	g := c.Gist([]byte(body))
	if d := cmp.Diff(m.Consumption().Metered(), g.Usage.Metered()); d != "" || g.Text == 0 {
		t.Errorf("%.300s: the gist %+v: %s", body, g, d)
	}
}

// Bodies returns the JSON bodies of recorded requests and answers that went well.
func Bodies(xs testkit.Exchanges) (requests, answers []string) {
	for i := range xs {
		x := &xs[i]
		if x.Response.Status != 200 {
			continue
		}
		if json.Valid(x.Request.Body) {
			requests = append(requests, string(x.Request.Body))
		}
		if json.Valid(x.Response.Body) {
			answers = append(answers, string(x.Response.Body))
		}
	}
	return requests, answers
}

// FuzzOperation fuzzes the decoders of an operation: whatever they take can be said again.
func FuzzOperation(f *testing.F, c dialect.Codec, requests, answers []string) {
	for _, body := range slices.Concat(requests, answers) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = c.Gist(body)
		if p, err := c.DecodeRequest(dialect.Inbound{Body: body}); err == nil {
			if out, losses, err := c.EncodeRequest(p, dialect.Shape{}); err != nil || len(losses) > 0 || !json.Valid(out.Body) {
				t.Fatalf("%q: %v, %v", out.Body, losses, err)
			}
		} else if !llm.IsKind(err, llm.Invalid) {
			t.Fatal(err)
		}
		res, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			return
		}
		if out, _, err := c.EncodeResponse(nil, res, dialect.Meta{}); err == nil && !json.Valid(out.Body) {
			t.Fatalf("%q", out.Body)
		}
	})
}

// Differ returns how two payloads or results differ, or "".
func Differ(a, b any) string { return cmp.Diff(a, b) }
