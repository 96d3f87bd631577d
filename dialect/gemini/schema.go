package gemini

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
)

// toJSONSchema returns a Schema of the API as a JSON Schema: types in lower case, null as a type of its
// own, counts as numbers. The order of properties is the one that propertyOrdering asks for.
func toJSONSchema(v wire.Value) string {
	var w jsonw.Writer
	jsonSchema(&w, v)
	return w.String()
}

func jsonSchema(w *jsonw.Writer, v wire.Value) {
	if v.Kind() != '{' {
		w.Raw(v.JSON())
		return
	}
	w.Open('{')
	nullable, _ := v.Get("nullable").Bool()
	_ = v.Members(func(raw []byte, m wire.Value) error { // the visit has no error to give
		switch key := camel(string(raw)); key {
		case "type":
			jsonType(w, m, nullable)
		case "properties":
			w.KeyOpen(key, '{')
			jsonProperties(w, m, v)
			w.Close('}')
		case "items", "additionalProperties":
			w.Key(key)
			jsonSchema(w, m)
		case "anyOf", "oneOf", "allOf", "prefixItems":
			jsonSchemas(w, key, m)
		case "nullable", "propertyOrdering":
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			n, _ := number(m)
			w.KeyRaw(key, n.JSON())
		case "example":
			w.KeyOpen("examples", '[')
			w.Raw(m.JSON())
			w.Close(']')
		case "format":
			if !m.Is("enum") {
				w.KeyRaw(key, m.JSON())
			}
		case "enum":
			jsonEnum(w, m, nullable)
		case "defs", "ref":
			w.KeyRaw("$"+key, m.JSON())
		default:
			w.KeyRaw(string(raw), m.JSON())
		}
		return nil
	})
	w.Close('}')
}

func jsonType(w *jsonw.Writer, m wire.Value, nullable bool) {
	word := typeWord(m)
	switch {
	case word == "":
	case nullable && word != "null":
		w.KeyOpen("type", '[')
		w.Str(word)
		w.Str("null")
		w.Close(']')
	case m.Kind() == '[':
		w.KeyRaw("type", m.JSON())
	default:
		w.KeyStr("type", word)
	}
}

// typeWord returns the name of a type, which may be said by its number.
func typeWord(m wire.Value) string {
	if n, err := m.Int(); err == nil {
		words := [...]string{"", "string", "number", "integer", "boolean", "array", "object", "null"}
		if n > 0 && n < int64(len(words)) {
			return words[n]
		}
		return ""
	}
	if m.Kind() == '[' {
		return "list"
	}
	word := strings.ToLower(m.Text())
	if word == "type_unspecified" {
		return ""
	}
	return word
}

func jsonProperties(w *jsonw.Writer, properties, schema wire.Value) {
	order := schema.Get("propertyOrdering")
	if order.Kind() != '[' {
		order = schema.Get("property_ordering")
	}
	said := map[string]bool{}
	if order.Kind() == '[' && properties.Kind() == '{' {
		_ = order.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
			name := el.Text()
			if m := properties.Get(name); m.Found() && !said[name] {
				said[name] = true
				w.Key(name)
				jsonSchema(w, m)
			}
			return nil
		})
	}
	_ = properties.Members(func(key []byte, m wire.Value) error {
		if name := string(key); !said[name] {
			said[name] = true
			w.Key(name)
			jsonSchema(w, m)
		}
		return nil
	})
}

func jsonSchemas(w *jsonw.Writer, key string, m wire.Value) {
	if m.Kind() != '[' {
		w.KeyRaw(key, m.JSON())
		return
	}
	w.KeyOpen(key, '[')
	_ = m.Elems(func(_ int, el wire.Value) error { jsonSchema(w, el); return nil })
	w.Close(']')
}

func jsonEnum(w *jsonw.Writer, m wire.Value, nullable bool) {
	if m.Kind() != '[' || !nullable {
		w.KeyRaw("enum", m.JSON())
		return
	}
	w.KeyOpen("enum", '[')
	null := false
	_ = m.Elems(func(_ int, el wire.Value) error {
		null = null || el.IsNull()
		w.Raw(el.JSON())
		return nil
	})
	if !null {
		w.Null()
	}
	w.Close(']')
}

// subset says a JSON Schema as a Schema of the API, which knows less: references are put where they point
// to, alternatives become anyOf, a constant an enumeration of one, null the member nullable. What has no word
// is named.
type subset struct {
	*losses
	root wire.Value
	open map[string]bool // references being put in, for one may point to itself
}

// toSchema returns a JSON Schema as a Schema of the API.
func (l *losses) toSchema(schema, path string) string {
	v := wire.Raw(schema)
	s := subset{losses: l, root: v, open: map[string]bool{}}
	var w jsonw.Writer
	s.write(&w, v, path, false)
	return w.String()
}

// deepest bounds how deep a schema is followed through its references.
const deepest = 32

func (s *subset) write(w *jsonw.Writer, v wire.Value, path string, nullable bool) {
	if v.Kind() != '{' { // true and false: anything
		w.Raw(`{}`)
		return
	}
	if ref := v.Get("$ref"); ref.Kind() == '"' {
		s.reference(w, ref.Text(), path, nullable)
		return
	}
	if all := v.Get("allOf"); all.Kind() == '[' && all.Len() == 1 && !v.Get("properties").Found() {
		s.write(w, all.Get("0"), path, nullable)
		return
	}
	w.Open('{')
	typ, null := schemaType(v)
	nullable = nullable || null
	alternatives, null := s.alternatives(v)
	nullable = nullable || null
	if len(alternatives) == 1 && typ == "" {
		s.members(w, alternatives[0], path, "", "")
		typ, null = schemaType(alternatives[0])
		nullable = nullable || null
	}
	if typ != "" {
		w.KeyStr("type", typ)
	}
	if nullable {
		w.KeyBool("nullable", true)
	}
	s.members(w, v, path, "anyOf", "oneOf")
	if len(alternatives) > 1 {
		w.KeyOpen("anyOf", '[')
		for i, a := range alternatives {
			s.write(w, a, path+".anyOf["+itoa(i)+"]", false)
		}
		w.Close(']')
	}
	w.Close('}')
}

// reference puts in what a reference points to. One that leads back to itself becomes an object of any
// shape, and is named.
func (s *subset) reference(w *jsonw.Writer, ref, path string, nullable bool) {
	target := s.root
	rest, ok := strings.CutPrefix(ref, "#")
	for _, key := range strings.Split(strings.TrimPrefix(rest, "/"), "/") {
		if key != "" {
			target = target.Get(strings.NewReplacer("~1", "/", "~0", "~").Replace(key))
		}
	}
	if !ok || !target.Found() || s.open[ref] || len(s.open) >= deepest {
		s.Add(path+".$ref", "said as any object")
		w.Raw(`{"type":"OBJECT"}`)
		return
	}
	s.open[ref] = true
	s.write(w, target, path, nullable)
	delete(s.open, ref)
}

// schemaType returns the type of a schema in the words of the API, and whether it may be null. Of several
// types the first counts.
func schemaType(v wire.Value) (typ string, nullable bool) {
	t := v.Get("type")
	switch t.Kind() {
	case '"':
		typ = strings.ToUpper(t.Text())
	case '[':
		_ = t.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
			switch word := strings.ToUpper(el.Text()); {
			case word == "NULL":
				nullable = true
			case typ == "":
				typ = word
			}
			return nil
		})
	}
	if e := v.Get("enum", "0"); e.Found() && e.Kind() != '"' && e.Kind() != 'n' {
		return "STRING", nullable // an enumeration is of strings alone
	}
	if typ == "" {
		switch {
		case v.Get("properties").Found():
			typ = "OBJECT"
		case v.Get("items").Found():
			typ = "ARRAY"
		case v.Get("enum").Found(), v.Get("const").Kind() == '"':
			typ = "STRING"
		}
	}
	return typ, nullable
}

// alternatives returns the schemas of anyOf or oneOf, less null, and whether null was among them.
func (s *subset) alternatives(v wire.Value) (out []wire.Value, null bool) {
	for _, key := range [...]string{"anyOf", "oneOf"} {
		list := v.Get(key)
		if list.Kind() != '[' {
			continue
		}
		_ = list.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
			if el.Get("type").Is("null") {
				null = true
			} else {
				out = append(out, el)
			}
			return nil
		})
	}
	return out, null
}

// members writes the members that have a word, less those skipped.
func (s *subset) members(w *jsonw.Writer, v wire.Value, path string, skip ...string) {
	_ = v.Members(func(raw []byte, m wire.Value) error { // the visit has no error to give
		key := string(raw)
		for _, x := range skip {
			if key == x {
				return nil
			}
		}
		s.member(w, key, m, path+"."+key)
		return nil
	})
}

func (s *subset) member(w *jsonw.Writer, key string, m wire.Value, path string) {
	switch key {
	case "type", "$schema", "$id", "$defs", "definitions", "$comment", "$anchor":
	case "title", "description", "default", "pattern", "minimum", "maximum", "required":
		w.KeyRaw(key, m.JSON())
	case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
		w.KeyRaw(key, m.JSON())
	case "format":
		s.format(w, m, path)
	case "enum", "const":
		s.enum(w, key, m, path)
	case "items":
		w.Key(key)
		s.write(w, m, path, false)
	case "properties":
		if m.Kind() != '{' {
			return
		}
		w.KeyOpen(key, '{')
		_ = m.Members(func(name []byte, p wire.Value) error {
			w.Key(string(name))
			s.write(w, p, path+"."+string(name), false)
			return nil
		})
		w.Close('}')
	case "examples":
		if m.Kind() == '[' && m.Len() > 0 {
			w.KeyRaw("example", m.Get("0").JSON())
		}
	case "exclusiveMinimum", "exclusiveMaximum":
		if m.Kind() == '0' {
			s.Add(path, "said as a bound that is allowed")
			w.KeyRaw(map[bool]string{true: "minimum", false: "maximum"}[key == "exclusiveMinimum"], m.JSON())
		}
	case "additionalProperties":
		if m.Kind() != 't' {
			s.Add(path, "")
		}
	default:
		s.Add(path, "")
	}
}

// format lets the formats through that the API takes.
func (s *subset) format(w *jsonw.Writer, m wire.Value, path string) {
	switch m.Text() {
	case "float", "double", "int32", "int64", "enum", "date-time", "date", "time", "duration":
		w.KeyRaw("format", m.JSON())
	default:
		s.Add(path, "")
	}
}

// enum writes an enumeration, which is of strings alone.
func (s *subset) enum(w *jsonw.Writer, key string, m wire.Value, path string) {
	if key == "const" {
		if m.Kind() != '"' {
			s.Add(path, "only a string can be said")
			return
		}
		w.KeyOpen("enum", '[')
		w.Raw(m.JSON())
		w.Close(']')
		return
	}
	if m.Kind() != '[' {
		return
	}
	w.KeyOpen("enum", '[')
	_ = m.Elems(func(_ int, el wire.Value) error {
		switch el.Kind() {
		case '"':
			w.Raw(el.JSON())
		case 'n':
		default:
			s.Add(path, "values are said as strings")
			w.Raw(strconv.Quote(el.JSON()))
		}
		return nil
	})
	w.Close(']')
}
