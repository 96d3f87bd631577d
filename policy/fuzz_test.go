package policy

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Whatever is written as a policy is read or refused with a place within it; what is read can be asked, explained and
// remembered.
func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob("../examples/policies/*.cedar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	for _, s := range []string{
		"", "permit", "permit \xce", allowAll, "@id(\"é\")\n" + allowAll, "permit (principal, action, resource) when { context == {} };",
		`forbid (principal in Key::"a", action in [Action::"use"], resource is Offer in Model::"a/b") when { resource.model like "a\*b*" && !(context.hour + 1 * -2 > 3) };`,
		`permit (principal, action, resource) when { if context.stream then {"a": [1, 2]}["a"].isEmpty() else principal.groups.containsAny(["x"]) };`,
		`permit (principal, action, resource) unless { context.time.offset(duration("-1h")).toTime() < duration("8h") || ip("::1").isLoopback() };`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		s, faults := Compile([]Source{{"p", text}, {"base", allowAll}}, nil)
		if (s == nil) != (len(faults) > 0) {
			t.Fatalf("%v and %v", s, faults)
		}
		for _, x := range faults {
			if x.Message == "" || x.Policy != 0 || x.Line < 0 || x.Column < 0 || (x.Line == 0) != (x.Column == 0) {
				t.Errorf("a fault is %+v", x)
			}
		}
		if s == nil {
			return
		}
		r := asked()
		first := s.Fresh()
		if a, b := first.Decide(r), first.Decide(r); a.Allowed != b.Allowed || a.Note != b.Note {
			t.Errorf("it is %+v, and then %+v", a, b)
		}
		if e := s.Explain(r); e.Decision.Allowed != s.Decide(r).Allowed || len(e.Verdicts) != len(s.Rules()) {
			t.Errorf("it is explained as %+v", e)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
