package redact

import (
	"strings"
	"unicode/utf8"
)

// hold is how much of a stream is held back: the longest thing that is found across pieces.
const hold = 512

// longest is how much without a blank is held back at most: a token may be as long.
const longest = 16 << 10

// Stream redacts a text that comes in pieces. It is for one goroutine.
type Stream struct {
	r    *Redactor
	rest string
	n    int
}

// Stream returns what redacts a text piece by piece.
func (r *Redactor) Stream() *Stream { return &Stream{r: r} }

// Push takes a piece and returns what can be let go: all but an end that may be the beginning of something.
func (s *Stream) Push(piece string) string {
	s.rest += piece
	cut := len(s.rest) - hold
	if cut <= 0 {
		return ""
	}
	all := s.r.find(s.rest)
	for _, x := range all {
		if x.from < cut && cut < x.to {
			cut = x.from
		}
	}
	// Words stay whole, so that what comes next is not taken for the beginning of one.
	if i := strings.LastIndexAny(s.rest[:cut], " \n\t"); i >= 0 {
		cut = i + 1
	} else if len(s.rest) < longest {
		return ""
	}
	for cut > 0 && cut < len(s.rest) && !utf8.RuneStart(s.rest[cut]) {
		cut--
	}
	last := 0
	for last < len(all) && all[last].to <= cut {
		last++
	}
	if last < len(all) && all[last].from < cut {
		cut = all[last].from
	}
	out := replace(s.rest[:cut], all[:last])
	s.rest, s.n = s.rest[cut:], s.n+last
	return out
}

// End returns what is left.
func (s *Stream) End() string {
	out, n := s.r.Text(s.rest)
	s.rest, s.n = "", s.n+n
	return out
}

// Count is how many things were taken out so far.
func (s *Stream) Count() int { return s.n }
