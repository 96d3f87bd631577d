package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// declared is a file that items are added to.
func declared(t *testing.T) *File {
	t.Helper()
	f, err := Parse("plenum.yaml", []byte(`
connections:
  - {name: a, provider: openai, base_url: "http://127.0.0.1:1", credentials: {api_key: the-key-of-a}}
deployments:
  - {name: d, targets: [{connection: a, upstream_model: m}]}
`), Env{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func shelfOptions() Options {
	return Options{Kinds: []Kind{{Name: "openai", BaseURL: "https://api.openai.com/v1", Fields: []Field{{Name: "api_key", Secret: true, Required: true}}}}}
}

func TestItemsAreAddedToAFile(t *testing.T) {
	f := declared(t)
	s := Shelf{Open: func(v string) (string, error) {
		plain, ok := strings.CutPrefix(v, "sealed:")
		if !ok {
			return "", errors.New("it is not sealed")
		}
		return plain, nil
	}}
	items := []Item{
		{List: "connections", Name: "b", Version: 1, Spec: []byte(`{"name": "b", "provider": "openai", "credentials": {"api_key": "sealed:the-key-of-b"}}`)},
		{List: "deployments", Name: "d", Version: 1, Spec: []byte(`{"name": "d", "targets": [{"connection": "b"}]}`)},
		{List: "deployments", Name: "e", Version: 2, Spec: []byte(`{"name": "e", "aliases": ["f"], "targets": [{"connection": "b"}]}`)},
		{List: "deployments", Name: "x", Version: 2, Spec: []byte(`{"name": "x", "tragets": []}`)},
	}
	got, left := s.Put(f, items, 2)
	want := `deployment "d": name: is declared in plenum.yaml, which counts
deployment "x": tragets: unknown field; did you mean "targets"? (known here: `
	if !strings.HasPrefix(left.Error(), want) {
		t.Errorf("left out:\n%v\nwant\n%s", left, want)
	}
	snap, err := Compile(got, shelfOptions())
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := snap.Connection("b"); !ok || c.Credentials["api_key"].Reveal() != "the-key-of-b" {
		t.Errorf("connection b is %v", c)
	}
	d, _ := snap.Deployment("d")
	e, _ := snap.Deployment("f")
	if d.Declared != "plenum.yaml" || e == nil || e.Declared != "" || e.Targets[0].Offer.Connection != "b" {
		t.Errorf("deployments are %+v and %+v", d, e)
	}
	if len(f.Deployments) != 1 || len(f.Connections) != 1 {
		t.Error("the file itself has changed")
	}
	n, _ := NounOf("deployments")
	if diff := cmp.Diff([]string{"d"}, n.Declared(got)); diff != "" {
		t.Errorf("declared (-want +got):\n%s", diff)
	}
	before, _ := Compile(f, shelfOptions())
	if before.Version == snap.Version {
		t.Error("the version does not tell that items were added")
	}
}

func TestProblemsOfItemsSayWhichItIs(t *testing.T) {
	var s Shelf
	got, left := s.Put(declared(t), []Item{{List: "deployments", Name: "e", Spec: []byte(`{"name": "e", "targets": [{"connection": "aa"}]}`)}}, 1)
	if len(left) > 0 {
		t.Fatal(left)
	}
	_, err := Compile(got, shelfOptions())
	const want = `deployment "e": targets[0].connection: there is no connection "aa"; did you mean "a"?`
	if err == nil || err.Error() != want {
		t.Fatalf("error is\n%v\nwant\n%s", err, want)
	}
	p := problemsOf(err)[0]
	if list, name := p.Of(); !p.Kept() || list != "deployments" || name != "e" {
		t.Errorf("the problem is of %s %s", list, name)
	}
}

func TestAnItemIsCheckedAlone(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{`{"name": "b", "amount_usd": 5}`, ""},
		{`{"name": "b", "amount_usd": "much"}`, `budget "b": amount_usd: "much" must be an amount of dollars such as 3 or 0.15, to a millionth at most`},
		{`{"name": "c", "amount_usd": 5}`, `budget "b": name: is "c", and the address says "b"`},
		{`{"name": "b", "amount_usd": 5, "amount_usd": 6}`, `budget "b": amount_usd: given twice; first in line 1`},
		{`{"name": "b", "amount_usd": 5, "zone": "${env:HOME}"}`, `budget "b": zone: has ${...}, which is read in files alone; give the value itself`},
		{`name: b`, `budget "b": is not JSON`},
		{`[]`, `budget "b": must be a mapping, not a list`},
	} {
		err := (&Item{List: "budgets", Name: "b", Spec: []byte(c.spec)}).Check(nil)
		if got := errText(err); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.spec, got, c.want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSecretsOfAnItemArePutThrough(t *testing.T) {
	var paths []string
	got, err := Secrets("connections", []byte(`{"name":"a","provider":"x","credentials":{"api_key":"one"},"headers":{"X-A":"two"},"weight":1.50,"note":"<three>"}`),
		func(path, v string) (string, error) {
			paths = append(paths, path)
			return "sealed " + v, nil
		})
	const want = `{"credentials":{"api_key":"sealed one"},"headers":{"X-A":"sealed two"},"name":"a","note":"<three>","provider":"x","weight":1.50}`
	if err != nil || string(got) != want {
		t.Errorf("it is %s, %v; want %s", got, err, want)
	}
	if len(paths) != 2 {
		t.Errorf("paths are %v", paths)
	}
}

func TestWhatTheProgramItselfDeclaresIsSaidAsItCanBeReadAgain(t *testing.T) {
	f := New()
	f.Connections = append(f.Connections, Connection{Name: "local", Provider: "openai"}) // without defaults, as an engine adds it
	n, _ := NounOf("connections")
	specs, err := n.Specs(f)
	if err != nil || string(specs[0]) != `{"name":"local","provider":"openai"}` {
		t.Fatalf("it is said as %s, %v", specs, err)
	}
	if err := (&Item{List: "connections", Name: "local", Spec: specs[0]}).Check(nil); err != nil {
		t.Error(err)
	}
}

// TestWhatIsTriedIsNotKept tries items of one name again and again, as a change does that is not made: each as it is sent.
func TestWhatIsTriedIsNotKept(t *testing.T) {
	opened := 0
	s := Shelf{Open: func(v string) (string, error) { opened++; return v, nil }}
	connection := func(version int64, title string) Item {
		return Item{List: "connections", Name: "b", Version: version, Spec: []byte(`{"name": "b", "provider": "openai", "region": "` + title + `", "credentials": {"api_key": "k"}}`)}
	}
	region := func(f *File, left Problems) string {
		t.Helper()
		if len(left) > 0 || len(f.Connections) != 2 {
			t.Fatal(left, len(f.Connections))
		}
		return f.Connections[1].Region
	}
	if got := region(s.Put(declared(t), []Item{connection(7, "kept")}, 7)); got != "kept" {
		t.Error(got)
	}
	for _, want := range []string{"one", "another"} {
		if got := region(s.Try(declared(t), []Item{connection(-1, want)}, 8)); got != want {
			t.Errorf("tried as %q it is %q", want, got)
		}
	}
	before := opened
	if got := region(s.Try(declared(t), []Item{connection(7, "not read")}, 8)); got != "kept" || opened != before {
		t.Errorf("what has not changed is read again: %q", got)
	}
	if got := region(s.Put(declared(t), []Item{connection(8, "next")}, 8)); got != "next" {
		t.Error(got)
	}
}
