package splice

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// scanner walks over a JSON text. Its methods take the offset where something starts and return where
// it ends, or -1 after setting err.
type scanner struct {
	b        []byte
	maxDepth int
	strict   bool // look into strings
	err      error
	end      int // where the object or array that was visited ends
	paths    *place
	hits     []Hit
}

func (s *scanner) fail(at int, want string) int {
	if s.err == nil {
		s.err = &SyntaxError{Offset: at, Want: want, End: at >= len(s.b)}
	}
	return -1
}

// at returns the byte at i, or 0 at the end: a byte that is right nowhere outside of strings.
func (s *scanner) at(i int) byte {
	if i < len(s.b) {
		return s.b[i]
	}
	return 0
}

func (s *scanner) space(i int) int {
	b := s.b
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// finish checks that nothing follows a value that ended at i.
func (s *scanner) finish(i int) {
	if s.err != nil || i < 0 {
		return
	}
	if i = s.space(i); i < len(s.b) {
		s.fail(i, "the end")
	}
}

func (s *scanner) value(i, depth int) int {
	switch c := s.at(i); c {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, depth)
	case '[':
		return s.array(i, depth)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return s.number(i)
		}
		return s.fail(i, "a value")
	}
}

func (s *scanner) deeper(i, depth int) bool {
	if depth >= s.maxDepth {
		s.err = &DepthError{s.maxDepth, i}
		return false
	}
	return true
}

func (s *scanner) object(i, depth int) int {
	if !s.deeper(i, depth) {
		return -1
	}
	i = s.space(i + 1)
	if s.at(i) == '}' {
		return i + 1
	}
	for {
		if i = s.key(i); i < 0 {
			return -1
		}
		if i = s.value(i, depth+1); i < 0 {
			return -1
		}
		i = s.space(i)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return s.fail(i, "',' or '}'")
		}
	}
}

// key passes over a key and its colon, up to the value.
func (s *scanner) key(i int) int {
	if s.at(i) != '"' {
		return s.fail(i, "a key in quotes")
	}
	if i = s.str(i); i < 0 {
		return -1
	}
	return s.colon(i)
}

func (s *scanner) colon(i int) int {
	if b := s.b; i+1 < len(b) && b[i] == ':' && b[i+1] > ' ' {
		return i + 1
	}
	i = s.space(i)
	if s.at(i) != ':' {
		return s.fail(i, "':'")
	}
	return s.space(i + 1)
}

func (s *scanner) array(i, depth int) int {
	if !s.deeper(i, depth) {
		return -1
	}
	i = s.space(i + 1)
	if s.at(i) == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth+1); i < 0 {
			return -1
		}
		i = s.space(i)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(i, "',' or ']'")
		}
	}
}

// objectAt visits the members of the object at i, until visit returns false.
func (s *scanner) objectAt(i int, visit func(Member) bool) {
	if s.at(i) != '{' {
		s.fail(i, "'{'")
		return
	}
	i = s.space(i + 1)
	if s.at(i) == '}' {
		s.end = i + 1
		return
	}
	for {
		var m Member
		if s.at(i) != '"' {
			s.fail(i, "a key in quotes")
			return
		}
		m.Key = Span{i, s.str(i)}
		if m.Key.End < 0 {
			return
		}
		if m.Value.Start = s.colon(m.Key.End); m.Value.Start < 0 {
			return
		}
		if s.paths == nil {
			m.Value.End = s.value(m.Value.Start, 1)
		} else {
			m.Value.End = s.member(s.b[m.Key.Start:m.Key.End], m.Value.Start, 0, s.paths)
		}
		if m.Value.End < 0 || !visit(m) {
			return
		}
		if i = s.comma(m.Value.End, '}', "',' or '}'"); i < 0 {
			return
		}
	}
}

// arrayAt visits the elements of the array at i, until visit returns false.
func (s *scanner) arrayAt(i int, visit func(Span) bool) {
	if s.at(i) != '[' {
		s.fail(i, "'['")
		return
	}
	i = s.space(i + 1)
	if s.at(i) == ']' {
		s.end = i + 1
		return
	}
	for {
		el := Span{i, s.value(i, 1)}
		if el.End < 0 || !visit(el) {
			return
		}
		if i = s.comma(el.End, ']', "',' or ']'"); i < 0 {
			return
		}
	}
}

// comma passes from the end of one item to the start of the next; it returns -1 after the last, with
// the end set, or at an error.
func (s *scanner) comma(i int, closer byte, want string) int {
	i = s.space(i)
	switch s.at(i) {
	case ',':
		return s.space(i + 1)
	case closer:
		s.end = i + 1
		return -1
	}
	return s.fail(i, want)
}

func (s *scanner) literal(i int, want string) int {
	end := i + len(want)
	if end <= len(s.b) && string(s.b[i:end]) == want {
		return end
	}
	for j := range len(want) {
		if s.at(i+j) != want[j] {
			return s.fail(i+j, want)
		}
	}
	return s.fail(end, want)
}

func (s *scanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	if s.at(i) == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return -1
	}
	if s.at(i) == '.' {
		if i = s.digits(i + 1); i < 0 {
			return -1
		}
	}
	if c := s.at(i); c == 'e' || c == 'E' {
		i++
		if c := s.at(i); c == '+' || c == '-' {
			i++
		}
		return s.digits(i)
	}
	return i
}

func (s *scanner) digits(i int) int {
	from, b := i, s.b
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	if i == from {
		return s.fail(i, "a digit")
	}
	return i
}

// str passes over the string whose opening quote is at i.
//
// Only quotes are looked for. One with an even number of backslashes before it ends the string; the
// backslashes before a quote are counted once, as the count cannot pass the quote before.
func (s *scanner) str(i int) int {
	b := s.b
	k := quote(b, i+1)
	if k < 0 {
		return s.fail(len(b), "a closing quote")
	}
	for {
		if b[k-1] != '\\' || evenBackslashes(b[i+1:k]) {
			return s.inside(i, k+1)
		}
		next := bytes.IndexByte(b[k+1:], '"')
		if next < 0 {
			return s.fail(len(b), "a closing quote")
		}
		k += 1 + next
	}
}

// quote returns the offset of the next quote, or -1. Most keys and many values are short: the first
// sixteen bytes are searched here, eight at a time.
func quote(b []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for range 2 {
		if i+8 > len(b) {
			break
		}
		x := binary.LittleEndian.Uint64(b[i:]) ^ ones*'"'
		if x = (x - ones) &^ x & tops; x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
		i += 8
	}
	k := bytes.IndexByte(b[i:], '"')
	if k < 0 {
		return -1
	}
	return i + k
}

// evenBackslashes reports whether b ends in an even number of backslashes.
func evenBackslashes(b []byte) bool {
	n := len(b)
	for n > 0 && b[n-1] == '\\' {
		n--
	}
	return (len(b)-n)%2 == 0
}

// inside returns the end of the string b[i:end], after a look into it where that is wanted.
func (s *scanner) inside(i, end int) int {
	if s.strict {
		return s.checkString(i, end)
	}
	return end
}

func (s *scanner) checkString(i, end int) int {
	b := s.b
	for i++; i < end-1; i++ {
		for i+8 < end && plain8(b[i:]) {
			i += 8
		}
		switch c := b[i]; {
		case c == '\\':
			if i = s.escape(i); i < 0 {
				return -1
			}
		case c < ' ':
			return s.fail(i, "an escaped control character")
		}
	}
	return end
}

// plain8 reports whether none of the next eight bytes is a backslash or a control character.
func plain8(b []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	x := binary.LittleEndian.Uint64(b)
	y := x ^ ones*'\\'
	return ((x-ones*' ')&^x|(y-ones)&^y)&tops == 0
}

// escape returns the offset of the last byte of the escape at i.
func (s *scanner) escape(i int) int {
	switch s.at(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if unhex(s.at(j)) < 0 {
				return s.fail(j, "a hexadecimal digit")
			}
		}
		return i + 5
	}
	return s.fail(i+1, "an escape")
}

// indexKey returns which of the keys stands at the span, or -1.
func (s *scanner) indexKey(at Span, keys []string) int {
	key := s.b[at.Start+1 : at.End-1]
	if bytes.IndexByte(key, '\\') >= 0 {
		var buf [64]byte
		key = appendUnescaped(buf[:0], key)
	}
	for i, k := range keys {
		if len(k) == len(key) && k == string(key) {
			return i
		}
	}
	return -1
}
