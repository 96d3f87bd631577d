package config

import (
	"testing"
	"time"
)

func TestPublishedModelsAreDueAtATimeOfAZone(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		name string
		desk Desk
		now  string
		want string
	}{
		{"today", Desk{RunAt: "03:00", Zone: "UTC"}, "2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z"},
		{"yesterday", Desk{RunAt: "03:00", Zone: "UTC"}, "2026-11-23T02:59:59Z", "2026-11-22T03:00:00Z"},
		{"in a zone", Desk{RunAt: "03:00", Zone: "Europe/Berlin"}, "2026-11-23T02:00:00Z", "2026-11-23T02:00:00Z"},
		{"in summer", Desk{RunAt: "03:00", Zone: "Europe/Berlin"}, "2026-07-01T02:00:00Z", "2026-07-01T01:00:00Z"},
		{"where the zone's day is another one", Desk{RunAt: "00:30", Zone: "Asia/Tokyo"}, "2026-11-22T16:00:00Z", "2026-11-22T15:30:00Z"},
		{"on some days", Desk{RunAt: "03:00", Zone: "UTC", Days: []string{"Saturday", "sunday"}}, "2026-11-25T12:00:00Z", "2026-11-22T03:00:00Z"},
	} {
		if got := c.desk.Last(at(c.now)); !got.Equal(at(c.want)) {
			t.Errorf("%s: %s, want %s", c.name, got.UTC(), c.want)
		}
	}
}

func TestWhatIsWrongWithADeskIsTold(t *testing.T) {
	f, err := Parse("test.yaml", []byte(`
desk: {run_at: "25:00", zone: Nowhere/At_all, days: [someday]}
publishers: [{name: a/b}, {name: c, signing_key: "bm8ga2V5"}, {name: c}]
terms: [{name: x}, {name: y, url: "ftp://x"}]
acceptances: [{name: z, project: p, terms: y}]
connections: [{name: k, provider: none, terms: gone}]
`), Env{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Compile(f, Options{})
	got := map[string]bool{}
	for _, p := range problemsOf(err) {
		got[p.Path] = true
	}
	for _, path := range []string{
		"desk.run_at", "desk.zone", "desk.days[0]", "publishers[0].name", "publishers[1].signing_key", "publishers[2].name",
		"terms[0]", "terms[1].url", "acceptances[0].name", "connections[0].terms",
	} {
		if !got[path] {
			t.Errorf("nothing is said of %s: %v", path, err)
		}
	}
}
