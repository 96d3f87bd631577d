package wire

import (
	"strconv"
	"unsafe"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// Doc is the table behind the values of one body. The zero Doc is ready. One that is read into again
// uses its memory again, and the values that came of it before are void.
type Doc struct {
	index  splice.Index
	shared bool      // strings may share the memory of the body, as nobody will write to it
	said   *llm.Said // is told of the long strings that are read; may be nil
}

// Value is a JSON value where it stands in its body. The zero Value is none.
type Value struct {
	doc  *Doc
	node int
}

// Parse checks all of a body and returns its value. Long strings that are read of it share its memory, so
// that the body must not be written to ever after; how they stood in it is told to said, if that is not nil.
func Parse(body []byte, said *llm.Said) (Value, error) {
	d := &Doc{shared: true, said: said}
	return d.value(body, splice.Whole(body), true)
}

// Read checks the structure of a body, not the inside of its strings, and returns its value. What is read
// of it is copied.
func (d *Doc) Read(body []byte) (Value, error) { return d.value(body, splice.Whole(body), false) }

// Check checks all of a body, as Parse does, and returns its value. What is read of it is copied.
func (d *Doc) Check(body []byte) (Value, error) { return d.value(body, splice.Whole(body), true) }

// At returns the value at a span of a body, or none where there is none that is whole. What is read of it
// is copied.
func At(body []byte, at splice.Span) Value {
	if !at.Found() {
		return Value{}
	}
	v, err := new(Doc).value(body, at, false)
	if err != nil {
		return Value{}
	}
	return v
}

// Whole returns the value of a body, as At does.
func Whole(body []byte) Value { return At(body, splice.Whole(body)) }

// Raw returns the value of a JSON text, as At does.
func Raw(json string) Value { return Whole([]byte(json)) }

func (d *Doc) value(body []byte, at splice.Span, strict bool) (Value, error) {
	if err := d.index.Make(body, at, strict); err != nil {
		return Value{}, err
	}
	return Value{doc: d}, nil
}

// Found reports whether there is a value.
func (v Value) Found() bool { return v.doc != nil }

// Kind returns what the value is: '{', '[', '"', 't', 'f', 'n', '0' for a number, 0 for none.
func (v Value) Kind() byte {
	if v.doc == nil {
		return 0
	}
	return v.doc.index.Kind(v.node)
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.Kind() == 'n' }

// Span returns the place of the value in its body; the zero Span for none.
func (v Value) Span() splice.Span {
	if v.doc == nil {
		return splice.Span{}
	}
	return v.doc.index.Span(v.node)
}

// JSON returns the value as it stands, or "" for none.
func (v Value) JSON() string {
	if v.doc == nil {
		return ""
	}
	return v.doc.text(v.Span())
}

// shareFrom is the length from which a string shares the body's memory. A shorter one is copied: it may
// be kept long after the call, as the name of a model is, and would keep the whole body with it.
const shareFrom = 512

func (d *Doc) text(at splice.Span) string {
	b := d.index.Body[at.Start:at.End]
	if d.shared && len(b) >= shareFrom {
		return unsafe.String(&b[0], len(b))
	}
	return string(b)
}

// Str returns a string.
func (v Value) Str() (string, error) {
	if v.Kind() != '"' {
		return "", &Fault{Want: "a string"}
	}
	at := v.Span()
	at.Start, at.End = at.Start+1, at.End-1
	raw := v.doc.index.Body[at.Start:at.End]
	if !v.doc.index.Escaped(v.node) {
		s := v.doc.text(at)
		v.keep(s, raw)
		return s, nil
	}
	out := splice.Unescape(nil, raw)
	if len(out) < len(raw)/2 {
		return string(out), nil
	}
	s := unsafe.String(unsafe.SliceData(out), len(out)) // nobody else knows out
	v.keep(s, raw)
	return s, nil
}

// keep tells how a long string stood, if it can be said again as it stood: it must be UTF-8, and have no
// halves of pairs of surrogates.
func (v Value) keep(s string, raw []byte) {
	d := v.doc
	if d.said == nil || len(raw) < shareFrom || d.index.Surrogates(v.node) {
		return
	}
	json := unsafe.String(&raw[0], len(raw))
	if d.index.ASCII(v.node) || jsonw.ValidUTF8(json) {
		d.said.Keep(s, json)
	}
}

// Part tells that s is a part of the string, and so can be said again as it stood where the whole can.
func (v Value) Part(s string) {
	if v.Kind() == '"' && v.doc.said != nil && len(s) >= shareFrom && v.doc.index.ASCII(v.node) && !v.doc.index.Escaped(v.node) {
		v.doc.said.Keep(s, s)
	}
}

// Text returns a string, and "" for anything else.
func (v Value) Text() string {
	if v.Kind() != '"' {
		return ""
	}
	s, _ := v.Str()
	return s
}

// Is reports whether the value is that string. It allocates nothing unless there are escapes.
func (v Value) Is(s string) bool {
	return v.Kind() == '"' && string(v.Word()) == s
}

// Word returns what a string says, nil for anything else, and allocates nothing unless there are escapes.
// It is good as long as the body is.
func (v Value) Word() []byte {
	if v.Kind() != '"' {
		return nil
	}
	at := v.Span()
	in := v.doc.index.Body[at.Start+1 : at.End-1]
	if v.doc.index.Escaped(v.node) {
		return splice.Unescape(nil, in)
	}
	return in
}

// Bytes returns how many bytes stand between the quotes of a string, escapes as they are; 0 for others.
func (v Value) Bytes() int {
	if v.Kind() != '"' {
		return 0
	}
	at := v.Span()
	return at.End - at.Start - 2
}

// Int returns a whole number. 1e3 and 5.0 are whole.
func (v Value) Int() (int64, error) {
	if v.Kind() == '0' {
		if n, ok := v.Span().Int(v.doc.index.Body); ok {
			return n, nil
		}
	}
	return 0, &Fault{Want: "a whole number"}
}

// Count returns a number of things: whole and not negative, 0 for anything else.
func (v Value) Count() int64 {
	if v.Kind() != '0' {
		return 0
	}
	n, _ := v.Span().Int(v.doc.index.Body)
	return max(n, 0)
}

// Float returns a number.
func (v Value) Float() (float64, error) {
	if v.Kind() == '0' {
		if f, err := strconv.ParseFloat(v.JSON(), 64); err == nil {
			return f, nil
		}
	}
	return 0, &Fault{Want: "a number"}
}

// Bool returns true or false.
func (v Value) Bool() (bool, error) {
	k := v.Kind()
	if k != 't' && k != 'f' {
		return false, &Fault{Want: "true or false"}
	}
	return k == 't', nil
}

// IntTo reads a whole number.
func (v Value) IntTo(to *llm.Opt[int]) error {
	n, err := v.Int()
	*to = llm.Some(int(n))
	return err
}

// FloatTo reads a number.
func (v Value) FloatTo(to *llm.Opt[float64]) error {
	f, err := v.Float()
	*to = llm.Some(f)
	return err
}

// BoolTo reads true or false.
func (v Value) BoolTo(to *llm.Opt[bool]) error {
	b, err := v.Bool()
	*to = llm.Some(b)
	return err
}

// StrTo reads a string. An empty one, which llm does not tell from none, is not taken up as known.
func (v Value) StrTo(to *string) (known bool, err error) {
	*to, err = v.Str()
	return *to != "", err
}
