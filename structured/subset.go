package structured

import (
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
)

// Without returns a schema less the words that a host refuses, and where they stood. A word may name the most
// that is taken: "minItems>1" takes a minItems of 0 and 1. What was taken out is told in the description of
// the part where it stood, so that the model knows of it still.
func Without(schema string, refused []string) (reduced string, removed []string) {
	if len(refused) == 0 {
		return schema, nil
	}
	c := cutter{refused: refused}
	c.schema(wire.Raw(schema))
	if len(c.removed) == 0 {
		return schema, nil
	}
	return c.w.String(), c.removed
}

// cutter writes a schema anew, less what is refused.
type cutter struct {
	w       jsonw.Writer
	refused []string
	path    []string
	removed []string
}

// schema writes a schema. What is no schema is written as it stands: data is not looked into.
func (c *cutter) schema(v wire.Value) {
	if v.Kind() != '{' {
		c.w.Raw(v.JSON())
		return
	}
	var told []string
	description := ""
	_ = v.Members(func(key []byte, m wire.Value) error { // the visit has no error to give
		if c.refuses(string(key), m) {
			told = append(told, string(key)+": "+clip(m.JSON()))
			c.removed = append(c.removed, strings.Join(append(slices.Clone(c.path), string(key)), "."))
		}
		if string(key) == "description" {
			description = m.Text()
		}
		return nil
	})
	c.w.Open('{')
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch {
		case c.refuses(string(key), m), string(key) == "description" && told != nil:
		default:
			c.member(string(key), m)
		}
		return nil
	})
	if told != nil {
		c.w.KeyStr("description", strings.TrimSpace(description+" ("+strings.Join(told, ", ")+")"))
	}
	c.w.Close('}')
}

// refuses reports whether the host refuses a word with this value.
func (c *cutter) refuses(word string, v wire.Value) bool {
	for _, r := range c.refused {
		name, most, bounded := strings.Cut(r, ">")
		if name != word {
			continue
		}
		if !bounded {
			return true
		}
		limit, err := strconv.ParseInt(most, 10, 64)
		n, notInt := v.Int()
		return err != nil || notInt != nil || n > limit
	}
	return false
}

func (c *cutter) member(key string, m wire.Value) {
	c.w.Key(key)
	c.path = append(c.path, key)
	defer func() { c.path = c.path[:len(c.path)-1] }()
	switch key {
	case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
		c.named(m)
	case "items", "not", "additionalProperties", "contains", "propertyNames", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties":
		if m.Kind() == '[' { // items, before 2020
			c.list(m)
			return
		}
		c.schema(m)
	case "anyOf", "allOf", "oneOf", "prefixItems":
		c.list(m)
	default:
		c.w.Raw(m.JSON())
	}
}

func (c *cutter) named(v wire.Value) {
	if v.Kind() != '{' {
		c.w.Raw(v.JSON())
		return
	}
	c.w.Open('{')
	_ = v.Members(func(key []byte, m wire.Value) error {
		c.w.Key(string(key))
		c.path = append(c.path, string(key))
		c.schema(m)
		c.path = c.path[:len(c.path)-1]
		return nil
	})
	c.w.Close('}')
}

func (c *cutter) list(v wire.Value) {
	if v.Kind() != '[' {
		c.w.Raw(v.JSON())
		return
	}
	c.w.Open('[')
	_ = v.Elems(func(i int, m wire.Value) error {
		c.path = append(c.path, strconv.Itoa(i))
		c.schema(m)
		c.path = c.path[:len(c.path)-1]
		return nil
	})
	c.w.Close(']')
}

// longestTold is how much of a value is told in a description.
const longestTold = 200

func clip(s string) string {
	if len(s) <= longestTold {
		return s
	}
	return strings.ToValidUTF8(s[:longestTold], "") + "..."
}
