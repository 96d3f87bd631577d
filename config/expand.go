package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// expand puts the values of ${env:NAME} and ${file:PATH} into a text; $${ stands for ${ itself. A
// problem is told without anything that was read.
func (d *decoder) expand(text string) (out, problem string) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), ""
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		ref, rest, ok := strings.Cut(text[i+2:], "}")
		if !ok {
			return "", "has ${ without }; write $${ for the characters themselves"
		}
		value, problem := d.reference(ref)
		if problem != "" {
			return "", problem
		}
		b.WriteString(value)
		text = rest
	}
}

// reference looks up what stands between ${ and }.
func (d *decoder) reference(ref string) (value, problem string) {
	kind, arg, ok := strings.Cut(ref, ":")
	switch {
	case d.kept:
		return "", "has ${...}, which is read in files alone; give the value itself"
	case ok && kind == "env" && isEnvName(arg):
		return d.envValue(arg)
	case ok && kind == "file" && arg != "":
		return d.fileValue(arg)
	}
	return "", fmt.Sprintf("${%s} is not known; there are ${env:NAME} and ${file:PATH}", clip(ref))
}

func isEnvName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func (d *decoder) envValue(name string) (value, problem string) {
	v, ok := d.env.lookup(name)
	if !ok {
		return "", fmt.Sprintf("the environment variable %s is not set", clip(name))
	}
	d.read(v)
	return v, ""
}

// fileValue reads a file whose path is relative to the configuration's. One line break at its end is
// an editor's and not part of the value.
func (d *decoder) fileValue(path string) (value, problem string) {
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(filepath.Dir(d.file.source.name), full)
	}
	d.file.source.files = append(d.file.source.files, full)
	data, err := d.env.readFile(full)
	if err != nil {
		return "", fmt.Sprintf("the file %s cannot be read: %v", clip(path), cause(err))
	}
	if len(data) > 1<<20 {
		return "", fmt.Sprintf("the file %s is larger than 1 MiB", clip(path))
	}
	d.read(string(data))
	text := strings.TrimSuffix(string(data), "\n")
	return strings.TrimSuffix(text, "\r"), ""
}

// read takes a value that stands outside the file into the digest, with its length, so that two values
// cannot run together.
func (d *decoder) read(v string) { fmt.Fprintf(d.sum, "\x00%d\x00%s", len(v), v) }

// cause is what a file operation failed of, without the path that the message has already.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
