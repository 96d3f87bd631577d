package config

import (
	"slices"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

func TestAProjectSaysWhatIsKeptOfItWithinWhatIsAllowed(t *testing.T) {
	for _, c := range []struct {
		name, content string
		deployment    *plenum.Deployment
		want          []string
	}{
		{"nothing is said", "{}", nil, nil},
		{"all, but who forbids it", "{keep: true}", nil, []string{"asks", "silent", "unknown"}},
		{"who asks for it", "{keep: true, opt_in: true}", nil, []string{"asks"}},
		{"nobody can widen it", "{keep: false}", nil, nil},
		{"a list bounds it", "{keep: true, projects: [silent, forbids]}", nil, []string{"silent"}},
		{"a deployment allows it", "{keep: false}", &plenum.Deployment{Keep: plenum.Yes}, []string{"asks", "silent", "unknown"}},
		{"a deployment forbids it", "{keep: true}", &plenum.Deployment{Keep: plenum.No}, nil},
	} {
		s := compiledContent(t, c.content, Options{})
		var got []string
		for _, p := range []string{"asks", "forbids", "silent", "unknown"} {
			if s.Keeps(p, c.deployment) {
				got = append(got, p)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: kept of %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAProjectsRetentionAndRedactionNarrowThoseOfAll(t *testing.T) {
	s := compiledContent(t, "{keep: true, retention: 48h, redact: [keys]}", Options{Redact: func(c *Content) (any, error) { return c.Redact, nil }})
	for p, want := range map[string]time.Duration{"asks": time.Hour, "forbids": 48 * time.Hour, "silent": 48 * time.Hour, "unknown": 48 * time.Hour} {
		if got := s.Retention(p); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
	for p, want := range map[string][]string{"asks": {"keys", "email"}, "silent": {"keys"}, "unknown": {"keys"}} {
		if got, _ := s.RedactorOf(p).([]string); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", p, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.Keeps("silent", nil) }); n != 0 {
		t.Errorf("asking allocates %v times", n)
	}
}

// compiledContent is a configuration with a block of content, and projects that ask for more, that forbid it and that say nothing.
func compiledContent(t *testing.T, content string, o Options) *Snapshot {
	t.Helper()
	f, err := Parse("test.yaml", []byte("content: "+content+`
projects:
  - {name: asks, content: {keep: true, retention: 1h, redact: [keys, email]}}
  - {name: forbids, content: {keep: false, retention: 100h}}
  - {name: silent}
`), Env{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Compile(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
