package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
)

// matcher finds the route of a request. http.ServeMux cannot hold these routes (one path for two
// dialects, a verb after a colon) and redirects with the query that may hold a key; this one never
// redirects.
type matcher struct {
	dialects []*dialect.Dialect
	exact    map[string][]entry
	patterns []pattern
}

type entry struct {
	dialect *dialect.Dialect
	route   *dialect.Route
}

type pattern struct {
	segments []segment
	entry    entry
}

// segment is one part of a path: a literal, or a variable. One that takes several parts leaves those that come behind
// it: {deployment...}/chat. The last may be followed by a literal end: {model...}:verb.
type segment struct {
	text string
	name string
	rest bool
}

// newMatcher mounts every dialect at its own paths and whole under its own prefix.
func newMatcher(dialects []*dialect.Dialect) *matcher {
	m := &matcher{dialects: dialects, exact: map[string][]entry{}}
	for _, d := range dialects {
		for i := range d.Routes {
			e := entry{d, &d.Routes[i]}
			m.add(e.route.Pattern, e)
			prefix := "/" + d.Name
			m.add(prefix+e.route.Pattern, entry{d, unmatched(e.route)})
		}
	}
	slices.SortStableFunc(m.patterns, func(a, b pattern) int { return a.tail() - b.tail() })
	return m
}

// unmatched returns the route without a Match that tells dialects apart: under a dialect's own prefix nothing
// is ambiguous.
func unmatched(r *dialect.Route) *dialect.Route {
	c := *r
	if !c.Always {
		c.Match = nil
	}
	return &c
}

func (m *matcher) add(path string, e entry) {
	if !strings.Contains(path, "{") {
		m.exact[path] = append(m.exact[path], e)
		return
	}
	m.patterns = append(m.patterns, pattern{parsePattern(path), e})
}

func parsePattern(path string) []segment {
	var segs []segment
	for s := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		name, isVar := strings.CutPrefix(s, "{")
		if !isVar {
			segs = append(segs, segment{text: s})
			continue
		}
		name, end, _ := strings.Cut(name, "}")
		name, rest := strings.CutSuffix(name, "...")
		segs = append(segs, segment{text: end, name: name, rest: rest})
	}
	return segs
}

// found is the outcome of a match. Where route is nil, allow names the methods that the path has, if
// it exists at all.
type found struct {
	dialect *dialect.Dialect
	route   *dialect.Route
	vars    map[string]string
	allow   []string
}

func (m *matcher) find(r *http.Request) found {
	path := clean(r.URL.EscapedPath())
	var f found
	for _, e := range m.exact[path] {
		if f.try(e, r) {
			return f
		}
	}
	if len(m.patterns) > 0 {
		parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
		for i := range m.patterns {
			p := &m.patterns[i]
			vars, ok := p.match(parts)
			if ok && f.try(p.entry, r) {
				f.vars = vars
				return f
			}
		}
	}
	if f.dialect == nil {
		f.dialect = m.speaks(path, r.Header)
	}
	return f
}

// try takes the entry if method and Match fit, and else remembers what would have.
func (f *found) try(e entry, r *http.Request) bool {
	if e.route.Match != nil && !e.route.Match(r) {
		return false
	}
	f.dialect = e.dialect
	if e.route.Method != r.Method && (e.route.Method != http.MethodGet || r.Method != http.MethodHead) {
		if !slices.Contains(f.allow, e.route.Method) {
			f.allow = append(f.allow, e.route.Method)
		}
		return false
	}
	f.route = e.route
	return true
}

// speaks returns the dialect in whose words an unknown path is refused.
func (m *matcher) speaks(path string, h http.Header) *dialect.Dialect {
	for _, d := range m.dialects {
		if strings.HasPrefix(path, "/"+d.Name+"/") || d.Speaks != nil && d.Speaks(path, h) {
			return d
		}
	}
	return m.dialects[0]
}

func (p *pattern) match(parts []string) (map[string]string, bool) {
	if !p.fits(parts) {
		return nil, false
	}
	vars := map[string]string{}
	more := len(parts) - len(p.segments) // what the variable takes that takes several
	at := 0
	for _, s := range p.segments {
		n := 1
		if s.rest {
			n += more
		}
		if s.name != "" {
			v, ok := s.take(strings.Join(parts[at:at+n], "/"))
			if !ok {
				return nil, false
			}
			vars[s.name] = v
		}
		at += n
	}
	return vars, true
}

// fits reports whether the literals of a pattern stand in their places, which tells most patterns apart.
func (p *pattern) fits(parts []string) bool {
	more := len(parts) - len(p.segments)
	if more < 0 {
		return false
	}
	at, several := 0, false
	for _, s := range p.segments {
		if s.name == "" && parts[at] != s.text {
			return false
		}
		if s.rest {
			at, several = at+more, true
		}
		at++
	}
	return several || more == 0
}

// tail orders patterns: those whose variable takes several parts and leaves some come last, and of them those first
// that leave most, for of two that fit they say more.
func (p *pattern) tail() int {
	at := slices.IndexFunc(p.segments, func(s segment) bool { return s.rest })
	if at < 0 || at == len(p.segments)-1 {
		return 0
	}
	return at - len(p.segments) + 1<<10
}

// take returns what a variable stands for, or false where it stands for nothing or ends otherwise.
func (s *segment) take(part string) (string, bool) {
	v, err := url.PathUnescape(part)
	v, ok := strings.CutSuffix(v, s.text)
	return v, err == nil && ok && v != ""
}

// clean folds repeated slashes and drops a last one, which base URLs that end in a slash bring about.
// Dots mean nothing here: such a path is simply not known.
func clean(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}
