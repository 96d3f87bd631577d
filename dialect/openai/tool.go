package openai

import (
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// tool reads a tool. A function is the caller's; so is a custom tool, whose argument is free text; every
// other type is some host's own. The last two are carried whole.
func (d *requestDecoder) tool(_ int, v wire.Value) error {
	var t llm.Tool
	var custom wire.Value
	typ := ""
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			typ, err = m.Str()
			return true, err
		case "function":
			return true, toolFunction(&t, m)
		case "custom":
			custom = m
			return false, nil
		case "cache_control":
			t.Cache, err = decodeMark(m)
			return true, err
		}
		return false, nil
	})
	if typ == "" && t.Name != "" { // some hosts and their SDKs leave the type out
		typ = "function"
		if _, null := t.Extra.Get("type"); !null {
			t.Extra.Note(Name, "type")
		}
	}
	switch {
	case err != nil:
		return err
	case (typ == "function" || typ == "") && t.Name == "":
		return wire.Bad("function.name", "the name of a function")
	case typ == "function" || typ == "":
		t.Kind = llm.ToolFunction
		if typ == "" { // Mistral's client leaves it out
			t.Extra.Note(Name, "type")
		}
	case typ == "custom":
		t = llm.Tool{
			Kind: llm.ToolCustom, Name: custom.Get("name").Text(), Description: custom.Get("description").Text(),
			Opaque: opaque(typ, v),
		}
	default:
		t = llm.Tool{Kind: llm.ToolHosted, Name: t.Name, Opaque: opaque(typ, v)}
	}
	d.r.Tools = append(d.r.Tools, t)
	return nil
}

func toolFunction(t *llm.Tool, v wire.Value) error {
	var rest llm.Extra
	err := v.Fields(Name, &rest, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "name":
			return m.StrTo(&t.Name)
		case "description":
			if t.Description, err = m.Str(); t.Description == "" {
				t.Extra.Note(Name, noteEmptyDescription)
			}
		case "parameters":
			t.Schema = m.JSON()
		case "strict":
			err = m.BoolTo(&t.Strict)
		default:
			return false, nil
		}
		return true, err
	})
	wire.Leave(&t.Extra, "function", rest)
	return err
}

// noteEmptyDescription notes that a tool was described by nothing; see note.
const noteEmptyDescription = "description: empty"

// appendTool writes a tool.
func appendTool(w *jsonw.Writer, t llm.Tool) {
	if t.Kind != llm.ToolFunction {
		w.Raw(t.Opaque.Raw)
		return
	}
	rest, extra := wire.Take(t.Extra, Name, "function")
	o := wire.Begin(w, extra.In(Name))
	o.Str("type", "function")
	w.KeyOpen("function", '{')
	if t.Name != "" {
		w.KeyStr("name", t.Name)
	}
	if t.Description != "" || extra.Noted(Name, noteEmptyDescription) {
		w.KeyStr("description", t.Description)
	}
	if t.Schema != "" {
		w.KeyRaw("parameters", t.Schema)
	}
	if t.Strict.Set {
		w.KeyBool("strict", t.Strict.V)
	}
	wire.AppendMembers(w, rest)
	w.Close('}')
	appendMark(w, t.Cache)
	o.End()
}

// choose reads tool_choice: a word, or an object that names a tool or several.
func (d *requestDecoder) choose(v wire.Value) error {
	c := &d.r.Choose
	*c = llm.ToolChoice{}
	if v.Kind() == '"' {
		switch word := v.Text(); word {
		case "auto", "none":
			c.Mode = llm.ChooseMode(word)
		case "required":
			c.Mode = llm.ChooseAny
		case "any": // Mistral's word
			c.Mode = llm.ChooseAny
			c.Extra.Note(Name, noteAnyTool)
		default:
			c.Opaque = opaque(word, v)
		}
		return nil
	}
	if v.Kind() != '{' {
		return wire.Bad("", "a string or an object")
	}
	name, err := chosen(v)
	if err != nil {
		return err
	}
	switch {
	case name != "":
		*c = llm.ToolChoice{Mode: llm.ChooseTool, Name: name}
	case v.Get("type").Text() == "allowed_tools" && chooseAllowed(c, v.Get("allowed_tools")):
	default:
		c.Opaque = opaque(v.Get("type").Text(), v)
	}
	return nil
}

// chosen returns the name in a choice of one function that says nothing else.
func chosen(v wire.Value) (string, error) {
	f := v.Get("function")
	if typ := v.Get("type"); typ.Found() && typ.Text() != "function" || f.Kind() != '{' {
		return "", nil
	}
	name := f.Get("name").Text()
	if name == "" {
		return "", wire.Bad("function.name", "the name of a function")
	}
	if v.Len() != 2 || f.Len() != 1 {
		return "", nil
	}
	return name, nil
}

// chooseAllowed reads a choice among some of the tools, all of them functions.
func chooseAllowed(c *llm.ToolChoice, v wire.Value) bool {
	out, ok := platform.ChooseAllowed(v, 2, func(t wire.Value) string {
		name, _ := chosen(t)
		return name
	})
	if ok {
		*c = out
	}
	return ok
}

// appendChoice writes a tool_choice that is set.
func appendChoice(w *jsonw.Writer, c llm.ToolChoice) {
	switch {
	case c.Opaque.Raw != "":
		w.Raw(c.Opaque.Raw)
	case len(c.Allowed) > 0:
		w.Open('{')
		w.KeyStr("type", "allowed_tools")
		w.KeyOpen("allowed_tools", '{')
		w.KeyStr("mode", choiceWord(c))
		w.KeyOpen("tools", '[')
		for _, name := range c.Allowed {
			appendChosen(w, name)
		}
		w.Close(']')
		w.Close('}')
		w.Close('}')
	case c.Mode == llm.ChooseTool:
		appendChosen(w, c.Name)
	default:
		w.Str(choiceWord(c))
	}
}

func appendChosen(w *jsonw.Writer, name string) {
	w.Open('{')
	w.KeyStr("type", "function")
	w.KeyOpen("function", '{')
	w.KeyStr("name", name)
	w.Close('}')
	w.Close('}')
}

func choiceWord(c llm.ToolChoice) string {
	switch {
	case c.Mode == llm.ChooseAny && c.Extra.Noted(Name, noteAnyTool):
		return "any"
	case c.Mode == llm.ChooseAny:
		return "required"
	}
	return string(c.Mode)
}

// decodeMark reads cache_control, which hosts of Anthropic's models take here as well.
func decodeMark(v wire.Value) (*llm.CacheMark, error) {
	var c llm.CacheMark
	kind := false
	err := v.Fields(Name, &c.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			kind = m.Text() == "ephemeral"
			return kind, nil
		case "ttl":
			return m.StrTo(&c.TTL)
		}
		return false, nil
	})
	if _, said := c.Extra.Get("type"); !kind && !said {
		c.Extra.Note(Name, "type")
	}
	return &c, err
}

func appendMark(w *jsonw.Writer, c *llm.CacheMark) {
	if c == nil {
		return
	}
	w.Key("cache_control")
	o := wire.Begin(w, c.Extra.In(Name))
	o.Str("type", "ephemeral")
	o.OptStr("ttl", c.TTL)
	o.End()
}
