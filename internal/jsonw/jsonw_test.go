package jsonw

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAppendStringReadsBackAsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		var got string
		if err := json.Unmarshal(AppendString(nil, s), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestAppendStringReplacesBytesThatAreNotUTF8(t *testing.T) {
	if got, want := string(AppendString(nil, "a\xffb\xc3")), "\"a\uFFFDb\uFFFD\""; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWriterPutsCommasBetweenValues(t *testing.T) {
	var w Writer
	w.Open('{')
	w.KeyStr("a", "x\n")
	w.KeyOpen("b", '[')
	w.Int(1)
	w.Open('{')
	w.Close('}')
	w.Raw(`{"k":1}`)
	w.Close(']')
	w.KeyNull("c")
	w.KeyFloat("d", 0.1)
	w.KeyBool("e", true)
	w.Close('}')
	if got, want := w.String(), `{"a":"x\n","b":[1,{},{"k":1}],"c":null,"d":0.1,"e":true}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
