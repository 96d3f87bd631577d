package llm

import "unsafe"

// Said remembers how long strings of a request stood in JSON, so that an encoder can copy them as they
// stood and need not look at every letter again.
//
// It knows a string by its place in memory and not by what it says: a string that was changed is another
// string, which is not known and is written letter by letter. So nobody who changes a request has to think
// of it. A nil Said knows nothing.
type Said struct{ forms map[*byte]said }

type said struct {
	length int
	json   string
}

// Keep notes that a string is this in JSON, its quotes left out: nothing in it needs to be escaped again.
func (s *Said) Keep(text, json string) {
	if text == "" {
		return
	}
	if s.forms == nil {
		s.forms = make(map[*byte]said)
	}
	s.forms[unsafe.StringData(text)] = said{len(text), json}
}

// JSON returns the string in JSON without its quotes, and whether it is known.
func (s *Said) JSON(text string) (json string, ok bool) {
	if s == nil || len(s.forms) == 0 || text == "" {
		return "", false
	}
	f, ok := s.forms[unsafe.StringData(text)]
	return f.json, ok && f.length == len(text)
}

// Equal reports true: how a thing was said is no part of what was said.
func (*Said) Equal(*Said) bool { return true }
