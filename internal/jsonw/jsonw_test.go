package jsonw

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

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

// A byte that must be escaped is found wherever it stands among eight, whatever its neighbours.
func TestAppendStringFindsEveryEscapeAtEveryPlace(t *testing.T) {
	for c := range 0x80 {
		for at := range 20 {
			for _, fill := range []string{"a", "\u00e9", "~", "!", "#", "[", "]", "\x7f"} {
				s := strings.Repeat(fill, at) + string(rune(c)) + strings.Repeat(fill, 20)
				var got string
				if err := json.Unmarshal(AppendString(nil, s), &got); err != nil || got != s {
					t.Fatalf("%q came back as %q, %v", s, got, err)
				}
			}
		}
	}
}

// reference says a string as plainly as can be.
func reference(s string) string {
	out := []byte{'"'}
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if r < ' ' || r == '"' || r == '\\' {
			out = appendEscape(out, byte(r))
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return string(append(out, '"'))
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{
		"", "plain", "\xff\xfe\xff", "a\xe2\x82", "\xed\xa0\x80x", "\xf0\x9f\x98\x80", "\xe0\x80\x80", "\xc3\x28\xa0\xa1", "\xf4\x90\x80\x80",
		strings.Repeat("\x01", 40), strings.Repeat("Zwölf \"Boxkämpfer\"\n", 9), strings.Repeat("x", 70) + "日本語\xe6" + strings.Repeat("\\", 33),
	} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, at int) {
		if ValidUTF8(s) != utf8.ValidString(s) {
			t.Errorf("%q: ValidUTF8 says %v", s, ValidUTF8(s))
		}
		dst := make([]byte, 1, 5)
		if got, want := string(AppendString(dst, s)[1:]), reference(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
		if at = min(max(at, 0), len(s)); !utf8.ValidString(s[:at]) || !utf8.ValidString(s[at:]) {
			return
		}
		var w Writer
		w.Strs(s[:at], "", s[at:])
		if got := w.String(); got != reference(s) {
			t.Errorf("%q in two parts: %s", s, got)
		}
	})
}

func BenchmarkAppendString(b *testing.B) {
	s := strings.Repeat("A line of a prompt as people write them, with words and \"quotes\".\n", 1500)
	dst := AppendString(nil, s)
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendString(dst[:0], s)
	}
}
