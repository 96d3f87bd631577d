package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// HiddenSecret stands for a secret in what is shown of an item.
const HiddenSecret = "(kept)"

// Specs returns the items that the file itself declares as JSON, in the words of the file: what is as it would be if
// it were left out is left out, and secrets are hidden.
func (n Noun) Specs(f *File) ([]json.RawMessage, error) {
	v := valueOf(f).Field(n.index)
	out := make([]json.RawMessage, 0, v.Len())
	for i := range n.Declared(f) {
		b, err := json.Marshal(said(v.Index(i), field{typ: n.typ}))
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", Item{List: n.List, Name: nameOf(v.Index(i))}, err)
		}
		out = append(out, b)
	}
	return out, nil
}

// said returns a value as it would be written.
func said(v reflect.Value, f field) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case plenum.Secret:
		return HiddenSecret
	case time.Duration:
		return x.String()
	case time.Time:
		return x.Format(time.RFC3339)
	case Size:
		return x.String()
	case plenum.Rate:
		return json.Number(plenum.Micros(int64(x) / f.scale).String())
	case plenum.Micros:
		return json.Number(x.String())
	case plenum.Tri:
		return x == plenum.Yes
	case plenum.Window:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Struct:
		return saidStruct(v)
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = said(v.Index(i), field{typ: v.Type().Elem(), scale: 1})
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = said(it.Value(), field{typ: v.Type().Elem(), scale: 1})
		}
		return out
	}
	return v.Interface()
}

func saidStruct(v reflect.Value) map[string]any {
	out := map[string]any{}
	usual := reflect.New(v.Type()).Elem()
	setDefaults(usual)
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		if empty := (fv.Kind() == reflect.Slice || fv.Kind() == reflect.Map) && fv.Len() == 0; empty || leftOut(fv, f) || reflect.DeepEqual(fv.Interface(), usual.Field(f.index).Interface()) {
			continue
		}
		value := said(fv, f)
		if inner, ok := value.(map[string]any); ok && f.rest {
			for name, one := range inner {
				out[name] = one
			}
			continue
		}
		if inner, ok := value.(map[string]any); ok && len(inner) == 0 && fv.Kind() == reflect.Struct {
			continue
		}
		out[f.name] = value
	}
	return out
}

// leftOut reports whether a field has no value, and could not be written so: what the program itself adds to a file has
// no defaults filled in.
func leftOut(v reflect.Value, f field) bool {
	switch v.Interface().(type) {
	case string:
		return v.Len() == 0
	case time.Duration:
		return v.IsZero() && setScalar(reflect.New(f.typ).Elem(), f, "0s") != nil
	}
	return false
}
