// Package specs checks what is said in a dialect against its vendor's own description of it: OpenAPI documents,
// AWS's service models, xAI's protobufs. The descriptions are no part of the project: PLENUM_SPECS names the directory
// that holds them, and tests that need one are skipped where it is not there.
package specs

import (
	"cmp"
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

// Schema is a node of an OpenAPI document.
type Schema = map[string]any

// Spec is a vendor's own description of its API.
type Spec struct {
	Doc     Schema
	Schemas Schema
	// Lax lets members be absent that may be null: of answers vendors call all members required, and leave
	// many out.
	Lax bool
	// Strict takes members that the description does not have for faults, as most vendors do of requests.
	Strict bool
}

// directory is where the descriptions are.
func directory() string {
	if dir := os.Getenv("PLENUM_SPECS"); dir != "" {
		return dir
	}
	here, err := os.Getwd()
	if err != nil {
		return ""
	}
	for ; here != filepath.Dir(here); here = filepath.Dir(here) { // up to the root of the project
		if _, err := os.Stat(filepath.Join(here, "go.mod")); err == nil {
			return filepath.Join(here, "..", "shared", "specs")
		}
	}
	return ""
}

// Folder returns a folder among the descriptions, "" for all of them, and skips the test where it is not there.
func Folder(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(directory(), name)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) == 0 {
		absent(t, cmp.Or(name, "any"))
	}
	return dir
}

// absent skips a test for want of a description, but where PLENUM_SPECS names what is not there at all: that is a mistake.
func absent(t testing.TB, name string) {
	t.Helper()
	if dir := os.Getenv("PLENUM_SPECS"); dir != "" {
		if _, err := os.Stat(dir); err != nil {
			t.Fatalf("PLENUM_SPECS: %v", err)
		}
	}
	t.Skipf("no description of the vendor's API: PLENUM_SPECS names a directory without %s", name)
}

// read reads a file of a vendor's description, and skips the test where there is none: they are not ours to keep here.
func read(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(directory(), name))
	if err != nil {
		absent(t, name)
	}
	return raw
}

// Load reads a vendor's description, and skips the test where there is none.
func Load(t testing.TB, name string) *Spec {
	t.Helper()
	s := &Spec{}
	var err error
	if raw := read(t, name); strings.HasSuffix(name, ".json") {
		err = json.Unmarshal(raw, &s.Doc)
	} else {
		err = yaml.Unmarshal(raw, &s.Doc)
	}
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	components, _ := s.Doc["components"].(Schema)
	s.Schemas, _ = components["schemas"].(Schema)
	return s
}

// Body returns the schema of what is posted to a path.
func (s *Spec) Body(path string) Schema {
	at := func(v any, key string) any { return s.Node(v)[key] }
	body := at(at(at(s.Doc["paths"], path), "post"), "requestBody")
	return s.Node(at(at(at(body, "content"), "application/json"), "schema"))
}

// Node follows references.
func (s *Spec) Node(v any) Schema {
	n, _ := v.(Schema)
	for {
		ref, ok := n["$ref"].(string)
		if !ok {
			return n
		}
		n, _ = s.Schemas[ref[strings.LastIndexByte(ref, '/')+1:]].(Schema)
	}
}

// Parts returns a node and those that it is said to be all of.
func (s *Spec) Parts(v any) []Schema {
	n := s.Node(v)
	out := []Schema{n}
	all, _ := n["allOf"].([]any)
	for _, part := range all {
		out = append(out, s.Parts(part)...)
	}
	return out
}

// Either returns the alternatives of a node, or nil.
func Either(n Schema) []any {
	for _, key := range []string{"oneOf", "anyOf"} {
		if list, ok := n[key].([]any); ok {
			return list
		}
	}
	return nil
}

// Flat joins what a node says with what it is said to be all of.
func (s *Spec) Flat(v any) Schema {
	n := s.Node(v)
	all, ok := n["allOf"].([]any)
	if !ok {
		return n
	}
	out := maps.Clone(n)
	delete(out, "allOf")
	props := Schema{}
	var required []any
	join := func(part Schema) {
		for k, v := range part {
			switch k {
			case "properties":
				maps.Copy(props, v.(Schema))
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
		join(s.Flat(part))
	}
	delete(out, "allOf")
	if len(props) > 0 {
		out["properties"] = props
	}
	out["required"] = required
	return out
}

// Kinds returns the types that a node allows.
func Kinds(n Schema) []string {
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

// Check returns what is wrong with a value by a schema, "" where nothing is.
func (s *Spec) Check(at any, v any, path string) string {
	n := s.Flat(at)
	if v == nil && n["nullable"] == true {
		return ""
	}
	if list := Either(n); list != nil {
		return s.checkEither(n, list, v, path)
	}
	if c, ok := n["const"]; ok && !same(c, v) {
		return fmt.Sprintf("%s: %v is not %v", path, v, c)
	}
	if list, ok := n["enum"].([]any); ok && !slices.ContainsFunc(list, func(x any) bool { return same(x, v) }) {
		return fmt.Sprintf("%s: %v is not one of %v", path, v, list)
	}
	if ks := Kinds(n); ks != nil && !slices.ContainsFunc(ks, func(k string) bool { return isKind(k, v) }) {
		return fmt.Sprintf("%s: %v is no %v", path, brief(v), ks)
	}
	switch v := v.(type) {
	case Schema:
		return s.checkObject(n, v, path)
	case []any:
		for i, x := range v {
			if bad := s.Check(n["items"], x, path+"["+strconv.Itoa(i)+"]"); bad != "" {
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

func bound(n Schema, least, most string, v float64, path string) string {
	if x, ok := Number(n[least]); ok && v < x {
		return fmt.Sprintf("%s: %v is less than %v", path, v, x)
	}
	if x, ok := Number(n[most]); ok && v > x {
		return fmt.Sprintf("%s: %v is more than %v", path, v, x)
	}
	return ""
}

func (s *Spec) checkEither(n Schema, list []any, v any, path string) string {
	if o, ok := v.(Schema); ok {
		if d, ok := n["discriminator"].(Schema); ok {
			word := fmt.Sprint(o[fmt.Sprint(d["propertyName"])])
			if m, ok := d["mapping"].(Schema); ok {
				if ref, ok := m[word]; ok {
					return s.Check(Schema{"$ref": ref}, v, path)
				}
			}
		}
	}
	worst := ""
	for _, x := range list {
		bad := s.Check(x, v, path)
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

func (s *Spec) checkObject(n, v Schema, path string) string {
	required, _ := n["required"].([]any)
	props, _ := n["properties"].(Schema)
	for _, k := range required {
		if _, ok := v[fmt.Sprint(k)]; ok || s.Lax && (k == "caller" || s.Check(props[fmt.Sprint(k)], nil, path) == "") {
			continue
		}
		return fmt.Sprintf("%s: without %v", path, k)
	}
	for _, k := range slices.Sorted(maps.Keys(v)) {
		p, known := props[k]
		if known {
			if bad := s.Check(p, v[k], path+"."+k); bad != "" {
				return bad
			}
			continue
		}
		if n["additionalProperties"] == false || s.Strict && len(props) > 0 && n["additionalProperties"] == nil {
			return fmt.Sprintf("%s: %s is not known", path, k)
		}
		if _, ok := n["additionalProperties"].(Schema); ok {
			if bad := s.Check(n["additionalProperties"], v[k], path+"."+k); bad != "" {
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

// Number returns a number of a description.
func Number(v any) (float64, bool) {
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
	case Schema:
		return k == "object"
	}
	return false
}

// Ref refers to a schema by its name.
func Ref(name string) Schema { return Schema{"$ref": "#/components/schemas/" + name} }
