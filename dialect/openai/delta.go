package openai

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// prose is the block of text, refusal or reasoning that is open in a choice; there is at most one.
type prose struct {
	kind  proseKind
	block int
	// For reasoning: the field and item that it is told by, and its text where that came by a field that
	// does not tell of signatures.
	field  string
	detail int
	typ    string
	plain  strings.Builder
}

type proseKind byte

const (
	noProse proseKind = iota
	textProse
	refusalProse
	thoughtProse
)

// mostCalls bounds how many calls are looked through for the one that a piece belongs to.
const mostCalls = 4096

// callDecoder is a call of a tool while it comes.
type callDecoder struct {
	wire, block int    // its index on the wire, and of its block once that was started
	id          string // as the upstream gave it
	call        llm.ToolUse
	filled      bool            // arguments were there
	args        strings.Builder // what came before the block was started
	started     bool
}

// delta reads what a frame adds to a choice.
func (d *streamDecoder) delta(c *choiceDecoder, v wire.Value) error {
	var m message
	if err := v.Members(func(key []byte, f wire.Value) error {
		if f.IsNull() {
			return nil
		}
		if at := m.member(string(key)); at != nil {
			*at = f
		} else if string(key) == "audio" {
			c.audio.add(f)
		} else {
			keepRaw(&c.message, string(key), f.JSON())
		}
		return nil
	}); err != nil {
		return err
	}
	d.reason(c, &m)
	if err := d.content(c, m.content); err != nil {
		return wire.Under(err, "content")
	}
	if s := m.refusal.Text(); s != "" {
		d.say(c, refusalProse, llm.Refusal{Extra: llm.Extra{Dialect: Name}}, s)
	}
	if m.annotations.Kind() == '[' {
		_ = m.annotations.Elems(func(_ int, a wire.Value) error { d.cite(c, decodeCitation(a)); return nil })
	}
	if m.calls.Kind() == '[' {
		return wire.Under(m.calls.Elems(func(i int, call wire.Value) error { return d.callDelta(c, i, call) }), "tool_calls")
	}
	return nil
}

// open makes the block that prose is added to, if another is open or none.
func (d *streamDecoder) open(c *choiceDecoder, kind proseKind, b llm.Block) {
	d.closeProse(c)
	c.prose = prose{kind: kind, block: c.next, detail: -1}
	c.next++
	d.emit(llm.BlockStart{Choice: c.index, Index: c.prose.block, Block: b})
}

func (d *streamDecoder) closeProse(c *choiceDecoder) {
	if c.prose.kind != noProse {
		d.emit(llm.BlockEnd{Choice: c.index, Index: c.prose.block})
	}
	c.prose = prose{}
}

// say adds text to a block of text or refusal.
func (d *streamDecoder) say(c *choiceDecoder, kind proseKind, b llm.Block, s string) {
	if c.prose.kind != kind {
		d.open(c, kind, b)
		if kind == textProse {
			d.tellCites(c)
		}
	}
	d.text += len(s)
	d.emit(llm.TextDelta{Choice: c.index, Index: c.prose.block, Text: s})
}

func (d *streamDecoder) sayText(c *choiceDecoder, s string) {
	if s != "" {
		d.say(c, textProse, llm.Text{Extra: llm.Extra{Dialect: Name}}, s)
	}
}

// content reads content: a string, or Mistral's list of parts.
func (d *streamDecoder) content(c *choiceDecoder, v wire.Value) error {
	switch v.Kind() {
	case '"':
		d.sayText(c, v.Text())
	case '[':
		return v.Elems(func(_ int, p wire.Value) error {
			if p.Kind() != '{' {
				return wire.Bad("", "an object")
			}
			switch p.Get("type").Text() {
			case "text":
				d.sayText(c, p.Get("text").Text())
			case "thinking":
				text, _ := joinTexts(p.Get("thinking"))
				d.think(c, fieldContent, text)
			default:
				d.whole(c, opaque(p.Get("type").Text(), p))
			}
			return nil
		})
	}
	return nil
}

// whole tells a block that comes at once.
func (d *streamDecoder) whole(c *choiceDecoder, b llm.Block) {
	d.closeProse(c)
	d.emit(llm.BlockStart{Choice: c.index, Index: c.next, Block: b})
	d.emit(llm.BlockEnd{Choice: c.index, Index: c.next})
	c.next++
}

// think adds to reasoning that came by a field of plain text.
func (d *streamDecoder) think(c *choiceDecoder, field, s string) {
	if s == "" {
		return
	}
	if c.prose.kind != thoughtProse || c.prose.field != field {
		d.open(c, thoughtProse, llm.Thought{Field: field, Extra: llm.Extra{Dialect: Name}})
		c.prose.field = field
	}
	if !d.quiet {
		c.prose.plain.WriteString(s)
	}
	d.text += len(s)
	d.emit(llm.ThoughtDelta{Choice: c.index, Index: c.prose.block, Text: s})
}

// reason reads reasoning. Where it is told in detail, the same in another field beside it is not told
// twice.
func (d *streamDecoder) reason(c *choiceDecoder, m *message) {
	detailed := false
	if m.details.Kind() == '[' {
		_ = m.details.Elems(func(_ int, v wire.Value) error {
			if t, at, err := decodeDetail(0, v); err == nil {
				detailed = d.detail(c, t, v, len(at) > 0) || detailed
			}
			return nil
		})
	}
	if detailed {
		return
	}
	if s := m.thought.Text(); s != "" {
		d.think(c, fieldThought, s)
	} else {
		d.think(c, fieldReasoning, m.reasoning.Text())
	}
}

// detail adds an item of reasoning_details and reports whether it told a text.
func (d *streamDecoder) detail(c *choiceDecoder, t llm.Thought, v wire.Value, text bool) bool {
	if c.seals(t) {
		d.seal(c, t)
		return true
	}
	index, typ := int(v.Get("index").Count()), v.Get("type").Text()
	p := &c.prose
	if p.kind != thoughtProse || p.field != fieldDetails || p.detail != index || p.typ != typ {
		d.openDetail(c, t)
		p.detail, p.typ = index, typ
	}
	if t.Text != "" {
		d.text += len(t.Text)
		d.emit(llm.ThoughtDelta{Choice: c.index, Index: p.block, Text: t.Text})
	}
	if t.Signature != "" || t.Sealed != "" {
		d.emit(llm.ThoughtDelta{Choice: c.index, Index: p.block, Signature: t.Signature, Sealed: t.Sealed})
	}
	return text
}

func (d *streamDecoder) openDetail(c *choiceDecoder, t llm.Thought) {
	b := llm.Thought{Field: fieldDetails, Origin: t.Origin, Item: t.Item, Extra: llm.Extra{Dialect: Name}}
	if t.Extra.Noted(Name, noteSummary) {
		b.Extra.Note(Name, noteSummary)
	}
	d.open(c, thoughtProse, b)
	c.prose.field = fieldDetails
}

// seals reports whether an item only adds the signature to reasoning whose text came before by itself.
func (c *choiceDecoder) seals(t llm.Thought) bool {
	p := &c.prose
	return p.kind == thoughtProse && p.field != fieldDetails && t.Text != "" && p.plain.String() == t.Text
}

func (d *streamDecoder) seal(c *choiceDecoder, t llm.Thought) {
	at := c.prose.block
	if t.Signature != "" || t.Sealed != "" {
		d.emit(llm.ThoughtDelta{Choice: c.index, Index: at, Signature: t.Signature, Sealed: t.Sealed})
	}
	whole := llm.Thought{
		Text: t.Text, Signature: t.Signature, Sealed: t.Sealed, Item: t.Item, Origin: t.Origin,
		Field: fieldDetails, Extra: llm.Extra{Dialect: Name},
	}
	d.emit(llm.BlockEnd{Choice: c.index, Index: at, Block: whole})
	c.prose = prose{}
}

// cite tells a citation on the text that is open, or keeps it for the text to come.
func (d *streamDecoder) cite(c *choiceDecoder, cite llm.Citation) {
	c.cites = append(c.cites, cite)
	if c.prose.kind == textProse {
		d.tellCites(c)
	}
}

func (d *streamDecoder) tellCites(c *choiceDecoder) {
	for _, cite := range c.cites {
		d.emit(llm.CiteDelta{Choice: c.index, Index: c.prose.block, Citation: cite})
	}
	c.cites = nil
}

// leaveCites keeps citations that no text came for.
func (c *choiceDecoder) leaveCites() {
	if len(c.cites) == 0 {
		return
	}
	var w jsonw.Writer
	w.Open('[')
	for _, cite := range c.cites {
		w.Raw(cite.Opaque.Raw)
	}
	w.Close(']')
	keepRaw(&c.message, "annotations", w.String())
}

// callDelta reads a piece of a call. A call is known by its index; hosts that count badly are told apart
// by ids.
func (d *streamDecoder) callDelta(c *choiceDecoder, at int, v wire.Value) error {
	if v.Kind() != '{' {
		return wire.Bad("", "an object")
	}
	number := len(c.calls)
	var call *callDecoder
	index := v.Get("index")
	indexed := index.Kind() == '0'
	if indexed {
		number = int(index.Count())
		call = c.find(number)
	} else if number > 0 {
		call = c.known(v.Get("id"))
	}
	if call == nil || call.over(v, indexed, at > 0) {
		if len(c.calls) >= mostCalls {
			return wire.Bad("", "fewer calls")
		}
		call = &callDecoder{wire: number}
		call.call.Kind = llm.ToolFunction
		c.calls = append(c.calls, call)
		c.called = true
		d.closeProse(c)
	}
	return d.addCall(c, call, v)
}

// known returns the call of an id, else the newest.
func (c *choiceDecoder) known(id wire.Value) *callDecoder {
	for _, call := range c.calls {
		if call.id != "" && id.Is(call.id) {
			return call
		}
	}
	return c.calls[len(c.calls)-1]
}

// taken reports whether another call has an id.
func (c *choiceDecoder) taken(id string) bool {
	return slices.ContainsFunc(c.calls, func(call *callDecoder) bool { return call.call.ID == id })
}

// over reports whether a piece belongs to another call than this one, although its index, or the lack of
// one, says otherwise. behind tells that it does not stand first in its delta.
func (call *callDecoder) over(v wire.Value, indexed, behind bool) bool {
	id := v.Get("id").Text()
	other := id != "" && call.id != "" && id != call.id
	f := v.Get("function")
	name := f.Get("name").Text()
	if v.Get("custom").Kind() == '{' {
		name = v.Get("custom", "name").Text()
	}
	switch {
	case name == "": // some hosts make up a new id for every piece
		return other && !indexed
	case other:
		return true
	case id != "" && call.id != "": // some give two calls one id
		return call.call.Name != "" && name != call.call.Name && call.filled
	case call.call.Name == "":
		return false
	case name != call.call.Name || behind && !indexed:
		return true
	}
	return call.filled && isObject(f.Get("arguments"))
}

// isObject reports whether arguments are a whole object.
func isObject(args wire.Value) bool {
	return args.Kind() == '{' || args.Kind() == '"' && wire.Raw(args.Text()).Kind() == '{'
}

// find returns the newest call with an index on the wire.
func (c *choiceDecoder) find(number int) *callDecoder {
	for i := len(c.calls) - 1; i >= 0; i-- {
		if c.calls[i].wire == number {
			return c.calls[i]
		}
	}
	return nil
}

func (d *streamDecoder) addCall(c *choiceDecoder, call *callDecoder, v wire.Value) error {
	var args wire.Value
	err := v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "index", "type":
		case "id":
			if call.id == "" {
				call.id = m.Text()
			}
			if call.call.ID == "" && !call.started && !c.taken(call.id) {
				call.call.ID = call.id
			}
		case "custom", "function":
			if m.Kind() != '{' {
				return nil
			}
			name := "arguments"
			if string(key) == "custom" {
				call.call.Kind, name = llm.ToolCustom, "input"
			}
			if call.call.Name == "" {
				call.call.Name = m.Get("name").Text()
			}
			args = m.Get(name)
		default:
			if !call.started && !m.IsNull() {
				keepRaw(&call.call.Extra, string(key), m.JSON())
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s := args.Text()
	if args.Kind() == '{' {
		s = args.JSON()
	}
	call.filled = call.filled || s != ""
	d.text += len(s)
	if call.call.Name == "" { // a name may come belated
		call.args.WriteString(s)
		return nil
	}
	d.startCall(c, call)
	if s != "" {
		d.emit(llm.ArgsDelta{Choice: c.index, Index: call.block, JSON: s})
	}
	return nil
}

// startCall tells that a call begins, once.
func (d *streamDecoder) startCall(c *choiceDecoder, call *callDecoder) {
	if call.started {
		return
	}
	call.started = true
	call.block = c.next
	c.next++
	if call.call.ID == "" {
		call.call.ID = d.callID(c.index, call.block)
	}
	call.call.Extra.Dialect = Name
	d.emit(llm.BlockStart{Choice: c.index, Index: call.block, Block: call.call})
	if call.args.Len() > 0 {
		d.emit(llm.ArgsDelta{Choice: c.index, Index: call.block, JSON: call.args.String()})
	}
}

// callID makes an id for a call that came without one. It is another in every answer, as a history may
// hold several.
func (d *streamDecoder) callID(choice, block int) string {
	from := d.start.ID
	if from == "" {
		b := make([]byte, 8)
		_, _ = rand.Read(b) // never fails
		from = hex.EncodeToString(b)
	}
	return dialect.ToolNames{}.Fit("call_"+from+"_"+itoa(choice)+"_"+itoa(block), 64)
}

// audioDecoder gathers a spoken answer, which llm carries as it stands.
type audioDecoder struct {
	data, transcript strings.Builder
	rest             llm.Extra
	any              bool
}

func (a *audioDecoder) add(v wire.Value) {
	if v.Kind() != '{' {
		return
	}
	a.any = true
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "data":
			a.data.WriteString(m.Text())
		case "transcript":
			a.transcript.WriteString(m.Text())
		default:
			keepRaw(&a.rest, string(key), m.JSON())
		}
		return nil
	})
}

// leave puts the whole sound among the members of a message.
func (a *audioDecoder) leave(e *llm.Extra) {
	if !a.any {
		return
	}
	var w jsonw.Writer
	o := wire.Begin(&w, a.rest.In(Name))
	o.Str("data", a.data.String())
	o.Str("transcript", a.transcript.String())
	o.End()
	keepRaw(e, "audio", w.String())
}
