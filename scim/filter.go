package scim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// The bounds of a filter.
const (
	longestFilter = 8 << 10
	deepest       = 30
)

// filter is a filter of RFC 7644 section 3.4.2.2.
type filter interface {
	// fits reports whether an object is one that the filter means.
	fits(o map[string]any, all []attribute) bool
}

type (
	both     struct{ a, b filter }
	either   struct{ a, b filter }
	opposite struct{ a filter }
	// compare compares an attribute with a value.
	compare struct {
		at    path
		op    string
		value any
	}
	// inside is a filter on the members of a list: emails[type eq "work"].
	inside struct {
		at path
	}
)

func (f both) fits(o map[string]any, all []attribute) bool {
	return f.a.fits(o, all) && f.b.fits(o, all)
}

func (f either) fits(o map[string]any, all []attribute) bool {
	return f.a.fits(o, all) || f.b.fits(o, all)
}
func (f opposite) fits(o map[string]any, all []attribute) bool { return !f.a.fits(o, all) }
func (f inside) fits(o map[string]any, all []attribute) bool {
	values, _ := f.at.values(o, all)
	return len(values) > 0
}

func (f compare) fits(o map[string]any, all []attribute) bool {
	values, a := f.at.values(o, all)
	if f.op == "pr" {
		return len(values) > 0
	}
	if f.op == "ne" {
		for _, v := range values {
			if matches("eq", v, f.value, a) {
				return false
			}
		}
		return true
	}
	if f.op == "eq" && f.value == nil {
		return len(values) == 0
	}
	for _, v := range values {
		if matches(f.op, v, f.value, a) {
			return true
		}
	}
	return false
}

// matches compares a value with what a filter names.
func matches(op string, v, want any, a *attribute) bool {
	if b, ok := v.(bool); ok {
		if s, text := want.(string); text { // as Entra ID says it
			return op == "eq" && strings.EqualFold(s, map[bool]string{true: "true", false: "false"}[b])
		}
		return op == "eq" && want == b
	}
	has, ok := v.(string)
	like, isText := want.(string)
	if !ok || !isText {
		return false
	}
	if a == nil || !a.exact {
		has, like = strings.ToLower(has), strings.ToLower(like)
	}
	switch op {
	case "eq":
		return has == like
	case "co":
		return strings.Contains(has, like)
	case "sw":
		return strings.HasPrefix(has, like)
	case "ew":
		return strings.HasSuffix(has, like)
	case "gt":
		return has > like
	case "ge":
		return has >= like
	case "lt":
		return has < like
	case "le":
		return has <= like
	}
	return false
}

// path is where in a resource something stands: attr, attr.sub, attr[filter].sub, or one of these in an extension.
type path struct {
	extension string // the name of the extension; "" is none
	attr      string // "" is the extension itself
	filter    filter
	sub       string
}

// values returns what stands at a path, and the attribute that it is of. Of a list of objects whose part is not
// named it is their value.
func (p *path) values(o map[string]any, all []attribute) ([]any, *attribute) {
	if p.extension != "" {
		a := attributeOf(all, p.extension)
		o, _ = o[a.name].(map[string]any)
		if all = a.sub; p.attr == "" {
			return nil, a
		}
	}
	a := attributeOf(all, p.attr)
	if a == nil {
		return nil, nil
	}
	v, ok := o[a.name]
	if !ok || v == nil {
		return nil, a
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	part := a
	if a.typ == "complex" {
		name := p.sub
		if name == "" {
			name = "value"
		}
		part = attributeOf(a.sub, name)
	}
	var out []any
	for _, one := range list {
		m, ok := one.(map[string]any)
		switch {
		case !ok:
			out = append(out, one)
		case p.filter != nil && !p.filter.fits(m, a.sub):
		case part == nil:
			out = append(out, one)
		case m[part.name] != nil:
			out = append(out, m[part.name])
		case p.sub == "":
			out = append(out, one)
		}
	}
	return out, part
}

// reader reads filters and paths.
type reader struct {
	rest string
	all  []attribute // those that may be named
	kind string      // what is told when it cannot be read
}

func (r *reader) bad(format string, args ...any) error {
	return fail(http.StatusBadRequest, r.kind, format, args...)
}

// readFilter reads a filter on resources with certain attributes.
func readFilter(s string, all []attribute) (filter, error) {
	r := &reader{rest: s, all: all, kind: "invalidFilter"}
	if len(s) > longestFilter {
		return nil, r.bad("the filter is longer than %d bytes", longestFilter)
	}
	f, err := r.or(0)
	if err == nil && r.space() != "" {
		err = r.bad("the filter goes on where it should end")
	}
	return f, err
}

// readPath reads the path of a patch.
func readPath(s string, all []attribute) (path, error) {
	r := &reader{rest: s, all: all, kind: "invalidPath"}
	if len(s) > longestFilter {
		return path{}, r.bad("the path is longer than %d bytes", longestFilter)
	}
	p, err := r.path(0)
	if err == nil && r.space() != "" {
		err = r.bad("the path goes on where it should end")
	}
	return p, err
}

func (r *reader) space() string {
	r.rest = strings.TrimLeft(r.rest, " ")
	return r.rest
}

// word takes a word if it is the next one.
func (r *reader) word(w string) bool {
	s := r.space()
	if len(s) < len(w) || !strings.EqualFold(s[:len(w)], w) || len(s) > len(w) && s[len(w)] != ' ' && s[len(w)] != '(' {
		return false
	}
	r.rest = s[len(w):]
	return true
}

// mark takes a character if it is the next one.
func (r *reader) mark(c byte) bool {
	if s := r.space(); s == "" || s[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *reader) or(depth int) (filter, error) {
	a, err := r.and(depth)
	for err == nil && r.word("or") {
		var b filter
		b, err = r.and(depth)
		a = either{a, b}
	}
	return a, err
}

func (r *reader) and(depth int) (filter, error) {
	a, err := r.one(depth)
	for err == nil && r.word("and") {
		var b filter
		b, err = r.one(depth)
		a = both{a, b}
	}
	return a, err
}

func (r *reader) one(depth int) (filter, error) {
	if depth > deepest {
		return nil, r.bad("it nests too deep")
	}
	not := r.word("not")
	if r.mark('(') {
		f, err := r.or(depth + 1)
		if err == nil && !r.mark(')') {
			err = r.bad("a ) is missing")
		}
		if not {
			f = opposite{f}
		}
		return f, err
	}
	if not {
		return nil, r.bad("a ( is missing after not")
	}
	p, err := r.path(depth)
	if err != nil {
		return nil, err
	}
	for _, op := range [...]string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"} {
		if r.word(op) {
			v, err := r.value()
			return compare{p, op, v}, err
		}
	}
	if r.word("pr") {
		return compare{at: p, op: "pr"}, nil
	}
	if p.filter != nil && p.sub == "" {
		return inside{p}, nil
	}
	return nil, r.bad("%q is followed by no operator; there are eq, ne, co, sw, ew, gt, ge, lt, le and pr", p.attr)
}

// value reads a value, which is written as in JSON.
func (r *reader) value() (any, error) {
	d := json.NewDecoder(strings.NewReader(r.space()))
	var v any
	if err := d.Decode(&v); err != nil {
		for _, b := range [...]string{"true", "false"} { // True, as some write it
			if r.word(b) {
				return b == "true", nil
			}
		}
		return nil, r.bad("what an attribute is compared with is a text in quotes, a number, true, false or null")
	}
	switch v.(type) {
	case map[string]any, []any:
		return nil, r.bad("an attribute is compared with one value")
	}
	r.rest = r.rest[d.InputOffset():]
	return v, nil
}

// path reads where something stands.
func (r *reader) path(depth int) (path, error) {
	var p path
	r.space()
	if name, ok := r.schema(); ok {
		if name == enterpriseURN {
			p.extension = name
		}
		if r.rest == "" && p.extension != "" {
			return p, nil
		}
	}
	p.attr = r.name()
	a := r.attribute(&p)
	if a == nil {
		return p, r.bad("there is no attribute %q", p.attr)
	}
	if strings.HasPrefix(r.rest, "[") {
		if !a.multi {
			return p, r.bad("%s is no list", a.name)
		}
		r.rest = r.rest[1:]
		within := &reader{rest: r.rest, all: a.sub, kind: r.kind}
		f, err := within.or(depth + 1)
		if r.rest = within.rest; err == nil && !r.mark(']') {
			err = r.bad("a ] is missing")
		}
		if err != nil {
			return p, err
		}
		p.filter = f
	}
	if strings.HasPrefix(r.rest, ".") {
		r.rest = r.rest[1:]
		if p.sub = r.name(); attributeOf(a.sub, p.sub) == nil {
			return p, r.bad("there is no attribute %q in %q", p.sub, p.attr)
		}
	}
	return p, nil
}

// schema takes the name of a schema before an attribute.
func (r *reader) schema() (string, bool) {
	for _, urn := range [...]string{enterpriseURN, userURN, groupURN} {
		if len(r.rest) < len(urn) || !strings.EqualFold(r.rest[:len(urn)], urn) || urn == enterpriseURN && attributeOf(r.all, urn) == nil {
			continue
		}
		r.rest = strings.TrimPrefix(r.rest[len(urn):], ":")
		return urn, true
	}
	return "", false
}

func (r *reader) attribute(p *path) *attribute {
	all := r.all
	if p.extension != "" {
		all = attributeOf(all, p.extension).sub
	}
	return attributeOf(all, p.attr)
}

// name takes the name of an attribute.
func (r *reader) name() string {
	i := 0
	for i < len(r.rest) && (r.rest[i] >= 'a' && r.rest[i] <= 'z' || r.rest[i] >= 'A' && r.rest[i] <= 'Z' || r.rest[i] >= '0' && r.rest[i] <= '9' || strings.IndexByte("$-_", r.rest[i]) >= 0) {
		i++
	}
	name := r.rest[:i]
	r.rest = r.rest[i:]
	return name
}
