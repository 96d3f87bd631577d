package batch

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}`+"\n\nnot json\n"), byte(0))
	f.Add([]byte(`{"custom_id":"a","params":{"stream":true}}`+"\r\n{"), byte(1))
	f.Add([]byte(`{"body":{"messages":[]}}`+"\n"+`{"body":{"model":null}}`+"\n"+`{"body":[]}`), byte(2))
	f.Add([]byte("\x00\xff\n{\"custom_id\":7}\n"), byte(0))
	f.Fuzz(func(t *testing.T, text []byte, kind byte) {
		words := []string{"openai", "anthropic", mistralWords}[kind%3]
		n := 0
		for l, err := range lines(bytes.NewReader(text), &job{Dialect: words, Endpoint: "/v1/x", Model: "m"}) {
			if err != nil {
				t.Fatalf("bytes in memory cannot be read: %v", err)
			}
			if l.n != n {
				t.Fatalf("line %d is called %d", n, l.n)
			}
			n++
			if l.bad == nil && (l.name == "" || !json.Valid(l.body)) {
				t.Errorf("a good line has the name %q and the body %q", l.name, l.body)
			}
			res := &result{name: l.name, err: &lineError{"code", "why"}}
			said, err := res.say("id", words == "anthropic")
			if err != nil || bytes.Count(said, []byte("\n")) != 1 || !json.Valid(said) {
				t.Errorf("what is said of it is not one line of JSON: %q, %v", said, err)
			}
		}
		if most := bytes.Count(text, []byte("\n")) + 1; n > most {
			t.Errorf("%d lines came of %d", n, most)
		}
	})
}

func TestALineThatIsTooLongIsABadLineAndNotTheEnd(t *testing.T) {
	text := `{"custom_id":"` + strings.Repeat("x", lineBytes) + `"}` + "\n" + `{"custom_id":"b","params":{}}`
	var got []string
	for l, err := range lines(strings.NewReader(text), &job{Dialect: "anthropic"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l.name)
		if (l.bad != nil) != (l.n == 0) {
			t.Errorf("line %d: %v", l.n, l.bad)
		}
	}
	if len(got) != 2 || got[1] != "b" {
		t.Errorf("the lines are %q", got)
	}
}
