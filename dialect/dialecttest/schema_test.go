package dialecttest_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"

	"github.com/plenum-foundry/plenum/test/specs"
)

// schema is a node of a description.
type schema = specs.Schema

// sampler makes values of a schema: the least that it allows, and for everything that it allows besides
// one that has it. Free strings are all different, so that each can be looked for.
type sampler struct {
	spec  *specs.Spec
	words int
	// fixed gives the value of a member by its name, where any that the schema allows would not do.
	fixed map[string]any
}

// sample is a value, and what is in it beyond the least.
type sample struct {
	value any
	what  string
}

const deepest = 12

// all returns the samples of a node; the first is the least.
func (m *sampler) all(at any, name string, depth int, within map[string]int) []sample {
	if n, ok := at.(schema); ok {
		if ref, ok := n["$ref"].(string); ok {
			if within[ref] >= 1 {
				return nil
			}
			within = maps.Clone(within)
			within[ref]++
		}
	}
	n := m.spec.Flat(at)
	if depth > deepest {
		return nil
	}
	if c, ok := n["const"]; ok {
		return []sample{{c, ""}}
	}
	if v, ok := m.fixed[name]; ok && specs.Either(n) == nil {
		return []sample{{v, ""}}
	}
	if list, ok := n["enum"].([]any); ok {
		return m.words1(list)
	}
	if list := specs.Either(n); list != nil {
		var out []sample
		for _, x := range list {
			for _, s := range m.all(x, name, depth, within) {
				out = append(out, sample{s.value, label(m.spec, x) + s.what})
			}
		}
		return out
	}
	var out []sample
	for _, k := range specs.Kinds(n) {
		out = append(out, m.kind(k, n, name, depth, within)...)
	}
	return out
}

func (m *sampler) words1(list []any) []sample {
	var out []sample
	for _, x := range list {
		if x != nil {
			out = append(out, sample{x, "=" + fmt.Sprint(x)})
		}
	}
	return out
}

// label names an alternative by its type.
func label(s *specs.Spec, at any) string {
	n := s.Flat(at)
	props, _ := n["properties"].(schema)
	for _, key := range []string{"type", "role"} {
		p := s.Flat(props[key])
		if c, ok := p["const"]; ok {
			return fmt.Sprintf("<%v>", c)
		}
		if e, ok := p["enum"].([]any); ok && len(e) == 1 {
			return fmt.Sprintf("<%v>", e[0])
		}
	}
	return ""
}

func (m *sampler) kind(k string, n schema, name string, depth int, within map[string]int) []sample {
	switch k {
	case "boolean":
		return []sample{{true, "=true"}, {false, "=false"}}
	case "integer", "number":
		v := 1.0
		if x, ok := specs.Number(n["minimum"]); ok {
			v = max(v, x)
		}
		if x, ok := specs.Number(n["maximum"]); ok {
			v = min(v, x)
		}
		return []sample{{v, ""}}
	case "string":
		return []sample{{m.word(n), ""}}
	case "array":
		var out []sample
		for _, s := range m.all(n["items"], "", depth+1, within) {
			out = append(out, sample{[]any{s.value}, "[]" + s.what})
		}
		if len(out) == 0 {
			out = []sample{{[]any{}, ""}}
		}
		return out
	case "object":
		return m.object(n, depth, within)
	}
	return nil
}

func (m *sampler) word(n schema) string {
	m.words++
	w := fmt.Sprintf("w%04dx", m.words)
	switch n["format"] {
	case "uri":
		return "https://example.com/" + w
	case "byte":
		return base64.StdEncoding.EncodeToString([]byte(w))
	case "date-time":
		return "2026-01-01T00:00:00Z"
	}
	return w
}

func (m *sampler) object(n schema, depth int, within map[string]int) []sample {
	props, _ := n["properties"].(schema)
	required := map[string]bool{}
	list, _ := n["required"].([]any)
	for _, k := range list {
		required[fmt.Sprint(k)] = true
	}
	base := schema{}
	more := map[string][]sample{}
	for _, k := range slices.Sorted(maps.Keys(props)) {
		of := m.all(props[k], k, depth+1, within)
		if len(of) == 0 {
			if required[k] {
				return nil
			}
			continue
		}
		if required[k] {
			base[k] = of[0].value
			more[k] = of[1:]
		} else {
			more[k] = of
		}
	}
	if len(props) == 0 && n["additionalProperties"] != false {
		base[m.word(schema{})] = m.word(schema{})
	}
	out := []sample{{base, ""}}
	for _, k := range slices.Sorted(maps.Keys(more)) {
		for _, s := range more[k] {
			v := maps.Clone(base)
			v[k] = s.value
			out = append(out, sample{v, "." + k + s.what})
		}
	}
	return out
}
