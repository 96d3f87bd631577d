package openai

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Who signed or sealed a piece of reasoning is told by a format, as OpenRouter names them.
const (
	formatAnthropic = "anthropic-claude-v1"
	formatResponses = "openai-responses-v1"
	formatGemini    = "google-gemini-v1"
)

func originOf(format string) string {
	switch format {
	case formatAnthropic:
		return "anthropic"
	case formatResponses:
		return "responses"
	case formatGemini:
		return "gemini"
	}
	return format
}

func formatOf(origin string) string {
	switch origin {
	case "anthropic":
		return formatAnthropic
	case "responses":
		return formatResponses
	case "gemini":
		return formatGemini
	}
	return origin
}

// thoughts reads the reasoning of a message. Where it is told in detail, the same text in another field
// beside it is not told twice.
func (m *message) thoughts(l *blockList) error {
	var told []string
	if m.details.Kind() == '[' {
		err := m.details.Elems(func(i int, v wire.Value) error {
			t, at, err := decodeDetail(i, v)
			told = append(told, t.Text)
			l.add(t, at...)
			return err
		})
		if err != nil {
			return wire.Under(err, fieldDetails)
		}
		if len(told) == 0 {
			m.extra.Add(Name, fieldDetails, "[]")
		}
	} else if m.details.Found() {
		m.extra.Add(Name, fieldDetails, m.details.JSON())
	}
	said, have := strings.Join(told, ""), len(told) > 0
	for _, f := range []struct {
		name string
		v    wire.Value
	}{{fieldThought, m.thought}, {fieldReasoning, m.reasoning}} {
		text, isText := f.v.Text(), f.v.Kind() == '"'
		switch {
		case !f.v.Found():
		case !isText:
			m.extra.Add(Name, f.name, f.v.JSON())
		case text == "":
			m.extra.Note(Name, f.name+noteEmptyField)
		case have && text == said:
			m.extra.Note(Name, f.name+noteSameField)
			// What redacts the text must find it here too.
			l.also(f.v)
		case have:
			m.extra.Add(Name, f.name, f.v.JSON())
		default:
			said, have = text, true
			l.add(llm.Thought{Text: text, Field: f.name, Extra: llm.Extra{Dialect: Name}}, f.v)
		}
	}
	return nil
}

// also notes another place of the only block's text.
func (l *blockList) also(v wire.Value) {
	if l.record && len(l.at) == 1 {
		l.at[0] = append(l.at[0], v)
	}
}

// decodeDetail reads an item of reasoning_details: text or a summary, perhaps signed, or sealed data.
func decodeDetail(i int, v wire.Value) (llm.Thought, []wire.Value, error) {
	t := llm.Thought{Field: fieldDetails}
	var at wire.Value
	typ := ""
	err := v.Fields(Name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "type":
			typ = m.Text()
			return typ != "", nil
		case "text", "summary":
			if m.Kind() != '"' {
				return false, nil
			}
			if string(key) == "summary" {
				t.Extra.Note(Name, noteSummary)
			}
			at, t.Text = m, m.Text()
			return true, nil
		case "data":
			return m.StrTo(&t.Sealed)
		case "signature":
			return m.StrTo(&t.Signature)
		case "id":
			return m.StrTo(&t.Item)
		case "format":
			var word string
			known, err := m.StrTo(&word)
			t.Origin = originOf(word)
			return known, err
		case "index":
			n, err := m.Int()
			return err == nil && n == int64(i), nil
		}
		return false, nil
	})
	if err != nil {
		return t, nil, err
	}
	settleDetail(&t, typ, at.Found())
	var places []wire.Value
	if at.Found() {
		places = []wire.Value{at}
	}
	if v.Get("index").Kind() == 0 {
		t.Extra.Note(Name, "index")
	}
	return t, places, nil
}

// settleDetail notes what writing the item would not bring back by itself.
func settleDetail(t *llm.Thought, typ string, text bool) {
	if typ == "" {
		t.Extra.Note(Name, "type")
	} else if typ != detailType(*t) {
		t.Extra.Add(Name, "type", quote(typ))
	}
	if _, said := t.Extra.Get("text"); !text && !said {
		t.Extra.Note(Name, "text")
	}
}

func detailType(t llm.Thought) string {
	switch {
	case t.Extra.Noted(Name, noteSummary):
		return "reasoning.summary"
	case t.Sealed != "":
		return "reasoning.encrypted"
	}
	return "reasoning.text"
}

// appendDetail writes an item of reasoning_details.
func appendDetail(w *jsonw.Writer, t llm.Thought, index int) {
	o := wire.Begin(w, t.Extra.In(Name))
	o.Str("type", detailType(t))
	switch {
	case t.Extra.Noted(Name, noteSummary):
		w.KeyStr("summary", t.Text)
	case t.Sealed == "" || t.Text != "":
		o.Str("text", t.Text)
	}
	o.OptStr("data", t.Sealed)
	o.OptStr("signature", t.Signature)
	o.OptStr("id", t.Item)
	if t.Origin != "" {
		o.Str("format", formatOf(t.Origin))
	}
	o.Int("index", int64(index))
	o.End()
}

func quote(s string) string { return string(jsonw.AppendString(nil, s)) }
