package llm

// Opt is a value that may be absent. The zero Opt is absent, which is not the same as a zero value:
// `temperature: 0` asks for something, no temperature asks for nothing.
type Opt[T any] struct {
	V   T
	Set bool
}

// Some returns an Opt that holds v.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, Set: true} }

// Or returns the value, or def where there is none.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.V
	}
	return def
}

// Extra holds the members of a wire object that this vocabulary has no word for: verbatim, in the
// order in which they stood, with the name of the dialect they were said in. Only that dialect may
// write them again; in any other they are a loss to be named.
//
// A field without a value is no member but a note, by which a dialect remembers how it said something
// that it can say in several ways. Notes are private to it and mean nothing to others: a note is never
// written, and never a loss.
type Extra struct {
	Dialect string
	Fields  []Field
}

// Field is one member of a JSON object: its key decoded, its value exactly as it stood.
type Field struct {
	Key string
	Raw string // "" makes the field a note; see Extra
}

// Telling reports whether the field tells anything that could be lost: a note does not, nor does null.
func (f Field) Telling() bool { return f.Raw != "" && f.Raw != "null" }

// Empty reports whether there is nothing in it.
func (e Extra) Empty() bool { return len(e.Fields) == 0 }

// Get returns the raw JSON value of key, and whether it is there.
func (e Extra) Get(key string) (string, bool) {
	for i := range e.Fields {
		if e.Fields[i].Key == key {
			return e.Fields[i].Raw, true
		}
	}
	return "", false
}

// Add appends a member. The first member settles which dialect the Extra belongs to.
func (e *Extra) Add(dialect, key, raw string) {
	if e.Dialect == "" {
		e.Dialect = dialect
	}
	e.Fields = append(e.Fields, Field{Key: key, Raw: raw})
}

// In returns the members if they were said in the named dialect, and none otherwise.
func (e Extra) In(dialect string) []Field {
	if e.Dialect == dialect {
		return e.Fields
	}
	return nil
}

// Note adds a note.
func (e *Extra) Note(dialect, what string) { e.Add(dialect, what, "") }

// Noted reports whether the named dialect made a note.
func (e Extra) Noted(dialect, what string) bool {
	for _, f := range e.In(dialect) {
		if f.Key == what && f.Raw == "" {
			return true
		}
	}
	return false
}
