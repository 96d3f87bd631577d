package splice

import (
	"bytes"
	"strings"
)

// Paths is a set of places in a JSON text that are of interest, such as "tools.*.file_ids.*": keys, and a star for
// every element of a list or member of an object. A plus is for every element of a list, or for the value itself
// where it is none. It may be used by several goroutines at once.
type Paths struct{ root place }

// place is where a path leads, and on.
type place struct {
	keys map[string]*place
	any  *place // of every element or member
	each *place // of every element, or of the value itself
	hits []int  // the paths that end here
}

// NewPaths returns the set of the paths.
func NewPaths(paths ...string) *Paths {
	p := &Paths{}
	for i, path := range paths {
		at := &p.root
		for step := range strings.SplitSeq(path, ".") {
			at = at.next(step)
		}
		at.hits = append(at.hits, i)
	}
	return p
}

// next returns the place one step on, which it makes.
func (p *place) next(step string) *place {
	switch step {
	case "*":
		if p.any == nil {
			p.any = &place{}
		}
		return p.any
	case "+":
		if p.each == nil {
			p.each = &place{}
		}
		return p.each
	}
	if p.keys == nil {
		p.keys = map[string]*place{}
	}
	if p.keys[step] == nil {
		p.keys[step] = &place{}
	}
	return p.keys[step]
}

// Hit is a value that stands at one of the paths.
type Hit struct {
	Path int // which of them
	At   Span
}

// Find appends every value that stands at one of the paths, in one pass over the body that skips all else. A key that
// stands twice is found twice. An error is that of the JSON, or of its depth.
func (p *Paths) Find(body []byte, hits []Hit) ([]Hit, error) {
	s := scanner{b: body, maxDepth: MaxDepth, hits: hits}
	s.finish(s.look(s.space(0), 0, &p.root))
	return s.hits, s.err
}

// Scan does what [Scan] does and what Find does, in the same pass.
func (p *Paths) Scan(body []byte, maxDepth int, keys []string, found []Member) (Object, []Hit, error) {
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		return Object{}, nil, byteOrderMark()
	}
	return scan(body, Whole(body), maxDepth, keys, found, &p.root)
}

// look passes over the value at i, which stands at a place.
func (s *scanner) look(i, depth int, at *place) int {
	var end int
	switch c := s.at(i); {
	case at.each != nil && c == '[':
		end = s.elements(i, depth, at.each)
	case at.each != nil:
		end = s.look(i, depth, at.each)
	case c == '{' && (at.keys != nil || at.any != nil):
		end = s.members(i, depth, at)
	case c == '[' && at.any != nil:
		end = s.elements(i, depth, at.any)
	default:
		end = s.value(i, depth)
	}
	if end >= 0 {
		for _, n := range at.hits {
			s.hits = append(s.hits, Hit{n, Span{i, end}})
		}
	}
	return end
}

func (s *scanner) members(i, depth int, at *place) int {
	if !s.deeper(i, depth) {
		return -1
	}
	i = s.space(i + 1)
	if s.at(i) == '}' {
		return i + 1
	}
	for {
		start := i
		if i = s.key(i); i < 0 {
			return -1
		}
		if i = s.member(s.b[start:i], i, depth, at); i < 0 {
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

// member passes over the value at i, whose key stands in an object at a place.
func (s *scanner) member(key []byte, i, depth int, at *place) int {
	if next := at.of(key); next != nil {
		return s.look(i, depth+1, next)
	}
	return s.value(i, depth+1)
}

// of returns the place of a member, by its key as it stands, with its quotes and what follows them up to the value.
func (p *place) of(key []byte) *place {
	key = key[1:bytes.LastIndexByte(key, '"')]
	if bytes.IndexByte(key, '\\') >= 0 {
		var buf [64]byte
		key = appendUnescaped(buf[:0], key)
	}
	if next := p.keys[string(key)]; next != nil {
		return next
	}
	return p.any
}

func (s *scanner) elements(i, depth int, at *place) int {
	if !s.deeper(i, depth) {
		return -1
	}
	i = s.space(i + 1)
	if s.at(i) == ']' {
		return i + 1
	}
	for {
		if i = s.look(i, depth+1, at); i < 0 {
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
