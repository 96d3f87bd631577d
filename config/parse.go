package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Env is where ${env:NAME} and ${file:PATH} are looked up. The zero Env is the process's own.
type Env struct {
	Lookup   func(name string) (string, bool)
	ReadFile func(path string) ([]byte, error)
}

func (e Env) lookup(name string) (string, bool) {
	if e.Lookup == nil {
		return os.LookupEnv(name)
	}
	return e.Lookup(name)
}

func (e Env) readFile(path string) ([]byte, error) {
	if e.ReadFile == nil {
		return os.ReadFile(path)
	}
	return e.ReadFile(path)
}

// most bounds a configuration's text, against a device or a log given by mistake.
const most = 16 << 20

// Load reads and parses the file at a path.
func Load(path string, env Env) (*File, error) {
	data, err := env.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, data, env)
}

// Parse reads a configuration. Its error is Problems: everything that is wrong with the text, in the
// order of its lines, except that a text which is not YAML has only its first problem. The file is
// returned all the same, for Compile to add what it finds; Compile never succeeds with it.
func Parse(name string, data []byte, env Env) (*File, error) {
	d := &decoder{file: New(), env: env, sum: sha256.New()}
	d.file.source = source{name: name, marks: map[string]mark{"": {line: 1, column: 1}}}
	d.sum.Write(data)
	if root := d.document(data); root != nil {
		d.structure(root, valueOf(d.file), "")
	}
	d.sum.Sum(d.file.source.digest[:0])
	d.file.source.problems = d.problems
	return d.file, d.problems.asError()
}

// document returns the one mapping that the text holds.
func (d *decoder) document(data []byte) *yaml.Node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch {
	case len(data) > most:
		d.fail("", "is larger than %d MiB", most>>20)
		return nil
	case !utf8.Valid(data):
		d.fail("", "is not UTF-8 text")
		return nil
	}
	var root, second yaml.Node
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err == nil {
		err = loader.Load(&root)
	}
	if err != nil {
		d.notYAML(err, data)
		return nil
	}
	if err := loader.Load(&second); !errors.Is(err, io.EOF) {
		d.problems = append(d.problems, Problem{
			File: d.file.source.name, Line: second.Line, Column: second.Column,
			Message: "a second document begins here; a configuration is one",
		})
		return nil
	}
	if len(root.Content) != 1 {
		d.fail("", "is empty")
		return nil
	}
	return root.Content[0]
}

// notYAML reports what the YAML library said, in this package's form.
func (d *decoder) notYAML(err error, data []byte) {
	p := Problem{File: d.file.source.name, Message: "is empty"}
	if !errors.Is(err, io.EOF) {
		p.Message = "is not YAML"
	}
	var le *yaml.LoadError
	if errors.As(err, &le) {
		p.Line, p.Column = le.Mark.Line, le.Mark.Column
		p.Message = "is not YAML: " + le.Message + hint(data, le)
		if strings.Contains(le.Message, "anchor") {
			// The name that it would repeat may be a secret that begins with an asterisk.
			p.Message = "is not YAML: an alias (*name) without its anchor (&name); quote a text that begins with *"
		}
	}
	d.problems = append(d.problems, p)
}

// hint says what people mostly did where YAML stumbles.
func hint(data []byte, le *yaml.LoadError) string {
	lines := bytes.Split(data, []byte("\n"))
	from, to := max(1, le.ContextMark.Line), min(le.Mark.Line, len(lines))
	if from > to {
		from = to
	}
	if to < 1 {
		return ""
	}
	if bytes.HasPrefix(bytes.TrimLeft(lines[to-1], " "), []byte("\t")) {
		return "; indent with spaces, not with tabs"
	}
	if bytes.Contains(bytes.Join(lines[from-1:to], nil), []byte(" ${")) {
		return `; inside { } and [ ], write "${...}" in quotes`
	}
	return ""
}
