package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// spaced returns the name of a tool in a namespace as other dialects know it, which have no such.
func spaced(space, name string) string {
	if space == "" {
		return name
	}
	return space + "__" + name
}

// namespace reads a namespace: each tool in it becomes one of the request, with the namespace in its name. The
// first bears the note of how it all stood. One in which something is no function is carried whole.
func (d *requestDecoder) namespace(v wire.Value) bool {
	space := v.Get("name").Text()
	inner := v.Get("tools")
	if space == "" || inner.Kind() != '[' || inner.Len() == 0 {
		return false
	}
	from := len(d.r.Tools)
	err := inner.Elems(d.tool)
	fits := err == nil
	for i := from; fits && i < len(d.r.Tools); i++ {
		t := &d.r.Tools[i]
		_, odd := told(t.Extra, noteAs)
		fits = t.Kind == llm.ToolFunction && !odd
		tell(&t.Extra, "namespace", quote(space))
		t.Name = spaced(space, t.Name)
		if i == from {
			tell(&t.Extra, noteAs, v.JSON())
			if s := v.Get("description").Text(); s != "" && !strings.HasPrefix(t.Description, s) {
				t.Extra.Add(Name, "namespace.description", quote(s))
			}
		} else {
			t.Extra.Note(Name, noteElsewhere)
		}
	}
	if !fits {
		d.r.Tools = d.r.Tools[:from]
	}
	return fits
}

// form is how a call of a tool is said to the caller.
type form struct {
	custom      bool // its argument is free text
	client      *clientTool
	space, name string // of a tool in a namespace
}

// forms returns how calls of the tools of a request are said, where that is not as calls of functions.
func forms(r *llm.Request) map[string]form {
	if r == nil {
		return nil
	}
	out := map[string]form{}
	for _, t := range r.Tools {
		if t.Extra.Dialect != Name || t.Kind != llm.ToolFunction {
			continue
		}
		f := form{custom: t.Extra.Noted(Name, noteCustom)}
		if raw, ok := told(t.Extra, "namespace"); ok {
			f.space = wire.Raw(raw).Text()
			f.name = strings.TrimPrefix(t.Name, spaced(f.space, ""))
		} else if _, ok := told(t.Extra, noteAs); ok {
			f.client = clientToolBy(func(c *clientTool) bool { return c.tool == t.Name })
		}
		if f != (form{}) {
			out[t.Name] = f
		}
	}
	return out
}

// inSpace puts the namespace of a call into its name, as that of the tool is known elsewhere.
func inSpace(b llm.ToolUse) llm.ToolUse {
	raw, ok := b.Extra.Get("namespace")
	space := wire.Raw(raw).Text()
	if !ok || space == "" || b.Extra.Dialect != Name {
		return b
	}
	kept := llm.Extra{Dialect: Name}
	for _, f := range b.Extra.Fields {
		if f.Key != "namespace" || f.Raw == "" {
			kept.Fields = append(kept.Fields, f)
		}
	}
	b.Extra, b.Name = kept, spaced(space, b.Name)
	tell(&b.Extra, "namespace", raw)
	return b
}
