// Package schema holds what a model says to the JSON Schema that its caller gave: is it JSON, and of that
// shape. It also finds the JSON in an answer that wraps it in words.
package schema

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a JSON Schema that answers are held to.
type Schema struct{ compiled *jsonschema.Schema }

// place is what the schema is called in messages; nothing is ever loaded from it, nor from anywhere else.
const place = "schema.json"

// none loads nothing: a schema of a caller's must not make Plenum read files or call addresses.
type none struct{}

// Load refuses.
func (none) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside of the schema: nothing else is loaded", url)
}

// Compile reads a schema.
func Compile(text string) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(none{})
	if err := c.AddResource(place, doc); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	s, err := c.Compile(place)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	return &Schema{s}, nil
}

// errNotJSON says that an answer is no JSON at all.
const errNotJSON = notJSON("it is not JSON")

type notJSON string

func (e notJSON) Error() string { return string(e) }

// Check returns what is wrong with an answer, or nil where it is as the schema has it.
func (s *Schema) Check(answer string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
	if err != nil {
		return errNotJSON
	}
	err = s.compiled.Validate(v)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return errors.New(first(invalid))
	}
	return err
}

// first returns the innermost of the first causes, in one line.
func first(e *jsonschema.ValidationError) string {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	lines := strings.Split(e.Error(), "\n")
	return strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- ")
}

// Unwrap returns the JSON in an answer that has it in a fence or between words; the answer itself where
// nothing of that kind is found.
func Unwrap(answer string) string {
	text := strings.TrimSpace(answer)
	if _, rest, ok := strings.Cut(text, "```"); ok {
		if inner, _, ok := strings.Cut(rest, "```"); ok {
			inner = strings.TrimPrefix(inner, "json")
			text = strings.TrimSpace(inner)
		}
	}
	if valid(text) {
		return text
	}
	start, end := strings.IndexAny(text, "{["), strings.LastIndexAny(text, "}]")
	if start >= 0 && end > start && valid(text[start:end+1]) {
		return text[start : end+1]
	}
	return answer
}

func valid(s string) bool {
	_, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(s)))
	return err == nil
}
