package config

import (
	"slices"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// keeping is what a project says of what is kept of it.
type keeping struct {
	keep      plenum.Tri
	calls     bool
	retention time.Duration
	redactor  any // nil where the project takes out no more than all do
}

// content has made what takes out of what is kept, of all projects and of each that takes out more.
func (c *compiler) content() {
	all := &c.file.Content
	c.snap.Redactor = c.redactor(all, "content.redact")
	c.snap.keepings = make(map[string]*keeping)
	for i := range c.file.Projects {
		d := &c.file.Projects[i].Content
		k := &keeping{keep: d.Keep, calls: d.Calls, retention: d.Retention}
		if len(d.Redact)+len(d.Patterns) > 0 {
			k.redactor = c.redactor(&Content{
				Redact: union(all.Redact, d.Redact), Patterns: slices.Concat(all.Patterns, d.Patterns),
			}, index("projects", i)+".content.redact")
		}
		c.snap.keepings[c.file.Projects[i].Name] = k
	}
}

// redactor has made what takes out; nil is nothing.
func (c *compiler) redactor(d *Content, path string) any {
	if c.opt.Redact == nil || len(d.Redact)+len(d.Patterns) == 0 {
		return nil
	}
	handle, err := c.opt.Redact(d)
	if err != nil {
		c.fail(path, "%s", err)
		return nil
	}
	return handle
}

// Keeps reports whether what a project says through a deployment may be kept; of nil, what it says through none.
func (s *Snapshot) Keeps(project string, d *plenum.Deployment) bool {
	c := &s.Declared.Content
	keep := c.Keep
	if d != nil && d.Keep != plenum.Unknown {
		keep = d.Keep == plenum.Yes
	}
	if !keep || len(c.Projects) > 0 && !slices.Contains(c.Projects, project) {
		return false
	}
	own := plenum.Unknown
	if k := s.keepings[project]; k != nil {
		own = k.keep
	}
	return own == plenum.Yes || own == plenum.Unknown && !c.OptIn
}

// KeepsCalls reports whether what is asked and answered in the calls of a project is kept: it wants it, and may.
func (s *Snapshot) KeepsCalls(project string) bool {
	c := &s.Declared.Content
	if !c.Calls || len(c.Projects) > 0 && !slices.Contains(c.Projects, project) {
		return false
	}
	k := s.keepings[project]
	return k != nil && k.calls && k.keep != plenum.No
}

// Retentions returns how long what they say is kept of those projects that want it shorter than all.
func (s *Snapshot) Retentions() map[string]time.Duration {
	out := map[string]time.Duration{}
	for name, k := range s.keepings {
		if k.retention > 0 && k.retention < s.Declared.Content.Retention {
			out[name] = k.retention
		}
	}
	return out
}

// Retention returns how long what a project says is kept: what it says itself, and no longer than is allowed.
func (s *Snapshot) Retention(project string) time.Duration {
	most := s.Declared.Content.Retention
	if k := s.keepings[project]; k != nil && k.retention > 0 {
		return min(k.retention, most)
	}
	return most
}

// RedactorOf returns what Options.Redact made of what is taken out of what a project says; nil where that is nothing.
func (s *Snapshot) RedactorOf(project string) any {
	if k := s.keepings[project]; k != nil && k.redactor != nil {
		return k.redactor
	}
	return s.Redactor
}
