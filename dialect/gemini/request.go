package gemini

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// op names where errors of this package arise.
const op = "dialect/gemini"

// Notes by which a request remembers what was said without saying anything.
const (
	noteNoContents = "no contents"
	noteNoRole     = "no role"
	noteNoParts    = "no parts"
	noteNoID       = "no id"
	noteWrapped    = "generateContentRequest"
)

// Members of a request that are objects read in part.
const (
	inConfig  = "generationConfig"
	inTools   = "toolConfig"
	inCalling = "toolConfig.functionCallingConfig"
	inThink   = "generationConfig.thinkingConfig"
)

// DecodeRequest implements dialect.Server.
func (c *codec) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	inner, wrapped := v, false
	if c.op == llm.OpCountTokens && v.Kind() == '{' {
		for _, key := range [...]string{noteWrapped, snake(noteWrapped)} {
			if x := v.Get(key); x.Kind() == '{' {
				inner, wrapped = x, true
			}
		}
	}
	r, err := decodeRequest(inner)
	if err != nil {
		return nil, invalid(err)
	}
	if wrapped {
		r.Extra.Note(Name, noteWrapped)
		if v.Get(noteWrapped).Kind() != '{' {
			r.Extra.Note(Name, noteAs+snake(noteWrapped))
		}
	}
	r.Model, r.Stream, r.Said = modelOf(in), c.stream, said
	if c.op == llm.OpCountTokens {
		return &llm.CountTokens{Request: r}, nil
	}
	return r, nil
}

// modelOf returns the name that a path gives a model.
func modelOf(in dialect.Inbound) string { return strings.TrimPrefix(in.Vars["model"], "models/") }

// invalid turns a fault into what the caller is told.
func invalid(err error) error { return dialect.Invalid(op, err) }

func decodeRequest(v wire.Value) (*llm.Request, error) {
	d := requestDecoder{r: &llm.Request{}}
	if err := fields(v, &d.r.Extra, d.member); err != nil {
		return nil, err
	}
	if !d.turns {
		d.r.Extra.Note(Name, noteNoContents)
	}
	d.r.Messages = append(d.system, d.r.Messages...)
	return d.r, nil
}

type requestDecoder struct {
	r       *llm.Request
	system  []llm.Message
	turns   bool // contents were there
	pending []pendingCall
}

// pendingCall is a call that no response has answered yet.
type pendingCall struct{ id, name string }

func (d *requestDecoder) member(key string, v wire.Value) (known bool, err error) {
	switch key {
	case "contents":
		d.turns = true
		return true, elems(v, &d.r.Extra, key, d.content)
	case "systemInstruction":
		return true, d.systemField(v)
	case "tools":
		d.r.Tools = []llm.Tool{}
		return true, elems(v, &d.r.Extra, key, d.tool)
	case inTools:
		return true, d.toolConfig(v)
	case inConfig:
		return true, d.config(v)
	case "serviceTier":
		return true, d.tier(v)
	}
	return false, nil
}

func (d *requestDecoder) tier(v wire.Value) error {
	s, err := v.Str()
	if err != nil {
		return err
	}
	d.r.Tier = strings.TrimPrefix(strings.ToLower(s), "service_tier_")
	if d.r.Tier != s || s == "" {
		wasWritten(&d.r.Extra, "serviceTier", v)
	}
	return nil
}

func (d *requestDecoder) systemField(v wire.Value) error {
	m, err := d.message(v, -1)
	m.Role, m.Place = llm.System, "field"
	d.system = []llm.Message{m}
	return err
}

func (d *requestDecoder) content(i int, v wire.Value) error {
	m, err := d.message(v, i)
	d.r.Messages = append(d.r.Messages, m)
	return err
}

// message reads a Content.
func (d *requestDecoder) message(v wire.Value, place int) (llm.Message, error) {
	m := llm.Message{Role: llm.User}
	roled, parts := false, false
	err := fields(v, &m.Extra, func(key string, f wire.Value) (known bool, err error) {
		switch key {
		case "role":
			roled = true
			m.Role, err = decodeRole(f, &m.Extra, place < 0)
		case "parts":
			parts = true
			m.Blocks = []llm.Block{}
			err = elems(f, &m.Extra, key, func(i int, el wire.Value) error {
				b, err := d.part(el, place, i)
				if n := len(m.Blocks); n > 0 {
					if whole, ok := dialect.JoinThought(m.Blocks[n-1], b); ok && whole.Origin != Name {
						m.Blocks[n-1] = whole
						return err
					}
				}
				m.Blocks = append(m.Blocks, b)
				return err
			})
		default:
			return false, nil
		}
		return true, err
	})
	if !roled {
		m.Extra.Note(Name, noteNoRole)
	}
	if !parts {
		m.Extra.Note(Name, noteNoParts)
	}
	return m, err
}

// decodeRole reads who speaks. What stands there in a system instruction means nothing.
func decodeRole(v wire.Value, x *llm.Extra, system bool) (llm.Role, error) {
	word, err := v.Str()
	if err != nil {
		return "", err
	}
	role := llm.User
	switch {
	case system, word == "function", word == "":
	case word == "model":
		return llm.Assistant, nil
	case word != "user":
		return "", wire.Bad("", "user or model")
	}
	if word != "user" {
		wasWritten(x, "role", v)
	}
	return role, nil
}

// part reads a part of a caller's content, and gives calls that came without an id one: other dialects
// need them.
func (d *requestDecoder) part(v wire.Value, place, i int) (llm.Block, error) {
	b, err := decodePart(v)
	if err != nil {
		return nil, err
	}
	switch b := b.(type) {
	case llm.ToolUse:
		if b.ID == "" {
			b.ID = callID("request", itoa(place), itoa(i), b.Name)
			b.Extra.Note(Name, "functionCall."+noteNoID)
		}
		d.pending = append(d.pending, pendingCall{b.ID, b.Name})
		return b, nil
	case llm.ToolDone:
		d.answered(&b, place, i)
		return b, nil
	}
	return b, nil
}

// answered gives a response the id of the call that it answers: the oldest open one of its name.
func (d *requestDecoder) answered(b *llm.ToolDone, place, i int) {
	at := slices.IndexFunc(d.pending, func(c pendingCall) bool {
		return b.ID != "" && c.id == b.ID || b.ID == "" && c.name == b.Name
	})
	if b.ID == "" {
		b.Extra.Note(Name, "functionResponse."+noteNoID)
		b.ID = callID("response", itoa(place), itoa(i), b.Name)
		if at >= 0 {
			b.ID = d.pending[at].id
		}
	}
	if at >= 0 {
		d.pending = slices.Delete(d.pending, at, at+1)
	}
}

// callPrefix begins the ids that calls are given which came without one. They are not sent to Google again.
const callPrefix = "call_gemini_"

// callID makes an id of what is known of a call: the same for the same.
func callID(of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "\x00")))
	return callPrefix + hex.EncodeToString(sum[:8])
}

// tool reads an element of tools, which may hold several of them: each function is a tool, and so is each
// other member.
func (d *requestDecoder) tool(i int, v wire.Value) error {
	group := "tool " + itoa(i)
	n := len(d.r.Tools)
	var rest llm.Extra
	err := fields(v, &rest, func(key string, m wire.Value) (known bool, err error) {
		if key != "functionDeclarations" || m.Kind() == '[' && m.Len() == 0 {
			return false, nil
		}
		return true, elems(m, &rest, key, func(_ int, el wire.Value) error {
			t, err := decodeTool(el)
			t.Extra.Note(Name, group)
			d.r.Tools = append(d.r.Tools, t)
			return err
		})
	})
	if err != nil {
		return err
	}
	if len(d.r.Tools) > n {
		for _, f := range rest.Fields { // how the list was named
			if f.Raw == "" {
				d.r.Tools[n].Extra.Note(Name, "tool."+f.Key)
			}
		}
	}
	for _, f := range rest.Fields {
		if f.Raw != "" {
			d.r.Tools = append(d.r.Tools, hosted(camel(f.Key), `{`+quote(f.Key)+`:`+f.Raw+`}`, group))
		}
	}
	if len(d.r.Tools) == n {
		d.r.Tools = append(d.r.Tools, hosted("", "{}", group))
	}
	return nil
}

// hosted returns a tool that Google runs or defines.
func hosted(name, raw, group string) llm.Tool {
	t := llm.Tool{Kind: llm.ToolHosted, Name: name, Opaque: llm.Opaque{Dialect: Name, Type: name, Raw: raw}}
	t.Extra.Note(Name, group)
	return t
}

func decodeTool(v wire.Value) (llm.Tool, error) {
	t := llm.Tool{Kind: llm.ToolFunction}
	err := fields(v, &t.Extra, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "name":
			t.Name, err = m.Str()
		case "description":
			return m.StrTo(&t.Description)
		case "parametersJsonSchema":
			if m.Kind() != '{' || t.Schema != "" {
				return false, nil
			}
			t.Schema = m.JSON()
		case "parameters":
			if m.Kind() != '{' || t.Schema != "" {
				return false, nil
			}
			t.Schema = toJSONSchema(m)
			wasWritten(&t.Extra, key, m)
		default:
			return false, nil
		}
		return true, err
	})
	if t.Name == "" && err == nil && v.Get("name").Kind() != '"' {
		return t, wire.Bad("name", "a string")
	}
	return t, err
}

func (d *requestDecoder) toolConfig(v wire.Value) error {
	var rest llm.Extra
	err := fields(v, &rest, func(key string, m wire.Value) (known bool, err error) {
		if key != "functionCallingConfig" || m.Kind() != '{' {
			return false, nil
		}
		return true, d.calling(m, &rest)
	})
	if v.Kind() == '{' && v.Len() == 0 {
		rest.Note(Name, noteEmpty)
	}
	leave(&d.r.Extra, inTools, rest)
	return err
}

func (d *requestDecoder) calling(v wire.Value, outer *llm.Extra) error {
	c := &d.r.Choose
	c.Extra = home()
	var rest llm.Extra
	err := fields(v, &rest, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "mode":
			return decodeMode(m, c, &rest), nil
		case "allowedFunctionNames":
			c.Allowed = []string{}
			return true, m.Elems(func(_ int, el wire.Value) error {
				s, err := el.Str()
				c.Allowed = append(c.Allowed, s)
				return err
			})
		}
		return false, nil
	})
	if c.Mode == llm.ChooseAny && len(c.Allowed) == 1 {
		c.Mode, c.Name, c.Allowed = llm.ChooseTool, c.Allowed[0], nil
	}
	if v.Len() == 0 {
		rest.Note(Name, noteEmpty)
	}
	leave(outer, "functionCallingConfig", rest)
	return err
}

// decodeMode reads how functions are called, by its name or its number.
func decodeMode(v wire.Value, c *llm.ToolChoice, x *llm.Extra) bool {
	word := v.Text()
	switch v.JSON() {
	case "1":
		word = "AUTO"
	case "2":
		word = "ANY"
	case "3":
		word = "NONE"
	}
	switch strings.ToUpper(word) {
	case "AUTO":
		c.Mode = llm.ChooseAuto
	case "ANY":
		c.Mode = llm.ChooseAny
	case "NONE":
		c.Mode = llm.ChooseNone
	case "VALIDATED": // auto, with arguments held to their schema
		c.Mode = llm.ChooseAuto
	default:
		return false
	}
	if v.Text() != modeWord(c.Mode) {
		wasWritten(x, "mode", v)
	}
	return true
}

// modeWord returns the word for a mode of choice.
func modeWord(m llm.ChooseMode) string {
	switch m {
	case llm.ChooseAuto:
		return "AUTO"
	case llm.ChooseAny, llm.ChooseTool:
		return "ANY"
	case llm.ChooseNone:
		return "NONE"
	}
	return ""
}
