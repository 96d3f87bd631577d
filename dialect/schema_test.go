package dialect_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
)

func TestTheSchemaOfAToolIsOfAnObject(t *testing.T) {
	const none = `{"type":"object","properties":{}}`
	for schema, want := range map[string]string{
		"": none, "  ": none, "null": none, "{}": none, "[]": none, "{": none, `"x"`: none,
		`{"type":"object","properties":null}`:           none,
		` {"properties":null}`:                          none,
		`{"properties":{"a":{}}}`:                       `{"type":"object","properties":{"a":{}}}`,
		`{"title":"a","title":"b"}`:                     `{"type":"object","title":"a","title":"b"}`,
		`{"type":"object","properties":{"a":{}},"x":1}`: `{"type":"object","properties":{"a":{}},"x":1}`,
		`{"type":"object","type":"object","x":1}`:       `{"type":"object","type":"object","x":1}`,
	} {
		if got := dialect.ObjectSchema(schema); got != want {
			t.Errorf("%s: %s, want %s", schema, got, want)
		}
	}
}

func TestASchemaIsClosedWhereEveryObjectIs(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"type":"string"}`: true,
		`{"properties":{"a":{}},"required":["a"],"additionalProperties":false}`: true,
		`{"properties":{"a":{}},"additionalProperties":false}`:                  false,
		`{"properties":{"a":{}},"required":["a"]}`:                              false,
		`{"anyOf":[{"properties":{"a":{}}}]}`:                                   false,
	} {
		if got := dialect.ClosedSchema(wire.Raw(schema)); got != want {
			t.Errorf("%s: %v", schema, got)
		}
	}
}
