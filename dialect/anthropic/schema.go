package anthropic

import (
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
)

// SchemaRefuses returns the words of JSON Schema that the vendor refuses in the shape of an answer and in strict
// tools, as a host's traits name them.
func SchemaRefuses() []string {
	return []string{
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
		"minItems>1", "maxItems", "uniqueItems", "minProperties", "maxProperties",
	}
}

// closer closes the objects of a schema: the vendor refuses a shape for the answer in which an object
// leaves open what else it may hold.
type closer struct {
	w      jsonw.Writer
	closed bool // an object that said nothing about it was closed
	cut    bool // one that allows other members was
}

// schema writes a schema. What is no schema is written as it stands.
func (c *closer) schema(v wire.Value) {
	if v.Kind() != '{' {
		c.w.Raw(v.JSON())
		return
	}
	object := v.Get("type").Is("object") || v.Get("properties").Kind() == '{'
	c.w.Open('{')
	_ = v.Members(func(key []byte, m wire.Value) error { // the visit has no error to give
		c.member(string(key), m, object)
		return nil
	})
	if object && !v.Get("additionalProperties").Found() {
		c.closed = true
		c.w.KeyBool("additionalProperties", false)
	}
	c.w.Close('}')
}

func (c *closer) member(key string, m wire.Value, object bool) {
	c.w.Key(key)
	switch key {
	case "additionalProperties":
		if !object || m.Kind() == 'f' {
			c.w.Raw(m.JSON())
			return
		}
		c.cut = true
		c.w.Bool(false)
	case "properties", "$defs", "definitions":
		c.named(m)
	case "items", "not":
		c.schema(m)
	case "anyOf", "allOf", "oneOf", "prefixItems":
		c.list(m)
	default:
		c.w.Raw(m.JSON())
	}
}

func (c *closer) named(v wire.Value) {
	if v.Kind() != '{' {
		c.w.Raw(v.JSON())
		return
	}
	c.w.Open('{')
	_ = v.Members(func(key []byte, m wire.Value) error {
		c.w.Key(string(key))
		c.schema(m)
		return nil
	})
	c.w.Close('}')
}

func (c *closer) list(v wire.Value) {
	if v.Kind() != '[' {
		c.w.Raw(v.JSON())
		return
	}
	c.w.Open('[')
	_ = v.Elems(func(_ int, m wire.Value) error { c.schema(m); return nil })
	c.w.Close(']')
}
