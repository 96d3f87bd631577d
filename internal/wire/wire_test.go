package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

const name = "tongue"

// thing is read and written the way a dialect does it.
type thing struct {
	Name  string
	Size  llm.Opt[int]
	Warm  llm.Opt[float64]
	Open  llm.Opt[bool]
	Parts []string
	Extra llm.Extra
}

func readThing(v wire.Value) (thing, error) {
	var t thing
	err := v.Fields(name, &t.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "name":
			return m.StrTo(&t.Name)
		case "size":
			return true, m.IntTo(&t.Size)
		case "warm":
			return true, m.FloatTo(&t.Warm)
		case "open":
			return true, m.BoolTo(&t.Open)
		case "parts":
			return true, m.Elems(func(_ int, el wire.Value) error {
				s, err := el.Get("text").Str()
				t.Parts = append(t.Parts, s)
				return wire.Under(err, "text")
			})
		}
		return false, nil
	})
	return t, err
}

func writeThing(t thing) string {
	var w jsonw.Writer
	o := wire.Begin(&w, t.Extra.In(name))
	o.OptStr("name", t.Name)
	o.OptInt("size", t.Size)
	o.OptFloat("warm", t.Warm)
	o.OptBool("open", t.Open)
	o.End()
	return w.String()
}

func TestMembersAreReadAndSaidAgain(t *testing.T) {
	const body = `{"name":"a\u00e9\n","size":1e2,"warm":0.5,"open":false,"k\"ey":[1, {"x":null}],"none":null}`
	v, err := wire.Parse([]byte(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readThing(v)
	if err != nil {
		t.Fatal(err)
	}
	want := thing{
		Name: "aé\n", Size: llm.Some(100), Warm: llm.Some(0.5), Open: llm.Some(false),
		Extra: llm.Extra{Dialect: name, Fields: []llm.Field{{Key: `k"ey`, Raw: `[1, {"x":null}]`}, {Key: "none", Raw: "null"}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	const again = `{"name":"aé\n","size":100,"warm":0.5,"open":false,"k\"ey":[1, {"x":null}],"none":null}`
	if s := writeThing(got); s != again {
		t.Errorf("said %s", s)
	}
	want.Extra.Note(name, "size")
	if s := writeThing(want); strings.Contains(s, "size") || strings.Contains(s, "null,") {
		t.Errorf("a note is no member, and keeps its key from being said: %s", s)
	}
}

func TestFaultsNameTheirPath(t *testing.T) {
	for body, want := range map[string]string{
		`[]`:                         "the body must be an object",
		`{"name":1}`:                 "name must be a string",
		`{"size":1.5}`:               "size must be a whole number",
		`{"size":"1"}`:               "size must be a whole number",
		`{"warm":"hot"}`:             "warm must be a number",
		`{"warm":1e999}`:             "warm must be a number",
		`{"open":0}`:                 "open must be true or false",
		`{"parts":{}}`:               "parts must be a list",
		`{"parts":[{"text":""},{}]}`: "parts[1].text must be a string",
	} {
		v, err := wire.Parse([]byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = readThing(v)
		e := wire.Invalid("here", err)
		if e == nil || e.Kind != llm.Invalid || e.Message != want {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if param, _, _ := strings.Cut(want, " must"); param != "the body" && e.Param != param {
			t.Errorf("%s: blames %q", body, e.Param)
		}
	}
	if other := errors.New("other"); wire.Invalid("here", other) != nil || !errors.Is(wire.Under(other, "x"), other) || wire.Under(nil, "x") != nil {
		t.Error("what is no fault must stay what it is")
	}
}

func TestNoValueAnswersEverything(t *testing.T) {
	for _, v := range []wire.Value{{}, wire.Raw(""), wire.Raw(`{"a":`), wire.At([]byte(`{}`), splice.Span{}), wire.Raw("7").Get("a")} {
		_, str := v.Str()
		_, whole := v.Int()
		_, number := v.Float()
		_, yes := v.Bool()
		got := fmt.Sprint(v.Found(), v.Kind(), v.IsNull(), v.Text(), v.JSON(), v.Span(), v.Bytes(), v.Count(), v.Len(), v.Is(""), v.Get("a", "0").Found())
		if got != "false 0 false{0 0} 0 0 0 false false" || str == nil || whole == nil || number == nil || yes == nil {
			t.Errorf("%s", got)
		}
	}
}

func TestValuesAreFoundByPath(t *testing.T) {
	v := wire.Raw(`{"a":[1,{"b":"x"},"\u0041"],"a\u0062":true,"t":1,"t":2}`)
	for path, want := range map[string]string{"a 1 b": `"x"`, "ab": "true", "t": "2", "a 3": "", "a -1": "", "a x": "", "a 0 b": "", "": v.JSON()} {
		if got := v.Get(strings.Fields(path)...).JSON(); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	at := v.Get("a", "2")
	if !at.Is("A") || at.Bytes() != 6 || string(at.Word()) != "A" || v.Len() != 4 || v.Get("a").Len() != 3 {
		t.Error("the string, the object or the list is another")
	}
}

// What lives longer than a call must not keep its body.
func TestOnlyLongStringsShareTheBody(t *testing.T) {
	long := strings.Repeat("x", 4096)
	body := []byte(`{"short":"gpt","long":"` + long + `"}`)
	v, err := wire.Parse(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	short, shared := v.Get("short").Text(), v.Get("long").Text()
	copied := wire.Whole(body).Get("long").Text()
	if n := testing.AllocsPerRun(10, func() { _ = v.Get("long").Text() }); n > 0 || shared != long {
		t.Errorf("%v allocations", n)
	}
	clear(body)
	if short != "gpt" || copied != long {
		t.Error("a copy changes with the body")
	}
}

func TestADocIsUsedAgain(t *testing.T) {
	var d wire.Doc
	frame := []byte(`{"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}`)
	n := testing.AllocsPerRun(100, func() {
		v, err := d.Read(frame)
		if err != nil || !v.Get("choices", "0", "delta", "content").Is("Hello") {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
	if v, err := d.Read([]byte(`{"a":"\q`)); err == nil || v.Found() {
		t.Error("half an object is read")
	}
}

func TestInnerObjectsAreLeftAndTaken(t *testing.T) {
	var e, rest llm.Extra
	wire.Leave(&e, "options", rest)
	rest.Add(name, "a", "1")
	rest.Note(name, "b: a note")
	wire.Leave(&e, "options", rest)
	e.Add(name, "c", "2")
	raw, left := wire.Take(e, name, "options")
	if raw != `{"a":1}` || len(left.Fields) != 1 || left.Dialect != name {
		t.Errorf("took %s, left %v", raw, left)
	}
	if raw, left := wire.Take(e, "other", "options"); raw != "" || !cmp.Equal(left, e) {
		t.Error("took what another dialect said")
	}
	var w jsonw.Writer
	o := wire.Begin(&w, e.In(name))
	o.Forget("c")
	o.Str("c", "fresh")
	o.Open("inner", raw)
	wire.AppendMembers(&w, "[]")
	w.Close('}')
	o.End()
	if s := w.String(); s != `{"c":"fresh","inner":{"a":1},"options":{"a":1}}` {
		t.Error(s)
	}
}

// What is known of a string is only how it was said: with it and without it the same is written.
func FuzzKnownStrings(f *testing.F) {
	for _, s := range []string{
		"a", `\n`, `\"\\`, `\u00e9\/`, `\ud83d\ude00`, `\ud83d`, `\uDE00`, "é", "\xff", "日本", `\ufffd`, "\xed\xa0\x80",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, piece string) {
		body := []byte(`"` + strings.Repeat("x", 600) + piece + `"`)
		var said llm.Said
		v, err := wire.Parse(body, &said)
		if err != nil {
			return
		}
		text, err := v.Str()
		if err != nil {
			return
		}
		known, plain := jsonw.Writer{Known: said.JSON}, jsonw.Writer{}
		known.Str(text)
		plain.Str(text)
		var a, b string
		if json.Unmarshal(known.Buf, &a) != nil || json.Unmarshal(plain.Buf, &b) != nil || a != b || !utf8.Valid(known.Buf) {
			t.Errorf("%q: said %q and %q", body, known.Buf, plain.Buf)
		}
		if wire.Whole(known.Buf).Text() != wire.Whole(plain.Buf).Text() {
			t.Errorf("%q: said %q and %q", body, known.Buf, plain.Buf)
		}
	})
}

func TestPartsOfAStringAreKnown(t *testing.T) {
	data := strings.Repeat("iVBO", 300)
	var said llm.Said
	v, err := wire.Parse([]byte(`["data:;base64,`+data+`","\n`+data+`","é`+data+`"]`), &said)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, false} {
		el := v.Get(fmt.Sprint(i))
		part := el.Text()[5:]
		el.Part(part)
		if json, ok := said.JSON(part); ok != want || ok && json != part {
			t.Errorf("%d: known %v", i, ok)
		}
	}
}
