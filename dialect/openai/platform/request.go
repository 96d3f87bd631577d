package platform

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// MostName is how many letters a tool's name, a call's id and the name of an end user may have.
const MostName = 64

// FitUser returns a name for an end user that is taken. Agents of other dialects give long ones, made of characters
// that hosts refuse.
func FitUser(user string) string {
	if len(user) <= MostName {
		return user
	}
	return dialect.ToolNames{}.Fit(user, MostName)
}

// FitEffort returns the word for how hard to think, which is all that there is here, of what another dialect asked for:
// "" where it asked for nothing, or for none. Member is where the word is said.
func FitEffort(l *dialect.Losses, t *llm.Thinking, member string) string {
	word := t.Effort
	switch {
	case t.Mode == llm.ThinkOff:
		return "" // a model that always thinks cannot be told not to, and others do not
	case word == "max":
		word = "xhigh"
		l.Add("output_config.effort", "max is said as xhigh")
	case word != "":
	case t.Budget.Set:
		word = dialect.EffortOf(t.Budget.V)
		l.Add("thinking.budget_tokens", "said as "+member+" "+word)
	case t.Mode != llm.ThinkUnset:
		word = "medium"
	}
	return word
}

// FitChoice returns a choice of another dialect among the tools that can be said, in their names. One that is left
// without its tools is none.
func FitChoice(l *dialect.Losses, c llm.ToolChoice, tools []llm.Tool) llm.ToolChoice {
	if c.Opaque.Raw != "" {
		l.Add("tool_choice", strings.TrimSpace(c.Opaque.Type+" "+dialect.Foreign))
		c = llm.ToolChoice{}
	}
	if len(tools) == 0 {
		if c.Mode == llm.ChooseAny || c.Mode == llm.ChooseTool {
			l.Add("tool_choice", "there are no tools")
		}
		return llm.ToolChoice{}
	}
	fit := llm.ToolChoice{Mode: c.Mode, Name: dialect.ToolNames{}.Fit(c.Name, MostName)}
	if c.Mode == llm.ChooseTool && !slices.ContainsFunc(tools, func(t llm.Tool) bool { return t.Name == fit.Name }) {
		l.Add("tool_choice", "the tool chosen cannot be said")
		return llm.ToolChoice{}
	}
	if choosesAll(c.Allowed, tools) { // which hosts understand that know no choice among some
		return fit
	}
	for _, name := range c.Allowed {
		fit.Allowed = append(fit.Allowed, dialect.ToolNames{}.Fit(name, MostName))
	}
	return fit
}

// choosesAll reports whether a choice among some of the tools names them all.
func choosesAll(allowed []string, tools []llm.Tool) bool {
	return !slices.ContainsFunc(tools, func(t llm.Tool) bool { return !slices.Contains(allowed, t.Name) })
}

// ChooseAllowed reads a choice among some of the tools that says nothing else: members are those of the object, chosen
// the name in one of its tools, "" where it is none that can be chosen so.
func ChooseAllowed(v wire.Value, members int, chosen func(wire.Value) string) (c llm.ToolChoice, ok bool) {
	switch v.Get("mode").Text() {
	case "auto":
		c.Mode = llm.ChooseAuto
	case "required":
		c.Mode = llm.ChooseAny
	default:
		return c, false
	}
	plain := v.Len() == members
	err := v.Get("tools").Elems(func(_ int, t wire.Value) error {
		name := chosen(t)
		plain = plain && name != ""
		c.Allowed = append(c.Allowed, name)
		return nil
	})
	return c, err == nil && plain && len(c.Allowed) > 0
}

// FormatKind returns the shape of an answer that a type of format stands for, if it is a known one.
func FormatKind(typ string) llm.FormatKind {
	switch typ {
	case "text":
		return llm.FormatText
	case "json_object":
		return llm.FormatJSON
	case "json_schema":
		return llm.FormatSchema
	}
	return llm.FormatUnset
}

// FormatMember reads a member of the object that holds a schema for the answer.
func FormatMember(f *llm.Format, key string, m wire.Value) (known bool, err error) {
	switch key {
	case "name":
		return m.StrTo(&f.Name)
	case "description":
		return m.StrTo(&f.Description)
	case "schema":
		f.Schema = m.JSON()
	case "strict":
		err = m.BoolTo(&f.Strict)
	default:
		return false, nil
	}
	return true, err
}
