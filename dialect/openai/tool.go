package openai

import (
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// tool reads a tool. A function is the caller's; so is a custom tool, whose argument is free text; every
// other type is some host's own. The last two are carried whole.
func (d *requestDecoder) tool(_ int, v value) error {
	var t llm.Tool
	var custom value
	typ := ""
	err := v.fields(&t.Extra, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "type":
			typ, err = m.str()
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
			absent(&t.Extra, "type")
		}
	}
	switch {
	case err != nil:
		return err
	case (typ == "function" || typ == "") && t.Name == "":
		return &fault{"function.name", "the name of a function"}
	case typ == "function" || typ == "":
		t.Kind = llm.ToolFunction
		if typ == "" { // Mistral's client leaves it out
			absent(&t.Extra, "type")
		}
	case typ == "custom":
		t = llm.Tool{
			Kind: llm.ToolCustom, Name: custom.get("name").text(), Description: custom.get("description").text(),
			Opaque: opaque(typ, v),
		}
	default:
		t = llm.Tool{Kind: llm.ToolHosted, Name: t.Name, Opaque: opaque(typ, v)}
	}
	d.r.Tools = append(d.r.Tools, t)
	return nil
}

func toolFunction(t *llm.Tool, v value) error {
	var rest llm.Extra
	err := v.fields(&rest, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "name":
			return optString(&t.Name, m)
		case "description":
			if t.Description, err = m.str(); t.Description == "" {
				note(&t.Extra, noteEmptyDescription)
			}
		case "parameters":
			t.Schema = m.raw()
		case "strict":
			err = optBool(&t.Strict, m)
		default:
			return false, nil
		}
		return true, err
	})
	leave(&t.Extra, "function", rest)
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
	rest, extra := without(t.Extra, "function")
	o := begin(w, extra)
	o.str("type", "function")
	w.KeyOpen("function", '{')
	if t.Name != "" {
		w.KeyStr("name", t.Name)
	}
	if t.Description != "" || noted(extra, noteEmptyDescription) {
		w.KeyStr("description", t.Description)
	}
	if t.Schema != "" {
		w.KeyRaw("parameters", t.Schema)
	}
	if t.Strict.Set {
		w.KeyBool("strict", t.Strict.V)
	}
	appendMembers(w, rest)
	w.Close('}')
	appendMark(w, t.Cache)
	o.end()
}

// choose reads tool_choice: a word, or an object that names a tool or several.
func (d *requestDecoder) choose(v value) error {
	c := &d.r.Choose
	*c = llm.ToolChoice{}
	if v.kind() == '"' {
		switch word := v.text(); word {
		case "auto", "none":
			c.Mode = llm.ChooseMode(word)
		case "required":
			c.Mode = llm.ChooseAny
		case "any": // Mistral's word
			c.Mode = llm.ChooseAny
			note(&c.Extra, noteAnyTool)
		default:
			c.Opaque = opaque(word, v)
		}
		return nil
	}
	if v.kind() != '{' {
		return &fault{want: "a string or an object"}
	}
	name, err := chosen(v)
	if err != nil {
		return err
	}
	switch {
	case name != "":
		*c = llm.ToolChoice{Mode: llm.ChooseTool, Name: name}
	case v.get("type").text() == "allowed_tools" && chooseAllowed(c, v.get("allowed_tools")):
	default:
		c.Opaque = opaque(v.get("type").text(), v)
	}
	return nil
}

// chosen returns the name in a choice of one function that says nothing else.
func chosen(v value) (string, error) {
	f := v.get("function")
	if typ := v.get("type"); typ.found() && typ.text() != "function" || f.kind() != '{' {
		return "", nil
	}
	name := f.get("name").text()
	if name == "" {
		return "", &fault{"function.name", "the name of a function"}
	}
	if v.size() != 2 || f.size() != 1 {
		return "", nil
	}
	return name, nil
}

// chooseAllowed reads a choice among some of the tools, all of them functions.
func chooseAllowed(c *llm.ToolChoice, v value) bool {
	var out llm.ToolChoice
	switch v.get("mode").text() {
	case "auto":
		out.Mode = llm.ChooseAuto
	case "required":
		out.Mode = llm.ChooseAny
	default:
		return false
	}
	plain := v.size() == 2
	err := v.get("tools").elems(func(_ int, t value) error {
		name, err := chosen(t)
		plain = plain && err == nil && name != ""
		out.Allowed = append(out.Allowed, name)
		return nil
	})
	if err != nil || !plain || len(out.Allowed) == 0 {
		return false
	}
	*c = out
	return true
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
	case c.Mode == llm.ChooseAny && noted(c.Extra, noteAnyTool):
		return "any"
	case c.Mode == llm.ChooseAny:
		return "required"
	}
	return string(c.Mode)
}

// decodeMark reads cache_control, which hosts of Anthropic's models take here as well.
func decodeMark(v value) (*llm.CacheMark, error) {
	var c llm.CacheMark
	kind := false
	err := v.fields(&c.Extra, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "type":
			kind = m.text() == "ephemeral"
			return kind, nil
		case "ttl":
			return optString(&c.TTL, m)
		}
		return false, nil
	})
	if _, said := c.Extra.Get("type"); !kind && !said {
		absent(&c.Extra, "type")
	}
	return &c, err
}

func appendMark(w *jsonw.Writer, c *llm.CacheMark) {
	if c == nil {
		return
	}
	w.Key("cache_control")
	o := begin(w, c.Extra)
	o.str("type", "ephemeral")
	o.optStr("ttl", c.TTL)
	o.end()
}
