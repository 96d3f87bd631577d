package openai

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
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
	if m.details.kind() == '[' {
		err := m.details.elems(func(i int, v value) error {
			t, at, err := decodeDetail(i, v)
			told = append(told, t.Text)
			l.add(t, at...)
			return err
		})
		if err != nil {
			return under(err, fieldDetails)
		}
		if len(told) == 0 {
			m.extra.Add(Name, fieldDetails, "[]")
		}
	} else if m.details.found() {
		m.extra.Add(Name, fieldDetails, m.details.raw())
	}
	said, have := strings.Join(told, ""), len(told) > 0
	for _, f := range []struct {
		name string
		v    value
	}{{fieldThought, m.thought}, {fieldReasoning, m.reasoning}} {
		text, isText := f.v.at.String(f.v.b)
		switch {
		case !f.v.found():
		case !isText:
			m.extra.Add(Name, f.name, f.v.raw())
		case text == "":
			note(&m.extra, f.name+noteEmptyField)
		case have && text == said:
			note(&m.extra, f.name+noteSameField)
			// What redacts the text must find it here too.
			l.also(f.v)
		case have:
			m.extra.Add(Name, f.name, f.v.raw())
		default:
			said, have = text, true
			l.add(llm.Thought{Text: text, Field: f.name, Extra: llm.Extra{Dialect: Name}}, f.v)
		}
	}
	return nil
}

// also notes another place of the only block's text.
func (l *blockList) also(v value) {
	if l.record && len(l.at) == 1 {
		l.at[0] = append(l.at[0], v)
	}
}

// decodeDetail reads an item of reasoning_details: text or a summary, perhaps signed, or sealed data.
func decodeDetail(i int, v value) (llm.Thought, []value, error) {
	t := llm.Thought{Field: fieldDetails}
	var at value
	typ := ""
	err := v.fields(&t.Extra, func(key []byte, m value) (known bool, err error) {
		switch string(key) {
		case "type":
			typ = m.text()
			return typ != "", nil
		case "text", "summary":
			if m.kind() != '"' {
				return false, nil
			}
			if string(key) == "summary" {
				note(&t.Extra, noteSummary)
			}
			at, t.Text = m, m.text()
			return true, nil
		case "data":
			return optString(&t.Sealed, m)
		case "signature":
			return optString(&t.Signature, m)
		case "id":
			return optString(&t.Item, m)
		case "format":
			var word string
			known, err := optString(&word, m)
			t.Origin = originOf(word)
			return known, err
		case "index":
			n, ok := m.at.Int(m.b)
			return ok && n == int64(i), nil
		}
		return false, nil
	})
	if err != nil {
		return t, nil, err
	}
	settleDetail(&t, typ, at.found())
	var places []value
	if at.found() {
		places = []value{at}
	}
	if v.get("index").kind() == 0 {
		absent(&t.Extra, "index")
	}
	return t, places, nil
}

// settleDetail notes what writing the item would not bring back by itself.
func settleDetail(t *llm.Thought, typ string, text bool) {
	if typ == "" {
		absent(&t.Extra, "type")
	} else if typ != detailType(*t) {
		t.Extra.Add(Name, "type", quote(typ))
	}
	if _, said := t.Extra.Get("text"); !text && !said {
		absent(&t.Extra, "text")
	}
}

func detailType(t llm.Thought) string {
	switch {
	case noted(t.Extra, noteSummary):
		return "reasoning.summary"
	case t.Sealed != "":
		return "reasoning.encrypted"
	}
	return "reasoning.text"
}

// appendDetail writes an item of reasoning_details.
func appendDetail(w *jsonw.Writer, t llm.Thought, index int) {
	o := begin(w, t.Extra)
	o.str("type", detailType(t))
	switch {
	case noted(t.Extra, noteSummary):
		w.KeyStr("summary", t.Text)
	case t.Sealed == "" || t.Text != "":
		o.str("text", t.Text)
	}
	o.optStr("data", t.Sealed)
	o.optStr("signature", t.Signature)
	o.optStr("id", t.Item)
	if t.Origin != "" {
		o.str("format", formatOf(t.Origin))
	}
	o.int("index", int64(index))
	o.end()
}

func quote(s string) string { return string(jsonw.AppendString(nil, s)) }
