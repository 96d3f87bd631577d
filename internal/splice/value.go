package splice

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/internal/jsonw"
)

// Raw returns the bytes of the value, or nil where there is none.
func (s Span) Raw(body []byte) []byte {
	if !s.Found() {
		return nil
	}
	return body[s.Start:s.End:s.End]
}

// Kind returns what the value is by its first byte: '{', '[', '"', 't', 'f', 'n', '0' for a number, and
// 0 where there is none.
func (s Span) Kind(body []byte) byte {
	i := s.first(body)
	if i >= s.End {
		return 0
	}
	switch c := body[i]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return c
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return '0'
		}
		return 0
	}
}

// first returns where the value starts after space.
func (s Span) first(body []byte) int {
	sc := scanner{b: body[:s.End]}
	return sc.space(s.Start)
}

// trimmed returns the bytes of the value without the space around it.
func (s Span) trimmed(body []byte) []byte {
	return bytes.TrimRight(body[s.first(body):s.End], " \t\r\n")
}

// IsNull reports whether the value is null.
func (s Span) IsNull(body []byte) bool { return string(s.trimmed(body)) == "null" }

// String returns the value with its escapes undone, and whether it is a string at all. Bytes that are
// not UTF-8 stay as they are.
func (s Span) String(body []byte) (string, bool) {
	in, ok := s.quoted(body)
	if !ok {
		return "", false
	}
	if bytes.IndexByte(in, '\\') < 0 {
		return string(in), true
	}
	return string(appendUnescaped(make([]byte, 0, len(in)), in)), true
}

// Equal reports whether the value is the string want. It allocates nothing where neither has escapes.
func (s Span) Equal(body []byte, want string) bool {
	in, ok := s.quoted(body)
	if !ok {
		return false
	}
	if bytes.IndexByte(in, '\\') < 0 {
		return string(in) == want
	}
	return string(appendUnescaped(nil, in)) == want
}

// Text returns how many bytes stand between the quotes of a string, escapes as they are; 0 for others.
func (s Span) Text(body []byte) int {
	in, _ := s.quoted(body)
	return len(in)
}

// quoted returns what stands between the quotes.
func (s Span) quoted(body []byte) ([]byte, bool) {
	b := s.trimmed(body)
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return nil, false
	}
	return b[1 : len(b)-1], true
}

// Bool returns the value, and whether it is true or false at all.
func (s Span) Bool(body []byte) (value, ok bool) {
	switch string(s.trimmed(body)) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// Int returns the value, and whether it is a whole number that an int64 holds. 1e3 and 5.0 are whole.
func (s Span) Int(body []byte) (int64, bool) {
	b := s.trimmed(body)
	if s.Kind(body) != '0' {
		return 0, false
	}
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// ErrStop ends a walk without an error when a visitor returns it.
var ErrStop = errors.New("stop")

// Walk calls visit with each member of an object: its key, escapes undone, and its place in the body.
// The key is good until visit returns. An error is that of visit or of the JSON.
func Walk(body []byte, at Span, visit func(key []byte, m Member) error) error {
	s := scanner{b: body[:at.End], maxDepth: MaxDepth}
	s.objectAt(s.space(at.Start), func(m Member) bool {
		key := body[m.Key.Start+1 : m.Key.End-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			key = appendUnescaped(nil, key)
		}
		s.err = visit(key, m)
		return s.err == nil
	})
	return s.walked()
}

// Elems calls visit with each element of an array: its index and its place in the body. An error is
// that of visit or of the JSON.
func Elems(body []byte, at Span, visit func(i int, el Span) error) error {
	s := scanner{b: body[:at.End], maxDepth: MaxDepth}
	i := 0
	s.arrayAt(s.space(at.Start), func(el Span) bool {
		s.err = visit(i, el)
		i++
		return s.err == nil
	})
	return s.walked()
}

func (s *scanner) walked() error {
	if s.err == ErrStop { //nolint:errorlint // ours, and never wrapped
		return nil
	}
	if s.err == nil {
		s.finish(s.end)
	}
	return s.err
}

// Get returns the value at a path of keys below the value at a span; an index names an element of an
// array. Of a key that stands twice the last counts, as in most parsers. What is malformed up to the end
// of an object on the way, or nested beyond MaxDepth, is not found.
func Get(body []byte, at Span, path ...string) (Span, bool) {
	for i := range path {
		next, ok := step(body, at, path[i:i+1])
		if !ok {
			return Span{}, false
		}
		at = next
	}
	return at, at.Found()
}

// step goes one key down. It takes the key as a slice of one, which it need not make.
func step(body []byte, at Span, key []string) (Span, bool) {
	s := scanner{b: body[:at.End], maxDepth: MaxDepth}
	start := s.space(at.Start)
	var hit Span
	if s.at(start) == '[' {
		n, err := strconv.Atoi(key[0])
		if err != nil || n < 0 {
			return Span{}, false
		}
		s.arrayAt(start, func(el Span) bool {
			if n == 0 {
				hit = el
			}
			n--
			return n >= 0
		})
		return hit, s.err == nil && hit.Found()
	}
	s.objectAt(start, func(m Member) bool {
		if s.indexKey(m.Key, key) == 0 {
			hit = m.Value
		}
		return true
	})
	return hit, s.err == nil && hit.Found()
}

// Quote appends s as a JSON string. Only what must be escaped is; bytes that are not UTF-8 become
// U+FFFD.
func Quote(dst []byte, s string) []byte { return jsonw.AppendString(dst, s) }

// Unquote appends what a JSON string, given with its quotes, says. Unpaired surrogates become U+FFFD; of
// an escape that JSON does not know the character stays.
func Unquote(dst, raw []byte) ([]byte, bool) {
	in, ok := Whole(raw).quoted(raw)
	if !ok {
		return dst, false
	}
	return appendUnescaped(dst, in), true
}

// Unescape appends what stands between the quotes of a string with its escapes undone, as [Unquote] does.
func Unescape(dst, in []byte) []byte { return appendUnescaped(dst, in) }

func appendUnescaped(dst, in []byte) []byte {
	dst = slices.Grow(dst, len(in)+8) // undone, an escape is never longer; whole words are copied
	for {
		n := copyPlain(dst[len(dst):cap(dst)], in)
		dst, in = dst[:len(dst)+n], in[n:]
		switch {
		case len(in) < 2:
			return append(dst, in...)
		case in[1] == 'u':
			dst, n = appendUnicode(dst, in)
			in = in[n:]
		default:
			dst, in = append(dst, unescaped(in[1])), in[2:]
		}
	}
}

// copyPlain copies bytes up to the first backslash and returns how many these are. There are at least
// len(in)+8 bytes in dst, and what is behind those copied may be written to.
func copyPlain(dst, in []byte) int {
	n := 0
	for ; len(in)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(in[n:])
		binary.LittleEndian.PutUint64(dst[n:], x)
		y := x ^ ones*'\\'
		if m := (y - ones) &^ y & tops; m != 0 {
			return n + bits.TrailingZeros64(m)/8
		}
	}
	for ; n < len(in) && in[n] != '\\'; n++ {
		dst[n] = in[n]
	}
	return n
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// appendUnicode appends the rune of the \u escape, or pair of them, at the start of in, and returns how
// long that is.
func appendUnicode(dst, in []byte) ([]byte, int) {
	r := hex4(in)
	if r < 0 {
		return append(dst, 'u'), 2
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(dst, r), 6
	}
	if pair := utf16.DecodeRune(r, hex4(in[6:])); pair != utf8.RuneError {
		return utf8.AppendRune(dst, pair), 12
	}
	return utf8.AppendRune(dst, utf8.RuneError), 6
}

// hex4 returns the number in the \u escape at the start of in, or -1.
func hex4(in []byte) rune {
	if len(in) < 6 || in[0] != '\\' || in[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range in[2:6] {
		d := unhex(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | d
	}
	return r
}

func unhex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
