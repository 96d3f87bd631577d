// Package jsonw writes JSON by hand, in the order in which it is told to. Codecs use it where they
// would otherwise marshal structs: members keep their place, raw values go in as they are, and nothing
// is escaped that need not be.
package jsonw

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Writer appends JSON to Buf. The zero Writer is ready. It puts the commas in by itself; it does not
// check that what is written is balanced.
type Writer struct {
	Buf []byte
	// Known, where it is set, returns what a long string is in JSON, without its quotes, if that is known:
	// it is then copied and not looked at.
	Known func(s string) (json string, ok bool)
	more  bool // a value stands before: the next one needs a comma
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
	w.Buf = append(w.text(append(w.Buf, '"'), s), '"')
	w.more = true
}

// long is the length from which it may pay to ask for what is known of a string.
const long = 512

func (w *Writer) text(dst []byte, s string) []byte {
	if len(s) >= long && w.Known != nil {
		if json, ok := w.Known(s); ok {
			return append(dst, json...)
		}
	}
	return appendInner(dst, s)
}

// Strs writes a string that is made of several, without putting them together first.
func (w *Writer) Strs(parts ...string) {
	w.comma()
	w.Buf = append(w.Buf, '"')
	for _, s := range parts {
		w.Buf = w.text(w.Buf, s)
	}
	w.Buf = append(w.Buf, '"')
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

// KeyStrOrNull writes a member whose value is a string, or null where it is empty.
func (w *Writer) KeyStrOrNull(k, s string) {
	if s == "" {
		w.KeyNull(k)
	} else {
		w.KeyStr(k, s)
	}
}

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

// room is how much more than a string's own length is kept free while it is written: whole words are
// copied, also at its end, and an escape is longer than what it stands for.
const room = 32

// AppendString appends s as a JSON string (RFC 8259, section 7). Only quotes, backslashes and control
// characters are escaped; a run of bytes that are not UTF-8 becomes U+FFFD. It goes over s once.
func AppendString(dst []byte, s string) []byte {
	return append(appendInner(append(dst, '"'), s), '"')
}

// appendInner appends what stands between the quotes.
func appendInner(dst []byte, s string) []byte {
	dst = slices.Grow(dst, len(s)+room)
	broken := false // the byte before was not UTF-8
	for {
		n := copyPlain(dst[len(dst):cap(dst)], s)
		dst, s = dst[:len(dst)+n], s[n:]
		if s == "" {
			return dst
		}
		broken = broken && n == 0
		if s[0] < utf8.RuneSelf {
			dst, s = appendEscape(dst, s[0]), s[1:]
			broken = false
		}
		for s != "" && s[0] >= utf8.RuneSelf {
			n := runeLen(s)
			switch {
			case n > 0:
				dst = append(dst, s[:n]...)
				broken = false
			case !broken:
				dst = append(dst, "\uFFFD"...)
				broken = true
			}
			s = s[max(n, 1):]
		}
		if cap(dst)-len(dst) < len(s)+room/2 {
			dst = slices.Grow(dst, len(s)+len(s)/8+room)
		}
	}
}

// ValidUTF8 reports what utf8.ValidString does. It is quicker where there is ASCII between other letters:
// wherever that stands, it is passed over eight bytes at a time.
func ValidUTF8(s string) bool {
	for s != "" {
		n := 1
		switch {
		case len(s) >= 8 && word(s)&tops == 0:
			n = 8
		case len(s) >= 8 && s[0] < utf8.RuneSelf:
			n = bits.TrailingZeros64(word(s)&tops) / 8
		case s[0] >= utf8.RuneSelf:
			n = runeLen(s)
		}
		if n == 0 {
			return false
		}
		s = s[n:]
	}
	return true
}

// runeLen returns the length of the rune of several bytes with which s begins, or 0 where that is not
// UTF-8.
func runeLen(s string) int {
	if len(s) >= 3 && s[0]&0xF0 == 0xE0 && s[1]&0xC0 == 0x80 && s[2]&0xC0 == 0x80 {
		if r := rune(s[0]&0x0F)<<12 | rune(s[1]&0x3F)<<6; r >= 0x800 && !utf16.IsSurrogate(r) {
			return 3
		}
		return 0
	}
	if r, n := utf8.DecodeRuneInString(s); r != utf8.RuneError || n > 1 {
		return n
	}
	return 0
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// odd marks the bytes of a word that do not stand for themselves or are part of a longer rune. Only the
// lowest mark is sure to be right.
//
// Flipping a bit puts the quote where the space was, right behind the control characters, and the space
// out of the way: so one comparison finds both.
func odd(x uint64) uint64 {
	return (x | (x ^ ones*2 - ones*('"'-1)) | (x ^ ones*'\\' - ones)) & tops
}

// copyPlain copies the bytes of s that stand for themselves, up to the first that may not, and returns how
// many these are. It takes eight at a time, and 32 once there was nothing to escape for a while. There are more than len(s)+8 bytes in dst, and what is behind those copied may be written to.
func copyPlain(dst []byte, s string) int {
	n := 0
	for ; n < 32 && len(s)-n >= 8; n += 8 {
		x := word(s[n:])
		binary.LittleEndian.PutUint64(dst[n:], x)
		if m := odd(x); m != 0 {
			return n + bits.TrailingZeros64(m)/8
		}
	}
	for ; len(s)-n >= 32 && len(dst)-n >= 32; n += 32 {
		w, to := s[n:n+32], dst[n:n+32:n+32]
		a, b, c, d := word(w), word(w[8:]), word(w[16:]), word(w[24:])
		if odd(a)|odd(b)|odd(c)|odd(d) != 0 {
			break
		}
		binary.LittleEndian.PutUint64(to, a)
		binary.LittleEndian.PutUint64(to[8:], b)
		binary.LittleEndian.PutUint64(to[16:], c)
		binary.LittleEndian.PutUint64(to[24:], d)
	}
	for ; len(s)-n >= 8; n += 8 {
		x := word(s[n:])
		binary.LittleEndian.PutUint64(dst[n:], x)
		if m := odd(x); m != 0 {
			return n + bits.TrailingZeros64(m)/8
		}
	}
	for ; n < len(s); n++ {
		c := s[n]
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
		dst[n] = c
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
