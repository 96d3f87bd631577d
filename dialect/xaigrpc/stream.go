package xaigrpc

import (
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeStream implements dialect.Client. A stream has no last frame: it ends where the upstream says with
// its status that it has. One that ends before an output was finished has broken off.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{meter: want.Meter}
		for f, err := range frames {
			if err != nil {
				yield(dialect.Chunk{}, dialect.StreamBroken("dialect/xaigrpc.DecodeStream", err))
				return
			}
			d.events = d.events[:0]
			d.text = 0
			if err := d.chunk(f.Data); err != nil {
				yield(dialect.Chunk{}, dialect.BadUpstream("dialect/xaigrpc.DecodeStream", err, "the upstream's answer is not a GetChatCompletionChunk"))
				return
			}
			if !yield(dialect.Chunk{Frame: f, Events: slices.Clone(d.events), Text: d.text, More: f.More}, nil) {
				return
			}
		}
		if !d.finished {
			yield(dialect.Chunk{}, dialect.BadUpstream("dialect/xaigrpc.DecodeStream", errors.New("no finish_reason"), "the upstream's stream ended before its end"))
			return
		}
		d.events = d.events[:0]
		d.end()
		yield(dialect.Chunk{Events: d.events}, nil)
	}
}

// streamDecoder makes events of chunks.
type streamDecoder struct {
	meter    bool
	events   []llm.Event
	text     int
	started  bool
	content  bool // the first content was seen
	finished bool
	steps    bool // outputs are the steps of one answer, since xAI runs tools itself
	choices  []*choiceState
	last     *llm.Finish
	late     llm.Extra // what chunks say of the whole answer
	tier     string
}

// choiceState is where a choice stands.
type choiceState struct {
	index   int // of the choice
	output  int64
	next    int
	open    blockKind
	item    string          // of the thought that is open, as its own dialect names it
	origin  string          // of the open thought
	thought strings.Builder // what was thought so far
	hosted  bool            // the last call of the output is of a tool that xAI runs: another step follows
	done    bool
}

type blockKind uint8

const (
	noBlock blockKind = iota
	textBlock
	thoughtBlock
)

func (d *streamDecoder) say(ev llm.Event) { d.events = append(d.events, ev) }

func (d *streamDecoder) chunk(b []byte) error {
	var start llm.Start
	var usage []byte
	var outputs [][]byte
	err := fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			start.ID = string(f.data)
		case 2<<3 | chars:
			outputs = append(outputs, f.data)
		case 3<<3 | chars:
			start.Created = decodeTime(f.data, &start.Extra)
		case 4<<3 | chars:
			start.Model = string(f.data)
		case 6<<3 | chars:
			usage = f.data
		case 12<<3 | varint:
			w := tiers()
			d.tier = wordOf(w[:], f.int())
		default:
			d.note(f)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !d.started {
		d.started = true
		d.say(start)
	}
	for _, raw := range outputs {
		var o output
		if err := chunkShape().read(raw, &o); err != nil {
			return err
		}
		d.output(&o)
	}
	if usage != nil {
		u, err := decodeUsage(usage)
		if err != nil {
			return err
		}
		d.say(llm.UsageReport{Usage: u})
	}
	return nil
}

// note keeps what a chunk says of the whole answer, the fingerprint in each, once.
func (d *streamDecoder) note(f field) {
	raw := said(f.raw)
	if !slices.ContainsFunc(d.late.Fields, func(x llm.Field) bool { return x.Raw == raw }) {
		keep(&d.late, chunkNames(), f)
	}
}

// choice returns the choice that an output belongs to.
func (d *streamDecoder) choice(o *output) *choiceState {
	if d.steps && len(d.choices) > 0 {
		c := d.choices[0]
		if c.output != o.index {
			d.close(c)
			c.output, c.hosted = o.index, false
		}
		return c
	}
	for _, c := range d.choices {
		if c.output == o.index {
			return c
		}
	}
	c := &choiceState{index: int(o.index), output: o.index}
	d.choices = append(d.choices, c)
	return c
}

func (d *streamDecoder) output(o *output) {
	d.steps = d.steps || o.hosted()
	c := d.choice(o)
	if c.done {
		return
	}
	for _, call := range o.calls {
		c.hosted = callKind(call) > callClient
	}
	d.count(o)
	if !d.meter || !d.content {
		d.blocks(c, o)
	}
	if o.finish == 0 || o.role == roleTool {
		return
	}
	d.close(c)
	f := llm.Finish{Choice: c.index, Stop: stopOf(o.finish), Extra: o.rest, Message: o.message}
	if d.steps {
		// Each step has an end of its own; that of the answer is the last.
		d.last, d.finished = &f, o.finish != reasonTools || !c.hosted
		return
	}
	c.done, d.finished = true, true
	d.say(f)
}

// count counts the bytes of the answer.
func (d *streamDecoder) count(o *output) {
	if o.role == roleTool {
		return
	}
	d.text += len(o.content) + len(o.thought)
	for _, call := range o.calls {
		d.text += len(call)
	}
}

func (d *streamDecoder) blocks(c *choiceState, o *output) {
	if o.logprobs != nil {
		d.say(llm.LogprobsDelta{Choice: c.index, Logprobs: *decodeLogprobs(o.logprobs)})
	}
	for _, b := range o.blocks() {
		d.content = true
		switch b := b.(type) {
		case llm.Thought:
			if b.Origin != Name && dialect.Signed(b) && strings.HasSuffix(c.thought.String(), b.Text) {
				b.Text = "" // the envelope repeats what was told already
			}
			c.thought.WriteString(b.Text)
			d.open(c, thoughtBlock, llm.Thought{Origin: b.Origin, Item: b.Item})
			d.say(llm.ThoughtDelta{Choice: c.index, Index: c.next, Text: b.Text, Signature: b.Signature, Sealed: b.Sealed})
			if b.Origin != Name && dialect.Signed(b) { // each envelope is of a thought of its own
				d.close(c)
			}
		case llm.Text:
			d.open(c, textBlock, llm.Text{})
			if b.Text != "" {
				d.say(llm.TextDelta{Choice: c.index, Index: c.next, Text: b.Text})
			}
			for _, cite := range b.Citations {
				d.say(llm.CiteDelta{Choice: c.index, Index: c.next, Citation: cite})
			}
		case llm.ToolUse:
			d.close(c)
			args := b.Args
			b.Args = ""
			d.say(llm.BlockStart{Choice: c.index, Index: c.next, Block: b})
			if args != "" {
				d.say(llm.ArgsDelta{Choice: c.index, Index: c.next, JSON: args})
			}
			d.say(llm.BlockEnd{Choice: c.index, Index: c.next})
			c.next++
		default:
			d.close(c)
			d.say(llm.BlockStart{Choice: c.index, Index: c.next, Block: b})
			d.say(llm.BlockEnd{Choice: c.index, Index: c.next})
			c.next++
		}
	}
}

// open makes sure that a block of the kind is open. Who sealed a thought is known when its seal comes, after
// its text: the seal is then a thought of its own.
func (d *streamDecoder) open(c *choiceState, k blockKind, b llm.Block) {
	t, thought := b.(llm.Thought)
	if c.open == k && (!thought || t.Origin == c.origin && t.Item == c.item) {
		return
	}
	c.origin, c.item = t.Origin, t.Item
	d.close(c)
	c.open = k
	d.say(llm.BlockStart{Choice: c.index, Index: c.next, Block: b})
}

func (d *streamDecoder) close(c *choiceState) {
	if c.open == noBlock {
		return
	}
	c.open = noBlock
	d.say(llm.BlockEnd{Choice: c.index, Index: c.next})
	c.next++
}

func (d *streamDecoder) end() {
	for _, c := range d.choices {
		d.close(c)
	}
	if d.last != nil {
		d.say(*d.last)
	}
	d.say(llm.End{Tier: d.tier, Extra: d.late})
}
