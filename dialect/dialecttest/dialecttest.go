// Package dialecttest holds the laws that every codec must keep, as tests over recorded traffic: what is
// decoded is encoded again as the same, a stream means the same however it was cut, a broken one ends in
// an error and not in a panic, and what crosses to another dialect is said there or named as a loss.
//
// A dialect's own test calls the laws with its recordings; see [Recordings].
package dialecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// Recordings returns the recorded exchanges in a dialect, and skips the test where there are none.
func Recordings(t testing.TB, name string) testkit.Exchanges {
	t.Helper()
	xs := testkit.Corpus(t).Dialect(name)
	if len(xs) == 0 {
		t.Skipf("no recorded traffic in %s: PLENUM_CORPUS names a directory without any", name)
	}
	return xs
}

// Inbound returns a recorded request as a codec gets it. route is the pattern's variables.
func Inbound(x *testkit.Exchange, vars map[string]string) dialect.Inbound {
	return dialect.Inbound{Method: http.MethodPost, Path: x.Path(), Vars: vars, Header: x.Request.Header, Body: x.Request.Body}
}

// Reply returns a recorded answer as a codec gets it.
func Reply(x *testkit.Exchange) dialect.Reply {
	return dialect.Reply{Status: x.Response.Status, Header: x.Response.Header, Body: x.Response.Body}
}

// Frames cuts a stream into frames.
func Frames(stream []byte) iter.Seq2[dialect.Frame, error] {
	return framesOf(stream, bytes.NewReader(stream))
}

// framesOf cuts what src reads of a stream into frames. A binary event stream is known by its first byte,
// which is that of a length.
func framesOf(stream []byte, src io.Reader) iter.Seq2[dialect.Frame, error] {
	if len(stream) > 0 && stream[0] == 0 {
		return frame.NewEventStream(src, 0).All()
	}
	if bytes.HasPrefix(stream, []byte("{")) { // lines of JSON
		return frame.NewLines(src, 0).All()
	}
	return frame.NewReader(src, 0).All()
}

// Said is a stream as it was decoded.
type Said struct {
	Events []llm.Event
	Raw    []byte
	Muted  int
	Text   int
	Err    error
}

// Decode reads a stream to its end.
func Decode(c dialect.Client, frames iter.Seq2[dialect.Frame, error], want dialect.Want) Said {
	var s Said
	for ch, err := range c.DecodeStream(frames, want) {
		if err != nil {
			s.Err = err
			return s
		}
		s.Events = append(s.Events, ch.Events...)
		s.Raw = append(s.Raw, ch.Frame.Raw...)
		s.Text += ch.Text
		if ch.Mute {
			s.Muted++
		}
	}
	return s
}

// Fault returns the error that ended the stream: one that the upstream said, or one that says how it broke
// off.
func (s Said) Fault() error {
	for _, ev := range s.Events {
		if f, ok := ev.(llm.Fault); ok {
			return f.Err
		}
	}
	return s.Err
}

// Fold returns the whole answer that a stream told.
func (s Said) Fold() *llm.Response {
	f := llm.NewFolder()
	for _, ev := range s.Events {
		f.Add(ev)
	}
	return f.Response()
}

// Encode says events with an encoder and closes it. It returns the bytes that a caller would see.
func Encode(e dialect.Encoder, events []llm.Event, end error) ([]byte, error) {
	var out []byte
	for _, ev := range events {
		frames, err := e.Encode(ev)
		if err != nil {
			return out, err
		}
		out = Append(out, frames)
	}
	return Append(out, e.Close(end)), nil
}

// Append appends frames as the gateway writes them.
func Append(out []byte, frames []dialect.Frame) []byte {
	for _, f := range frames {
		if len(f.Raw) > 0 {
			out = append(out, f.Raw...)
		} else {
			out = frame.Append(out, f)
		}
	}
	return out
}

// SameJSON returns how two JSON texts differ, "" where they say the same. Order of members and the way of
// writing a number do not matter.
func SameJSON(want, got []byte) string {
	var a, b any
	if err := json.Unmarshal(want, &a); err != nil {
		return "want: " + err.Error()
	}
	if err := json.Unmarshal(got, &b); err != nil {
		return "got: " + err.Error() + ": " + string(got)
	}
	return cmp.Diff(a, b)
}

// Grammar returns what is wrong with the order of events, "" where nothing is. A stream that broke off is
// held to it up to there.
func Grammar(events []llm.Event, broken bool) string {
	g := grammar{open: map[[2]int]bool{}, used: map[[2]int]bool{}, done: map[int]bool{}}
	for i, ev := range events {
		if s := g.step(i, ev); s != "" {
			return fmt.Sprintf("event %d (%T): %s", i, ev, s)
		}
	}
	switch {
	case broken:
		return ""
	case !g.ended:
		return "no end"
	case len(g.open) > 0:
		return "blocks left open"
	}
	return ""
}

type grammar struct {
	ended      bool
	open, used map[[2]int]bool
	done       map[int]bool
}

func (g *grammar) step(i int, ev llm.Event) string {
	if _, ok := ev.(llm.Start); ok != (i == 0) {
		return "not one start, first"
	}
	if g.ended {
		return "after the end"
	}
	switch e := ev.(type) {
	case llm.BlockStart:
		k := [2]int{e.Choice, e.Index}
		if g.used[k] || g.done[e.Choice] {
			return "started twice, or after the finish"
		}
		g.open[k], g.used[k] = true, true
	case llm.BlockEnd:
		k := [2]int{e.Choice, e.Index}
		if !g.open[k] {
			return "ended without a start"
		}
		delete(g.open, k)
	case llm.TextDelta:
		return g.within(e.Choice, e.Index)
	case llm.ThoughtDelta:
		return g.within(e.Choice, e.Index)
	case llm.ArgsDelta:
		return g.within(e.Choice, e.Index)
	case llm.CiteDelta:
		return g.within(e.Choice, e.Index)
	case llm.Finish:
		if g.done[e.Choice] {
			return "finished twice"
		}
		g.done[e.Choice] = true
	case llm.End:
		g.ended = true
	}
	return ""
}

func (g *grammar) within(choice, index int) string {
	if !g.open[[2]int{choice, index}] {
		return "outside of its block"
	}
	return ""
}

// Plain returns an answer without what only its dialect can say, and with neighbouring texts joined: what
// must survive the way through another dialect.
func Plain(r *llm.Response) *llm.Response {
	out := &llm.Response{ID: r.ID, Model: r.Model, Usage: r.Usage}
	out.Usage.Extra = llm.Extra{}
	out.Usage.Reported = 0
	for _, c := range r.Choices {
		p := llm.Choice{Index: c.Index, Stop: llm.Stop{Reason: c.Stop.Reason}}
		for _, b := range c.Blocks {
			p.Blocks = appendPlain(p.Blocks, b)
		}
		out.Choices = append(out.Choices, p)
	}
	return out
}

func appendPlain(blocks []llm.Block, b llm.Block) []llm.Block {
	switch b := b.(type) {
	case llm.Text:
		if n := len(blocks); n > 0 {
			if last, ok := blocks[n-1].(llm.Text); ok {
				blocks[n-1] = llm.Text{Text: last.Text + b.Text}
				return blocks
			}
		}
		if b.Text == "" {
			return blocks
		}
		return append(blocks, llm.Text{Text: b.Text})
	case llm.Refusal:
		return append(blocks, llm.Refusal{Text: b.Text})
	case llm.Thought:
		if b.Empty() {
			return blocks
		}
		return append(blocks, llm.Thought{Text: b.Text, Signature: b.Signature, Sealed: b.Sealed})
	case llm.ToolUse:
		args := b.Args
		if strings.TrimSpace(args) == "" {
			args = "{}"
		}
		return append(blocks, llm.ToolUse{Kind: b.Kind, ID: b.ID, Name: b.Name, Args: args})
	}
	return blocks
}
