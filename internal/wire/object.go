package wire

import (
	"slices"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// Object writes an object whose Extra wins: what stood on the wire in a shape that llm does not carry is
// said again as it stood, in place of what would be made up.
type Object struct {
	w    *jsonw.Writer
	kept []llm.Field
}

// Begin opens an object that keeps the given members. The key before it, where it needs one, has been
// written.
func Begin(w *jsonw.Writer, kept []llm.Field) Object {
	w.Open('{')
	return Object{w, kept}
}

// Free reports whether a key is still to be said. One that is only noted (see llm.Extra.Note) is not.
func (o Object) Free(key string) bool {
	for i := range o.kept {
		if o.kept[i].Key == key {
			return false
		}
	}
	return true
}

// Forget drops what was kept of a key, for a value that came to be known after it.
func (o *Object) Forget(key string) {
	if !o.Free(key) {
		o.kept = slices.DeleteFunc(slices.Clone(o.kept), func(f llm.Field) bool { return f.Key == key })
	}
}

// Str says a string.
func (o Object) Str(key, s string) {
	if o.Free(key) {
		o.w.KeyStr(key, s)
	}
}

// OptStr says a string that is not empty.
func (o Object) OptStr(key, s string) {
	if s != "" {
		o.Str(key, s)
	}
}

// Raw says a value that is JSON already.
func (o Object) Raw(key, json string) {
	if o.Free(key) {
		o.w.KeyRaw(key, json)
	}
}

// Int says a whole number.
func (o Object) Int(key string, n int64) {
	if o.Free(key) {
		o.w.KeyInt(key, n)
	}
}

// OptInt says a whole number that is set.
func (o Object) OptInt(key string, n llm.Opt[int]) {
	if n.Set {
		o.Int(key, int64(n.V))
	}
}

// OptFloat says a number that is set.
func (o Object) OptFloat(key string, f llm.Opt[float64]) {
	if f.Set && o.Free(key) {
		o.w.KeyFloat(key, f.V)
	}
}

// OptBool says true or false if it is set.
func (o Object) OptBool(key string, b llm.Opt[bool]) {
	if b.Set && o.Free(key) {
		o.w.KeyBool(key, b.V)
	}
}

// Open begins an inner object of which only some members are told; rest holds the others, as an object.
func (o Object) Open(key, rest string) {
	o.w.KeyOpen(key, '{')
	AppendMembers(o.w, rest)
}

// End says what was kept and closes the object.
func (o Object) End() {
	AppendFields(o.w, o.kept)
	o.w.Close('}')
}

// AppendFields writes members into the object being written. Notes are none.
func AppendFields(w *jsonw.Writer, fields []llm.Field) {
	for _, f := range fields {
		if f.Raw != "" {
			w.KeyRaw(f.Key, f.Raw)
		}
	}
}

// AppendMembers writes the members of an object that is JSON already into the object being written.
func AppendMembers(w *jsonw.Writer, json string) {
	if json == "" {
		return
	}
	v := Raw(json)
	if v.Kind() != '{' {
		return
	}
	// Visit has no error to give.
	_ = v.Members(func(key []byte, m Value) error {
		w.KeyRaw(string(key), m.JSON())
		return nil
	})
}

// Take returns a member of an Extra of the named dialect, and the Extra without it.
func Take(x llm.Extra, dialect, key string) (raw string, rest llm.Extra) {
	if _, ok := x.Get(key); !ok || x.Dialect != dialect {
		return "", x
	}
	rest = llm.Extra{Dialect: x.Dialect}
	for _, f := range x.Fields {
		if f.Key == key {
			raw = f.Raw
		} else {
			rest.Fields = append(rest.Fields, f)
		}
	}
	return raw, rest
}

// Leave keeps the members of an inner object that were not read as an object of their own, under its key.
func Leave(e *llm.Extra, key string, rest llm.Extra) {
	if len(rest.Fields) == 0 {
		return
	}
	var w jsonw.Writer
	Begin(&w, rest.Fields).End()
	e.Add(rest.Dialect, key, w.String())
}
