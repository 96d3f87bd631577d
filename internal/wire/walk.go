package wire

import (
	"strconv"

	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// Get returns the value at a path of keys, or none; an index names an element of a list. Of a key that
// stands twice the last counts, as in most parsers.
func (v Value) Get(path ...string) Value {
	for _, key := range path {
		switch v.Kind() {
		case '{':
			v = v.member(key)
		case '[':
			v = v.elem(key)
		default:
			return Value{}
		}
	}
	return v
}

func (v Value) member(key string) Value {
	x := &v.doc.index
	var hit Value
	for n, end := x.Inner(v.node); n < end; n = x.Next(n + 1) {
		if string((Value{v.doc, n}).Word()) == key {
			hit = Value{v.doc, n + 1}
		}
	}
	return hit
}

func (v Value) elem(key string) Value {
	at, err := strconv.Atoi(key)
	if err != nil || at < 0 {
		return Value{}
	}
	x := &v.doc.index
	for n, end := x.Inner(v.node); n < end; n = x.Next(n) {
		if at == 0 {
			return Value{v.doc, n}
		}
		at--
	}
	return Value{}
}

// Len returns how many members an object or elements a list has; 0 for others.
func (v Value) Len() int {
	k := v.Kind()
	if k != '{' && k != '[' {
		return 0
	}
	count, x := 0, &v.doc.index
	for n, end := x.Inner(v.node); n < end; n = x.Next(n) {
		if k == '{' {
			n++
		}
		count++
	}
	return count
}

// Members calls visit with each member of an object. The key is good until visit returns. An error of
// visit ends it and comes back with the key in front of its path; splice.ErrStop ends it without.
func (v Value) Members(visit func(key []byte, m Value) error) error {
	if v.Kind() != '{' {
		return &Fault{Want: "an object"}
	}
	x := &v.doc.index
	for n, end := x.Inner(v.node); n < end; n = x.Next(n + 1) {
		key := Value{v.doc, n}.Word()
		if err := visit(key, Value{v.doc, n + 1}); err != nil {
			if err == splice.ErrStop { //nolint:errorlint // ours, and never wrapped
				return nil
			}
			return Under(err, string(key))
		}
	}
	return nil
}

// Fields calls visit with each member of an object that has a value. What visit does not know, and what
// is null, goes to extra as it stood, in the dialect's name. Without an extra it is passed over.
func (v Value) Fields(dialect string, extra *llm.Extra, visit func(key []byte, m Value) (known bool, err error)) error {
	if extra != nil {
		extra.Dialect = dialect
	}
	if v.Kind() != '{' {
		return &Fault{Want: "an object"}
	}
	x := &v.doc.index
	for n, end := x.Inner(v.node); n < end; n = x.Next(n + 1) {
		key, m := Value{v.doc, n}.Word(), Value{v.doc, n + 1}
		if !m.IsNull() {
			known, err := visit(key, m)
			if err != nil {
				return Under(err, string(key))
			}
			if known {
				continue
			}
		}
		if extra != nil {
			extra.Add(dialect, string(key), m.JSON())
		}
	}
	return nil
}

// Elems calls visit with each element of a list. An error of visit ends it and comes back with the index
// in front of its path.
func (v Value) Elems(visit func(i int, el Value) error) error {
	if v.Kind() != '[' {
		return &Fault{Want: "a list"}
	}
	i, x := 0, &v.doc.index
	for n, end := x.Inner(v.node); n < end; n = x.Next(n) {
		if err := visit(i, Value{v.doc, n}); err != nil {
			return Under(err, "["+strconv.Itoa(i)+"]")
		}
		i++
	}
	return nil
}
