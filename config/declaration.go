package config

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// LoadDeclaration reads a file of items to be declared through the management API, list by list, as JSON: with the values of
// ${env:NAME} and ${file:PATH} in it. It may hold what a configuration may hold of lists whose items are nouns, and
// is checked as one. Its error is Problems, or says why the file cannot be read.
func LoadDeclaration(path string, env Env) (map[string][]json.RawMessage, error) {
	data, err := env.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the declaration: %w", err)
	}
	f, err := Parse(path, data, env)
	if err != nil {
		return nil, err
	}
	var lists map[string]any
	if err := yaml.Unmarshal(data, &lists); err != nil {
		return nil, fmt.Errorf("reading the declaration: %w", err)
	}
	d := &decoder{file: f, env: env, sum: noSum{}}
	out := map[string][]json.RawMessage{}
	for name, items := range lists {
		if _, ok := NounOf(name); !ok {
			d.fail(name, "is of the configuration of a node (plenum serve), and cannot be applied; there are %s", strings.Join(listNames(), ", "))
			continue
		}
		out[name] = []json.RawMessage{}
		list, _ := items.([]any)
		for i, item := range list {
			b, err := json.Marshal(d.expanded(item, index(name, i)))
			if err != nil {
				return nil, fmt.Errorf("writing %s[%d]: %w", name, i, err)
			}
			out[name] = append(out[name], b)
		}
	}
	return out, d.problems.asError()
}

func listNames() []string {
	var out []string
	for _, n := range Nouns() {
		out = append(out, n.List)
	}
	return out
}

// expanded returns a value with what its texts refer to in their place.
func (d *decoder) expanded(v any, path string) any {
	switch v := v.(type) {
	case string:
		text, problem := d.expand(v)
		if problem != "" {
			d.fail(path, "%s", problem)
		}
		return strings.ReplaceAll(text, "${", "$${") // it is read once more, where nothing is to be put in
	case []any:
		for i := range v {
			v[i] = d.expanded(v[i], index(path, i))
		}
	case map[string]any:
		for name := range v {
			v[name] = d.expanded(v[name], join(path, name))
		}
	}
	return v
}

// noSum is a sum that nobody asks for.
type noSum struct{}

func (noSum) Write(p []byte) (int, error) { return len(p), nil }
func (noSum) Sum(b []byte) []byte         { return b }
func (noSum) Reset()                      {}
func (noSum) Size() int                   { return 0 }
func (noSum) BlockSize() int              { return 1 }

// LoadJSON reads a file in YAML as JSON, with the values of ${env:NAME} and ${file:PATH} in the members of a name.
// Its error is Problems, or says why the file cannot be read.
func LoadJSON(path string, env Env, member string) ([]byte, error) {
	data, err := env.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the file: %w", err)
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("%s is not YAML: %w", path, err)
	}
	d := &decoder{file: New(), env: env, sum: noSum{}}
	d.file.source = source{name: path, marks: map[string]mark{"": {}}}
	if members, ok := v.(map[string]any); ok && members[member] != nil {
		members[member] = d.expanded(members[member], member)
	}
	if err := d.problems.asError(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be said as JSON: %w", path, err)
	}
	return b, nil
}
