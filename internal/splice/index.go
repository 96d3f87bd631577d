package splice

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf16"
)

// Node is an entry of an [Index].
//
// A string, number or literal is one node. An object or array is a node, then those of its members (key
// and value in turn) or elements, then one that closes it.
type Node struct {
	start uint32 // where the value starts; for a closing node where the value ends
	mark  uint32 // for an object or array the node behind it; for others where it ends, and what is odd in it
}

// These mark the end of a string. Bodies are shorter than that.
const (
	escaped   = 1 << 31 // it has escapes
	high      = 1 << 30 // it has bytes that are not ASCII
	surrogate = 1 << 29 // it has an escape that is half of a pair of surrogates
	most      = surrogate
)

// Index is a table of all values of a body, made in one pass over it: what it holds can then be walked
// over in any order, and as often as one likes, without looking at a byte twice. The zero Index is ready;
// it may be made anew for another body, and then uses its memory again.
type Index struct {
	Body  []byte
	nodes []Node
}

// Make indexes the value at a span of a body, nested at most MaxDepth levels deep. A strict index checks
// all of the grammar, as [Valid] does; another only the structure, as [Scan] does.
func (x *Index) Make(body []byte, at Span, strict bool) error {
	x.Body, x.nodes = body, x.nodes[:0]
	if at.End >= most {
		return &SyntaxError{Offset: math.MaxInt32, Want: "a body of less than 512 MiB"}
	}
	p := indexer{scanner{b: body[:at.End], maxDepth: MaxDepth, strict: strict}, x.nodes}
	p.finish(p.item(p.space(at.Start), 0))
	x.nodes = p.nodes
	return p.err
}

// Kind returns what the value at a node is, as [Span.Kind] does.
func (x *Index) Kind(n int) byte {
	c := x.Body[x.nodes[n].start]
	if c == '-' || '0' <= c && c <= '9' {
		return '0'
	}
	return c
}

// Span returns the place of the value at a node.
func (x *Index) Span(n int) Span {
	at := x.nodes[n]
	if c := x.Body[at.start]; c == '{' || c == '[' {
		return Span{int(at.start), int(x.nodes[at.mark-1].start)}
	}
	return Span{int(at.start), int(at.mark &^ (escaped | high | surrogate))}
}

// Escaped reports whether the string at a node has escapes.
func (x *Index) Escaped(n int) bool { return x.nodes[n].mark&escaped != 0 }

// Surrogates reports whether the string at a node has escapes of surrogates, of which the other half may
// be missing. Only a strict index knows.
func (x *Index) Surrogates(n int) bool { return x.nodes[n].mark&surrogate != 0 }

// ASCII reports whether the string at a node stands there in ASCII alone.
func (x *Index) ASCII(n int) bool { return x.nodes[n].mark&high == 0 }

// Inner returns the node of the first member or element of the object or array at a node, and the one
// where they end.
func (x *Index) Inner(n int) (first, end int) { return n + 1, int(x.nodes[n].mark) - 1 }

// Next returns the node behind the value at a node.
func (x *Index) Next(n int) int {
	at := x.nodes[n]
	if c := x.Body[at.start]; c == '{' || c == '[' {
		return int(at.mark)
	}
	return n + 1
}

// indexer is a scanner that notes what it passes.
type indexer struct {
	scanner
	nodes []Node
}

func (p *indexer) note(start, mark int) { p.nodes = append(p.nodes, Node{uint32(start), uint32(mark)}) }

// item passes over the value at i and returns where it ends, or -1.
func (p *indexer) item(i, depth int) int {
	switch p.at(i) {
	case '"':
		return p.text(i)
	case '{':
		return p.list(i, depth, '}', "',' or '}'")
	case '[':
		return p.list(i, depth, ']', "',' or ']'")
	}
	end := p.value(i, depth)
	p.note(i, end)
	return end
}

// list passes over an object or an array.
func (p *indexer) list(i, depth int, closer byte, want string) int {
	if !p.deeper(i, depth) {
		return -1
	}
	open := len(p.nodes)
	p.note(i, 0)
	i = p.space(i + 1)
	if p.at(i) == closer {
		return p.shut(open, i+1)
	}
	for {
		if closer == '}' {
			if i = p.name(i); i < 0 {
				return -1
			}
		}
		if i = p.item(i, depth+1); i < 0 {
			return -1
		}
		i = p.space(i)
		switch p.at(i) {
		case ',':
			i = p.space(i + 1)
		case closer:
			return p.shut(open, i+1)
		default:
			return p.fail(i, want)
		}
	}
}

func (p *indexer) shut(open, end int) int {
	p.note(end, 0)
	p.nodes[open].mark = uint32(len(p.nodes))
	return end
}

// name passes over a key and its colon.
func (p *indexer) name(i int) int {
	if p.at(i) != '"' {
		return p.fail(i, "a key in quotes")
	}
	if i = p.text(i); i < 0 {
		return -1
	}
	return p.colon(i)
}

// text passes over a string.
func (p *indexer) text(i int) int {
	b, k, marks := p.b, i+1, 0
	var all uint64
	for {
		k, all = special(b, k, all)
		switch {
		case k == len(b):
			return p.fail(k, "a closing quote")
		case b[k] == '"':
			if all&tops != 0 {
				marks |= high
			}
			p.note(i, k+1|marks)
			return k + 1
		case b[k] == '\\':
			marks |= escaped
			if !p.strict {
				k = min(k+1, len(b)-1)
				all |= uint64(b[k])
				break
			}
			if utf16.IsSurrogate(hex4(b[k:])) {
				marks |= surrogate
			}
			if k = p.escape(k); k < 0 {
				return -1
			}
		case p.strict:
			return p.fail(k, "an escaped control character")
		}
		k = min(k+1, len(b))
	}
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// specials marks the bytes of a word that cannot stand for themselves in a string: quotes, backslashes
// and control characters. Only the lowest mark is sure to be right.
//
// Flipping a bit puts the quote where the space was, right behind the control characters, and the space
// out of the way: so one comparison finds both.
func specials(x uint64) uint64 {
	return ((x ^ ones*2 - ones*('"'-1)) | (x ^ ones*'\\' - ones)) &^ x & tops
}

// special returns the offset of the next byte that cannot stand for itself in a string, from i on, or
// where b ends. It adds to all the bits of the bytes before that one. It looks at 32 bytes at a time, then
// at eight.
func special(b []byte, i int, all uint64) (int, uint64) {
	if i+8 <= len(b) { // most strings are short
		x := binary.LittleEndian.Uint64(b[i:])
		if m := specials(x); m != 0 {
			return i + bits.TrailingZeros64(m)/8, all | x&before(m)
		}
		all |= x
		i += 8
	}
	for ; i+32 <= len(b); i += 32 {
		w := b[i : i+32 : i+32]
		x, y := binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])
		z, a := binary.LittleEndian.Uint64(w[16:]), binary.LittleEndian.Uint64(w[24:])
		if specials(x)|specials(y)|specials(z)|specials(a) != 0 {
			break
		}
		all |= x | y | z | a
	}
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		if m := specials(x); m != 0 {
			return i + bits.TrailingZeros64(m)/8, all | x&before(m)
		}
		all |= x
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		all |= uint64(c)
	}
	return i, all
}

// before returns a mask of the bytes before the lowest mark.
func before(m uint64) uint64 { return m&-m - 1 }
