package splice_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/internal/splice"
)

func found(t *testing.T, body string, paths ...string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	hits, err := splice.NewPaths(paths...).Find([]byte(body), nil)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, h := range hits {
		out[paths[h.Path]] = append(out[paths[h.Path]], string(h.At.Raw([]byte(body))))
	}
	return out
}

func TestPathsAreFoundWhereverTheyStand(t *testing.T) {
	paths := []string{"a", "a.id", "list.*.id", "list.*.in.*", "one.+.id"}
	for body, want := range map[string]map[string][]string{
		`{}`:                             {},
		`[1,{"a":2}]`:                    {},
		` {"b" : {"a":1} , "a" : "x" } `: {"a": {`"x"`}},
		`{"a":{"id":"y","z":[]}}`:        {"a": {`{"id":"y","z":[]}`}, "a.id": {`"y"`}},
		`{"a":1,"a":2}`:                  {"a": {`1`, `2`}},
		`{"\u0061":1}`:                   {"a": {`1`}},
		`{"a\"":1}`:                      {},
		`{"list":[{"id":1},{"in":["p","q"]},3,[],{"in":{"k":true}},{"in":{},"id":null}]}`: {"list.*.id": {`1`, `null`}, "list.*.in.*": {`"p"`, `"q"`, `true`}},
		`{"list":{"k":{"id":1}}}`:   {"list.*.id": {`1`}},
		`{"one":{"id":1}}`:          {"one.+.id": {`1`}},
		`{"one":[{"id":1},{}, 2 ]}`: {"one.+.id": {`1`}},
	} {
		if d := cmp.Diff(want, found(t, body, paths...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", body, d)
		}
	}
}

func TestPathsRefuseWhatIsNoJSON(t *testing.T) {
	p := splice.NewPaths("a.*.b")
	for _, body := range []string{``, `{`, `{"a"`, `{"a":[`, `{"a":[1 2]}`, `{"a":{"x":1 "y":2}}`, `{} x`, `{"a":[{"b":}]}`, `{1:2}`} {
		if _, err := p.Find([]byte(body), nil); err == nil {
			t.Errorf("%s passed", body)
		}
	}
}

func TestPathsAreFoundWhileScanning(t *testing.T) {
	body := []byte(`{"model":"m","list":[{"id":"x"}],"id":"y"}`)
	p, found := splice.NewPaths("list.*.id", "id"), make([]splice.Member, 1)
	obj, hits, err := p.Scan(body, 0, []string{"model"}, found)
	if err != nil || obj.Len != 3 || !found[0].Value.Equal(body, "m") || len(hits) != 2 || !hits[0].At.Equal(body, "x") || !hits[1].At.Equal(body, "y") {
		t.Errorf("%v %v %v %v", obj, found, hits, err)
	}
	if _, _, err := p.Scan([]byte("\xef\xbb\xbf{}"), 0, nil, nil); err == nil {
		t.Error("a byte order mark passed")
	}
	if _, _, err := p.Scan([]byte(`{"list":[[[[]]]]}`), 3, nil, nil); err == nil {
		t.Error("it may be nested as deep as it likes")
	}
}

func TestPathsAllocateNothing(t *testing.T) {
	p, body := splice.NewPaths("messages.*.content.*.file.file_id", "tools.*.nothing"), tools()
	n := testing.AllocsPerRun(100, func() {
		if hits, err := p.Find(body, nil); err != nil || len(hits) != 0 {
			t.Fatal(hits, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPaths(b *testing.B) {
	p := splice.NewPaths("messages.*.content.*.file.file_id", "messages.*.audio.id", "tools.*.vector_store_ids.*", "audio.voice.id")
	for name, body := range map[string][]byte{"0.3KB": chat(300), "100KB": chat(100 << 10), "tools-10KB": tools()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var found [3]splice.Member
				if _, _, err := p.Scan(body, 0, wanted, found[:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
