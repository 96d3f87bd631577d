package openai

import (
	"errors"
	"strconv"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// value is a JSON value where it stands. Nothing is read of it before it is asked for.
type value struct {
	b  []byte
	at splice.Span
}

func whole(b []byte) value { return value{b, splice.Whole(b)} }

func (v value) kind() byte   { return v.at.Kind(v.b) }
func (v value) raw() string  { return string(v.at.Raw(v.b)) }
func (v value) isNull() bool { return v.kind() == 'n' }
func (v value) found() bool  { return v.at.Found() }

// get returns the value at a path, or the zero value.
func (v value) get(path ...string) value {
	at, _ := splice.Get(v.b, v.at, path...)
	return value{v.b, at}
}

func (v value) str() (string, error) {
	s, ok := v.at.String(v.b)
	if !ok {
		return "", &fault{want: "a string"}
	}
	return s, nil
}

// text returns a string, and "" for anything else.
func (v value) text() string {
	s, _ := v.at.String(v.b)
	return s
}

func (v value) integer() (int64, error) {
	n, ok := v.at.Int(v.b)
	if !ok {
		return 0, &fault{want: "a whole number"}
	}
	return n, nil
}

// count returns a number of things: whole and not negative, 0 for anything else.
func (v value) count() int64 {
	n, _ := v.at.Int(v.b)
	return max(n, 0)
}

func (v value) number() (float64, error) {
	f, err := strconv.ParseFloat(v.raw(), 64)
	if err != nil || v.kind() != '0' {
		return 0, &fault{want: "a number"}
	}
	return f, nil
}

func (v value) boolean() (bool, error) {
	b, ok := v.at.Bool(v.b)
	if !ok {
		return false, &fault{want: "true or false"}
	}
	return b, nil
}

// members calls visit with each member of an object. The key is good until visit returns; an error of
// visit comes back with the key in front of its path.
func (v value) members(visit func(key []byte, m value) error) error {
	if v.kind() != '{' {
		return &fault{want: "an object"}
	}
	return splice.Walk(v.b, v.at, func(key []byte, m splice.Member) error {
		if err := visit(key, value{v.b, m.Value}); err != nil {
			return under(err, string(key))
		}
		return nil
	})
}

// fields calls visit with each member of an object that has a value. What visit does not know, and what
// is null, goes to extra as it stood.
func (v value) fields(extra *llm.Extra, visit func(key []byte, m value) (known bool, err error)) error {
	extra.Dialect = Name
	return v.members(func(key []byte, m value) error {
		if !m.isNull() {
			known, err := visit(key, m)
			if known || err != nil {
				return err
			}
		}
		extra.Add(Name, string(key), m.raw())
		return nil
	})
}

// most bounds how many members that nobody knows are kept apart by key.
const most = 256

// keepRaw adds a member, or says one anew that is there already.
func keepRaw(e *llm.Extra, key, raw string) {
	if len(e.Fields) > most {
		return
	}
	for i := range e.Fields {
		if e.Fields[i].Key == key {
			e.Fields[i].Raw = raw
			return
		}
	}
	e.Add(Name, key, raw)
}

func (v value) elems(visit func(i int, el value) error) error {
	if v.kind() != '[' {
		return &fault{want: "a list"}
	}
	return splice.Elems(v.b, v.at, func(i int, el splice.Span) error {
		if err := visit(i, value{v.b, el}); err != nil {
			return under(err, "["+strconv.Itoa(i)+"]")
		}
		return nil
	})
}

// size returns how many elements a list or members an object has.
func (v value) size() int {
	n := 0
	switch v.kind() {
	case '[':
		_ = v.elems(func(int, value) error { n++; return nil })
	case '{':
		_ = v.members(func([]byte, value) error { n++; return nil })
	}
	return n
}

// fault says which value was wrong and what should have stood there.
type fault struct{ path, want string }

func (f *fault) Error() string {
	if f.path == "" {
		return "the body must be " + f.want
	}
	return f.path + " must be " + f.want
}

// under puts a key or an index in front of the path of a fault.
func under(err error, key string) error {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return err
	}
	path := key
	if f.path != "" && f.path[0] != '[' {
		path += "."
	}
	return &fault{path: path + f.path, want: f.want}
}

// The notes below are fields of an Extra whose value is empty. They tell how a thing was said where the
// dialect can say it in several ways; they mean nothing to anyone else, and nothing is lost with them.

// absent notes that a member that is always said was not there, so that it is not said again either.
func absent(e *llm.Extra, key string) { e.Add(Name, key, "") }

// note remembers a way of saying.
func note(e *llm.Extra, what string) { e.Add(Name, what, "") }

func noted(e llm.Extra, what string) bool {
	for _, f := range e.In(Name) {
		if f.Key == what && f.Raw == "" {
			return true
		}
	}
	return false
}

// says reports whether a member of an Extra tells anything that could be lost.
func says(f llm.Field) bool { return f.Raw != "" && f.Raw != "null" }

// without returns a member of an Extra of this dialect and the Extra without it.
func without(x llm.Extra, key string) (raw string, rest llm.Extra) {
	if _, ok := x.Get(key); !ok || x.Dialect != Name {
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

// leave keeps the members of an inner object that were not read, as an object of their own.
func leave(e *llm.Extra, key string, rest llm.Extra) {
	if len(rest.Fields) == 0 {
		return
	}
	var w jsonw.Writer
	begin(&w, rest).end()
	e.Add(Name, key, w.String())
}

// object writes an object whose Extra wins: what stood on the wire in a shape that llm does not carry
// is said again as it stood, in place of what would be made up.
type object struct {
	w    *jsonw.Writer
	kept []llm.Field
}

// begin opens an object. The caller has written the key before it, where it needs one.
func begin(w *jsonw.Writer, e llm.Extra) object {
	w.Open('{')
	return object{w, e.In(Name)}
}

// free reports whether a key is still to be said.
func (o object) free(key string) bool {
	for i := range o.kept {
		if o.kept[i].Key == key {
			return false
		}
	}
	return true
}

func (o object) str(key, s string) {
	if o.free(key) {
		o.w.KeyStr(key, s)
	}
}

func (o object) optStr(key, s string) {
	if s != "" {
		o.str(key, s)
	}
}

func (o object) raw(key, json string) {
	if o.free(key) {
		o.w.KeyRaw(key, json)
	}
}

func (o object) int(key string, n int64) {
	if o.free(key) {
		o.w.KeyInt(key, n)
	}
}

func (o object) optBool(key string, b llm.Opt[bool]) {
	if b.Set && o.free(key) {
		o.w.KeyBool(key, b.V)
	}
}

func (o object) optFloat(key string, f llm.Opt[float64]) {
	if f.Set && o.free(key) {
		o.w.KeyFloat(key, f.V)
	}
}

func (o object) optInt(key string, n llm.Opt[int]) {
	if n.Set && o.free(key) {
		o.w.KeyInt(key, int64(n.V))
	}
}

// open begins an inner object of which only some members are told here; rest holds the others, as an
// object.
func (o object) open(key, rest string) {
	o.w.KeyOpen(key, '{')
	if rest != "" {
		appendMembers(o.w, rest)
	}
}

// end says what was kept and closes the object.
func (o object) end() {
	for _, f := range o.kept {
		if f.Raw != "" {
			o.w.KeyRaw(f.Key, f.Raw)
		}
	}
	o.w.Close('}')
}

// appendMembers writes the members of an object that is JSON already into the object being written.
func appendMembers(w *jsonw.Writer, raw string) {
	v := whole([]byte(raw))
	if v.kind() != '{' {
		return
	}
	// What is walked was written by this package.
	_ = v.members(func(key []byte, m value) error {
		w.KeyRaw(string(key), m.raw())
		return nil
	})
}

func opaque(kind string, v value) llm.Opaque {
	return llm.Opaque{Dialect: Name, Type: kind, Raw: v.raw()}
}

func itoa(n int) string { return strconv.Itoa(n) }
