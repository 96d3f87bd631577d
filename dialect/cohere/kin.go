package cohere

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// adopt takes over what the API's other version has its own words for and this one nearly the same.
func (e *requestEncoder) adopt(other string) {
	if e.r.Extra.Dialect != other {
		return
	}
	r := *e.r
	r.Extra = llm.Extra{Dialect: other}
	for _, f := range e.r.Extra.Fields {
		if kin, ok := kinOf(f); ok {
			e.kin = append(e.kin, kin)
		} else {
			r.Extra.Fields = append(r.Extra.Fields, f)
		}
	}
	e.r = &r
}

// kinOf returns a member of the one version as the other has it.
func kinOf(f llm.Field) (llm.Field, bool) {
	if f.Raw == "" {
		return f, false
	}
	v := wire.Raw(f.Raw)
	switch f.Key {
	case "safety_mode":
		return f, v.Kind() == '"'
	case "citation_quality":
		word := strings.ToUpper(v.Text())
		if word == "DISABLED" || v.JSON() == "false" {
			word = "OFF"
		}
		return llm.Field{Key: "citation_options", Raw: `{"mode":"` + word + `"}`}, citing(word)
	case "citation_options":
		word := strings.ToUpper(v.Get("mode").Text())
		if word == "DISABLED" {
			word = "OFF"
		}
		return llm.Field{Key: "citation_quality", Raw: `"` + word + `"`}, citing(word) && v.Len() == 1
	}
	return f, false
}

// citing knows the words for how citations are made.
func citing(word string) bool {
	switch word {
	case "ENABLED", "FAST", "ACCURATE", "OFF":
		return true
	}
	return false
}
