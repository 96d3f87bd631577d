package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration, and where.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0 where it is not known
	Path         string // such as deployments[0].targets[1].weight; "" is the file as a whole
	Message      string

	kept     [2]string // list and name of the item that it is about, where that is kept elsewhere
	shadowed bool      // the item is left out for one of the file
}

// Error returns the problem as "plenum.yaml:12:9: deployments[0].name: what is wrong".
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems is everything that is wrong with a configuration, in the order of its lines.
type Problems []Problem

// mostShown bounds an error's text: a file of the wrong kind can have a problem in every line.
const mostShown = 40

// Error returns the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, 0, len(ps))
	for i, p := range ps {
		if i == mostShown {
			lines = append(lines, fmt.Sprintf("and %d more", len(ps)-i))
			break
		}
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

// asError returns the problems sorted by place and without repeats, or nil if there are none.
func (ps Problems) asError() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ps)
}

// add notes a problem at a place of the file.
func (ps *Problems) add(s *source, path, format string, args ...any) {
	if item, rest, ok := s.keptAt(path); ok {
		*ps = append(*ps, Problem{File: item.String(), Path: rest, Message: fmt.Sprintf(format, args...), kept: item.id()})
		return
	}
	m := s.at(path)
	*ps = append(*ps, Problem{
		File: s.name, Line: m.line, Column: m.column,
		Path: path, Message: fmt.Sprintf(format, args...),
	})
}
