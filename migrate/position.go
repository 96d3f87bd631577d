package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// document is a JSON text that was read: its values, and the line at which each stands, by its path.
type document struct {
	root  map[string]any
	lines map[string]int
}

// readDocument reads a JSON object. Its errors name the line.
func readDocument(b []byte) (*document, error) {
	d := &document{lines: map[string]int{}}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	p := positions{b: b, dec: dec, lines: d.lines}
	v, err := p.value("")
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("line %d: is not JSON: %w", p.line(syntax.Offset), err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("line %d: ends in the middle: is it the whole file?", p.line(int64(len(b))))
	case err != nil:
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: something follows the object", p.line(dec.InputOffset()))
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("line 1: is no JSON object")
	}
	d.root = root
	return d, nil
}

// positions reads values and notes where they stand.
type positions struct {
	b     []byte
	dec   *json.Decoder
	lines map[string]int
	depth int
}

// deepest is how deep a configuration may nest.
const deepest = 200

func (p *positions) line(offset int64) int {
	return 1 + bytes.Count(p.b[:min(int(offset), len(p.b))], []byte("\n"))
}

func (p *positions) value(path string) (any, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	p.lines[path] = p.line(p.dec.InputOffset())
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if p.depth++; p.depth > deepest {
		return nil, fmt.Errorf("line %d: nests deeper than %d", p.lines[path], deepest)
	}
	defer func() { p.depth-- }()
	if delim == '[' {
		return p.items(path)
	}
	return p.members(path)
}

func (p *positions) items(path string) (any, error) {
	out := []any{}
	for p.dec.More() {
		v, err := p.value(fmt.Sprintf("%s[%d]", path, len(out)))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := p.dec.Token()
	return out, err
}

func (p *positions) members(path string) (any, error) {
	out := map[string]any{}
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("line %d: %s is there twice", p.line(p.dec.InputOffset()), member(path, name))
		}
		if out[name], err = p.value(member(path, name)); err != nil {
			return nil, err
		}
	}
	_, err := p.dec.Token()
	return out, err
}

// member returns the path of a member.
func member(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// faults is what is wrong with a document.
type faults struct {
	lines map[string]int
	list  []fault
}

type fault struct {
	line int
	text string
}

func (f *faults) fail(at, format string, args ...any) {
	f.list = append(f.list, fault{f.lines[at], at + ": " + fmt.Sprintf(format, args...)})
}

// err returns all of them in the order of the lines; nil where there are none.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b fault) int { return a.line - b.line })
	var out []string
	for _, x := range f.list {
		out = append(out, fmt.Sprintf("line %d: %s", x.line, x.text))
	}
	return errors.New(strings.Join(out, "\n"))
}
