package splice_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/splice"
)

// agreeIndex checks an index against the walkers, and what it accepts against what they do.
func agreeIndex(t interface{ Fatalf(string, ...any) }, in string) {
	body := []byte(in)
	var x splice.Index
	if err := x.Make(body, splice.Whole(body), true); (err == nil) != json.Valid(body) {
		t.Fatalf("%q: a strict index says %v", in, err)
	}
	if err := x.Make(body, splice.Whole(body), false); (err == nil) != json.Valid(plain(body)) {
		t.Fatalf("%q: an index says %v", in, err)
	} else if err != nil {
		return
	}
	if end := sameNode(t, &x, 0, splice.Span{Start: bytes.IndexFunc(body, notSpace), End: len(bytes.TrimRight(body, " \t\r\n"))}); x.Next(0) != end {
		t.Fatalf("%q: the value ends at node %d, not %d", in, x.Next(0), end)
	}
}

func notSpace(r rune) bool { return !strings.ContainsRune(" \t\r\n", r) }

// sameNode checks the value at a node and returns the node behind it.
func sameNode(t interface{ Fatalf(string, ...any) }, x *splice.Index, n int, at splice.Span) int {
	if x.Span(n) != at || x.Kind(n) != at.Kind(x.Body) {
		t.Fatalf("%q: node %d is %v, want %v", x.Body, n, x.Span(n), at)
	}
	end := n + 1
	switch x.Kind(n) {
	case '"':
		if x.ASCII(n) == bytes.ContainsFunc(at.Raw(x.Body), func(r rune) bool { return r >= 0x80 }) {
			t.Fatalf("%q: node %d is ASCII: %v", x.Body, n, x.ASCII(n))
		}
		if x.Escaped(n) != bytes.ContainsRune(at.Raw(x.Body), '\\') {
			t.Fatalf("%q: node %d is escaped: %v", x.Body, n, x.Escaped(n))
		}
	case '{':
		next, last := x.Inner(n)
		if err := splice.Walk(x.Body, at, func(_ []byte, m splice.Member) error {
			next = sameNode(t, x, next, m.Key)
			next = sameNode(t, x, next, m.Value)
			return nil
		}); err != nil || next != last {
			t.Fatalf("%q: the object ends at node %d, not %d: %v", x.Body, last, next, err)
		}
		end = last + 1
	case '[':
		next, last := x.Inner(n)
		if err := splice.Elems(x.Body, at, func(_ int, el splice.Span) error {
			next = sameNode(t, x, next, el)
			return nil
		}); err != nil || next != last {
			t.Fatalf("%q: the list ends at node %d, not %d: %v", x.Body, last, next, err)
		}
		end = last + 1
	}
	return end
}

func TestIndexOfAPart(t *testing.T) {
	body := []byte(`{"a": [1, "x\"y" ] ,"b":`)
	at := splice.Span{Start: 5, End: 18}
	var x splice.Index
	if err := x.Make(body, at, true); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]bool{`"\ud83d"`: true, `"x\uDFFF\n"`: true, `"\ue000\\ud83d"`: false, `"\\u"`: false} {
		var y splice.Index
		if err := y.Make([]byte(in), splice.Whole([]byte(in)), true); err != nil || y.Surrogates(0) != want {
			t.Errorf("%s: surrogates %v, %v", in, y.Surrogates(0), err)
		}
	}
	first, end := x.Inner(0)
	second := x.Next(first)
	if got := fmt.Sprintf("%s %s %v %v", x.Span(first).Raw(body), x.Span(second).Raw(body), x.Escaped(second), x.Next(second) == end); got != `1 "x\"y" true true` {
		t.Error(got)
	}
}

func TestIndexBoundsDepth(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	var x splice.Index
	for n, ok := range map[int]bool{splice.MaxDepth: true, splice.MaxDepth + 1: false} {
		body := deep(n)
		if err := x.Make(body, splice.Whole(body), false); (err == nil) != ok {
			t.Errorf("%d levels: %v", n, err)
		}
	}
}

// A string is searched many bytes at a time: what ends it must be found wherever it stands.
func TestIndexLooksAtEveryByte(t *testing.T) {
	for n := range 100 {
		for _, c := range []string{"", "\x1f", `\q`, "\x00", `\"`} {
			body := []byte(`"` + strings.Repeat("é~\x7f!# ", 20)[:n] + c + `"`)
			var x splice.Index
			err := x.Make(body, splice.Whole(body), true)
			if want := splice.Valid(body, 0); fmt.Sprint(err) != fmt.Sprint(want) {
				t.Fatalf("%q: %v, want %v", body, err, want)
			}
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	for name, body := range map[string][]byte{
		"0.3KB": chat(300), "100KB": chat(100 << 10), "1MB-image": image(1 << 20), "tools-10KB": tools(),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var x splice.Index
			for b.Loop() {
				if err := x.Make(body, splice.Whole(body), true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
