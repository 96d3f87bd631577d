package splice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

var wanted = []string{"model", "stream", "max_tokens"}

func TestScanFindsMembers(t *testing.T) {
	body := []byte(` {"messages":[{"role":"user","content":"a \"model\": {\\"}], "model" : "gpt" ,"stream":true,"x":{"model":1}} `)
	var found [3]splice.Member
	obj, err := splice.Scan(body, 0, wanted, found[:])
	if err != nil {
		t.Fatal(err)
	}
	if obj.Len != 4 || string(obj.Raw(body)) != strings.TrimSpace(string(body)) {
		t.Errorf("object is %+v", obj)
	}
	if k, v := found[0].Key.Raw(body), found[0].Value.Raw(body); string(k) != `"model"` || string(v) != `"gpt"` {
		t.Errorf("model is %s: %s", k, v)
	}
	if v := found[1].Value.Raw(body); string(v) != "true" {
		t.Errorf("stream is %s", v)
	}
	if found[2].Found() || found[2].Value.Raw(body) != nil {
		t.Errorf("max_tokens is %+v", found[2])
	}
}

func TestCase_F12_KeysAreComparedExactly(t *testing.T) {
	var found [3]splice.Member
	body := []byte(`{"Model":"a","MODEL":"b","mod\u0065l":"c","stre\u0041m":1,"max_tokens ":2}`)
	if _, err := splice.Scan(body, 0, wanted, found[:]); err != nil {
		t.Fatal(err)
	}
	if !found[0].Value.Equal(body, "c") || found[1].Found() || found[2].Found() {
		t.Errorf("got %+v", found)
	}
}

func TestScanForgetsWhatItWasGiven(t *testing.T) {
	found := [3]splice.Member{{Value: splice.Span{Start: 1, End: 2}}}
	if _, err := splice.Scan([]byte(`{"stream":1}`), 0, wanted, found[:]); err != nil || found[0].Found() {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestScanRefusesAKeyOfInterestThatStandsTwice(t *testing.T) {
	var found [3]splice.Member
	for _, body := range []string{`{"model":"a","x":1,"model":"b"}`, `{"model":"a","x":1,"\u006dodel":"b"}`} {
		_, err := splice.Scan([]byte(body), 0, wanted, found[:])
		var dup *splice.DuplicateKeyError
		if !errors.As(err, &dup) || dup.Key != "model" || dup.Offset != 19 {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := splice.Scan([]byte(`{"x":1,"x":2,"y":{"model":1},"model":2}`), 0, wanted, found[:]); err != nil {
		t.Errorf("others may: %v", err)
	}
}

func TestScanSaysWhereAndWhatIsWrong(t *testing.T) {
	tests := []struct{ in, want string }{
		{``, "unexpected end of JSON at offset 0: expected '{'"},
		{`[]`, "expected '{' at offset 0"},
		{`"x"`, "expected '{' at offset 0"},
		{"\xef\xbb\xbf{}", "expected '{' instead of a byte order mark at offset 0"},
		{`{`, "unexpected end of JSON at offset 1: expected a key in quotes"},
		{`{"a":1 "b":2}`, "expected ',' or '}' at offset 7"},
		{`{"a":1,}`, "expected a key in quotes at offset 7"},
		{`{a:1}`, "expected a key in quotes at offset 1"},
		{`{'a':1}`, "expected a key in quotes at offset 1"},
		{`{"a" 1}`, "expected ':' at offset 5"},
		{`{"a":}`, "expected a value at offset 5"},
		{`{"a":[1 2]}`, "expected ',' or ']' at offset 8"},
		{`{"a":[1,]}`, "expected a value at offset 8"},
		{`{"a":[1`, "unexpected end of JSON at offset 7: expected ',' or ']'"},
		{`{"a":"x`, "unexpected end of JSON at offset 7: expected a closing quote"},
		{`{"a":"x\"}`, "unexpected end of JSON at offset 10: expected a closing quote"},
		{`{"a":"\\\\\\"}`, ""},
		{`{"a":1}}`, "expected the end at offset 7"},
		{`{"a":1} x`, "expected the end at offset 8"},
		{`{"a":1}{"b":2}`, "expected the end at offset 7"},
		{`{"a":tru}`, "expected true at offset 8"},
		{`{"a":nul`, "unexpected end of JSON at offset 8: expected null"},
		{`{"a":True}`, "expected a value at offset 5"},
		{`{"a":NaN}`, "expected a value at offset 5"},
		{`{"a":01}`, "expected ',' or '}' at offset 6"},
		{`{"a":-}`, "expected a digit at offset 6"},
		{`{"a":1.}`, "expected a digit at offset 7"},
		{`{"a":1e+}`, "expected a digit at offset 8"},
		{`{"a":.5}`, "expected a value at offset 5"},
		{`{"a":1,"b":{"c":[{}}}`, "expected ',' or ']' at offset 19"},
		{"{\"a\":1\x00}", "expected ',' or '}' at offset 6"},
	}
	for _, tt := range tests {
		_, err := splice.Scan([]byte(tt.in), 0, nil, nil)
		if got := fmt.Sprint(err); tt.want != got && (tt.want != "" || err != nil) {
			t.Errorf("%s: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestScanBoundsNesting(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(`{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`)
	}
	for _, max := range []int{1, 2, 100, splice.MaxDepth} {
		if _, err := splice.Scan(nested(max+0), max, nil, nil); err != nil && max > 1 {
			t.Errorf("%d of %d: %v", max, max, err)
		}
		_, err := splice.Scan(nested(max+1), max, nil, nil)
		var deep *splice.DepthError
		if !errors.As(err, &deep) || deep.Max != max {
			t.Errorf("%d of %d: %v", max+1, max, err)
		}
	}
	for _, bomb := range []string{strings.Repeat(`{"a":`, 1_000_000), `{"a":` + strings.Repeat(`[`, 1_000_000)} {
		var deep *splice.DepthError
		if _, err := splice.Scan([]byte(bomb), 1<<30, nil, nil); !errors.As(err, &deep) || deep.Max != splice.MaxDepth {
			t.Errorf("got %v", err)
		}
		if _, ok := splice.Get([]byte(bomb), splice.Whole([]byte(bomb)), "a", "a"); ok {
			t.Error("found something in a bomb")
		}
	}
}

func TestScanAtFindsMembersOfANestedObject(t *testing.T) {
	body := []byte(`{"a": {"model":"x","model2":1} ,"b":2}`)
	at, _ := splice.Get(body, splice.Whole(body), "a")
	var found [1]splice.Member
	obj, err := splice.ScanAt(body, at, 0, []string{"model"}, found[:])
	if err != nil || obj.Len != 2 || string(found[0].Value.Raw(body)) != `"x"` || string(obj.Raw(body)) != `{"model":"x","model2":1}` {
		t.Errorf("%+v %+v %v", obj, found, err)
	}
}

// jsonText draws JSON and what is nearly JSON.
var jsonText = rapid.Custom(func(t *rapid.T) string {
	var b strings.Builder
	drawValue(t, &b, 0)
	s := b.String()
	if rapid.IntRange(0, 3).Draw(t, "damage") == 0 && len(s) > 0 {
		at := rapid.IntRange(0, len(s)-1).Draw(t, "at")
		cut := rapid.IntRange(0, 2).Draw(t, "cut")
		s = s[:at] + rapid.SampledFrom([]string{"", ",", "}", "]", `"`, `\`, "1", " ", "x", ":", "-", "e", ".", "0", "\x00", "\x1f"}).Draw(t, "by") + s[min(at+cut, len(s)):]
	}
	return s
})

var (
	space   = rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r\n  "})
	scalar  = rapid.SampledFrom([]string{"null", "true", "false", "0", "-0", "12", "-1.5e10", "1E+2", "0.25", `""`, `"a"`, `"\\"`, `"\""`, `"\\\""`, `"é🦊"`, `"\ud83e\udd8a\u00e9\ud800"`, `"a long string without anything in it"`, `"a long string with \n\t\/ and \\\\\" things in it"`})
	keyText = rapid.SampledFrom([]string{"a", "b", "c", "model", `m\u006fdel`, "", "a long key that is not short", `q\"`})
)

func drawValue(t *rapid.T, b *strings.Builder, depth int) {
	b.WriteString(space.Draw(t, "space"))
	defer func() { b.WriteString(space.Draw(t, "space")) }()
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if depth > 3 || kind > 1 && depth > 0 {
		b.WriteString(scalar.Draw(t, "scalar"))
		return
	}
	n := rapid.IntRange(0, 4).Draw(t, "n")
	b.WriteByte("{["[kind%2])
	if n == 0 {
		b.WriteString(space.Draw(t, "space"))
	}
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if kind%2 == 0 {
			b.WriteString(space.Draw(t, "space") + `"` + keyText.Draw(t, "key") + `"` + space.Draw(t, "space") + ":")
		}
		drawValue(t, b, depth+1)
	}
	b.WriteByte("}]"[kind%2])
}

func TestScanAndValidAgreeWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { agree(t, jsonText.Draw(t, "json")) })
}

func agree(t interface{ Fatalf(string, ...any) }, in string) {
	body := []byte(in)
	agreeIndex(t, in)
	valid := json.Valid(body)
	if err := splice.Valid(body, splice.MaxDepth); (err == nil) != valid {
		t.Fatalf("%q: Valid says %v, encoding/json %v", in, err, valid)
	}
	_, err := splice.Scan(body, splice.MaxDepth, nil, nil)
	if isObject := valid && strings.HasPrefix(strings.TrimSpace(in), "{"); isObject && err != nil {
		t.Fatalf("%q: Scan says %v", in, err)
	}
	if err == nil && !json.Valid(plain(body)) {
		t.Fatalf("%q: Scan accepts it", in)
	}
}

// plain replaces what stands in strings, which Scan does not look at.
func plain(body []byte) []byte {
	out := make([]byte, 0, len(body))
	in := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			in = !in
			out = append(out, c)
		case in && c == '\\':
			i++
			out = append(out, "xx"...)
		case in:
			out = append(out, 'x')
		default:
			out = append(out, c)
		}
	}
	return out
}

func TestValidLooksIntoStrings(t *testing.T) {
	tests := []struct{ in, want string }{
		{"\"abcdefghijklm\x1fn\"", "expected an escaped control character at offset 14"},
		{"\"ab\n\"", "expected an escaped control character at offset 3"},
		{`"abcdefghijklm\x"`, "expected an escape at offset 15"},
		{`"\u12g4"`, "expected a hexadecimal digit at offset 5"},
		{`"\u123"`, "expected a hexadecimal digit at offset 6"},
		{`1 2`, "expected the end at offset 2"},
	}
	for _, tt := range tests {
		if got := fmt.Sprint(splice.Valid([]byte(tt.in), 0)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestScanFindsWhatEncodingJSONFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := jsonText.Draw(t, "json")
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(in), &want) != nil || want == nil {
			t.Skip("not an object")
		}
		var found [3]splice.Member
		_, err := splice.Scan([]byte(in), 0, []string{"a", "model", "nope"}, found[:])
		var dup *splice.DuplicateKeyError
		if errors.As(err, &dup) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range []string{"a", "model", "nope"} {
			if got := found[i].Value.Raw([]byte(in)); string(got) != string(want[k]) {
				t.Fatalf("%s is %s, want %s", k, got, want[k])
			}
		}
	})
}

func TestRecordedRequestsKeepTheirBytes(t *testing.T) {
	n := 0
	for _, x := range testkit.Corpus(t) {
		body := x.Request.Body
		if !json.Valid(body) || body[0] != '{' {
			continue
		}
		n++
		agree(t, string(body))
		var found [1]splice.Member
		if _, err := splice.Scan(body, 0, []string{"model"}, found[:]); err != nil {
			t.Errorf("%s: %v", x.Name(), err)
		}
		if !found[0].Found() {
			continue
		}
		var doc struct{ Model string }
		_ = json.Unmarshal(body, &doc)
		at := found[0].Value
		e := splice.NewEdit(body)
		e.SetString(at, "another")
		got, err := e.Bytes()
		want := string(body[:at.Start]) + `"another"` + string(body[at.End:])
		if err != nil || string(got) != want || !at.Equal(body, doc.Model) {
			t.Errorf("%s: %v", x.Name(), err)
		}
	}
	if n < 100 {
		t.Errorf("only %d requests", n)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(`{"model":"x","messages":[{"role":"user","content":"\"\\\u00e9"}],"n":-1.5e3,"a":[true,false,null,{}]}`)
	f.Add(`{"a":[[[]]]} `)
	f.Add("{\"a\":[\"\\\x88\"]}")
	if dir, err := testkit.FindCorpus(); err == nil {
		xs, err := testkit.LoadCorpus(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, x := range xs {
			if len(x.Request.Body) <= 4<<10 {
				f.Add(string(x.Request.Body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		agree(t, in)
		body := []byte(in)
		_ = splice.Walk(body, splice.Whole(body), func([]byte, splice.Member) error { return nil })
		if at, ok := splice.Get(body, splice.Whole(body), "a", "1"); ok && utf8.ValidString(in) && json.Valid(body) && !json.Valid(at.Raw(body)) {
			t.Fatalf("%q: got %q", in, at.Raw(body))
		}
	})
}

func TestScanDoesNotAllocate(t *testing.T) {
	body := chat(2000)
	n := testing.AllocsPerRun(100, func() {
		var found [3]splice.Member
		if _, err := splice.Scan(body, 0, wanted, found[:]); err != nil || !found[0].Value.Equal(body, "gpt-4o-mini") {
			t.Fatal(err)
		}
		if at, ok := splice.Get(body, splice.Whole(body), "stream_options", "include_usage"); !ok || at.Kind(body) != 't' {
			t.Fatal("not found")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// chat makes a chat request of about n bytes, of lines of prose with some quotes.
func chat(n int) []byte {
	line := `She said \"it is nothing\", and looked at the sea for a long while before she went on.\n`
	prompt := strings.Repeat(line, max(n-230, 0)/len(line))
	return fmt.Appendf(nil, `{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"%s"}],"temperature":0.2,"max_tokens":256,"stream":true,"stream_options":{"include_usage":true}}`, prompt)
}

// image makes a request with a picture of about n bytes.
func image(n int) []byte {
	return fmt.Appendf(nil, `{"model":"gpt-4o-mini","messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}],"stream":true}`, strings.Repeat("iVBORw0K", n/8))
}

func BenchmarkScan(b *testing.B) {
	for name, body := range map[string][]byte{
		"0.3KB": chat(300), "100KB": chat(100 << 10), "1MB": chat(1 << 20), "1MB-image": image(1 << 20), "tools-10KB": tools(),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var found [3]splice.Member
				if _, err := splice.Scan(body, 0, wanted, found[:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// tools makes a request that is all structure.
func tools() []byte {
	tool := `{"type":"function","function":{"name":"get_weather","description":"Get the weather","parameters":{"type":"object","properties":{"city":{"type":"string","description":"City"},"unit":{"type":"string","enum":["c","f"]}},"required":["city"]}}},`
	return []byte(`{"model":"m","tools":[` + strings.TrimSuffix(strings.Repeat(tool, 44), ",") + `]}`)
}

func BenchmarkValid(b *testing.B) {
	body := chat(100 << 10)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := splice.Valid(body, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetFromChunk(b *testing.B) {
	data := []byte(`{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := splice.Get(data, splice.Whole(data), "choices", "0", "delta", "content"); !ok {
			b.Fatal("not found")
		}
	}
}

func TestHelpersOfTheTestsAreSound(t *testing.T) {
	for _, body := range [][]byte{chat(300), image(1000), tools()} {
		if !json.Valid(body) {
			t.Errorf("%.80s is not JSON", body)
		}
	}
	if d := cmp.Diff(`{"xxx":"xx"}`, string(plain([]byte("{\"a\\\"\":\"\x01b\"}")))); d != "" {
		t.Error(d)
	}
}
