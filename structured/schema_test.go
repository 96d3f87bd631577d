package structured

import (
	"errors"
	"strings"
	"testing"
)

const person = `{"type":"object","properties":{"name":{"type":"string"},"born":{"type":"integer","minimum":1000}},"required":["name"],"additionalProperties":false}`

func TestAnAnswerIsHeldToItsSchema(t *testing.T) {
	s, err := Compile(person)
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string][2]string{
		`{"name":"Ada","born":1815}`: {},
		`{"name":"Ada"`:              {"", "not valid JSON"},
		`{"born":1815}`:              {"required", "name"},
		`{"name":"Ada","born":3}`:    {"properties/born/minimum", "at '/born'"},
		`{"name":"Ada","x":1}`:       {"additionalProperties", "x"},
		`"Ada"`:                      {"type", "object"},
	} {
		err := s.Check(answer)
		var m *Mismatch
		if want[1] == "" {
			if err != nil {
				t.Errorf("%s: %v", answer, err)
			}
			continue
		}
		if !errors.As(err, &m) || m.Where != want[0] || !strings.Contains(m.Detail, want[1]) {
			t.Errorf("%s: %v %+v, want %q", answer, err, m, want)
		}
	}
}

// What a record says of a fault holds nothing of the answer.
func TestAMismatchTellsNothingOfTheAnswer(t *testing.T) {
	s, err := Compile(person)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Check(`{"name":"Ada","secret-7":1}`)
	if err == nil || strings.Contains(err.Error(), "secret-7") || strings.Contains(err.Error(), "Ada") {
		t.Errorf("%v", err)
	}
}

// A schema is a caller's text: it makes Plenum read nothing else.
func TestASchemaLoadsNothing(t *testing.T) {
	for _, ref := range []string{"file:///etc/passwd", "http://169.254.169.254/x", "other.json"} {
		if _, err := Compile(`{"$ref":"` + ref + `"}`); err == nil {
			t.Errorf("%s was loaded", ref)
		}
	}
	if _, err := Compile(`{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"next":{"$ref":"#/$defs/a"}}}}}`); err != nil {
		t.Errorf("a schema that refers to itself: %v", err)
	}
	if _, err := Compile(`{"type":`); err == nil {
		t.Error("half a schema was read")
	}
}

// The work of a check is bounded, however a schema multiplies it.
func TestACheckEnds(t *testing.T) {
	s, err := Compile(`{"$ref":"#/$defs/a","$defs":{"a":{"items":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Check(strings.Repeat("[", 60) + strings.Repeat("]", 60))
	var m *Mismatch
	if err == nil || errors.As(err, &m) || !strings.Contains(err.Error(), "too involved") {
		t.Errorf("%v", err)
	}
	if err := s.Check("[[]]"); err != nil {
		t.Errorf("the next answer: %v", err)
	}
}

// A pattern that Go has no word for is not held to; the rest of the schema is.
func TestAForeignPatternIsNoError(t *testing.T) {
	s, err := Compile(`{"type":"string","pattern":"^(?!x).*$","minLength":2}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(`"xy"`); err != nil {
		t.Error(err)
	}
	if err := s.Check(`"x"`); err == nil {
		t.Error("minLength was not held to")
	}
}

func TestUnwrap(t *testing.T) {
	const want = `{"name":"Ada"}`
	for _, answer := range []string{want, "```json\n" + want + "\n```", "Here it is:\n" + want + "\nBye.", "```\n" + want + "```"} {
		if got := Unwrap(answer); got != want {
			t.Errorf("%q gave %q", answer, got)
		}
	}
	for _, same := range []string{"no {json", `"a` + "```" + `b` + "```" + `"`} {
		if got := Unwrap(same); got != same {
			t.Errorf("got %q", got)
		}
	}
}
