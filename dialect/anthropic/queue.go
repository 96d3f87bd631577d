package anthropic

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// queue puts blocks that may overlap in a row, for on the wire one block is open at a time.
//
// The block that is live streams through at once. When another has something to say, the live one
// closes if it can: text and thoughts can go on in a new block later, a tool call can close once its
// arguments are a whole JSON value. Else what the other says waits for the end of the live one.
type queue struct {
	encoder *encoder
	blocks  []*outBlock // those that are not over, in the order in which they began
	live    *outBlock
	next    int // index of the next block on the wire
}

// outBlock is a block on its way out.
type outBlock struct {
	index  int       // its index among the events
	wire   int       // its index on the wire, once it is or was open there
	block  llm.Block // as it is begun on the wire
	open   bool
	shut   bool // it was closed on the wire before it ended
	ended  bool
	gone   bool // it cannot be said, which has been named
	waits  bool // a tool whose name has not come
	pieces []piece
	// signature and sealed are held back: they come after the text that they belong to.
	origin, item      string // whose a signature is that goes in an envelope, and of what of it
	signature, sealed strings.Builder
	custom            strings.Builder // free text for a tool, which becomes an object at the end
	args              dialect.ArgsScan
}

// piece is a part of a block, to be said as one delta.
type piece struct {
	kind pieceKind
	s    string
}

type pieceKind uint8

const (
	textPiece pieceKind = iota
	thoughtPiece
	signaturePiece
	sealedPiece
	argsPiece
	citePiece
	opaquePiece
)

func (q *queue) find(index int) *outBlock {
	for i := len(q.blocks) - 1; i >= 0; i-- {
		if q.blocks[i].index == index {
			return q.blocks[i]
		}
	}
	return nil
}

// start begins a block. One that has no content yet is not told: the vendor has no empty blocks.
func (q *queue) start(index int, block llm.Block) {
	if b := q.find(index); b != nil {
		if t, ok := block.(llm.ToolUse); ok && b.waits {
			q.name(b, t)
			return
		}
		q.end(index, nil)
	}
	b := &outBlock{index: index}
	q.blocks = append(q.blocks, b)
	path := "content[" + itoa(index) + "]"
	switch k := block.(type) {
	case llm.Text:
		q.startText(b, k, path)
	case llm.Refusal:
		q.encoder.refused = true
		b.block = llm.Text{}
		q.first(b, textPiece, k.Text)
	case llm.Thought:
		q.startThought(b, k, path)
	case llm.ToolUse:
		q.startTool(b, k, path)
	default:
		fit, ok := q.encoder.fit(block, path)
		b.block, b.gone = fit, !ok
		if ok {
			q.admit(b)
		}
	}
}

// first says what came along with the start of a block.
func (q *queue) first(b *outBlock, kind pieceKind, s string) {
	if s != "" {
		q.put(b, piece{kind, s})
	}
}

func (q *queue) startText(b *outBlock, k llm.Text, path string) {
	text, cites := k.Text, k.Citations
	if !dialect.SaidIn(Name, k) {
		fit := q.encoder.fitText(k, path)
		cites = fit.Citations
		k = llm.Text{}
	}
	k.Text, k.Citations = "", nil
	b.block = k
	q.first(b, textPiece, text)
	for _, c := range cites {
		var w jsonw.Writer
		appendCitation(&w, c)
		q.put(b, piece{citePiece, w.String()})
	}
}

func (q *queue) startThought(b *outBlock, k llm.Thought, path string) {
	fit := q.encoder.fitThought(k, path)
	if fit.Origin != Name && fit.Extra.Dialect != Name {
		fit.Origin = ""
	}
	text, signature := fit.Text, fit.Signature
	if k.Origin != Name && k.Origin != "" && fit.Sealed == "" {
		b.origin, b.item, signature = k.Origin, k.Item, k.Signature
	}
	fit.Text, fit.Signature = "", ""
	b.block = fit
	if fit.Sealed != "" {
		q.admit(b)
		return
	}
	q.first(b, thoughtPiece, text)
	q.first(b, signaturePiece, signature)
}

func (q *queue) startTool(b *outBlock, k llm.ToolUse, path string) {
	e := q.encoder
	args := k.Args
	k.Args = ""
	if !dialect.SaidIn(Name, k) {
		e.extra(path, k.Extra)
		k.Extra, k.Cache = llm.Extra{}, nil
	}
	if k.Signature != "" {
		e.Add(path+".signature", dialect.Foreign)
	}
	if k.Kind == llm.ToolCustom {
		e.Add(path, "a free-text tool's input is said as an object")
	}
	if k.ID == "" {
		k.ID = e.callName(e.calls)
	}
	e.calls++
	b.waits = k.Name == ""
	k.Name = e.names.Back(k.Name)
	b.block = k
	q.first(b, argsPiece, args)
	if !b.waits && !b.open {
		q.admit(b)
	}
}

// name gives a tool call the name that it waited for.
func (q *queue) name(b *outBlock, t llm.ToolUse) {
	k, ok := b.block.(llm.ToolUse)
	if !ok || t.Name == "" {
		return
	}
	k.Name = q.encoder.names.Back(t.Name)
	if t.ID != "" {
		k.ID = t.ID
	}
	b.block, b.waits = k, false
	q.first(b, argsPiece, t.Args)
	q.admit(b)
}

// say adds a piece to a block, beginning the block where nobody did.
func (q *queue) say(index int, kind llm.Block, p piece) {
	b := q.find(index)
	if b == nil {
		q.start(index, kind)
		b = q.find(index)
	}
	if _, text := b.block.(llm.Text); p.kind == citePiece && !text {
		q.encoder.Add("content["+itoa(index)+"].annotations", "")
		return
	}
	q.put(b, p)
}

// put adds a piece to a block, on the wire where it can.
func (q *queue) put(b *outBlock, p piece) {
	if b.gone {
		return
	}
	q.encoder.said += len(p.s)
	switch {
	case p.kind == signaturePiece || p.kind == sealedPiece:
		q.seal(b, p)
		if p.kind == sealedPiece {
			return
		}
		p.s = ""
	case p.kind == argsPiece && isCustom(b.block):
		b.custom.WriteString(p.s)
		return
	case p.kind == argsPiece && b.shut:
		if !blank(p.s) {
			q.encoder.Add("content["+itoa(b.index)+"].arguments", "more came after their end")
		}
		return
	}
	if b.open {
		q.write(b, p)
		if q.yields(b) {
			q.pump()
		}
		return
	}
	b.shut = false
	b.pieces = append(b.pieces, p)
	q.admit(b)
}

func isCustom(b llm.Block) bool {
	t, ok := b.(llm.ToolUse)
	return ok && t.Kind == llm.ToolCustom
}

// sign returns the signature to say: that of another vendor in its envelope.
func (b *outBlock) sign() string {
	t := llm.Thought{Signature: b.signature.String(), Sealed: b.sealed.String(), Origin: b.origin, Item: b.item}
	if b.origin != "" && dialect.Signed(t) {
		return dialect.Enclose(t)
	}
	return t.Signature
}

// seal keeps a signature, or sealed reasoning, if it is the vendor's own. Another's means nothing here.
func (q *queue) seal(b *outBlock, p piece) {
	t, ok := b.block.(llm.Thought)
	switch {
	case !ok || t.Origin != Name && b.origin == "":
		q.encoder.Add("content["+itoa(b.index)+"].signature", dialect.Foreign)
	case p.kind == signaturePiece:
		b.signature.WriteString(p.s)
	default:
		b.sealed.WriteString(p.s)
	}
}

// admit opens a block, if the live one lets it.
func (q *queue) admit(b *outBlock) {
	if b.open || b.waits {
		return
	}
	if q.live != nil && !q.yields(q.live) {
		return
	}
	q.shut()
	q.open(b)
	q.pump()
}

// yields reports whether a block may be closed although it has not ended.
func (q *queue) yields(b *outBlock) bool {
	switch b.block.(type) {
	case llm.Text, llm.Thought:
		return true
	case llm.ToolUse:
		return !isCustom(b.block) && b.args.Done()
	}
	return false
}

// wants reports whether a block has something to say on the wire.
func (b *outBlock) wants() bool {
	if b.gone || b.open || b.waits {
		return false
	}
	switch k := b.block.(type) {
	case llm.Text:
		return len(b.pieces) > 0
	case llm.Thought:
		return len(b.pieces) > 0 || k.Sealed != "" && !b.shut
	}
	return !b.shut
}

// pump lets the blocks that wait come, as far as the live one allows.
func (q *queue) pump() {
	for {
		i := slices.IndexFunc(q.blocks, (*outBlock).wants)
		if i < 0 || q.live != nil && !q.yields(q.live) {
			return
		}
		q.shut()
		q.open(q.blocks[i])
	}
}

// open begins a block on the wire and says what waited.
func (q *queue) open(b *outBlock) {
	b.open, b.wire = true, q.next
	q.next++
	q.live = b
	q.encoder.emit("content_block_start", func(w *jsonw.Writer) {
		w.KeyInt("index", int64(b.wire))
		w.Key("content_block")
		appendBlock(w, b.block)
	})
	pieces := b.pieces
	b.pieces = nil
	for _, p := range pieces {
		q.write(b, p)
	}
	if b.ended {
		q.shut()
	}
}

// write says a piece of the live block.
func (q *queue) write(b *outBlock, p piece) {
	if p.s == "" {
		return
	}
	if p.kind == argsPiece {
		b.args.Feed(p.s)
	}
	q.encoder.emit("content_block_delta", func(w *jsonw.Writer) {
		w.KeyInt("index", int64(b.wire))
		w.Key("delta")
		appendPiece(w, p)
	})
}

func appendPiece(w *jsonw.Writer, p piece) {
	if p.kind == opaquePiece {
		w.Raw(p.s)
		return
	}
	w.Open('{')
	switch p.kind {
	case textPiece:
		w.KeyStr("type", "text_delta")
		w.KeyStr("text", p.s)
	case thoughtPiece:
		w.KeyStr("type", "thinking_delta")
		w.KeyStr("thinking", p.s)
	case signaturePiece:
		w.KeyStr("type", "signature_delta")
		w.KeyStr("signature", p.s)
	case argsPiece:
		w.KeyStr("type", "input_json_delta")
		w.KeyStr("partial_json", p.s)
	case citePiece:
		w.KeyStr("type", "citations_delta")
		w.KeyRaw("citation", p.s)
	}
	w.Close('}')
}

// shut closes the live block on the wire.
func (q *queue) shut() {
	b := q.live
	if b == nil {
		return
	}
	switch b.block.(type) {
	case llm.Thought:
		q.write(b, piece{signaturePiece, b.sign()})
		b.signature.Reset()
	case llm.ToolUse:
		q.lastArgs(b)
	}
	q.encoder.emit("content_block_stop", func(w *jsonw.Writer) { w.KeyInt("index", int64(b.wire)) })
	b.open, b.shut, q.live = false, true, nil
	if b.ended {
		q.drop(b)
	}
}

// lastArgs says what can only be said at the end of a tool call. Clients add the deltas up, and so hear
// {} where there are no arguments.
func (q *queue) lastArgs(b *outBlock) {
	switch {
	case isCustom(b.block):
		q.write(b, piece{argsPiece, dialect.WrapInput(b.custom.String())})
	case !b.args.Begun():
		q.write(b, piece{argsPiece, "{}"})
	}
}

func (q *queue) drop(b *outBlock) {
	q.blocks = slices.DeleteFunc(q.blocks, func(x *outBlock) bool { return x == b })
}

// end ends a block. Its final form, where one is given, tells what the stream before it did not.
func (q *queue) end(index int, final llm.Block) {
	b := q.find(index)
	if b == nil {
		return
	}
	if final != nil {
		q.finalise(b, final)
	}
	sealed := b.sealed.String()
	if b.origin != "" && sealed != "" {
		sealed = ""
		if !b.open && !b.wants() { // there is no text that it could be the signature of
			sealed = b.sign()
		}
	}
	b.ended = true
	switch {
	case b.open:
		q.shut()
	case !b.wants() && !b.waits:
		q.drop(b)
	}
	q.pump()
	if sealed != "" {
		q.blocks = append(q.blocks, &outBlock{index: index, ended: true, block: llm.Thought{Sealed: sealed, Origin: Name}})
		q.admit(q.blocks[len(q.blocks)-1])
	}
}

// finalise takes from a block's final form what was not said of it.
func (q *queue) finalise(b *outBlock, final llm.Block) {
	silent := !b.open && !b.shut && len(b.pieces) == 0
	switch k := final.(type) {
	case llm.Text:
		if silent {
			q.first(b, textPiece, k.Text)
		}
	case llm.Thought:
		if silent {
			q.first(b, thoughtPiece, k.Text)
		}
	case llm.ToolUse:
		if b.waits {
			if b.args.Begun() || len(b.pieces) > 0 {
				k.Args = ""
			}
			q.name(b, k)
		} else if !b.args.Begun() && len(b.pieces) == 0 && b.custom.Len() == 0 {
			q.first(b, argsPiece, k.Args)
		}
	}
}

// drain ends every block, in order.
func (q *queue) drain() {
	for len(q.blocks) > 0 {
		b := q.blocks[0]
		if q.live != nil {
			b = q.live
		}
		if b.waits {
			q.encoder.Add("content["+itoa(b.index)+"]", "a tool call whose name never came")
			q.encoder.calls--
			q.drop(b)
			continue
		}
		q.end(b.index, nil)
		q.drop(b)
	}
}

// observe follows blocks that went out as raw bytes, whose indexes on the wire are their own.
func (q *queue) observe(ev llm.Event) {
	switch v := ev.(type) {
	case llm.BlockStart:
		b := &outBlock{index: v.Index, wire: v.Index, block: v.Block, open: true}
		if t, ok := v.Block.(llm.ToolUse); ok {
			q.encoder.calls++
			b.args.Feed(t.Args)
		}
		q.blocks, q.live = []*outBlock{b}, b
		q.next = max(q.next, v.Index+1)
	case llm.TextDelta:
		q.encoder.said += len(v.Text)
	case llm.ThoughtDelta:
		q.encoder.said += len(v.Text)
	case llm.ArgsDelta:
		q.encoder.said += len(v.JSON)
		if b := q.find(v.Index); b != nil {
			b.args.Feed(v.JSON)
		}
	case llm.BlockEnd:
		if b := q.find(v.Index); b != nil {
			q.drop(b)
			q.live = nil
		}
	}
}
