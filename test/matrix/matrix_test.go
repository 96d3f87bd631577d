package matrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/app"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// kind is how a feature fares between two dialects.
type kind int

const (
	faithful kind = iota // all of it arrives
	named                // something does not, and the answer's headers say what
	refused              // Plenum says why it does not even try
	mute                 // the caller's dialect has no word for it
	deaf                 // the vendor's dialect has no word for it
)

// outcome is one cell, streamed or not.
type outcome struct {
	kind   kind
	why    []string // the losses, or the refusal
	silent []string // what is wrong: lost in silence, or not answered
	answer dialecttest.Meaning
}

// world is a running Plenum with a vendor of each dialect.
type world struct {
	url     string
	sides   []sides.Side
	vendors map[string]*vendor
	callers map[string]*caller
}

func newWorld(t *testing.T) *world {
	w := &world{sides: sides.All(), vendors: map[string]*vendor{}, callers: map[string]*caller{}}
	var yaml strings.Builder
	fmt.Fprintf(&yaml, "data_dir: %s\nadmin_key: admin-0123456789abcdef\nkeys:\n  - {name: matrix, secret: %s}\nconnections:\n", t.TempDir(), key)
	for _, s := range w.sides {
		v := newVendor(t, s)
		w.vendors[s.Name] = v
		fmt.Fprintf(&yaml, "  - {name: %s, %s}\n", s.Name, fmt.Sprintf(s.Place, v.url))
	}
	yaml.WriteString("deployments:\n")
	for _, s := range w.sides {
		fmt.Fprintf(&yaml, "  - {name: %s, aliases: [\"%s/*\"], retry: {attempts: 1}, targets: [{connection: %s, upstream_model: \"*\"}]}\n", s.Name, s.Name, s.Name)
	}
	f, err := config.Parse("matrix.yaml", []byte(yaml.String()), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	w.url = serve(t, f)
	for _, s := range w.sides {
		w.callers[s.Name] = newCaller(s, w.url)
	}
	return w
}

// serve runs a node until the test ends.
func serve(t *testing.T, f *config.File) string {
	parts := app.Parts{Dialects: all.Dialects(), Providers: all.Providers(), Engines: all.Engines()}
	ctx, stop := context.WithCancel(context.Background())
	n, err := app.Open(ctx, parts, f, slog.New(slog.DiscardHandler), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Extend(func(*config.File) {}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, n.Close()); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// cell is a feature between a caller's and a vendor's dialect.
type cell struct {
	w       *world
	c       *caller
	v       *vendor
	f       feature
	stream  bool
	model   string // as the vendor knows it
	sc      *scene
	codec   dialect.Codec
	vars    map[string]string
	heard   []heard // an answer for each turn
	outcome outcome
}

func (w *world) try(t *testing.T, from, to sides.Side, f feature, stream bool) outcome {
	t.Helper()
	return w.cell(t, from, to, f, stream).outcome
}

// cell tries a cell.
func (w *world) cell(t *testing.T, from, to sides.Side, f feature, stream bool) *cell {
	t.Helper()
	model := fmt.Sprintf("anthropic.claude-%s-%s-%t", from.Name, strings.ReplaceAll(strings.ReplaceAll(f.name, " ", "-"), ",", ""), stream)
	x := &cell{w: w, c: w.callers[from.Name], v: w.vendors[to.Name], f: f, stream: stream, model: model, sc: &scene{failure: f.fails}}
	first := response()
	if f.says != nil {
		f.says(to, first)
	}
	x.sc.answers = []*llm.Response{first, response()}
	x.v.set(model, x.sc)
	x.codec, x.vars = from.Route(from.Path(x.name(), stream))
	r := request(x.name())
	r.Stream = stream
	if stream {
		r.StreamUsage = llm.Some(true)
	}
	if f.ask != nil {
		f.ask(r)
	}
	x.run(t, r)
	return x
}

// name is how the caller knows the model.
func (x *cell) name() string { return x.v.side.Name + "/" + x.model }

func (x *cell) wrong(form string, args ...any) {
	x.outcome.silent = append(x.outcome.silent, fmt.Sprintf(form, args...))
}

func (x *cell) run(t *testing.T, r *llm.Request) {
	told, h, ok := x.say(t, r, nil)
	if !ok {
		return
	}
	if x.f.fails != nil {
		x.failure(h)
		return
	}
	if x.sc.err != nil {
		x.wrong("the vendor did not understand: %v", x.sc.err)
		return
	}
	if h.fault != nil {
		if len(x.sc.asked) == 0 {
			x.outcome = outcome{kind: refused, why: []string{h.fault.Message}}
		} else {
			x.wrong("answered %d: %v %s", h.status, h.fault, clip(h.body))
		}
		return
	}
	said := dialecttest.Answered(x.sc.said[0])
	x.outcome.answer = dialecttest.Answered(h.answer)
	if chosen, ok := strings.CutPrefix(told["tool_choice"], "tool "); ok && !dialecttest.Asked(x.sc.asked[0], false).Has("tools."+chosen) {
		x.wrong("the tool that must be called is not there")
	}
	x.compare("asked", told, dialecttest.Asked(x.sc.asked[0], false), h)
	x.compare("answered", said, x.outcome.answer, h)
	x.lose(h.lost)
	if x.f.again {
		x.goOn(t, r, h)
	}
	x.frame(r, h)
	x.needs()
	switch {
	case len(x.f.about) > 0 && !told.Has(x.f.about...) && x.f.ask != nil && x.f.says == nil:
		x.outcome.kind = mute
	case len(x.f.about) > 0 && !said.Has(x.f.about...) && x.f.ask == nil && x.f.says != nil, x.f.stop != "" && said["stop"] != string(x.f.stop):
		x.outcome.kind = deaf
	case len(x.outcome.why) > 0:
		x.outcome.kind = named
	}
	if h.answer.Model == "" && x.c.side.NamesModel {
		x.wrong("the answer names no model")
	}
}

// say sends a request in the caller's words. It returns what these words mean.
//
// before is the answer that the request goes on from.
func (x *cell) say(t *testing.T, r *llm.Request, before *llm.Response) (dialecttest.Meaning, heard, bool) {
	shape := dialect.Shape{Offer: &plenum.Offer{Upstream: x.name(), Traits: plenum.Traits{DefaultMaxOut: 2000}}}
	out, _, err := x.codec.EncodeRequest(r, shape)
	if err != nil {
		x.outcome = outcome{kind: mute, why: []string{llm.AsError(err).Message}}
		return nil, heard{}, false
	}
	if before != nil {
		if out.Body, err = x.echo(out.Body, x.heard[0].asked, r, before); err != nil {
			t.Fatal(err)
		}
	}
	in := dialect.Inbound{Method: "POST", Path: x.c.side.Path(x.name(), x.stream), Vars: x.vars, Header: out.Header, Body: slices.Clone(out.Body)}
	p, err := x.codec.DecodeRequest(in)
	if err != nil {
		x.wrong("the caller's own words are not understood: %v", err)
		return nil, heard{}, false
	}
	h := x.c.call(t, x.name(), x.stream, out)
	x.heard = append(x.heard, h)
	return dialecttest.Asked(p.(*llm.Request), false), h, true
}

func (x *cell) compare(what string, said, got dialecttest.Meaning, h heard) {
	for _, m := range said.Silent(got, h.named()) {
		x.wrong("%s, lost in silence: %s (named: %v %v)", what, m, h.lost, h.changed)
	}
}

// unsaid reports whether something of what was thought is named as lost.
func unsaid(losses []dialect.Loss) bool {
	for _, key := range []string{"turn[1].thought.text", "turn[1].thought.seal"} {
		if len(dialecttest.Meaning{key: "x"}.Silent(dialecttest.Meaning{}, losses)) == 0 {
			return true
		}
	}
	return false
}

// goOn sends the next turn: what was answered, as the caller got it, and a result for each call.
func (x *cell) goOn(t *testing.T, r *llm.Request, h heard) {
	var results []llm.Message
	for _, b := range h.answer.Choices[0].Blocks {
		if c, ok := b.(llm.ToolUse); ok {
			results = append(results, result(c.ID, text("20 degrees")))
		}
	}
	next := *r
	next.Messages = slices.Concat(r.Messages, []llm.Message{assistant(h.answer.Choices[0].Blocks...)}, results)
	told, again, ok := x.say(t, &next, h.answer)
	if !ok {
		return
	}
	if again.fault != nil || len(x.sc.asked) < 2 {
		x.wrong("the second turn: answered %d, %v %v", again.status, again.fault, x.sc.err)
		return
	}
	heard := dialecttest.Asked(x.sc.asked[1], false)
	x.compare("second turn", told, heard, again)
	x.lose(again.lost)
	said := dialecttest.Answered(x.sc.said[0])
	for _, id := range items(x.sc.said[0].Choices[0].Blocks) {
		if back := x.sc.asked[1].Messages; !slices.ContainsFunc(back, func(m llm.Message) bool { return slices.Contains(items(m.Blocks), id) }) {
			x.wrong("second turn: the vendor calls what it thought %s, and gets it back under no such name", id)
		}
	}
	for _, k := range []string{"thought.text", "thought.seal"} {
		if back := heard["turn[1]."+k]; back != said[k] && !unsaid(append(again.named(), h.named()...)) {
			x.wrong("second turn: the vendor thought %s %q, and gets back %q (named: %v %v)", k, said[k], back, h.lost, again.lost)
		}
	}
}

// failure compares an error with what the caller's dialect has for it.
func (x *cell) failure(h heard) {
	if h.fault == nil {
		x.wrong("an error was answered with %d %s", h.status, clip(h.body))
		return
	}
	vendor, _ := x.v.side.Route(x.v.side.Path(x.model, x.stream))
	meant := vendor.DecodeError(vendor.EncodeError(x.f.fails))
	kind := meant.Kind
	if ours := kind == llm.Unauthorized || kind == llm.UpstreamAuth; ours { // it is our credential that was refused
		kind = llm.UpstreamAuth
		if strings.Contains(h.fault.Message, x.f.fails.Message) {
			x.wrong("what the vendor says of our key is told to the caller: %s", h.fault.Message)
		}
	} else if !strings.Contains(h.fault.Message, meant.Message) {
		x.wrong("the vendor says %q, the caller is told %q", meant.Message, h.fault.Message)
	}
	want := x.codec.DecodeError(x.codec.EncodeError(&llm.Error{Kind: kind, Message: meant.Message}))
	if want.Kind != h.fault.Kind {
		x.wrong("an error of kind %s is %s to the caller and not %s (%d %s)", meant.Kind, h.fault.Kind, want.Kind, h.status, clip(h.body))
	}
	x.outcome.answer = dialecttest.Meaning{"error": string(h.fault.Kind)}
}

func clip(b []byte) string {
	if len(b) > 4000 {
		b = b[:4000]
	}
	return string(b)
}

func TestEveryDialectReachesEveryOther(t *testing.T) {
	w := newWorld(t)
	m := &table{sides: w.sides}
	for _, f := range features() {
		for _, from := range w.sides {
			for _, to := range w.sides {
				whole, streamed := w.try(t, from, to, f, false), w.try(t, from, to, f, true)
				at := fmt.Sprintf("%s: %s caller, %s vendor", f.name, from.Title, to.Title)
				for _, s := range whole.silent {
					t.Errorf("%s: %s", at, s)
				}
				for _, s := range streamed.silent {
					t.Errorf("%s, streamed: %s", at, s)
				}
				for _, s := range disagree(whole, streamed) {
					t.Errorf("%s: streamed and whole do not agree: %s", at, s)
				}
				m.set(f.name, from, to, whole)
			}
		}
	}
	m.check(t)
}

// disagree returns how a streamed answer differs from a whole one.
func disagree(whole, streamed outcome) (out []string) {
	if whole.kind != streamed.kind {
		out = append(out, fmt.Sprintf("%s, and %s (%v, %v)", words[whole.kind], words[streamed.kind], whole.why, streamed.why))
	}
	a, b := unnumbered(whole.why), unnumbered(streamed.why)
	if !slices.Equal(a, b) {
		out = append(out, fmt.Sprintf("lost %v, and %v", a, b))
	}
	if len(whole.silent)+len(streamed.silent) == 0 {
		out = append(out, whole.answer.Differ(streamed.answer)...)
	}
	return out
}

// lose notes what was named as lost, but for what a host tells of itself with every answer.
func (x *cell) lose(names []string) {
	for _, n := range names {
		if !slices.Contains(x.outcome.why, n) && !slices.Contains(ofTheHost, n) {
			x.outcome.why = append(x.outcome.why, n)
		}
	}
}

// ofTheHost are losses that every answer of a vendor has: how long Converse took, and what Cohere read besides
// what it charges for. The page says so once.
var ofTheHost = []string{"metrics", "usage.tokens"}

// unnumbered returns losses without the numbers in their names, sorted and each once.
func unnumbered(names []string) []string {
	var out []string
	for _, n := range names {
		if n = index.ReplaceAllString(n, ""); !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}
