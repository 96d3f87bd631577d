package gemini

import (
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// NewEncoder implements dialect.Server.
func (c *codec) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	req := dialect.RequestOf(p)
	e := &encoder{req: req, meta: m, blocks: map[[2]int]*outBlock{}}
	e.answer = answer{losses: &losses{}, names: dialect.NewToolNames(req), callID: m.CallID}
	return e
}

// encoder speaks one streamed answer: pieces that look like whole answers, each of which adds parts. Parts of
// text may come in any number of pieces. A call of a function is one part, for its arguments are an object: it
// is said when it is whole. Why the answer ended, and what it consumed, stand in the last piece.
type encoder struct {
	answer
	req    *llm.Request
	meta   dialect.Meta
	frames []dialect.Frame // of the event at hand
	blocks map[[2]int]*outBlock
	order  [][2]int // keys of blocks, as they began

	id, model  string
	tier       string
	usage      llm.Usage
	finishes   []llm.Finish
	grounds    map[int]*grounding
	carried    map[string]string // signatures by the call that they are for
	late       llm.Extra
	said       int // bytes of answer, to estimate from
	ended, any bool
	home       bool // the answer came in this dialect
}

// outBlock is a block on its way out.
type outBlock struct {
	block llm.Block
	text  strings.Builder // of a call's arguments, of a text for what is cited in it, of data
	whole bool            // it is said at its end
	cites []llm.Citation
	// signature and sealed come after the text that they belong to.
	signature, sealed strings.Builder
}

// Losses implements dialect.Encoder.
func (e *encoder) Losses() []dialect.Loss { return e.List() }

// Encode implements dialect.Encoder.
func (e *encoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.frames = nil
	if !e.ended {
		e.event(ev)
	}
	return e.frames, nil
}

func (e *encoder) event(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		e.start(v)
		e.extra("", v.Extra)
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Fault:
		e.fail(v.Err)
	case llm.OpaqueEvent:
		e.Add(v.Opaque.Type, dialect.Foreign)
	case llm.LogprobsDelta:
		e.piece(v.Choice, nil, func(w *jsonw.Writer) {
			w.Key("logprobsResult")
			e.logprobs(w, v.Logprobs)
		})
	case llm.Finish:
		e.flush(v.Choice)
		e.finishes = append(e.finishes, v)
		e.extra(choicePath(v.Choice), v.Extra)
		e.extra(choicePath(v.Choice)+".message", v.Message)
	case llm.End:
		e.extra("", v.Extra)
		e.late = v.Extra
		if v.Tier != "" {
			e.tier = v.Tier
		}
		e.end()
	default:
		e.blockEvent(ev)
	}
}

func (e *encoder) start(v llm.Start) {
	e.id, e.model = or(e.id, v.ID), or(e.model, v.Model)
	e.home = e.home || v.Extra.Noted(Name, noteHome)
	if v.Tier != "" {
		e.tier = v.Tier
	}
}

func (e *encoder) blockEvent(ev llm.Event) {
	switch v := ev.(type) {
	case llm.BlockStart:
		e.begin(v)
	case llm.TextDelta:
		e.text(v.Choice, v.Index, v.Text)
	case llm.ThoughtDelta:
		e.thought(v)
	case llm.ArgsDelta:
		b := e.block(v.Choice, v.Index, llm.ToolUse{Kind: llm.ToolFunction})
		b.text.WriteString(v.JSON)
	case llm.MediaDelta:
		b := e.block(v.Choice, v.Index, llm.Media{Kind: llm.Audio})
		b.text.WriteString(v.Data)
	case llm.CiteDelta:
		b := e.block(v.Choice, v.Index, llm.Text{})
		b.cites = append(b.cites, v.Citation)
	case llm.OpaqueDelta:
		if v.Opaque.Dialect != Name {
			e.Add(blockAt(v.Choice, v.Index), v.Opaque.Type+" "+dialect.Foreign)
		}
	case llm.BlockEnd:
		e.close([2]int{v.Choice, v.Index}, v.Block)
	}
}

func blockAt(choice, index int) string {
	return choicePath(choice) + ".message.content[" + itoa(index) + "]"
}

// block returns a block, begun as fresh where nobody did.
func (e *encoder) block(choice, index int, fresh llm.Block) *outBlock {
	b := e.blocks[[2]int{choice, index}]
	if b == nil {
		e.begin(llm.BlockStart{Choice: choice, Index: index, Block: fresh})
		b = e.blocks[[2]int{choice, index}]
	}
	return b
}

func (e *encoder) begin(v llm.BlockStart) {
	k := [2]int{v.Choice, v.Index}
	if old := e.blocks[k]; old != nil {
		if e.named(old, v.Block) {
			return
		}
		e.close(k, nil)
	}
	b := &outBlock{block: v.Block}
	e.blocks[k] = b
	e.order = append(e.order, k)
	switch x := v.Block.(type) {
	case llm.Text:
		e.extra(blockAt(v.Choice, v.Index), x.Extra)
		b.cites = x.Citations
		if x.Origin == Name && x.Signature != "" {
			b.whole = true
			b.text.WriteString(x.Text)
			break
		}
		e.text(v.Choice, v.Index, x.Text)
	case llm.Refusal:
		e.refused = true
		e.extra(blockAt(v.Choice, v.Index), x.Extra)
		e.Add(blockAt(v.Choice, v.Index)+".refusal", "said as text")
		e.text(v.Choice, v.Index, x.Text)
	case llm.Thought:
		e.extra(blockAt(v.Choice, v.Index), x.Extra)
		e.thought(llm.ThoughtDelta{Choice: v.Choice, Index: v.Index, Text: x.Text, Signature: x.Signature, Sealed: x.Sealed})
	case llm.ToolUse:
		b.whole = true
		b.text.WriteString(x.Args)
	case llm.Media:
		b.whole = true
		b.text.WriteString(x.Data)
	default:
		b.whole = true
	}
}

// named gives a call the name that it waited for.
func (e *encoder) named(b *outBlock, again llm.Block) bool {
	was, ok := b.block.(llm.ToolUse)
	now, too := again.(llm.ToolUse)
	if !ok || !too || was.Name != "" {
		return false
	}
	was.Name, was.ID = now.Name, or(now.ID, was.ID)
	b.text.WriteString(now.Args)
	b.block = was
	return true
}

func (e *encoder) text(choice, index int, s string) {
	b := e.block(choice, index, llm.Text{})
	b.text.WriteString(s)
	if s == "" || b.whole {
		return
	}
	e.said += len(s)
	e.piece(choice, []llm.Block{llm.Text{Text: s}}, nil)
}

func (e *encoder) thought(v llm.ThoughtDelta) {
	b := e.block(v.Choice, v.Index, llm.Thought{})
	b.signature.WriteString(v.Signature)
	b.sealed.WriteString(v.Sealed)
	if v.Text != "" {
		e.said += len(v.Text)
		e.piece(v.Choice, []llm.Block{llm.Thought{Text: v.Text}}, nil)
	}
}

// close says what could only be said whole.
func (e *encoder) close(k [2]int, final llm.Block) {
	b := e.blocks[k]
	if b == nil {
		return
	}
	delete(e.blocks, k)
	path := blockAt(k[0], k[1])
	switch x := b.block.(type) {
	case llm.Text:
		e.closeText(k, b, x, final)
	case llm.Thought:
		x.Signature, x.Sealed, x.Text = b.signature.String(), b.sealed.String(), ""
		if f, ok := final.(llm.Thought); ok {
			x.Signature, x.Sealed, x.Origin, x.Item = f.Signature, f.Sealed, f.Origin, f.Item
		}
		e.closeThought(k[0], x)
	case llm.ToolUse:
		x.Args = b.text.String()
		if f, ok := final.(llm.ToolUse); ok {
			f.Name, f.ID = or(f.Name, x.Name), or(f.ID, x.ID)
			x = f
		}
		e.said += len(x.Args)
		if s := e.carried[x.ID]; s != "" {
			x.Signature, x.Origin = s, Name
			delete(e.carried, x.ID)
		}
		e.piece(k[0], []llm.Block{e.fitCall(x, path)}, nil)
	case llm.Media:
		x.Data = b.text.String()
		if f, ok := final.(llm.Media); ok {
			x = f
		}
		e.whole(k[0], x, path)
	case llm.Refusal:
	default:
		if final != nil {
			b.block = final
		}
		e.whole(k[0], b.block, path)
	}
}

// closeThought says what seals reasoning, or keeps the signature that it carries for its call.
func (e *encoder) closeThought(choice int, x llm.Thought) {
	if !dialect.Signed(x) {
		return
	}
	x.Extra = llm.Extra{}
	if _, ok := isCarrier(x); ok && x.Item != "" {
		if e.carried == nil {
			e.carried = map[string]string{}
		}
		e.carried[x.Item] = x.Sealed
		return
	} else if ok {
		e.piece(choice, []llm.Block{llm.Text{Signature: x.Sealed, Origin: Name}}, nil)
		return
	}
	e.piece(choice, []llm.Block{x}, nil)
}

// whole says a block in a piece of its own, or names it.
func (e *encoder) whole(choice int, b llm.Block, path string) {
	if b, ok := e.fit(b, path); ok {
		e.piece(choice, []llm.Block{b}, nil)
	}
}

// closeText says a text that is signed, and remembers what a text cites.
func (e *encoder) closeText(k [2]int, b *outBlock, x llm.Text, final llm.Block) {
	text := b.text.String()
	if f, ok := final.(llm.Text); ok {
		if rest, ok := strings.CutPrefix(f.Text, text); ok && rest != "" && !b.whole {
			e.piece(k[0], []llm.Block{llm.Text{Text: rest}}, nil)
		}
		text = f.Text
		if len(b.cites) == 0 {
			b.cites = f.Citations
		}
	}
	if b.whole {
		e.piece(k[0], []llm.Block{llm.Text{Text: text, Signature: x.Signature, Origin: x.Origin}}, nil)
	}
	if e.grounds == nil {
		e.grounds = map[int]*grounding{}
	}
	g := e.grounds[k[0]]
	if g == nil {
		g = &grounding{}
		e.grounds[k[0]] = g
	}
	for _, c := range b.cites {
		if c.Opaque.Dialect != Name { // what was said here stands among the candidate's own members
			e.quoted(c, text)
			g.add(c, text)
		}
	}
	g.before += len(text)
}

// flush says what a choice began and never ended.
func (e *encoder) flush(choice int) {
	order := e.order
	e.order = nil
	for _, k := range order {
		if k[0] != choice {
			e.order = append(e.order, k)
			continue
		}
		e.close(k, nil)
	}
}

// piece adds a piece that holds parts of one choice.
func (e *encoder) piece(choice int, parts []llm.Block, more func(w *jsonw.Writer)) {
	e.any = true
	e.emit(func(w *jsonw.Writer) {
		w.KeyOpen("candidates", '[')
		w.Open('{')
		if parts != nil {
			w.Key("content")
			appendContent(w, parts, llm.Extra{})
		}
		if more != nil {
			more(w)
		}
		w.KeyInt("index", int64(choice))
		w.Close('}')
		w.Close(']')
	})
}

// emit adds a frame: what more writes, and what stands in every piece.
func (e *encoder) emit(more func(w *jsonw.Writer)) {
	w := jsonw.Writer{Buf: make([]byte, 0, 256)}
	w.Open('{')
	more(&w)
	model := e.model
	if !e.home {
		model = e.meta.ModelOr(model)
	}
	if model != "" {
		w.KeyStr("modelVersion", model)
	}
	if e.id != "" || !e.home {
		w.KeyStr("responseId", or(e.id, e.callID))
	}
	w.Close('}')
	e.frames = append(e.frames, dialect.Frame{Data: w.Buf})
}

// end says why the choices ended, and what the answer consumed.
func (e *encoder) end() {
	for _, f := range e.finishes {
		e.flush(f.Choice)
	}
	e.flush(0)
	if len(e.finishes) == 0 {
		e.finishes = []llm.Finish{{Stop: llm.Stop{Reason: llm.StopEnd}}}
	}
	e.extra("usage", e.usage.Extra)
	e.losses.usage(e.usage)
	e.emit(func(w *jsonw.Writer) {
		if !e.silent() {
			w.KeyOpen("candidates", '[')
			for _, f := range e.finishes {
				e.finishOf(w, f)
			}
			w.Close(']')
		}
		if !e.home || !e.usage.Zero() {
			w.Key("usageMetadata")
			appendUsage(w, e.withTier(e.total(), e.tier))
		}
		wire.AppendFields(w, e.late.In(Name))
	})
	e.ended = true
}

// silent reports whether there was no answer at all, since the prompt was blocked.
func (e *encoder) silent() bool {
	return !e.any && len(e.finishes) == 1 && e.finishes[0].Extra.Noted(Name, noteNoCandidate)
}

func (e *encoder) finishOf(w *jsonw.Writer, f llm.Finish) {
	o := begin(w, f.Extra)
	stop := f.Stop
	if stop.Reason == llm.StopUnset && stop.Raw == "" {
		stop.Reason = llm.StopEnd
	}
	if o.free("content") {
		w.KeyRaw("content", `{"parts":[{"text":""}],"role":"model"}`)
	}
	e.finish(o, stop)
	w.KeyInt("index", int64(f.Choice))
	if g := e.grounds[f.Choice]; g != nil && o.free("groundingMetadata") {
		g.write(w)
	}
	o.End()
}

// total returns the usage of the answer, with an estimate for a side that the upstream did not report.
func (e *encoder) total() llm.Usage {
	u := e.usage
	if e.home {
		return u
	}
	return dialect.Estimated(u, e.req, e.said)
}

func (e *encoder) fail(err error) {
	x := llm.AsError(err)
	body := errorBody(x, llm.Of(x.Kind).Status)
	if dialect.Passes(x, Name) && splice.IsObject(string(x.Upstream.Body)) {
		body = x.Upstream.Body
	}
	e.frames = append(e.frames, dialect.Frame{Data: body})
	e.ended = true
}

// Close implements dialect.Encoder.
func (e *encoder) Close(err error) []dialect.Frame {
	e.frames = nil
	switch {
	case e.ended:
	case err != nil:
		e.fail(err)
	default:
		e.end()
	}
	return e.frames
}

// Observe implements dialect.Encoder.
func (e *encoder) Observe(ev llm.Event) {
	switch v := ev.(type) {
	case llm.Start:
		e.start(v)
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.Finish:
		e.finishes = append(e.finishes, v)
	case llm.End, llm.Fault:
		e.ended = true
	case llm.BlockStart:
		e.any = true
	}
}
