package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
)

// strict reads a body whose every member is known.
func strict(body []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return Invalid(wrong.Field, "is not what the description of this API says it is")
	}
	return fail(http.StatusUnprocessableEntity, "invalid", strings.TrimPrefix(err.Error(), "json: "))
}

// asJSON returns what cannot fail to be JSON.
func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// schemaOf returns the JSON Schema of what Go's own encoder makes of a value.
func schemaOf(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{"type": "object"}
	case reflect.TypeFor[netip.Prefix]():
		return map[string]any{"type": "string"}
	case reflect.TypeFor[catalog.Rate]():
		return map[string]any{"type": "number", "description": "US dollars"}
	case reflect.TypeFor[catalog.Price](): // it may have prices in it
		return map[string]any{"$ref": "#/components/schemas/Price"}
	case reflect.TypeFor[plenum.Micros]():
		return map[string]any{"type": "string", "description": "US dollars"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Struct:
		return structSchema(t)
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "string"}
}

func structSchema(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("json")
		if f.Anonymous && !ok {
			inner := structSchema(f.Type)
			for k, v := range inner["properties"].(map[string]any) {
				properties[k] = v
			}
			more, _ := inner["required"].([]string)
			required = append(required, more...)
			continue
		}
		name, opt, _ := strings.Cut(tag, ",")
		if !ok || name == "-" || !f.IsExported() {
			continue
		}
		properties[name] = schemaOf(f.Type)
		if !strings.Contains(opt, "omit") {
			required = append(required, name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if slices.Sort(required); len(required) > 0 {
		out["required"] = required
	}
	return out
}

// listSchema describes a page.
func listSchema(of map[string]any) map[string]any {
	return map[string]any{
		"type": "object", "required": []string{"data", "has_more"}, "additionalProperties": false,
		"properties": map[string]any{
			"data": map[string]any{"type": "array", "items": of}, "has_more": map[string]any{"type": "boolean"},
			"next": map[string]any{"type": "string", "description": "What to send as after for the next page."},
		},
	}
}

func resourceSchema(n config.Noun) map[string]any {
	out := schemaOf(reflect.TypeFor[Resource]())
	out["properties"].(map[string]any)["spec"] = map[string]any{"type": "object", "description": "What is declared of the " + n.One + "; secrets are \"(kept)\"."}
	return out
}

func keySchema() map[string]any { return schemaOf(reflect.TypeFor[Key]()) }

// optional lets all members of an object be left out.
func optional(schema map[string]any) map[string]any {
	delete(schema, "required")
	return schema
}

func newKeySchema() map[string]any {
	out := schemaOf(reflect.TypeFor[newKey]())
	out["required"] = []string{"name"}
	return out
}
