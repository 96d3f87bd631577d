package openai

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder { return newEncoder(p, m) }

func newEncoder(p llm.Payload, m dialect.Meta) *encoder {
	req, _ := p.(*llm.Request)
	e := &encoder{meta: m, names: dialect.NewToolNames(req), choices: map[int]*choiceEncoder{}}
	if req != nil {
		e.wantUsage = req.StreamUsage.V
	}
	return e
}

// encoder speaks one streamed answer: chunks that add to a message, the first of each choice with its
// role and the last with why it ended; then usage, if the caller wanted it; then [DONE]. After an error
// nothing follows.
type encoder struct {
	losses
	meta      dialect.Meta
	names     dialect.ToolNames
	wantUsage bool
	together  bool // usage stands in the last chunk of a choice, and nowhere else

	start   llm.Start
	head    []byte // the members with which every chunk begins
	choices map[int]*choiceEncoder
	order   []*choiceEncoder
	usage   llm.Usage
	counted bool

	started, ended bool
	w              jsonw.Writer
	frames         []dialect.Frame
}

// choiceEncoder is what has been said of one choice.
type choiceEncoder struct {
	index       int
	spoke, done bool // the role was said, the end was
	calls       int  // started
	chars       int  // of text said
	details     int  // items of reasoning said
	blocks      map[int]*blockEncoder
	bare        []*blockEncoder // calls without arguments so far
	thought     *blockEncoder   // the last block, where that was reasoning that nothing sealed
}

// blockEncoder is what has been said of one block.
type blockEncoder struct {
	block  llm.Block // as it was started
	call   int       // its index among the calls
	filled bool      // text or arguments were said
	signed bool      // the signature of a call was said
	from   int       // characters of text before it
	cites  []llm.Citation
	// Reasoning is told piece by piece, and once more whole with what seals it.
	text, signature, sealed strings.Builder
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
		e.usage, e.counted = v.Usage, true
	case llm.Ping:
		e.ping()
	case llm.OpaqueEvent:
		e.opaque("", v.Opaque)
	case llm.End:
		e.end(v)
	case llm.Fault: // said by Close
	default:
		e.begin(llm.Start{})
		e.choiceEvent(ev)
	}
}

// choiceEvent says an event of a choice; nothing is said of one that has finished.
func (e *encoder) choiceEvent(ev llm.Event) {
	switch v := ev.(type) {
	case llm.BlockStart:
		e.blockStart(e.at(v.Choice), v)
	case llm.TextDelta:
		c := e.at(v.Choice)
		e.text(c, c.block(v.Index, llm.Text{}), v.Text)
	case llm.ThoughtDelta:
		c := e.at(v.Choice)
		e.thoughtDelta(c, c.block(v.Index, llm.Thought{}), v)
	case llm.ArgsDelta:
		c := e.at(v.Choice)
		e.args(c, c.block(v.Index, llm.ToolUse{Kind: llm.ToolFunction}), v.JSON)
	case llm.CiteDelta:
		c := e.at(v.Choice)
		b := c.block(v.Index, llm.Text{})
		b.cites = append(b.cites, v.Citation)
	case llm.BlockEnd:
		e.blockEnd(e.at(v.Choice), v)
	case llm.LogprobsDelta:
		e.AddLogprobs(Name, choicePath(v.Choice)+".logprobs", &v.Logprobs)
		e.chunk(e.at(v.Choice), nil, &v.Logprobs)
	case llm.Finish:
		e.finish(v)
	case llm.MediaDelta:
		e.Add(choicePath(v.Choice)+".message", "media cannot be said in an answer here")
	case llm.OpaqueDelta:
		e.opaque(choicePath(v.Choice)+".message", v.Opaque)
	}
}

func choicePath(i int) string { return "choices[" + itoa(i) + "]" }

func (e *encoder) opaque(path string, o llm.Opaque) {
	e.Add(strings.TrimPrefix(path+"."+o.Type, "."), dialect.Foreign)
}

// begin says the start, which opens the first choice. There is one in an answer: a second is that of a
// continuation on another target.
func (e *encoder) begin(s llm.Start) {
	if e.started {
		return
	}
	e.started, e.start = true, s
	e.extra("", s.Extra)
	e.makeHead(e.tier(s.Tier, s.Extra.Dialect))
	e.speak(e.at(0))
}

// fingerprint is a member of an answer's own that every chunk repeats.
const fingerprint = "system_fingerprint"

// makeHead makes the members with which every chunk begins, up to a comma.
func (e *encoder) makeHead(tier string) {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("id", answerID(e.start.ID, e.meta))
	w.KeyStr("object", chunkObject)
	w.KeyInt("created", createdAt(e.start.Created, e.meta))
	w.KeyStr("model", e.meta.ModelOr(e.start.Model))
	optMember(&w, "service_tier", tier)
	for _, f := range e.start.Extra.In(Name) {
		if f.Key == fingerprint && f.Raw != "" {
			w.KeyRaw(f.Key, f.Raw)
		}
	}
	e.head = append(w.Buf, ',')
}

// at returns the state of a choice.
func (e *encoder) at(index int) *choiceEncoder {
	c := e.choices[index]
	if c == nil {
		c = &choiceEncoder{index: index, blocks: map[int]*blockEncoder{}}
		e.choices[index] = c
		e.order = append(e.order, c)
	}
	return c
}

// block returns the state of a block; a delta of one that was never started starts it.
func (c *choiceEncoder) block(index int, kind llm.Block) *blockEncoder {
	b := c.blocks[index]
	if b == nil {
		b = &blockEncoder{block: kind, from: c.chars, call: -1}
		c.blocks[index] = b
	}
	return b
}

// frame adds what was written from an offset on as a frame.
func (e *encoder) frame(from int) {
	e.frames = append(e.frames, dialect.Frame{Data: e.w.Buf[from:len(e.w.Buf):len(e.w.Buf)]})
}

// open begins a chunk.
func (e *encoder) open() (from int) {
	from = len(e.w.Buf)
	e.w = jsonw.Writer{Buf: append(e.w.Buf, e.head...)}
	return from
}

// chunk says a chunk of one choice: delta writes what it adds. Nothing is said of a choice that is over.
func (e *encoder) chunk(c *choiceEncoder, delta func(w *jsonw.Writer), logprobs *llm.Logprobs) {
	if c.done {
		return
	}
	e.speak(c)
	e.write(c, delta, logprobs, "", nil)
}

func (e *encoder) write(c *choiceEncoder, delta func(w *jsonw.Writer), logprobs *llm.Logprobs, stop string, extra []llm.Field) {
	from := e.open()
	w := &e.w
	w.KeyOpen("choices", '[')
	w.Open('{')
	w.KeyInt("index", int64(c.index))
	w.KeyOpen("delta", '{')
	if delta != nil {
		delta(w)
	}
	w.Close('}')
	w.Key("logprobs")
	if logprobs != nil {
		appendLogprobs(w, logprobs)
	} else {
		w.Null()
	}
	w.Key("finish_reason")
	if stop != "" {
		w.Str(stop)
	} else {
		w.Null()
	}
	wire.AppendFields(w, extra)
	w.Close('}')
	w.Close(']')
	switch {
	case e.together && stop != "":
		e.sayUsage()
	case e.wantUsage && !e.together:
		w.KeyNull("usage")
	}
	if c.index == 0 && !c.spoke {
		for _, f := range e.start.Extra.In(Name) {
			if f.Key != fingerprint && f.Raw != "" {
				w.KeyRaw(f.Key, f.Raw)
			}
		}
	}
	w.Close('}')
	e.frame(from)
}

// speak says the first chunk of a choice, which tells the role and nothing else.
func (e *encoder) speak(c *choiceEncoder) {
	if c.spoke {
		return
	}
	e.write(c, func(w *jsonw.Writer) {
		w.KeyStr("role", "assistant")
		w.KeyStr("content", "")
		w.KeyNull("refusal")
	}, nil, "", nil)
	c.spoke = true
}

// ping keeps the line open with a chunk that adds nothing, and before the start with a comment.
func (e *encoder) ping() {
	if !e.started {
		from := len(e.w.Buf)
		e.w.Buf = frame.AppendComment(e.w.Buf, "ping")
		e.frames = append(e.frames, dialect.Frame{Raw: e.w.Buf[from:len(e.w.Buf):len(e.w.Buf)]})
		return
	}
	c := e.order[0]
	if c.done {
		c = &choiceEncoder{index: c.index, spoke: true}
	}
	e.write(c, nil, nil, "", nil)
}

// finish says why a choice ended. A call for which no arguments came has none, unless it was cut off
// before them.
func (e *encoder) finish(v llm.Finish) {
	c := e.at(v.Choice)
	path := choicePath(c.index)
	e.stop(v.Stop, path)
	e.extra(path, v.Extra)
	e.extra(path+".message", v.Message)
	for i, b := range c.bare {
		cut := v.Stop.Reason == llm.StopLength && i == len(c.bare)-1 && b.call == c.calls-1
		if !b.filled && !cut {
			e.args(c, b, "{}")
		}
	}
	word := stopWord(v.Stop, c.calls > 0)
	if word == "" {
		word = stopWord(llm.Stop{Reason: llm.StopEnd}, c.calls > 0)
	}
	e.speak(c)
	if !c.done {
		e.write(c, func(w *jsonw.Writer) { wire.AppendFields(w, v.Message.In(Name)) }, nil, word, v.Extra.In(Name))
	}
	c.done = true
}

// end says what comes last.
func (e *encoder) end(v llm.End) {
	e.begin(llm.Start{})
	e.extra("", v.Extra)
	for _, c := range e.order {
		if !c.done {
			e.finish(llm.Finish{Choice: c.index})
		}
	}
	if v.Tier != "" {
		e.makeHead(e.tier(v.Tier, e.start.Extra.Dialect))
	}
	if usage := e.wantUsage && !e.together; usage || len(v.Extra.In(Name)) > 0 {
		from := e.open()
		e.w.KeyRaw("choices", "[]")
		if usage {
			e.sayUsage()
		}
		wire.AppendFields(&e.w, v.Extra.In(Name))
		e.w.Close('}')
		e.frame(from)
	}
	e.frames = append(e.frames, dialect.Frame{Data: []byte("[DONE]")})
	e.ended = true
}

func (e *encoder) sayUsage() {
	e.extra("usage", e.usage.Extra)
	e.losses.usage(e.usage)
	e.w.Key("usage")
	appendUsage(&e.w, e.usage)
}

// Close implements dialect.Encoder.
func (e *encoder) Close(err error) []dialect.Frame {
	e.reset()
	switch {
	case e.ended:
	case err != nil:
		x := llm.AsError(err)
		body := errorBody(x)
		if dialect.Passes(x, Name) && splice.Valid(x.Upstream.Body, splice.DefaultDepth) == nil {
			body = x.Upstream.Body
		}
		e.frames = append(e.frames, dialect.Frame{Data: body})
	default:
		e.end(llm.End{})
	}
	e.ended = true
	return e.frames
}
