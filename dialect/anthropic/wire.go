package anthropic

import (
	"errors"
	"slices"
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

// absent notes that a member that is always said was not there, so that it is not said again either.
func absent(e *llm.Extra, key string) { e.Add(Name, key, "") }

// says reports whether a member of an Extra tells anything that could be lost.
func says(f llm.Field) bool { return f.Raw != "" && f.Raw != "null" }

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

// forget drops what was kept of a key, for a value that came to be known after it.
func (o *object) forget(key string) {
	if !o.free(key) {
		o.kept = slices.DeleteFunc(slices.Clone(o.kept), func(f llm.Field) bool { return f.Key == key })
	}
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

// end says what was kept and closes the object.
func (o object) end() {
	for _, f := range o.kept {
		if f.Raw != "" {
			o.w.KeyRaw(f.Key, f.Raw)
		}
	}
	o.w.Close('}')
}
