package splice_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plenum-foundry/plenum/internal/splice"
)

// member finds a member of the object at a path.
func member(t interface{ Fatalf(string, ...any) }, body []byte, key string, path ...string) splice.Member {
	at, _ := splice.Get(body, splice.Whole(body), path...)
	var hit splice.Member
	_ = splice.Walk(body, at, func(k []byte, m splice.Member) error {
		if string(k) == key {
			hit = m
		}
		return nil
	})
	if !hit.Found() {
		t.Fatalf("no %s at %v", key, path)
	}
	return hit
}

func TestEdit(t *testing.T) {
	tests := []struct{ name, body, edits, want string }{
		{"nothing", `{"a":1}`, "", `{"a":1}`},
		{"set", `{ "a" : 1 , "b":2}`, "a=true", `{ "a" : true , "b":2}`},
		{"set twice", `{"a":1}`, "a=2 a=3", `{"a":3}`},
		{"delete first", `{"a":1, "b":2,"c":3}`, "-a", `{"b":2,"c":3}`},
		{"delete middle", `{"a":1, "b":2, "c":3}`, "-b", `{"a":1, "c":3}`},
		{"delete last", `{"a":1, "b":2 , "c":3 }`, "-c", `{"a":1, "b":2  }`},
		{"delete two at the end", `{"a":1,"b":2,"c":3}`, "-c -b", `{"a":1}`},
		{"delete two at the start", `{"a":1,"b":2,"c":3}`, "-a -b", `{"c":3}`},
		{"delete apart", `{"a":1,"b":2,"c":3}`, "-a -c", `{"b":2}`},
		{"delete all", `{ "a":1, "b":2 }`, "-a -b", `{  }`},
		{"delete twice", `{"a":1,"b":2}`, "-a -a", `{"b":2}`},
		{"insert", `{"a":1 }`, "+x=[]", `{"a":1,"x":[] }`},
		{"insert two", `{"a":1}`, "+x=1 +y=2", `{"a":1,"x":1,"y":2}`},
		{"insert into nothing", `{ }`, "+x=1 +y=2", `{"x":1,"y":2 }`},
		{"insert for the last", `{"a":1,"b":2}`, "-b +x=1", `{"a":1,"x":1}`},
		{"insert for all", `{"a":1,"b":2}`, "-b -a +x=1 +y=2", `{"x":1,"y":2}`},
		{"insert before the delete", `{"a":1}`, "+x=1 -a", `{"x":1}`},
		{"set last and insert", `{"a":1}`, "a=2 +x=1", `{"a":2,"x":1}`},
		{"set in what goes", `{"a":1,"b":2}`, "a=2 -a b=3", `{"b":3}`},
		{"key with quotes", `{}`, `+q"=1`, `{"q\"":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := []byte(tt.body)
			e := splice.NewEdit(body)
			for _, c := range strings.Fields(tt.edits) {
				key, raw, _ := strings.Cut(c, "=")
				switch c[0] {
				case '-':
					e.Delete(member(t, body, key[1:]))
				case '+':
					e.Insert(splice.Whole(body), key[1:], []byte(raw))
				default:
					e.Set(member(t, body, key).Value, []byte(raw))
				}
			}
			got, err := e.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, string(got)); d != "" {
				t.Error(d)
			}
			if string(body) != tt.body {
				t.Errorf("the body became %s", body)
			}
		})
	}
}

func TestEditGoesInside(t *testing.T) {
	body := []byte(`{"m":[{"t":"one"},{"t":"two"},{"t":"three"}],"o":{"x":{}}}`)
	at := func(path ...string) splice.Span { s, _ := splice.Get(body, splice.Whole(body), path...); return s }
	e := splice.NewEdit(body)
	e.SetString(at("m", "0", "t"), `a "b"`)
	e.DeleteElem(at("m", "1"))
	e.Set(at("m", "1", "t"), []byte("0"))
	e.Insert(at("m", "1"), "gone", []byte("0"))
	e.Append(at("m"), []byte("4"))
	e.Insert(at("o", "x"), "deep", []byte("1"))
	e.Insert(at("o"), "y", []byte("2"))
	e.Insert(splice.Whole(body), "z", []byte("3"))
	got, err := e.Bytes()
	want := `{"m":[{"t":"a \"b\""},{"t":"three"},4],"o":{"x":{"deep":1},"y":2},"z":3}`
	if err != nil || string(got) != want || !e.Changed() {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestEditWithoutChangesIsTheBody(t *testing.T) {
	body := []byte(`{"a":1}`)
	got, err := splice.NewEdit(body).Bytes()
	if err != nil || &got[0] != &body[0] {
		t.Errorf("copied, %v", err)
	}
}

func TestEditRefusesContradictions(t *testing.T) {
	body := []byte(`{"a":{"b":1},"c":2}`)
	a, b := member(t, body, "a"), member(t, body, "b", "a")
	for name, do := range map[string]func(*splice.Edit){
		"set within set":    func(e *splice.Edit) { e.Set(b.Value, []byte("2")); e.Set(a.Value, []byte("3")) },
		"delete within set": func(e *splice.Edit) { e.Set(a.Value, []byte("3")); e.Delete(b) },
		"insert within set": func(e *splice.Edit) { e.Set(a.Value, []byte("3")); e.Insert(a.Value, "x", []byte("1")) },
		"absent":            func(e *splice.Edit) { e.Set(splice.Span{}, []byte("1")) },
		"absent member":     func(e *splice.Edit) { e.Delete(splice.Member{}) },
		"beyond":            func(e *splice.Edit) { e.Set(splice.Span{Start: 5, End: 99}, []byte("1")) },
		"not an object":     func(e *splice.Edit) { e.Insert(b.Value, "x", []byte("1")) },
		"not an array":      func(e *splice.Edit) { e.Append(a.Value, []byte("1")) },
	} {
		e := splice.NewEdit(body)
		do(e)
		if got, err := e.Bytes(); err == nil {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// TestEditAgreesWithAModel edits objects at random and compares with the same edits of a list.
func TestEditAgreesWithAModel(t *testing.T) {
	type pair struct{ Key, Raw string }
	rapid.Check(t, func(t *rapid.T) {
		var model []pair
		var b bytes.Buffer
		b.WriteString("{" + space.Draw(t, "space"))
		for i := range rapid.IntRange(0, 6).Draw(t, "n") {
			if i > 0 {
				b.WriteString("," + space.Draw(t, "space"))
			}
			p := pair{fmt.Sprint("k", i), scalar.Draw(t, "scalar")}
			model = append(model, p)
			b.WriteString(`"` + p.Key + `"` + space.Draw(t, "space") + ":" + p.Raw + space.Draw(t, "space"))
		}
		b.WriteString("}")
		body := b.Bytes()
		e := splice.NewEdit(body)
		var want, added []pair
		for _, i := range rapid.Permutation(indexes(len(model))).Draw(t, "order") {
			m := member(t, body, model[i].Key)
			switch rapid.IntRange(0, 2).Draw(t, "do") {
			case 0:
				e.Delete(m)
				model[i].Key = ""
			case 1:
				model[i].Raw = scalar.Draw(t, "new")
				e.Set(m.Value, []byte(model[i].Raw))
			}
			if rapid.IntRange(0, 3).Draw(t, "insert") == 0 {
				p := pair{fmt.Sprint("new", len(added)), "1"}
				e.Insert(splice.Whole(body), p.Key, []byte(p.Raw))
				added = append(added, p)
			}
		}
		for _, p := range model {
			if p.Key != "" {
				want = append(want, p)
			}
		}
		want = append(want, added...)
		out, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(out) {
			t.Fatalf("%s became %s", body, out)
		}
		var got []pair
		_ = splice.Walk(out, splice.Whole(out), func(key []byte, m splice.Member) error {
			got = append(got, pair{string(key), string(m.Value.Raw(out))})
			return nil
		})
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s became %s: %s", body, out, d)
		}
	})
}

func indexes(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// TestSetLeavesEveryOtherByte sets one value of any JSON object, anywhere in it.
func TestSetLeavesEveryOtherByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := []byte(jsonText.Draw(t, "json"))
		var spans []splice.Span
		var collect func(splice.Span)
		collect = func(at splice.Span) {
			spans = append(spans, at)
			switch at.Kind(body) {
			case '{':
				_ = splice.Walk(body, at, func(_ []byte, m splice.Member) error { collect(m.Value); return nil })
			case '[':
				_ = splice.Elems(body, at, func(_ int, el splice.Span) error { collect(el); return nil })
			}
		}
		if !json.Valid(body) {
			t.Skip("not JSON")
		}
		collect(splice.Whole(body))
		at := spans[rapid.IntRange(0, len(spans)-1).Draw(t, "span")]
		if !json.Valid(at.Raw(body)) {
			t.Fatalf("%q is no value", at.Raw(body))
		}
		e := splice.NewEdit(body)
		e.Set(at, []byte(`"new"`))
		got, err := e.Bytes()
		want := string(body[:at.Start]) + `"new"` + string(body[at.End:])
		if err != nil || string(got) != want || !json.Valid(got) {
			t.Fatalf("got %s, %v, want %s", got, err, want)
		}
	})
}

func BenchmarkEdit(b *testing.B) {
	for name, body := range map[string][]byte{"0.3KB": chat(300), "100KB": chat(100 << 10)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var found [3]splice.Member
				if _, err := splice.Scan(body, 0, wanted, found[:]); err != nil {
					b.Fatal(err)
				}
				e := splice.NewEdit(body)
				e.SetString(found[0].Value, "another-model")
				if _, err := e.Bytes(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
