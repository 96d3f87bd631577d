package gemini

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Media types that ask for a shape of the answer.
const (
	mimeText = "text/plain"
	mimeJSON = "application/json"
)

// config reads generationConfig.
func (d *requestDecoder) config(v wire.Value) error {
	var rest llm.Extra
	f := formatDecoder{rest: &rest}
	err := fields(v, &rest, func(key string, m wire.Value) (known bool, err error) {
		if known, err := f.member(key, m); known || err != nil {
			return known, err
		}
		return d.configMember(key, m, &rest)
	})
	if v.Kind() == '{' && v.Len() == 0 {
		rest.Note(Name, noteEmpty)
	}
	d.r.Output = f.settle()
	leave(&d.r.Extra, inConfig, rest)
	return err
}

func (d *requestDecoder) configMember(key string, m wire.Value, rest *llm.Extra) (known bool, err error) {
	r := d.r
	switch key {
	case "temperature":
		err = floatTo(m, rest, key, &r.Temperature)
	case "topP":
		err = floatTo(m, rest, key, &r.TopP)
	case "topK":
		// SDKs send it as a number with a fraction, which has no meaning.
		if n, _ := number(m); n.Kind() == '0' {
			if _, whole := n.Int(); whole != nil {
				return false, nil
			}
		}
		err = intTo(m, rest, key, &r.TopK)
	case "maxOutputTokens":
		err = intTo(m, rest, key, &r.MaxOut)
	case "candidateCount":
		err = intTo(m, rest, key, &r.N)
	case "presencePenalty":
		err = floatTo(m, rest, key, &r.PresencePenalty)
	case "frequencyPenalty":
		err = floatTo(m, rest, key, &r.FrequencyPenalty)
	case "logprobs":
		err = intTo(m, rest, key, &r.TopLogprobs)
	case "responseLogprobs":
		err = m.BoolTo(&r.Logprobs)
	case "seed":
		var n llm.Opt[int]
		err = intTo(m, rest, key, &n)
		r.Seed = llm.Some(int64(n.V))
	case "stopSequences":
		r.Stop = []string{}
		err = m.Elems(func(_ int, el wire.Value) error {
			s, err := el.Str()
			r.Stop = append(r.Stop, s)
			return err
		})
	case "thinkingConfig":
		err = d.thinking(m, rest)
	default:
		return false, nil
	}
	return true, err
}

// formatDecoder reads what shape the answer must have, which several members say together.
type formatDecoder struct {
	rest   *llm.Extra
	format llm.Format
	mime   string
}

func (f *formatDecoder) member(key string, m wire.Value) (known bool, err error) {
	switch key {
	case "responseMimeType":
		f.mime, err = m.Str()
		if f.mime != mimeText && f.mime != mimeJSON {
			return false, err
		}
		return true, err
	case "responseSchema":
		if m.Kind() != '{' || f.format.Schema != "" {
			return false, nil
		}
		f.format.Schema = toJSONSchema(m)
		wasWritten(f.rest, key, m)
		return true, nil
	case "responseJsonSchema", "_responseJsonSchema":
		if m.Kind() != '{' || f.format.Schema != "" {
			return false, nil
		}
		f.format.Schema = m.JSON()
		if key[0] == '_' {
			f.rest.Note(Name, noteUnderscore)
		}
		return true, nil
	}
	return false, nil
}

// Notes of how the shape of an answer was said.
const (
	noteUnderscore = "_responseJsonSchema"
	noteNoMime     = "no responseMimeType"
)

func (f *formatDecoder) settle() llm.Format {
	switch {
	case f.format.Schema != "":
		f.format.Kind = llm.FormatSchema
		switch f.mime {
		case mimeJSON:
		case mimeText:
			f.rest.Note(Name, noteWas+"responseMimeType "+quote(f.mime))
		default:
			f.rest.Note(Name, noteNoMime)
		}
	case f.mime == mimeJSON:
		f.format.Kind = llm.FormatJSON
	case f.mime == mimeText:
		f.format.Kind = llm.FormatText
	}
	if f.format.Kind != "" {
		f.format.Extra = home()
	}
	return f.format
}

// thinking reads how much to think and whether to show it. A budget of 0 is none, and -1 leaves it to the
// model.
func (d *requestDecoder) thinking(v wire.Value, outer *llm.Extra) error {
	t := &llm.Thinking{Extra: home()}
	var rest llm.Extra
	err := fields(v, &rest, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "thinkingBudget":
			if err = intTo(m, &rest, key, &t.Budget); err != nil {
				return false, err
			}
			switch {
			case t.Budget.V == 0:
				t.Mode, t.Budget = llm.ThinkOff, llm.Opt[int]{}
			case t.Budget.V < 0:
				if t.Budget.V != -1 {
					wasWritten(&rest, key, m)
				}
				t.Mode, t.Budget = llm.ThinkAdaptive, llm.Opt[int]{}
			default:
				t.Mode = llm.ThinkOn
			}
			return true, nil
		case "thinkingLevel":
			word := m.Text()
			t.Effort = strings.ToLower(word)
			switch t.Effort {
			case "minimal", "low", "medium", "high":
			default:
				t.Effort = ""
				return false, nil
			}
			if word != strings.ToUpper(word) {
				wasWritten(&rest, key, m)
			}
			return true, nil
		case "includeThoughts":
			show, err := m.Bool()
			t.Display = "omitted"
			if show {
				t.Display = "summarized"
			}
			return true, err
		}
		return false, nil
	})
	if v.Kind() == '{' && v.Len() == 0 {
		rest.Note(Name, noteEmpty)
	}
	d.r.Thinking = t
	leave(outer, "thinkingConfig", rest)
	return err
}
