package dialect

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
)

// ObjectSchema returns the schema of a tool's arguments as one of an object with properties, which vendors want of
// every tool. All else in it stays as it stood.
func ObjectSchema(schema string) string {
	v := wire.Raw(schema)
	if v.Kind() != '{' || v.Len() == 0 {
		return `{"type":"object","properties":{}}`
	}
	if p := v.Get("properties"); p.IsNull() {
		schema = schema[:p.Span().Start] + "{}" + schema[p.Span().End:]
	}
	if !v.Get("type").Found() {
		rest := schema[strings.IndexByte(schema, '{')+1:]
		schema = `{"type":"object",` + rest
	}
	return schema
}

// ClosedSchema reports whether a schema is one that hosts hold answers to exactly: in every object all members are
// required and no others are allowed. The dialects that have no word for it always do.
func ClosedSchema(v wire.Value) bool {
	closed := true
	switch v.Kind() {
	case '[':
		_ = v.Elems(func(_ int, el wire.Value) error { closed = closed && ClosedSchema(el); return nil })
	case '{':
		var properties, required, more wire.Value
		_ = v.Members(func(key []byte, m wire.Value) error {
			switch string(key) {
			case "properties":
				properties = m
			case "required":
				required = m
			case "additionalProperties":
				more = m
			}
			closed = closed && ClosedSchema(m)
			return nil
		})
		if properties.Kind() == '{' {
			closed = closed && more.Kind() == 'f' && required.Len() == properties.Len()
		}
	}
	return closed
}
