package responses

import (
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// inputSchema is what other dialects are told of the argument of a custom tool.
const inputSchema = `{"type":"object","properties":{"input":{"type":"string","description":"The tool's whole input, as plain text."}},"required":["input"],"additionalProperties":false}`

// tool reads a tool. A custom one, whose argument is free text, becomes a function of one string: so every
// model can call it, and the encoder of the answer makes a custom call of that again. Others are the
// vendor's own, and are carried whole.
func (d *requestDecoder) tool(_ int, v wire.Value) error {
	if v.Kind() != '{' {
		return wire.Bad("", "an object")
	}
	kind := v.Get("type").Text()
	if d.clientTool(kind, v) || kind == "namespace" && d.namespace(v) {
		return nil
	}
	if kind != "function" && kind != "custom" {
		d.r.Tools = append(d.r.Tools, llm.Tool{Kind: llm.ToolHosted, Name: v.Get("name").Text(), Opaque: opaque(kind, v)})
		return nil
	}
	t := llm.Tool{Kind: llm.ToolFunction}
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			return true, nil
		case "name":
			t.Name, err = m.Str()
			return true, err
		case "description":
			if t.Description, err = m.Str(); t.Description == "" {
				tell(&t.Extra, "description", m.JSON())
			}
			return true, err
		case "parameters":
			t.Schema = m.JSON()
			return true, nil
		case "strict":
			return true, m.BoolTo(&t.Strict)
		case "format":
			if kind == "custom" && m.Len() == 1 && m.Get("type").Is("text") {
				tell(&t.Extra, "format", m.JSON())
				return true, nil
			}
		}
		return false, nil
	})
	if err == nil && t.Name == "" {
		err = wire.Bad("name", "the name of a tool")
	}
	if kind == "custom" {
		t.Schema = inputSchema
		t.Extra.Note(Name, noteCustom)
	}
	d.r.Tools = append(d.r.Tools, t)
	return err
}

// appendTool writes a tool of this dialect's.
func appendTool(w *jsonw.Writer, t llm.Tool) {
	if t.Kind != llm.ToolFunction {
		w.Raw(t.Opaque.Raw)
		return
	}
	if t.Extra.Noted(Name, noteElsewhere) {
		return
	}
	if raw, ok := told(t.Extra, noteAs); ok {
		w.Raw(raw)
		return
	}
	o := wire.Begin(w, retold(t.Extra))
	custom := t.Extra.Noted(Name, noteCustom)
	if custom {
		o.Str("type", "custom")
	} else {
		o.Str("type", "function")
	}
	o.Str("name", t.Name)
	o.OptStr("description", t.Description)
	if t.Schema != "" && !custom {
		o.Raw("parameters", t.Schema)
	}
	o.OptBool("strict", t.Strict)
	o.End()
}

// repeatTool writes a tool as answers repeat it: with all that a function may have, said or not.
func repeatTool(w *jsonw.Writer, t llm.Tool) {
	if t.Kind != llm.ToolFunction || t.Extra.Noted(Name, noteCustom) {
		appendTool(w, t)
		return
	}
	o := wire.Begin(w, retold(t.Extra))
	o.Str("type", "function")
	o.Str("name", t.Name)
	w.KeyStrOrNull("description", t.Description)
	if t.Schema != "" {
		o.Raw("parameters", t.Schema)
	} else {
		o.Raw("parameters", "null")
	}
	if t.Strict.Set {
		o.OptBool("strict", t.Strict)
	} else {
		o.Raw("strict", "null")
	}
	o.End()
}

// choose reads tool_choice: a word, or an object that names a tool or several.
func (d *requestDecoder) choose(v wire.Value) error {
	c := &d.r.Choose
	*c = llm.ToolChoice{}
	switch v.Kind() {
	case '"':
		switch word := v.Text(); word {
		case "auto", "none":
			c.Mode = llm.ChooseMode(word)
		case "required":
			c.Mode = llm.ChooseAny
		default:
			c.Opaque = opaque(word, v)
		}
		return nil
	case '{':
	default:
		return wire.Bad("", "a string or an object")
	}
	switch name, custom := chosen(v); {
	case name != "":
		*c = llm.ToolChoice{Mode: llm.ChooseTool, Name: name}
		if v.Len() == 1 {
			tell(&c.Extra, noteAs, v.JSON())
		}
		if custom {
			c.Extra.Note(Name, noteCustom)
		}
	case v.Get("type").Is("allowed_tools") && chooseAllowed(c, v):
	default:
		c.Opaque = opaque(v.Get("type").Text(), v)
	}
	return nil
}

// chosen returns the name in a choice of one tool that says nothing else.
func chosen(v wire.Value) (name string, custom bool) {
	if ct := clientToolBy(func(t *clientTool) bool { return v.Get("type").Is(t.tool) }); ct != nil && v.Len() == 1 {
		return ct.tool, false
	}
	custom = v.Get("type").Is("custom")
	if !custom && !v.Get("type").Is("function") || v.Len() != 2 {
		return "", false
	}
	return v.Get("name").Text(), custom
}

// chooseAllowed reads a choice among some of the tools, all of them functions.
func chooseAllowed(c *llm.ToolChoice, v wire.Value) bool {
	out, ok := platform.ChooseAllowed(v, 3, func(t wire.Value) string {
		name, custom := chosen(t)
		if custom || t.Len() == 1 {
			return ""
		}
		return name
	})
	if ok {
		*c = out
	}
	return ok
}

// appendChoice writes a tool_choice that is set.
func appendChoice(w *jsonw.Writer, c llm.ToolChoice) {
	raw, as := told(c.Extra, noteAs)
	switch {
	case as:
		w.Raw(raw)
	case c.Opaque.Raw != "":
		w.Raw(c.Opaque.Raw)
	case len(c.Allowed) > 0:
		w.Open('{')
		w.KeyStr("type", "allowed_tools")
		w.KeyStr("mode", choiceWord(c.Mode))
		w.KeyOpen("tools", '[')
		for _, name := range c.Allowed {
			appendChosen(w, "function", name)
		}
		w.Close(']')
		w.Close('}')
	case c.Mode == llm.ChooseTool && c.Extra.Noted(Name, noteCustom):
		appendChosen(w, "custom", c.Name)
	case c.Mode == llm.ChooseTool:
		appendChosen(w, "function", c.Name)
	default:
		w.Str(choiceWord(c.Mode))
	}
}

func appendChosen(w *jsonw.Writer, kind, name string) {
	w.Open('{')
	w.KeyStr("type", kind)
	w.KeyStr("name", name)
	w.Close('}')
}

func choiceWord(m llm.ChooseMode) string {
	if m == llm.ChooseAny {
		return "required"
	}
	return string(m)
}
