// Package splice reads and edits JSON where it stands. A gateway hands most of a body on as it came:
// [Scan] checks its grammar and finds the few members that matter, and [Edit] replaces, removes and adds
// members, leaving every other byte alone. Nothing is ever marshalled again, so the order of keys, the
// digits of numbers and the fields that nobody here knows all survive.
//
// Keys are compared as JSON says they are: exactly, with case, after undoing escapes.
//
// Everything but [Valid] looks only at what makes up the structure. What stands between the quotes of a
// string is skipped, as fast as memory can be searched for a quote: control characters, bad escapes and
// bytes that are not UTF-8 pass, and are for the reader of that string to refuse.
package splice

import (
	"bytes"
	"fmt"
)

// DefaultDepth is a nesting that no honest body reaches; MaxDepth bounds what a caller may allow.
const (
	DefaultDepth = 256
	MaxDepth     = 10_000
)

// Span is the place of a value in a body: body[Start:End]. The zero Span is no value.
type Span struct{ Start, End int }

// Whole returns the span of the whole body. The space around a value does no harm.
func Whole(body []byte) Span { return Span{0, len(body)} }

// Found reports whether there is a value.
func (s Span) Found() bool { return s.End > s.Start }

// Member is a key, with its quotes, and a value of an object.
type Member struct{ Key, Value Span }

// Found reports whether the member is there.
func (m Member) Found() bool { return m.Value.Found() }

// Object is what Scan says of an object as a whole: its place, braces included, and its size.
type Object struct {
	Span
	Len int // members
}

// SyntaxError says where a body stops being JSON.
type SyntaxError struct {
	Offset int
	Want   string // what should have stood there
	End    bool   // the body ended there
}

func (e *SyntaxError) Error() string {
	if e.End {
		return fmt.Sprintf("unexpected end of JSON at offset %d: expected %s", e.Offset, e.Want)
	}
	return fmt.Sprintf("expected %s at offset %d", e.Want, e.Offset)
}

// DepthError says that a body is nested too deep.
type DepthError struct{ Max, Offset int }

func (e *DepthError) Error() string {
	return fmt.Sprintf("nested more than %d levels deep at offset %d", e.Max, e.Offset)
}

// DuplicateKeyError says that a key of interest stands twice in one object. Parsers disagree which one
// counts, so that one could be checked here and another one used upstream: such a body is refused.
type DuplicateKeyError struct {
	Key    string
	Offset int // of the second one
}

func (e *DuplicateKeyError) Error() string {
	return fmt.Sprintf("key %q stands twice, again at offset %d", e.Key, e.Offset)
}

// Scan checks that a body is one JSON object, nested at most maxDepth levels deep (0 means
// DefaultDepth), and finds the members with the given keys: found[i] becomes the one with keys[i], or
// the zero Member. It allocates nothing. An error is a *SyntaxError, *DepthError or *DuplicateKeyError.
func Scan(body []byte, maxDepth int, keys []string, found []Member) (Object, error) {
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		return Object{}, byteOrderMark()
	}
	return ScanAt(body, Whole(body), maxDepth, keys, found)
}

func byteOrderMark() error { return &SyntaxError{Want: "'{' instead of a byte order mark"} }

// ScanAt does what Scan does with an object within a body. Offsets are those of the body.
func ScanAt(body []byte, at Span, maxDepth int, keys []string, found []Member) (Object, error) {
	obj, _, err := scan(body, at, maxDepth, keys, found, nil)
	return obj, err
}

func scan(body []byte, at Span, maxDepth int, keys []string, found []Member, paths *place) (Object, []Hit, error) {
	clear(found)
	s := scanner{b: body[:at.End], maxDepth: bounded(maxDepth), paths: paths}
	start := s.space(at.Start)
	obj := Object{Span: Span{Start: start}}
	s.objectAt(start, func(m Member) bool {
		obj.Len++
		i := s.indexKey(m.Key, keys)
		if i < 0 {
			return true
		}
		if found[i].Found() {
			s.err = &DuplicateKeyError{keys[i], m.Key.Start}
			return false
		}
		found[i] = m
		return true
	})
	obj.End = s.end
	s.finish(s.end)
	if s.err != nil {
		return Object{}, nil, s.err
	}
	return obj, s.hits, nil
}

// Valid checks a whole JSON value of any kind, the inside of strings included: it accepts what
// encoding/json accepts, down to the given depth.
func Valid(body []byte, maxDepth int) error {
	s := scanner{b: body, maxDepth: bounded(maxDepth), strict: true}
	s.finish(s.value(s.space(0), 0))
	return s.err
}

// IsObject reports whether a text is a whole JSON object.
func IsObject(text string) bool {
	b := []byte(text)
	return Whole(b).Kind(b) == '{' && Valid(b, DefaultDepth) == nil
}

func bounded(depth int) int {
	if depth <= 0 {
		return DefaultDepth
	}
	return min(depth, MaxDepth)
}
