package config

import (
	"strconv"
	"strings"
)

// source is where a File came from: what errors and the watcher need of the text.
type source struct {
	name   string
	digest [32]byte // of the text and of every file that it takes values from
	files  []string // the files that it takes values from
	marks  map[string]mark
	// problems are what was wrong with the text itself.
	problems Problems

	// Of lists to which items were added that are kept elsewhere: how many the file declares, which come first, and
	// the names of the others.
	kept  map[string]int
	items map[string][]string
}

// mark is the place of one value in the text.
type mark struct {
	line, column int
	raw          string // as written: ${env:X} is not expanded; empty for a secret
}

// at returns the place of a path, or of the nearest thing around it that was written.
func (s *source) at(path string) mark {
	for path != "" {
		if m, ok := s.marks[path]; ok {
			return m
		}
		path = parent(path)
	}
	return s.marks[""]
}

// spoiled reports whether the names in a list could not all be read, so that one which is missing says
// nothing.
func (s *source) spoiled(list string) bool {
	for _, p := range s.problems {
		rest, ok := strings.CutPrefix(p.Path, list)
		if ok && (!strings.Contains(rest, ".") || strings.HasSuffix(rest, ".name")) {
			return true
		}
	}
	return false
}

// parent cuts the last step off a path.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// join adds a member's name to a path. Names that could be read as more than one step are quoted.
func join(path, name string) string {
	if name == "" || strings.ContainsAny(name, ".[] \t\n\"") {
		return path + "[" + strconv.Quote(clip(name)) + "]"
	}
	if path == "" {
		return clip(name)
	}
	return path + "." + clip(name)
}

// index adds an item's number to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// clip bounds what a message repeats of the file.
func clip(s string) string {
	const most = 80
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "..."
}

// Name returns the file's name as it was given to Parse.
func (f *File) Name() string { return f.source.name }

// Sources returns the files that the configuration takes values from with ${file:PATH}.
func (f *File) Sources() []string { return f.source.files }
