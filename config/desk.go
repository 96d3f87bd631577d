package config

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Publisher is who makes models and publishes them at the vendor desk.
type Publisher struct {
	Name         string   `conf:"name" required:"yes" doc:"As in publisher/model: letters, digits and . _ -, at most 64."`
	Title        string   `conf:"title" doc:"What people call it."`
	SigningKey   string   `conf:"signing_key" doc:"The public half of the Ed25519 key that its cards are signed with, as PEM or in base64. Left out, its cards are not signed."`
	Network      string   `conf:"network" default:"public" enum:"public private" doc:"What the addresses of its models may be: on the internet alone, or private and loopback ones as well."`
	Connections  []string `conf:"connections" doc:"Connections of this Plenum at which it may publish models: a local engine, say. All else it publishes at addresses and with credentials of its own."`
	ShowProjects bool     `conf:"show_projects" default:"false" doc:"Whether it sees which projects use its models. What they say it never sees."`
	Payout       *int     `conf:"payout_percent" min:"0" max:"100" doc:"Its share of what calls of its models cost; left out, desk.payout_percent says."`
}

// UseTerms are terms of use.
type UseTerms struct {
	Name      string `conf:"name" required:"yes" doc:"What offers name them by. Terms that change get another name, and are accepted anew: publisher/version."`
	Publisher string `conf:"publisher" doc:"Whose terms they are."`
	URL       string `conf:"url" doc:"Where they can be read."`
	Text      string `conf:"text" doc:"What they say."`
}

// Acceptance is a project that has accepted terms.
type Acceptance struct {
	Name    string `conf:"name" required:"yes" doc:"project:terms."`
	Project string `conf:"project" required:"yes" doc:"The project."`
	Terms   string `conf:"terms" required:"yes" doc:"The name of the terms."`
}

// Desk is how the vendor desk works.
type Desk struct {
	RunAt    string        `conf:"run_at" default:"03:00" doc:"The time of day at which published models are tried again."`
	Days     []string      `conf:"days" doc:"On which days: monday and so on; left out it is every day."`
	Zone     string        `conf:"zone" default:"UTC" doc:"Whose time that is, such as Europe/Berlin."`
	OnDrift  string        `conf:"on_drift" default:"show" enum:"show unlist" doc:"What becomes of a model that is not as its card says any more: that is shown, or it is also unlisted, and listed again when it is."`
	Failures int           `conf:"failures" default:"3" min:"1" max:"100" doc:"After how many runs in a row that failed it is unlisted."`
	MaxTime  time.Duration `conf:"max_time" default:"50s" min:"1s" doc:"How long a conformance run takes at most."`
	MaxCost  plenum.Micros `conf:"max_cost_usd" default:"0.25" doc:"How much a conformance run costs the vendor at most, by the price of the card."`
	Payout   int           `conf:"payout_percent" default:"100" min:"0" max:"100" doc:"The publishers' share of what calls of their models cost."`
}

// desk checks what is declared of publishers, terms and their acceptances.
func (c *compiler) desk() {
	c.schedule(&c.file.Desk)
	c.publishers()
	c.terms()
	c.acceptances()
}

func (c *compiler) schedule(d *Desk) {
	if _, err := minuteOf(d.RunAt); err != nil {
		c.fail("desk.run_at", "%q is not a time of the day such as 03:00", clip(d.RunAt))
	}
	if _, err := time.LoadLocation(d.Zone); err != nil || d.Zone == "Local" {
		c.fail("desk.zone", "%q is no zone such as Europe/Berlin", clip(d.Zone))
	}
	for i, day := range d.Days {
		if _, ok := weekday(day); !ok {
			c.fail(index("desk.days", i), "%q is no day of the week such as monday", clip(day))
		}
	}
}

func weekday(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String(), name) {
			return d, true
		}
	}
	return 0, false
}

// Last returns the last moment at or before a time at which published models were due to be tried.
func (d *Desk) Last(now time.Time) time.Time {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		zone = time.UTC
	}
	minute, err := minuteOf(d.RunAt)
	if err != nil {
		return time.Time{}
	}
	local := now.In(zone)
	for back := range 8 {
		at := time.Date(local.Year(), local.Month(), local.Day()-back, minute/60, minute%60, 0, 0, zone)
		on := len(d.Days) == 0 || slices.ContainsFunc(d.Days, func(day string) bool { w, ok := weekday(day); return ok && w == at.Weekday() })
		if on && !at.After(now) {
			return at
		}
	}
	return time.Time{}
}

func (c *compiler) publishers() {
	c.snap.publishers = make(map[string]*Publisher, len(c.file.Publishers))
	for i := range c.file.Publishers {
		p, path := &c.file.Publishers[i], index("publishers", i)
		c.named(p.Name, path, c.snap.publishers[p.Name] != nil, "publisher")
		if len(p.Name) > 64 || strings.ContainsAny(p.Name, "/:") {
			c.fail(path+".name", "%q has more than 64 characters, or / or :", clip(p.Name))
		}
		if _, err := p.Key(); err != nil {
			c.fail(path+".signing_key", "%v", err)
		}
		c.snap.publishers[p.Name] = p
	}
}

// Key returns the key that the publisher's cards are signed with; nil where they are not signed.
func (p *Publisher) Key() (ed25519.PublicKey, error) {
	text := strings.TrimSpace(p.SigningKey)
	if text == "" {
		return nil, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		raw, err = block.Bytes, nil
	}
	if err == nil && len(raw) == ed25519.PublicKeySize {
		return raw, nil
	}
	k, err2 := x509.ParsePKIXPublicKey(raw)
	if key, ok := k.(ed25519.PublicKey); err == nil && err2 == nil && ok {
		return key, nil
	}
	return nil, errors.New("is no public key of Ed25519, in PEM or in base64")
}

func (c *compiler) terms() {
	c.snap.terms = make(map[string]*UseTerms, len(c.file.UseTerms))
	for i := range c.file.UseTerms {
		t, path := &c.file.UseTerms[i], index("terms", i)
		c.named(t.Name, path, c.snap.terms[t.Name] != nil, "terms")
		if t.URL == "" && t.Text == "" {
			c.fail(path, "has neither text nor url: what is to be accepted?")
		}
		if t.URL != "" {
			if fault := urlFault(t.URL); fault != "" {
				c.fail(path+".url", "%s", fault)
			}
		}
		c.snap.terms[t.Name] = t
	}
}

func (c *compiler) acceptances() {
	c.snap.accepted = make(map[[2]string]bool, len(c.file.Acceptances))
	for i := range c.file.Acceptances {
		a, path := &c.file.Acceptances[i], index("acceptances", i)
		if want := AcceptanceName(a.Project, a.Terms); a.Name != want {
			c.fail(path+".name", "must be %q", clip(want))
		}
		c.snap.accepted[[2]string{a.Project, a.Terms}] = true
	}
}

// AcceptanceName returns what the acceptance of terms by a project is called.
func AcceptanceName(project, terms string) string { return project + ":" + terms }

// knownTerms checks that terms which something names are there.
func (c *compiler) knownTerms(name, path string) {
	if name != "" && c.snap.terms[name] == nil && !c.file.source.spoiled("terms") {
		c.fail(path+".terms", "there are no terms %q", clip(name))
	}
}

// Publisher returns the publisher of a name.
func (s *Snapshot) Publisher(name string) (*Publisher, bool) {
	p, ok := s.publishers[name]
	return p, ok
}

// Share returns the part of what calls cost that is a publisher's, in per cent.
func (s *Snapshot) Share(publisher string) int {
	if p, ok := s.publishers[publisher]; ok && p.Payout != nil {
		return *p.Payout
	}
	return s.Declared.Desk.Payout
}

// Terms returns the terms of a name.
func (s *Snapshot) Terms(name string) (*UseTerms, bool) {
	t, ok := s.terms[name]
	return t, ok
}

// Accepted reports whether a project has accepted terms.
func (s *Snapshot) Accepted(project, terms string) bool { return s.accepted[[2]string{project, terms}] }
