package openai

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes on how a message said things; see note.
const (
	noteNoParts       = "content: no parts"
	noteNoAnnotations = "annotations: none"
	noteNoCalls       = "tool_calls: none"
	noteNoArguments   = "arguments: absent"
	noteIndexed       = "index: counted"
	noteSummary       = "type: summary"
	noteEmptyField    = ": empty"      // after the name of a field for reasoning
	noteSameField     = ": said again" // after the name of a field for reasoning
)

// The fields in which hosts show reasoning.
const (
	fieldContent   = "content" // as a part of it
	fieldReasoning = "reasoning"
	fieldThought   = "reasoning_content"
	fieldDetails   = "reasoning_details"
)

// message is a message of a request or an answer before its blocks are made: where its members stand.
type message struct {
	role, name, content, refusal, calls, callID wire.Value
	annotations, details, reasoning, thought    wire.Value
	extra                                       llm.Extra
}

func readMessage(v wire.Value) (message, error) {
	var m message
	err := v.Fields(Name, &m.extra, func(key []byte, f wire.Value) (known bool, err error) {
		at := m.member(string(key))
		if at == nil {
			return false, nil
		}
		*at = f
		return true, nil
	})
	return m, err
}

// member returns where a member is noted, or nil for one that is not known.
func (m *message) member(key string) *wire.Value {
	switch key {
	case "role":
		return &m.role
	case "name":
		return &m.name
	case "content":
		return &m.content
	case "refusal":
		return &m.refusal
	case "tool_calls":
		return &m.calls
	case "tool_call_id":
		return &m.callID
	case "annotations":
		return &m.annotations
	case fieldDetails:
		return &m.details
	case fieldReasoning:
		return &m.reasoning
	case fieldThought:
		return &m.thought
	}
	return nil
}

// blockList gathers the blocks of a message and, where that is wanted, the places of their texts.
type blockList struct {
	blocks []llm.Block
	record bool
	at     [][]wire.Value
}

func (l *blockList) add(b llm.Block, at ...wire.Value) {
	l.blocks = append(l.blocks, b)
	if l.record {
		l.at = append(l.at, append([]wire.Value(nil), at...))
	}
}

// functionMessage is the type of an Opaque that is a whole message in the older way of calling functions.
const functionMessage = "function message"

// message reads a message of a request.
func (d *requestDecoder) message(_ int, v wire.Value) error {
	m, _, err := decodeMessage(v, false)
	if err == nil {
		d.r.Messages = append(d.r.Messages, m)
	}
	return err
}

// decodeMessage reads a message of a request, with the places of its blocks' texts where record is set.
func decodeMessage(v wire.Value, record bool) (llm.Message, blockList, error) {
	l := blockList{record: record}
	m, err := readMessage(v)
	if err != nil {
		return llm.Message{}, l, err
	}
	out := llm.Message{Role: llm.Role(m.role.Text())}
	switch out.Role {
	case llm.System, llm.Developer, llm.User, llm.Assistant:
		out.Plain, err = m.turn(&l, out.Role == llm.Assistant)
	case llm.ToolRole:
		err = m.result(&l)
	case "function": // the older name of a tool's result, without an id: carried whole
		l.add(opaque(functionMessage, v))
		return llm.Message{Role: llm.ToolRole, Blocks: l.blocks, Extra: llm.Extra{Dialect: Name}}, l, nil
	default:
		err = wire.Bad("role", "system, developer, user, assistant or tool")
	}
	if err == nil && m.name.Found() {
		out.Name, err = m.name.Str()
		if err != nil {
			err = wire.Under(err, "name")
		}
		if out.Name == "" {
			m.extra.Add(Name, "name", m.name.JSON())
		}
	}
	if _, marked := m.extra.Get("cache_control"); marked && err == nil && (out.Plain || out.Role == llm.ToolRole) {
		err = m.mark(l.blocks, v.Get("cache_control"))
	}
	out.Blocks, out.Extra = l.blocks, m.extra
	return out, l, err
}

// mark reads cache_control where it stands beside a content that is one string, as clients of gateways
// say it: it marks that text, or the tool's result.
func (m *message) mark(blocks []llm.Block, v wire.Value) error {
	if v.Kind() != '{' {
		return nil
	}
	mark, err := decodeMark(v)
	if err != nil {
		return wire.Under(err, "cache_control")
	}
	for i, b := range blocks {
		switch b := b.(type) {
		case llm.Text:
			b.Cache = mark
			blocks[i] = b
		case llm.ToolDone:
			b.Cache = mark
			blocks[i] = b
		default:
			continue
		}
		_, m.extra = wire.Take(m.extra, Name, "cache_control")
		tell(&m.extra, "cache_control", v.JSON())
		return nil
	}
	return nil
}

// turn makes the blocks of a message that is not a tool's. Members that only answers have are kept.
func (m *message) turn(l *blockList, assistant bool) (plain bool, err error) {
	if !assistant {
		for _, f := range []struct {
			key string
			v   wire.Value
		}{
			{"refusal", m.refusal},
			{"tool_calls", m.calls},
			{fieldDetails, m.details},
			{fieldReasoning, m.reasoning},
			{fieldThought, m.thought},
		} {
			if f.v.Found() {
				m.extra.Add(Name, f.key, f.v.JSON())
			}
		}
		m.refusal, m.calls, m.details, m.reasoning, m.thought = wire.Value{}, wire.Value{}, wire.Value{}, wire.Value{}, wire.Value{}
	}
	for _, f := range []struct {
		key string
		v   wire.Value
	}{{"tool_call_id", m.callID}, {"annotations", m.annotations}} {
		if f.v.Found() {
			m.extra.Add(Name, f.key, f.v.JSON())
		}
	}
	return m.blocks(l)
}

// result makes the one block of a tool's message.
func (m *message) result(l *blockList) error {
	b := llm.ToolDone{Name: m.name.Text(), Extra: llm.Extra{Dialect: Name}}
	if m.callID.Found() {
		var err error
		if b.ID, err = m.callID.Str(); err != nil {
			return wire.Under(err, "tool_call_id")
		}
	}
	inner := blockList{record: true}
	var err error
	b.Plain, err = m.decodeContent(&inner)
	if err != nil {
		return wire.Under(err, "content")
	}
	b.Blocks = inner.blocks
	var at []wire.Value
	for _, one := range inner.at {
		at = append(at, one...)
	}
	l.add(b, at...)
	return nil
}

// blocks makes the blocks of a turn, in the order in which a model makes them: reasoning, text, calls.
func (m *message) blocks(l *blockList) (plain bool, err error) {
	if err := m.thoughts(l); err != nil {
		return false, err
	}
	if plain, err = m.decodeContent(l); err != nil {
		return plain, wire.Under(err, "content")
	}
	if m.refusal.Found() {
		text, err := m.refusal.Str()
		if err != nil {
			return plain, wire.Under(err, "refusal")
		}
		l.add(llm.Refusal{Text: text, Extra: llm.Extra{Dialect: Name}}, m.refusal)
	}
	if m.calls.Found() {
		if err := m.decodeCalls(l); err != nil {
			return plain, wire.Under(err, "tool_calls")
		}
	}
	return plain, nil
}

// decodeContent reads content, which is a string or a list of parts.
func (m *message) decodeContent(l *blockList) (plain bool, err error) {
	v := m.content
	switch v.Kind() {
	case 0:
		if _, null := m.extra.Get("content"); !null {
			m.extra.Note(Name, "content")
		}
		return false, nil
	case '"':
		if v.Bytes() == 0 {
			m.extra.Note(Name, noteEmptyContent)
			return true, nil
		}
		l.add(llm.Text{Text: v.Text(), Extra: llm.Extra{Dialect: Name}}, v)
		return true, nil
	case '[':
		if v.Len() == 0 {
			m.extra.Note(Name, noteNoParts)
		}
		return false, v.Elems(func(_ int, el wire.Value) error { return decodePart(l, el) })
	}
	return false, wire.Bad("", "a string or a list of parts")
}

func decodePart(l *blockList, v wire.Value) error {
	if v.Kind() != '{' {
		return wire.Bad("", "an object")
	}
	kind, err := v.Get("type").Str()
	if err != nil {
		return wire.Under(err, "type")
	}
	switch kind {
	case "file", "input_audio":
		if !v.Get(kind).Found() { // Mistral's file_id stands beside the type
			l.add(opaque(kind, v))
			return nil
		}
	}
	switch kind {
	case "text":
		return decodeText(l, v)
	case "refusal":
		return decodeRefusal(l, v)
	case "thinking":
		return decodeThinking(l, v)
	case "image_url":
		return decodeImage(l, v)
	case "input_audio":
		return decodeAudio(l, v)
	case "file":
		return decodeFile(l, v)
	}
	l.add(opaque(kind, v))
	return nil
}

func decodeText(l *blockList, v wire.Value) error {
	var b llm.Text
	var at wire.Value
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "text":
			at = m
			b.Text, err = m.Str()
			return true, err
		case "cache_control":
			b.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	l.add(b, at)
	return err
}

func decodeRefusal(l *blockList, v wire.Value) error {
	var b llm.Refusal
	var at wire.Value
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "refusal":
			at = m
			b.Text, err = m.Str()
			return true, err
		}
		return false, nil
	})
	b.Extra.Note(Name, notePart)
	l.add(b, at)
	return err
}

// notePart notes that a refusal stood among the parts and not in a field of its own.
const notePart = "refusal: a part"

// decodeThinking reads Mistral's part of reasoning, whose text is itself a list of parts.
func decodeThinking(l *blockList, v wire.Value) error {
	b := llm.Thought{Field: fieldContent}
	var at []wire.Value
	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "signature":
			return m.StrTo(&b.Signature)
		case "thinking":
			b.Text, at = joinTexts(m)
			return m.Kind() == '[' && len(at) == 1 && m.Len() == 1 && m.Get("0").Len() == 2, nil
		}
		return false, nil
	})
	if b.Signature != "" {
		b.Origin = Name
	}
	l.add(b, at...)
	return err
}

// joinTexts returns the texts in a list of parts, laid end to end, and their places.
func joinTexts(v wire.Value) (text string, at []wire.Value) {
	if v.Kind() == '"' {
		return v.Text(), []wire.Value{v}
	}
	if v.Kind() != '[' {
		return "", nil
	}
	var all strings.Builder
	_ = v.Elems(func(_ int, el wire.Value) error {
		if t := el.Get("text"); el.Kind() == '{' && t.Kind() == '"' {
			all.WriteString(t.Text())
			at = append(at, t)
		}
		return nil
	})
	return all.String(), at
}

// decodeCalls reads the calls of tools.
func (m *message) decodeCalls(l *blockList) error {
	if m.calls.Kind() == '[' && m.calls.Len() == 0 {
		m.extra.Note(Name, noteNoCalls)
	}
	return m.calls.Elems(func(i int, v wire.Value) error {
		b, at, err := decodeCall(i, v)
		if err == nil {
			l.add(b, at)
		}
		return err
	})
}

// callPrefix marks the type of an Opaque that is one of the tool_calls.
const callPrefix = "tool call "

func decodeCall(i int, v wire.Value) (b llm.Block, at wire.Value, err error) {
	if v.Kind() != '{' {
		return nil, wire.Value{}, wire.Bad("", "an object")
	}
	c := llm.ToolUse{Kind: llm.ToolFunction}
	typ := "function"
	typed, called := false, false
	err = v.Fields(Name, &c.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			return m.StrTo(&c.ID)
		case "type":
			typed = true
			typ, err = m.Str()
			return true, err
		case "index":
			if n, err := m.Int(); err == nil && n == int64(i) {
				c.Extra.Note(Name, noteIndexed)
				return true, nil
			}
		case "function", "custom":
			called = true
			at, err = decodeCalled(&c, string(key), m)
			return true, err
		case "cache_control":
			c.Cache, err = decodeMark(m)
			return true, err
		case signatureMember:
			c.Signature = signatureIn(m)
			return c.Signature != "", nil
		}
		return false, nil
	})
	if c.Signature != "" {
		c.Origin = signer
	}
	switch {
	case err != nil:
		return nil, at, err
	case typ != "function" && typ != "custom", !called:
		return opaque(callPrefix+typ, v), wire.Value{}, nil
	case !typed:
		if _, null := c.Extra.Get("type"); !null {
			c.Extra.Note(Name, "type")
		}
	}
	if _, said := c.Extra.Get("id"); c.ID == "" && !said {
		c.Extra.Note(Name, "id")
	}
	return c, at, nil
}

// decodeCalled reads what is called and with what.
func decodeCalled(c *llm.ToolUse, key string, v wire.Value) (at wire.Value, err error) {
	args := "arguments"
	if key == "custom" {
		c.Kind, args = llm.ToolCustom, "input"
	}
	var rest llm.Extra
	err = v.Fields(Name, &rest, func(k []byte, m wire.Value) (known bool, err error) {
		switch string(k) {
		case "name":
			return m.StrTo(&c.Name)
		case args:
			at = m
			if m.Kind() != '"' { // an object, from hosts that do not quote it
				c.Args = m.JSON()
				return false, nil
			}
			c.Args = m.Text()
			return true, nil
		}
		return false, nil
	})
	if _, null := rest.Get(args); !at.Found() && !null {
		c.Extra.Note(Name, noteNoArguments)
	}
	wire.Leave(&c.Extra, key, rest)
	return at, err
}
