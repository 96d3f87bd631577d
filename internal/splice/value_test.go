package splice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plenum-foundry/plenum/internal/splice"
)

func TestSpanReadsValues(t *testing.T) {
	body := []byte(`{"s":"a\u00e9\n","e":"","t":true,"f":false,"n":null,"i":-7,"w":5.0,"k":1e3,"h":0.5,"big":9223372036854775807,"huge":1e30,"o":{},"a":[]}`)
	get := func(k string) splice.Span {
		at, ok := splice.Get(body, splice.Whole(body), k)
		if !ok && k != "none" {
			t.Fatalf("no %s", k)
		}
		return at
	}
	str := func(k string) string { s, ok := get(k).String(body); return fmt.Sprintf("%q %v", s, ok) }
	num := func(k string) string { n, ok := get(k).Int(body); return fmt.Sprint(n, ok) }
	boolean := func(k string) string { v, ok := get(k).Bool(body); return fmt.Sprint(v, ok) }
	got := []string{
		str("s"), str("e"), str("i"), str("none"),
		num("i"), num("w"), num("k"), num("h"), num("big"), num("huge"), num("s"), num("none"),
		boolean("t"), boolean("f"), boolean("n"), boolean("none"),
		fmt.Sprint(get("n").IsNull(body), get("f").IsNull(body), get("none").IsNull(body)),
		fmt.Sprint(get("s").Equal(body, "aé\n"), get("e").Equal(body, ""), get("n").Equal(body, "null"), get("s").Text(body)),
	}
	want := []string{
		`"aé\n" true`, `"" true`, `"" false`, `"" false`,
		"-7 true", "5 true", "1000 true", "0 false", "9223372036854775807 true", "0 false", "0 false", "0 false",
		"true true", "false true", "false false", "false false",
		"true false false",
		"true true false 9",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var kinds []byte
	for _, k := range []string{"s", "t", "f", "n", "i", "o", "a"} {
		kinds = append(kinds, get(k).Kind(body))
	}
	if string(kinds) != `"tfn0{[` || get("none").Kind(body) != 0 {
		t.Errorf("kinds are %s", kinds)
	}
}

func TestGetFollowsAPath(t *testing.T) {
	body := []byte(` {"a":{"b":[10,{"c":"x"}],"b2":1},"d":1,"d":2,"\u0065":3} `)
	tests := []struct {
		path []string
		want string
	}{
		{[]string{"a", "b", "1", "c"}, `"x"`},
		{[]string{"a", "b", "0"}, "10"},
		{[]string{"d"}, "2"},
		{[]string{"e"}, "3"},
		{[]string{"a", "b", "2"}, ""},
		{[]string{"a", "b", "x"}, ""},
		{[]string{"a", "b", "-1"}, ""},
		{[]string{"d", "x"}, ""},
		{[]string{"A"}, ""},
		{nil, string(body)},
	}
	for _, tt := range tests {
		at, ok := splice.Get(body, splice.Whole(body), tt.path...)
		if string(at.Raw(body)) != tt.want || ok != (tt.want != "") {
			t.Errorf("%v: got %q %v", tt.path, at.Raw(body), ok)
		}
	}
	for _, bad := range []string{"", "{", `{"a":1`, `{"a":1 2}`, "[1", "x"} {
		if at, ok := splice.Get([]byte(bad), splice.Whole([]byte(bad)), "a"); ok {
			t.Errorf("%s: got %+v", bad, at)
		}
	}
}

func TestWalkAndElemsVisitInOrder(t *testing.T) {
	body := []byte(`{"x":{"a" : 1, "\u0062":[true , "s"],"c":{}}}`)
	at, _ := splice.Get(body, splice.Whole(body), "x")
	var got []string
	err := splice.Walk(body, at, func(key []byte, m splice.Member) error {
		got = append(got, fmt.Sprintf("%s=%s", key, m.Value.Raw(body)))
		if m.Value.Kind(body) != '[' {
			return nil
		}
		return splice.Elems(body, m.Value, func(i int, el splice.Span) error {
			got = append(got, fmt.Sprintf("%d=%s", i, el.Raw(body)))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a=1", `b=[true , "s"]`, "0=true", `1="s"`, "c={}"}, got); d != "" {
		t.Error(d)
	}
}

func TestWalkEndsEarly(t *testing.T) {
	mine := errors.New("mine")
	for _, tt := range []struct{ give, want error }{{splice.ErrStop, nil}, {mine, mine}} {
		n := 0
		err := splice.Walk([]byte(`{"a":1,"b":`), splice.Span{End: 11}, func([]byte, splice.Member) error { n++; return tt.give })
		if n != 1 || err != tt.want {
			t.Errorf("%d visits, %v", n, err)
		}
		n = 0
		err = splice.Elems([]byte(`[1,2,`), splice.Span{End: 5}, func(int, splice.Span) error { n++; return tt.give })
		if n != 1 || err != tt.want {
			t.Errorf("%d visits, %v", n, err)
		}
	}
	var syntax *splice.SyntaxError
	if err := splice.Elems([]byte(`[1,2,`), splice.Span{End: 5}, func(int, splice.Span) error { return nil }); !errors.As(err, &syntax) {
		t.Errorf("got %v", err)
	}
	if err := splice.Walk([]byte(`{} x`), splice.Span{End: 4}, func([]byte, splice.Member) error { return nil }); !errors.As(err, &syntax) {
		t.Errorf("got %v", err)
	}
}

func TestUnquoteAgreesWithEncodingJSON(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "é", `\n`, `\"`, `\\`, `\/`, `\b\f\r\t`, `\u0041`, `\ud83e\udd8a`, `\ud800`, `\udd8a`, `\ud800\u0041`, `\ud800\n`, `\uFFFF`, `\u0000`, "日本"})
	rapid.Check(t, func(t *rapid.T) {
		raw := `"`
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			raw += piece.Draw(t, "piece")
		}
		raw += `"`
		var want string
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatal(err)
		}
		got, ok := splice.Unquote(nil, []byte(raw))
		if !ok || string(got) != want {
			t.Fatalf("%s: got %q, want %q", raw, got, want)
		}
	})
}

func TestQuoteReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		var back string
		if err := json.Unmarshal(splice.Quote(nil, s), &back); err != nil || back != s {
			t.Fatalf("%q became %q, %v", s, back, err)
		}
	})
	if got := splice.Quote([]byte("x"), "<&> \u2028"); string(got) != "x\"<&> \u2028\"" {
		t.Errorf("got %s", got)
	}
}

func FuzzUnquote(f *testing.F) {
	f.Add([]byte(`"a\ud83e\udd8a\u12"`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := splice.Unquote(nil, raw)
		if ok && len(got) > len(raw) {
			t.Fatalf("%q grew to %q", raw, got)
		}
	})
}
