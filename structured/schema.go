package structured

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a JSON Schema that answers are held to. It is used by one goroutine at a time.
type Schema struct {
	compiled *jsonschema.Schema
	steps    *steps
}

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
	n := &steps{}
	c := jsonschema.NewCompiler()
	c.UseLoader(none{})
	c.UseRegexpEngine(pattern)
	c.RegisterVocabulary(n.vocabulary())
	c.AssertVocabs()
	if err := c.AddResource(place, doc); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	s, err := c.Compile(place)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	return &Schema{compiled: s, steps: n}, nil
}

// anything matches every text.
type anything string

func (anything) MatchString(string) bool { return true }
func (a anything) String() string        { return string(a) }

// pattern reads a regular expression. What Go's have no word for (to look ahead, say) is not held to: they
// are the only ones whose time is known to be in proportion to the text.
func pattern(s string) (jsonschema.Regexp, error) {
	re, err := regexp.Compile(s)
	if err != nil {
		return anything(s), nil //nolint:nilerr // said above
	}
	return re, nil
}

// maxSteps bounds the work of one check: a schema of a few lines can refer to itself so that the work
// doubles with every level of the answer.
const maxSteps = 200_000

// steps counts how many times a part of the schema was held against a part of the answer.
type steps struct{ n int }

// tooMuch is what the counting panics with, for the library has no other way to end a check.
type tooMuch struct{}

// vocabulary makes every part of a schema count, by a vocabulary without words.
func (s *steps) vocabulary() *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL:     "plenum:steps",
		Compile: func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error) { return s, nil },
	}
}

// Validate counts one step.
func (s *steps) Validate(*jsonschema.ValidatorContext, any) {
	if s.n++; s.n > maxSteps {
		panic(tooMuch{})
	}
}

// Mismatch says how an answer is not what the schema asks for.
type Mismatch struct {
	// Where is the word of the schema that is not kept, as a path: "properties/born/minimum". It holds nothing
	// of the answer, so that it may stand in records; "" where the answer is no JSON at all.
	Where string
	// Detail says it for the model, line by line. It may repeat parts of the answer.
	Detail string
}

// Error says where the answer does not match, and nothing of the answer.
func (m *Mismatch) Error() string {
	if m.Where == "" {
		return "the answer is not JSON"
	}
	return "the answer does not match the schema at " + m.Where
}

// Check holds an answer to the schema. What is wrong with it is a *Mismatch; another error says that it could
// not be told.
func (s *Schema) Check(answer string) (err error) {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
	if err != nil {
		return &Mismatch{Detail: "It is not valid JSON: " + err.Error()}
	}
	defer func() {
		if x := recover(); x != nil {
			if _, ours := x.(tooMuch); !ours {
				panic(x)
			}
			err = errors.New("the schema is too involved to be checked")
		}
	}()
	s.steps.n = 0
	err = s.compiled.Validate(v)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return mismatch(invalid)
	}
	return err
}

// maxFaults is how many faults of an answer the model is told at once.
const maxFaults = 5

func mismatch(e *jsonschema.ValidationError) *Mismatch {
	var m Mismatch
	var lines []string
	var visit func(*jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		for _, c := range e.Causes {
			visit(c)
		}
		if len(e.Causes) > 0 || len(lines) >= maxFaults {
			return
		}
		if len(lines) == 0 {
			m.Where = where(e)
		}
		lines = append(lines, said(e))
	}
	visit(e)
	m.Detail = strings.Join(lines, "\n")
	return &m
}

// where returns the path of the word of the schema that is not kept.
func where(e *jsonschema.ValidationError) string {
	_, at, _ := strings.Cut(e.SchemaURL, "#")
	at = strings.Trim(at, "/")
	for _, k := range e.ErrorKind.KeywordPath() {
		at += "/" + k
	}
	if at = strings.Trim(at, "/"); at == "" {
		return "its root"
	}
	return at
}

// said returns the fault in one line: "at '/born': minimum: got 3, want 1,000".
func said(e *jsonschema.ValidationError) string {
	lines := strings.Split(strings.TrimSpace(e.Error()), "\n")
	return strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- ")
}

// Unwrap returns the JSON in an answer that has it in a fence or between words; the answer itself where
// nothing of that kind is found.
func Unwrap(answer string) string {
	text := strings.TrimSpace(answer)
	if json.Valid([]byte(text)) {
		return text
	}
	if _, rest, ok := strings.Cut(text, "```"); ok {
		if inner, _, ok := strings.Cut(rest, "```"); ok {
			text = strings.TrimSpace(strings.TrimPrefix(inner, "json"))
		}
	}
	if json.Valid([]byte(text)) {
		return text
	}
	start, end := strings.IndexAny(text, "{["), strings.LastIndexAny(text, "}]")
	if start >= 0 && end > start && json.Valid([]byte(text[start:end+1])) {
		return text[start : end+1]
	}
	return answer
}
