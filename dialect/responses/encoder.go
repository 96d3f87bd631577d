package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	return &encoder{speaker: newSpeaker(p, m), blocks: map[int]*blockEncoder{}}
}

// encoder speaks one streamed answer with the whole life cycle of its events: the answer is created; each
// item is added, each part of it, with deltas, and each is done; at last the answer is completed, or
// incomplete, and says everything again. Items may overlap: each has an index of its own, in the order in
// which they were added.
type encoder struct {
	speaker
	shell    shell
	sequence int64
	blocks   map[int]*blockEncoder
	items    []*itemEncoder
	message  *itemEncoder // the message that the next text goes into
	held     *itemEncoder // the last call, whose end waits: only the stop tells whether it is whole
	usage    llm.Usage
	stop     llm.Stop
	logprobs []llm.Logprob

	started, finished, ended bool
	w                        jsonw.Writer
	frames                   []dialect.Frame
}

// itemEncoder is what has been said of one item.
type itemEncoder struct {
	item
	index  int
	blocks []*blockEncoder
	open   int  // blocks that have not ended
	full   bool // nothing more goes into it
	done   bool
	raw    string // as it was said when it was done
}

// blockEncoder is what has been said of one block.
type blockEncoder struct {
	block     llm.Block // as it was started
	item      *itemEncoder
	part      int
	text      strings.Builder
	signature strings.Builder
	sealed    strings.Builder
	cites     []llm.Citation
	began     bool
	ended     bool
	path      string
}

// Losses implements dialect.Encoder.
func (e *encoder) Losses() []dialect.Loss { return e.List() }

// Encode implements dialect.Encoder. The frames are good until the next call.
func (e *encoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.reset()
	e.event(ev)
	return e.frames, nil
}

func (e *encoder) reset() {
	clear(e.frames)
	e.frames, e.w.Buf = e.frames[:0], e.w.Buf[:0]
}

// Observe implements dialect.Encoder: the same as saying it, to nobody.
func (e *encoder) Observe(ev llm.Event) {
	kept := e.losses
	e.losses = losses{}
	e.event(ev)
	if _, failed := ev.(llm.Fault); failed {
		e.ended = true
	}
	e.losses = kept
	e.reset()
}

func (e *encoder) event(ev llm.Event) {
	if e.ended {
		return
	}
	switch v := ev.(type) {
	case llm.Start:
		e.begin(v)
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Ping:
		from := len(e.w.Buf)
		e.w.Buf = frame.AppendComment(e.w.Buf, "ping")
		e.frames = append(e.frames, dialect.Frame{Raw: e.w.Buf[from:len(e.w.Buf):len(e.w.Buf)]})
	case llm.OpaqueEvent:
		e.opaqueEvent(v.Opaque)
	case llm.End:
		e.end(v)
	case llm.Fault: // said by Close
	default:
		e.begin(llm.Start{})
		if n := choiceOf(ev); n > 0 {
			e.Add("choices["+itoa(n)+"]", "one answer is given here")
			return
		}
		if !e.finished {
			e.choiceEvent(ev)
		}
	}
}

func choiceOf(ev llm.Event) int {
	switch v := ev.(type) {
	case llm.BlockStart:
		return v.Choice
	case llm.TextDelta:
		return v.Choice
	case llm.ThoughtDelta:
		return v.Choice
	case llm.ArgsDelta:
		return v.Choice
	case llm.CiteDelta:
		return v.Choice
	case llm.MediaDelta:
		return v.Choice
	case llm.OpaqueDelta:
		return v.Choice
	case llm.BlockEnd:
		return v.Choice
	case llm.LogprobsDelta:
		return v.Choice
	case llm.Finish:
		return v.Choice
	}
	return 0
}

func (e *encoder) choiceEvent(ev llm.Event) {
	switch v := ev.(type) {
	case llm.BlockStart:
		e.blockStart(v.Index, v.Block)
	case llm.TextDelta:
		e.text(e.at(v.Index, llm.Text{}), v.Text)
	case llm.ThoughtDelta:
		e.thoughtDelta(e.at(v.Index, llm.Thought{}), v)
	case llm.ArgsDelta:
		e.args(e.at(v.Index, llm.ToolUse{Kind: llm.ToolFunction}), v.JSON)
	case llm.CiteDelta:
		x := e.at(v.Index, llm.Text{})
		x.cites = append(x.cites, v.Citation)
	case llm.MediaDelta:
		e.at(v.Index, llm.Media{}).text.WriteString(v.Data)
	case llm.OpaqueDelta:
		e.opaqueDelta(e.at(v.Index, v.Opaque), v.Opaque)
	case llm.BlockEnd:
		e.blockEnd(v)
	case llm.LogprobsDelta:
		e.logprobs = append(e.logprobs, v.Logprobs.Content...)
	case llm.Finish:
		e.finish(v)
	}
}

// begin says that the answer was created. There is one in an answer: a second start is that of a
// continuation on another target.
func (e *encoder) begin(s llm.Start) {
	if e.started {
		return
	}
	e.started, e.shell = true, s
	e.extra("", s.Extra)
	if e.shell.ID == "" || e.meta.Kept != nil && s.Extra.Dialect != Name {
		e.shell.ID = e.answerID()
	}
	if e.shell.Created == 0 {
		e.shell.Created = e.meta.Now
	}
	for _, kind := range [...]string{"response.created", "response.in_progress"} {
		e.lifecycle(kind, outcome{status: inProgress})
	}
}

// lifecycle says an event of the answer as a whole.
func (e *encoder) lifecycle(kind string, out outcome) {
	sh := e.shell
	if sh.Extra.Empty() {
		sh.Extra = llm.Extra{} // what the upstream says of itself comes at the end
	}
	e.say(kind, func(w *jsonw.Writer) {
		w.Key("response")
		e.answer(w, sh, out, func() {
			for _, it := range e.items {
				if it.done {
					w.Raw(it.raw)
				}
			}
		})
	})
}

// say says an event.
func (e *encoder) say(kind string, members func(w *jsonw.Writer)) {
	from := len(e.w.Buf)
	w := jsonw.Writer{Buf: e.w.Buf}
	w.Open('{')
	w.KeyStr("type", kind)
	w.KeyInt("sequence_number", e.sequence)
	e.sequence++
	members(&w)
	w.Close('}')
	e.w.Buf = w.Buf
	e.frames = append(e.frames, dialect.Frame{Event: kind, Data: e.w.Buf[from:len(e.w.Buf):len(e.w.Buf)]})
}

// itemSay says an event of an item.
func (e *encoder) itemSay(kind string, it *itemEncoder, members func(w *jsonw.Writer)) {
	e.say(kind, func(w *jsonw.Writer) {
		w.KeyInt("output_index", int64(it.index))
		w.KeyStr("item_id", it.id)
		members(w)
	})
}

// at returns the state of a block; a delta of one that was never started starts it.
func (e *encoder) at(index int, b llm.Block) *blockEncoder {
	if e.blocks[index] == nil {
		e.blockStart(index, b)
	}
	return e.blocks[index]
}

func (e *encoder) blockStart(index int, b llm.Block) {
	x := &blockEncoder{block: b, path: "choices[0].message.content[" + itoa(index) + "]"}
	e.blocks[index] = x
	if t, ok := b.(llm.Text); ok {
		x.cites = t.Citations
	}
	if e.message != nil && !e.message.full && joins(&e.message.item, b) {
		e.release()
		x.join(e.message)
		e.begun(x)
		return
	}
	it, ok := e.itemFor(b, x.path)
	if !ok {
		return // named as lost
	}
	e.leave()
	e.release()
	whole := &itemEncoder{item: *it, index: len(e.items)}
	e.items = append(e.items, whole)
	x.join(whole)
	if it.kind == kindMessage {
		e.message = whole
	}
	e.added(x)
	e.begun(x)
}

func (x *blockEncoder) join(it *itemEncoder) {
	x.item, x.part = it, len(it.blocks)
	it.blocks = append(it.blocks, x)
	it.open++
}

// added says that an item begins.
func (e *encoder) added(x *blockEncoder) {
	it := x.item
	if it.kind == kindImage {
		return // said when it is whole
	}
	e.say("response.output_item.added", func(w *jsonw.Writer) {
		w.KeyInt("output_index", int64(it.index))
		w.Key("item")
		start := item{kind: it.kind, id: it.id, head: it.head, rest: it.rest, status: inProgress, client: it.client}
		if b, ok := e.asBegun(x.block); ok {
			start.blocks = []llm.Block{b}
		}
		if it.kind == kindMessage && it.head != "" {
			start.head = withStatus(it.head, inProgress)
		}
		start.append(w)
	})
}

// withStatus returns the head of a message with another status, where it has one.
func withStatus(head, status string) string {
	v := wire.Raw(head)
	if s := v.Get("status"); s.Found() {
		at := s.Span()
		return head[:at.Start] + quote(status) + head[at.End:]
	}
	return head
}

// asBegun returns a call or reasoning without what its deltas say.
func (e *encoder) asBegun(b llm.Block) (llm.Block, bool) {
	switch b := b.(type) {
	case llm.ToolUse:
		n := e.calls
		b.Args = ""
		b = e.fitCall(b, "")
		e.calls = n
		return b, true
	case llm.Thought:
		return llm.Thought{Field: "summary"}, true
	case llm.Opaque:
		return b, true
	}
	return nil, false
}

// begun says that a part begins, and what a block holds from its start.
func (e *encoder) begun(x *blockEncoder) {
	switch b := x.block.(type) {
	case llm.Text:
		e.beginPart(x)
		e.text(x, b.Text)
	case llm.Refusal:
		e.spoke = true
		e.beginPart(x)
		e.text(x, b.Text)
	case llm.Thought:
		e.thoughtDelta(x, llm.ThoughtDelta{Text: b.Text, Signature: b.Signature, Sealed: b.Sealed})
	case llm.ToolUse:
		e.args(x, b.Args)
	case llm.Opaque:
		if x.item.kind == kindMessage {
			e.beginPart(x)
		}
	}
}
