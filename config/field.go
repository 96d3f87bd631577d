package config

import (
	"reflect"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// field is one member of a declared struct, read from its tags.
type field struct {
	index    int
	name     string
	rest     bool // takes every member that no other field names
	required bool
	restart  bool
	enum     []string
	fallback string // the default, as it would be written
	min, max string // bounds, as they would be written
	scale    int64  // a price for this many units is meant where the rate counts one; 0 is 1
	doc      string
	typ      reflect.Type
}

// valueOf returns what a pointer to a struct points at, to be set.
func valueOf(p any) reflect.Value { return reflect.ValueOf(p).Elem() }

// fieldsOf reads the tags of a struct's declared members, in order.
func fieldsOf(t reflect.Type) []field {
	var fs []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, ok := sf.Tag.Lookup("conf")
		if !ok {
			continue
		}
		name, opt, _ := strings.Cut(name, ",")
		f := field{
			index: i, name: name, rest: opt == "rest", typ: sf.Type, doc: sf.Tag.Get("doc"),
			required: sf.Tag.Get("required") == "yes", restart: sf.Tag.Get("restart") == "yes",
			enum: strings.Fields(sf.Tag.Get("enum")), fallback: sf.Tag.Get("default"),
			min: sf.Tag.Get("min"), max: sf.Tag.Get("max"), scale: 1,
		}
		if sf.Tag.Get("scale") == "1000" {
			f.scale = 1000
		}
		fs = append(fs, f)
	}
	return fs
}

// isStruct reports whether a type is a declared struct, with members of its own: secrets, times and windows
// are written as one scalar.
func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[plenum.Secret]() && t != reflect.TypeFor[time.Time]() && t != reflect.TypeFor[plenum.Window]()
}

// setDefaults fills a struct, and the structs directly in it, with what an empty file would mean.
func setDefaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		if isStruct(f.typ) {
			setDefaults(fv)
		} else if f.fallback != "" {
			if err := setScalar(fv, f, f.fallback); err != nil {
				panic("config: default of " + f.name + ": " + err.Error())
			}
		}
	}
}

// names returns the names that a struct knows.
func names(fs []field) []string {
	var out []string
	for _, f := range fs {
		if !f.rest {
			out = append(out, f.name)
		}
	}
	return out
}
