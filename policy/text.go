package policy

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/plenum-foundry/plenum/internal/near"
)

//go:embed schema.cedarschema
var schemaText string

// Schema is what policies can speak of, in Cedar's own form.
func Schema() string { return schemaText }

// validator reads the schema.
func validator() (*validate.Validator, error) {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(schemaText)); err != nil {
		return nil, fmt.Errorf("reading the schema of policies: %w", err)
	}
	r, err := s.Resolve()
	if err != nil {
		return nil, fmt.Errorf("reading the schema of policies: %w", err)
	}
	return validate.New(r), nil
}

// The bounds of one policy: what is written by hand is far below them, and reading takes no long time within.
const (
	longest = 64 << 10
	deepest = 64
)

// read reads the statements of a policy and holds them to the schema.
func read(src Source, v *validate.Validator) ([]*Rule, []Fault) {
	if f, ok := bounds(src.Text); !ok {
		return nil, []Fault{f}
	}
	list, err := cedar.NewPolicyListFromBytes(src.Name, []byte(src.Text))
	if err != nil {
		return nil, []Fault{syntax(src.Text, err.Error())}
	}
	if len(list) == 0 {
		return nil, []Fault{{Message: "there is no statement in it, such as permit (principal, action, resource);"}}
	}
	var faults []Fault
	rules := make([]*Rule, len(list))
	ids := map[string]bool{}
	for i, p := range list {
		end := len(src.Text)
		if i+1 < len(list) {
			end = list[i+1].Position().Offset
		}
		text := src.Text[p.Position().Offset:end]
		rules[i] = newRule(src, p, text, i, len(list))
		if id := rules[i].Name; ids[id] {
			faults = append(faults, Fault{Line: p.Position().Line, Column: p.Position().Column, Message: fmt.Sprintf("@id(%q) is that of another statement as well", strings.TrimPrefix(id, src.Name+"#"))})
		}
		ids[rules[i].Name] = true
		faults = append(faults, unmeant(v, p, text)...)
	}
	return rules, faults
}

// newRule names a statement: after its policy, where that has no other.
func newRule(src Source, p *cedar.Policy, text string, i, of int) *Rule {
	notes := p.Annotations()
	r := &Rule{
		Name: src.Name, Policy: src.Name, Forbid: p.Effect() == cedar.Forbid, Line: p.Position().Line,
		Message: string(notes["message"]), Text: statement(text), compiled: p,
	}
	if id := string(notes["id"]); id != "" {
		r.Name += "#" + id
	} else if of > 1 {
		r.Name += "#" + strconv.Itoa(i+1)
	}
	return r
}

// statement cuts off what stands behind a statement's end: what is said before the next.
func statement(text string) string {
	return text[:1+endOf(text)]
}

// endOf returns where the semicolon of a statement is: the first that stands in no text and in no comment.
func endOf(text string) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == ';':
			return i
		case text[i] == '"':
			i = endOfText(text, i)
		case strings.HasPrefix(text[i:], "//"):
			i += strings.IndexByte(text[i:]+"\n", '\n')
		}
	}
	return len(text) - 1
}

// endOfText returns where the text ends that begins at a quote.
func endOfText(s string, at int) int {
	for i := at + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(s)
}

// bounds refuses what no person writes, before anything is built of it.
func bounds(text string) (Fault, bool) {
	if len(text) > longest {
		return Fault{Message: fmt.Sprintf("is longer than %d KiB; make several of it", longest>>10)}, false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			i = endOfText(text, i)
		case strings.HasPrefix(text[i:], "//"):
			i += strings.IndexByte(text[i:]+"\n", '\n')
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		}
		if depth > deepest {
			line, column := lineOf(text, i)
			return Fault{Line: line, Column: column, Message: fmt.Sprintf("nests deeper than %d", deepest)}, false
		}
	}
	return Fault{}, true
}

// lineOf returns the line and the column of an offset, in characters.
func lineOf(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	return 1 + strings.Count(before, "\n"), 1 + len([]rune(before[1+strings.LastIndexByte(before, '\n'):]))
}

// syntax reads the parser's error.
func syntax(text, message string) Fault {
	m := regexp.MustCompile(`(?s)^parser error: (?:parse error at )?<input>:(\d+):(\d+)(?: "(.*?)")?: (.*)$`).FindStringSubmatch(message)
	if m == nil {
		return Fault{Message: "is not Cedar: " + strings.TrimPrefix(message, "parser error: ")}
	}
	f := Fault{Message: "is not Cedar: " + m[4]}
	f.Line, _ = strconv.Atoi(m[1])
	f.Column, _ = strconv.Atoi(m[2])
	f.Line, f.Column = max(f.Line, 1), max(f.Column, 1) // the parser counts from 0 at the beginning of a line
	exact := regexp.MustCompile(`^exact got (.*) want (.*)$`).FindStringSubmatch(m[4])
	switch {
	case exact == nil && m[3] != "":
		f.Message += fmt.Sprintf(" (before %q)", m[3])
	case exact == nil:
	case exact[1] == "":
		f.Message = fmt.Sprintf("is not Cedar: it ends where %q is missing", exact[2])
	default:
		f.Message = fmt.Sprintf("is not Cedar: there is %q where %q must stand", exact[1], exact[2])
		f.Line, f.Column = lastBefore(text, exact[1], f.Line, f.Column) // the parser tells what comes after it
	}
	return f
}

// lastBefore returns where a word stands last before a place, or that place.
func lastBefore(text, word string, line, column int) (int, int) {
	lines := strings.SplitAfter(text, "\n")
	if line < 1 || line > len(lines) {
		return line, column
	}
	upto := strings.Join(lines[:line-1], "") + string([]rune(lines[line-1])[:min(max(column-1, 0), len([]rune(lines[line-1])))])
	if i := strings.LastIndex(upto, word); i >= 0 {
		return lineOf(text, i)
	}
	return line, column
}

// unmeant holds a statement to the schema, and its values to those that there are.
func unmeant(v *validate.Validator, p *cedar.Policy, text string) []Fault {
	var faults []Fault
	said := map[string]bool{}
	wrong := func(message, word string) {
		f := Fault{Line: p.Position().Line, Column: p.Position().Column, Message: message}
		if at := find(text, word); at >= 0 {
			line, column := lineOf(text, at)
			if line == 1 {
				column += f.Column - 1
			}
			f.Line, f.Column = f.Line+line-1, column
		}
		if !said[f.Message] {
			said[f.Message] = true
			faults = append(faults, f)
		}
	}
	if err := v.Policy("", (*ast.Policy)(p.AST())); err != nil {
		for message := range strings.SplitSeq(err.Error(), "\n") {
			wrong(plainly(message))
		}
	}
	if len(faults) > 1 { // what follows from a name that is not known
		faults = slices.DeleteFunc(faults, func(f Fault) bool { return f.Message == nothingApplies })
	}
	var w words
	w.of(p)
	for at, values := range w.values {
		for _, x := range values {
			if known := closed(at); known != nil && !slices.Contains(known, unquoted(x)) {
				wrong(fmt.Sprintf("%s is none of the values of %s.%s%s%s", unquoted(x), at.of, at.name, near.Suggest(unquoted(x), known), among(known)), unquoted(x))
			}
		}
	}
	return faults
}

const nothingApplies = "what it asks of principal, action and resource is never so together"

// among lists values, where they are a few.
func among(known []string) string {
	if len(known) > 10 {
		return ""
	}
	return " (" + strings.Join(known, ", ") + ")"
}

// find returns where a word stands in a statement by itself, or -1.
func find(text, word string) int {
	if word == "" {
		return -1
	}
	m := regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(word) + `(\W|$)`).FindStringIndex(text)
	if m == nil {
		return -1
	}
	return m[0] + strings.Index(text[m[0]:], word)
}
