package specs

import (
	"encoding/json"
	"testing"
)

// Smithy reads a service's description in AWS's own form, as one of schemas, and skips the test where there is none.
func Smithy(t testing.TB, name string) *Spec {
	t.Helper()
	raw := read(t, name)
	var doc struct{ Shapes map[string]shape }
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	s := &Spec{Schemas: Schema{}}
	for name, sh := range doc.Shapes {
		s.Schemas[name] = sh.schema()
	}
	return s
}

// shape is one of AWS's.
type shape struct {
	Type            string
	Document, Union bool
	Required        []string
	Members         map[string]struct{ Shape, Location string }
	Member, Value   struct{ Shape string }
	Enum            []any
	Pattern         string
	Min, Max        *float64
}

func (s shape) schema() Schema {
	out := Schema{}
	limit := func(least, most string) {
		if s.Min != nil {
			out[least] = *s.Min
		}
		if s.Max != nil {
			out[most] = *s.Max
		}
	}
	switch s.Type {
	case "structure":
		if s.Document {
			return out // any JSON
		}
		props, required := Schema{}, []any{}
		for k, m := range s.Members {
			if m.Location == "" {
				props[k] = Ref(m.Shape)
			}
		}
		for _, k := range s.Required {
			if props[k] != nil {
				required = append(required, k)
			}
		}
		out["type"], out["properties"], out["required"], out["additionalProperties"] = "object", props, required, false
	case "list":
		out["type"], out["items"] = "array", Ref(s.Member.Shape)
		limit("minItems", "maxItems")
	case "map":
		out["type"], out["additionalProperties"] = "object", Ref(s.Value.Shape)
	case "string", "blob":
		out["type"] = "string"
		if s.Enum != nil {
			out["enum"] = s.Enum
		}
		if s.Pattern != "" {
			out["pattern"] = "^(?:" + s.Pattern + ")$"
		}
		if s.Type == "string" {
			limit("minLength", "maxLength")
		}
	case "boolean":
		out["type"] = "boolean"
	case "integer", "long":
		out["type"] = "integer"
		limit("minimum", "maximum")
	default:
		out["type"] = "number"
		limit("minimum", "maximum")
	}
	return out
}
