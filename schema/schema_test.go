package schema

import (
	"strings"
	"testing"
)

const person = `{"type":"object","properties":{"name":{"type":"string"},"born":{"type":"integer","minimum":1000}},"required":["name"],"additionalProperties":false}`

func TestCheck(t *testing.T) {
	s, err := Compile(person)
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		`{"name":"Ada","born":1815}`: "",
		`{"name":"Ada"`:              "not JSON",
		`{"born":1815}`:              "name",
		`{"name":"Ada","born":3}`:    "born",
		`{"name":"Ada","x":1}`:       "x",
		`"Ada"`:                      "object",
	} {
		err := s.Check(answer)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", answer, err, want)
		}
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

func TestUnwrap(t *testing.T) {
	const want = `{"name":"Ada"}`
	for _, answer := range []string{want, "```json\n" + want + "\n```", "Here it is:\n" + want + "\nBye.", "```\n" + want + "```"} {
		if got := Unwrap(answer); got != want {
			t.Errorf("%q gave %q", answer, got)
		}
	}
	if got := Unwrap("no {json"); got != "no {json" {
		t.Errorf("got %q", got)
	}
}
