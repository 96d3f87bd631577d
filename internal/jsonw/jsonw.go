// Package jsonw writes JSON by hand, in the order in which it is told to. Codecs use it where they
// would otherwise marshal structs: members keep their place, raw values go in as they are, and nothing
// is escaped that need not be.
package jsonw

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Writer appends JSON to Buf. The zero Writer is ready. It puts the commas in by itself; it does not
// check that what is written is balanced.
type Writer struct {
	Buf  []byte
	more bool // a value stands before: the next one needs a comma
}

// Open begins an object or an array: Open('{'), Open('[').
func (w *Writer) Open(c byte) {
	w.comma()
	w.Buf = append(w.Buf, c)
	w.more = false
}

// Close ends an object or an array: Close('}'), Close(']').
func (w *Writer) Close(c byte) {
	w.Buf = append(w.Buf, c)
	w.more = true
}

// Key writes a member's key; its value comes next.
func (w *Writer) Key(k string) {
	w.comma()
	w.Buf = AppendString(w.Buf, k)
	w.Buf = append(w.Buf, ':')
	w.more = false
}

// Str writes a string.
func (w *Writer) Str(s string) {
	w.comma()
	w.Buf = AppendString(w.Buf, s)
	w.more = true
}

// Raw writes a value that is JSON already; empty becomes null.
func (w *Writer) Raw(json string) {
	w.comma()
	if json == "" {
		json = "null"
	}
	w.Buf = append(w.Buf, json...)
	w.more = true
}

// Int writes an integer.
func (w *Writer) Int(n int64) {
	w.comma()
	w.Buf = strconv.AppendInt(w.Buf, n, 10)
	w.more = true
}

// Float writes a number in the shortest form that reads back as the same.
func (w *Writer) Float(f float64) {
	w.comma()
	w.Buf = strconv.AppendFloat(w.Buf, f, 'g', -1, 64)
	w.more = true
}

// Bool writes true or false.
func (w *Writer) Bool(b bool) {
	w.comma()
	w.Buf = strconv.AppendBool(w.Buf, b)
	w.more = true
}

// Null writes null.
func (w *Writer) Null() { w.Raw("null") }

// KeyStr writes a member whose value is a string.
func (w *Writer) KeyStr(k, s string) { w.Key(k); w.Str(s) }

// KeyRaw writes a member whose value is JSON already.
func (w *Writer) KeyRaw(k, json string) { w.Key(k); w.Raw(json) }

// KeyInt writes a member whose value is an integer.
func (w *Writer) KeyInt(k string, n int64) { w.Key(k); w.Int(n) }

// KeyFloat writes a member whose value is a number.
func (w *Writer) KeyFloat(k string, f float64) { w.Key(k); w.Float(f) }

// KeyBool writes a member whose value is true or false.
func (w *Writer) KeyBool(k string, b bool) { w.Key(k); w.Bool(b) }

// KeyNull writes a member whose value is null.
func (w *Writer) KeyNull(k string) { w.Key(k); w.Null() }

// KeyOpen begins a member whose value is an object or an array.
func (w *Writer) KeyOpen(k string, c byte) { w.Key(k); w.Open(c) }

// String returns what was written.
func (w *Writer) String() string { return string(w.Buf) }

func (w *Writer) comma() {
	if w.more {
		w.Buf = append(w.Buf, ',')
	}
}

const hex = "0123456789abcdef"

// AppendString appends s as a JSON string (RFC 8259, section 7). Only quotes, backslashes and control
// characters are escaped; bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = slices.Grow(dst, len(s)+2)
	dst = append(dst, '"')
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	for s != "" {
		n := plain(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			break
		}
		dst = appendEscape(dst, s[n])
		s = s[n+1:]
	}
	return append(dst, '"')
}

// plain returns how many bytes of s stand for themselves. It looks at eight at a time: most text is
// long, and has nothing to escape for a while.
func plain(s string) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	n := 0
	for ; len(s)-n >= 8; n += 8 {
		x := word(s[n:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		// The high bit of a byte is set by the first three terms where it is zero or below space; bytes
		// from 0x80 on are masked out, they are parts of runes.
		if ((x-ones*' ')&^x|(quote-ones)&^quote|(slash-ones)&^slash)&highs != 0 {
			break
		}
	}
	for ; n < len(s); n++ {
		if c := s[n]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return n
}

func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}
