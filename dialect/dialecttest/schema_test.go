package dialecttest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// schema is a node of an OpenAPI document.
type schema = map[string]any

// spec is a vendor's own description of its API.
type spec struct {
	doc     schema
	schemas schema
	// lax lets members be absent that may be null: of answers vendors call all members required, and leave
	// many out.
	lax bool
}

// vendorSpec reads a vendor's description, and skips the test where there is none: they are not ours to
// keep here.
func vendorSpec(t *testing.T, name string) *spec {
	t.Helper()
	dir := os.Getenv("PLENUM_SPECS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "specs")
	}
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("no description of the vendor's API: PLENUM_SPECS names a directory without %s", name)
	}
	s := &spec{}
	if strings.HasSuffix(name, ".json") {
		err = json.Unmarshal(raw, &s.doc)
	} else {
		err = yaml.Unmarshal(raw, &s.doc)
	}
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	components, _ := s.doc["components"].(schema)
	s.schemas, _ = components["schemas"].(schema)
	return s
}

// node follows references.
func (s *spec) node(v any) schema {
	n, _ := v.(schema)
	for {
		ref, ok := n["$ref"].(string)
		if !ok {
			return n
		}
		n, _ = s.schemas[ref[strings.LastIndexByte(ref, '/')+1:]].(schema)
	}
}

// either returns the alternatives of a node, or nil.
func either(n schema) []any {
	for _, key := range []string{"oneOf", "anyOf"} {
		if list, ok := n[key].([]any); ok {
			return list
		}
	}
	return nil
}

// flat joins what a node says with what it is said to be all of.
func (s *spec) flat(v any) schema {
	n := s.node(v)
	all, ok := n["allOf"].([]any)
	if !ok {
		return n
	}
	out := maps.Clone(n)
	delete(out, "allOf")
	props := schema{}
	var required []any
	join := func(part schema) {
		for k, v := range part {
			switch k {
			case "properties":
				maps.Copy(props, v.(schema))
			case "required":
				required = append(required, v.([]any)...)
			default:
				if _, said := out[k]; !said {
					out[k] = v
				}
			}
		}
	}
	join(n)
	for _, part := range all {
		join(s.flat(part))
	}
	delete(out, "allOf")
	if len(props) > 0 {
		out["properties"] = props
	}
	out["required"] = required
	return out
}

func kinds(n schema) []string {
	switch k := n["type"].(type) {
	case string:
		return []string{k}
	case []any:
		var out []string
		for _, x := range k {
			out = append(out, fmt.Sprint(x))
		}
		return out
	}
	if n["properties"] != nil {
		return []string{"object"}
	}
	return nil
}

// check returns what is wrong with a value by a schema, "" where nothing is.
func (s *spec) check(at any, v any, path string) string {
	n := s.flat(at)
	if v == nil && n["nullable"] == true {
		return ""
	}
	if list := either(n); list != nil {
		return s.checkEither(n, list, v, path)
	}
	if c, ok := n["const"]; ok && !same(c, v) {
		return fmt.Sprintf("%s: %v is not %v", path, v, c)
	}
	if list, ok := n["enum"].([]any); ok && !slices.ContainsFunc(list, func(x any) bool { return same(x, v) }) {
		return fmt.Sprintf("%s: %v is not one of %v", path, v, list)
	}
	if ks := kinds(n); ks != nil && !slices.ContainsFunc(ks, func(k string) bool { return isKind(k, v) }) {
		return fmt.Sprintf("%s: %v is no %v", path, brief(v), ks)
	}
	switch v := v.(type) {
	case schema:
		return s.checkObject(n, v, path)
	case []any:
		for i, x := range v {
			if bad := s.check(n["items"], x, path+"["+strconv.Itoa(i)+"]"); bad != "" {
				return bad
			}
		}
		return bound(n, "minItems", "maxItems", float64(len(v)), path)
	case string:
		if p, ok := n["pattern"].(string); ok {
			if re, err := regexp.Compile(p); err == nil && !re.MatchString(v) {
				return fmt.Sprintf("%s: %s does not match %s", path, brief(v), p)
			}
		}
		return bound(n, "minLength", "maxLength", float64(len([]rune(v))), path)
	case float64:
		return bound(n, "minimum", "maximum", v, path)
	}
	return ""
}

func bound(n schema, least, most string, v float64, path string) string {
	if x, ok := number(n[least]); ok && v < x {
		return fmt.Sprintf("%s: %v is less than %v", path, v, x)
	}
	if x, ok := number(n[most]); ok && v > x {
		return fmt.Sprintf("%s: %v is more than %v", path, v, x)
	}
	return ""
}

func (s *spec) checkEither(n schema, list []any, v any, path string) string {
	if o, ok := v.(schema); ok {
		if d, ok := n["discriminator"].(schema); ok {
			word := fmt.Sprint(o[fmt.Sprint(d["propertyName"])])
			if m, ok := d["mapping"].(schema); ok {
				if ref, ok := m[word]; ok {
					return s.check(schema{"$ref": ref}, v, path)
				}
			}
		}
	}
	worst := ""
	for _, x := range list {
		bad := s.check(x, v, path)
		if bad == "" {
			return ""
		}
		// The fault that lies deepest is of the alternative that was meant, but not one of its very type.
		if worst == "" || depth(bad) >= depth(worst) {
			worst = bad
		}
	}
	return worst
}

// depth tells how deep a fault lies.
func depth(fault string) int {
	at, _, _ := strings.Cut(fault, ": ")
	n := 2 * strings.Count(at, ".")
	if strings.HasSuffix(at, ".type") || strings.HasSuffix(at, ".object") {
		n -= 3
	}
	return n
}

func (s *spec) checkObject(n, v schema, path string) string {
	required, _ := n["required"].([]any)
	props, _ := n["properties"].(schema)
	for _, k := range required {
		if _, ok := v[fmt.Sprint(k)]; ok || s.lax && (k == "caller" || s.check(props[fmt.Sprint(k)], nil, path) == "") {
			continue
		}
		return fmt.Sprintf("%s: without %v", path, k)
	}
	for _, k := range slices.Sorted(maps.Keys(v)) {
		p, known := props[k]
		if known {
			if bad := s.check(p, v[k], path+"."+k); bad != "" {
				return bad
			}
			continue
		}
		if n["additionalProperties"] == false {
			return fmt.Sprintf("%s: %s is not known", path, k)
		}
		if _, ok := n["additionalProperties"].(schema); ok {
			if bad := s.check(n["additionalProperties"], v[k], path+"."+k); bad != "" {
				return bad
			}
		}
	}
	return ""
}

func same(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func brief(v any) string {
	b, _ := json.Marshal(v)
	if len(b) > 80 {
		b = b[:80]
	}
	return string(b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func isKind(k string, v any) bool {
	switch v := v.(type) {
	case nil:
		return k == "null"
	case bool:
		return k == "boolean"
	case string:
		return k == "string"
	case float64:
		return k == "number" || k == "integer" && v == math.Trunc(v)
	case []any:
		return k == "array"
	case schema:
		return k == "object"
	}
	return false
}

// sampler makes values of a schema: the least that it allows, and for everything that it allows besides
// one that has it. Free strings are all different, so that each can be looked for.
type sampler struct {
	spec  *spec
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
	n := m.spec.flat(at)
	if depth > deepest {
		return nil
	}
	if c, ok := n["const"]; ok {
		return []sample{{c, ""}}
	}
	if v, ok := m.fixed[name]; ok && either(n) == nil {
		return []sample{{v, ""}}
	}
	if list, ok := n["enum"].([]any); ok {
		return m.words1(list)
	}
	if list := either(n); list != nil {
		var out []sample
		for _, x := range list {
			for _, s := range m.all(x, name, depth, within) {
				out = append(out, sample{s.value, label(m.spec, x) + s.what})
			}
		}
		return out
	}
	var out []sample
	for _, k := range kinds(n) {
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
func label(s *spec, at any) string {
	n := s.flat(at)
	props, _ := n["properties"].(schema)
	for _, key := range []string{"type", "role"} {
		p := s.flat(props[key])
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
		if x, ok := number(n["minimum"]); ok {
			v = max(v, x)
		}
		if x, ok := number(n["maximum"]); ok {
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
