package surface

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

var update = flag.Bool("update", false, "write docs/surface.md")

const page = "../../docs/surface.md"

// The ways in which an operation is answered.
const (
	spoken   = "spoken"   // read, and said to whoever answers
	passed   = "passed"   // as it is, to a place that speaks the same
	ownThing = "kept"     // by Plenum, out of what it keeps
	absent   = "not here" // and why
)

// door tells what becomes of requests.
type door struct {
	edge *gateway.Edge
	met  *gateway.Call
}

func newDoor(t *testing.T) *door {
	t.Helper()
	f, err := config.Parse("plenum.yaml", []byte("{}"), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := config.Compile(f, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	current := &config.Current{}
	current.Store(snapshot)
	d := &door{}
	d.edge = gateway.NewEdge(all.Dialects(), current, func(_ context.Context, c *gateway.Call, _ gateway.Out) error {
		d.met = c
		return &llm.Error{Kind: llm.Internal, Err: errors.New("enough was seen")}
	}, slog.New(slog.DiscardHandler))
	return d
}

var variable = regexp.MustCompile(`\{[^{}]*\}`)

// ask returns how an operation is answered.
func (d *door) ask(t *testing.T, v *vendor, o operation) string {
	t.Helper()
	path := variable.ReplaceAllString(v.under+o.path, "x1")
	req := httptest.NewRequestWithContext(t.Context(), o.method, path, strings.NewReader("{}"))
	req.Header.Set("Content-Type", "application/json")
	for k, value := range v.header {
		req.Header.Set(k, value)
	}
	d.met = nil
	d.edge.ServeHTTP(httptest.NewRecorder(), req)
	switch {
	case d.met == nil:
		t.Fatalf("%s %s did not reach the pipeline", o.method, path)
	case d.met.Op == "":
		return absent
	case d.met.Op == llm.OpLifecycle:
		return passed
	case d.met.Op.Own(), d.met.Op == llm.OpModels:
		return ownThing
	}
	return spoken
}

// row is what became of one operation.
type row struct {
	operation
	how, why string
}

func TestEveryOperationOfEveryVendor(t *testing.T) {
	dir, d := descriptions(t), newDoor(t)
	var out strings.Builder
	heading(&out)
	for _, v := range vendors() {
		var rows []row
		for _, o := range v.operations(t, dir) {
			if v.skip != nil && v.skip(o.path) {
				continue
			}
			r := row{operation: o, how: d.ask(t, &v, o)}
			if r.how == absent {
				r.why = reason(v.title, o)
				if r.why == "" {
					t.Errorf("%s: %s %s is not here, and nothing says why", v.title, o.method, o.path)
				}
			}
			rows = append(rows, r)
		}
		write(&out, &v, rows)
	}
	if *update {
		if err := os.WriteFile(page, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(page)
	if err != nil || string(old) != out.String() {
		t.Errorf("docs/surface.md is not what the dialects answer now (%v): run make surface", err)
	}
}
