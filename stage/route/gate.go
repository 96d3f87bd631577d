package route

import (
	"slices"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// gate holds an attempt's answer back until its first content, and then lets everything through.
type gate struct {
	out   gateway.Out
	trail *gateway.Trail
	try   *gateway.Try
	open  bool
	head  *gateway.Head
	held  []dialect.Chunk
}

var _ gateway.Out = (*gate)(nil)

// maxHeld bounds what is held: an upstream that sends that much without content gets no more patience.
const maxHeld = 1000

// Begin keeps the head for later.
func (g *gate) Begin(h gateway.Head) error {
	g.head = &h
	return nil
}

// Chunk holds the chunk or lets it through.
func (g *gate) Chunk(ch dialect.Chunk) error {
	if g.open {
		return g.out.Chunk(ch)
	}
	if !commits(ch) {
		if len(g.held) >= maxHeld {
			return &llm.Error{Kind: llm.BadUpstream, Op: "route", Message: "the upstream sends events without content"}
		}
		g.held = append(g.held, keep(ch))
		return nil
	}
	if err := g.pass(); err != nil {
		return err
	}
	return g.out.Chunk(ch)
}

// end lets through what is still held of an answer that ended well without content.
func (g *gate) end() error {
	if g.open || g.head == nil {
		return nil
	}
	return g.pass()
}

func (g *gate) pass() error {
	g.open = true
	g.trail.Answered(g.try)
	if err := g.out.Begin(*g.head); err != nil {
		return err
	}
	for _, ch := range g.held {
		if err := g.out.Chunk(ch); err != nil {
			return err
		}
	}
	g.held = nil
	return nil
}

// commits reports whether a chunk carries a part of the answer. A fault does not, whatever else is in
// the chunk.
func commits(ch dialect.Chunk) bool {
	if ch.Body != nil || ch.Result != nil {
		return true
	}
	content := ch.Text > 0
	for _, ev := range ch.Events {
		if _, fault := ev.(llm.Fault); fault {
			return false
		}
		content = content || llm.IsContent(ev)
	}
	return content
}

func keep(ch dialect.Chunk) dialect.Chunk {
	ch.Frame = ch.Frame.Clone()
	ch.Events = slices.Clone(ch.Events)
	ch.More = true // what is held goes out together with what comes next
	return ch
}
