package scim

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/store"
)

// The kinds of what is kept for directories, beside what is declared.
const (
	storedUsers  = store.OfDirectories + "users"
	storedGroups = store.OfDirectories + "groups"
	members      = "members"
)

// thing is a user or a group as it is kept.
type thing struct {
	id               string
	kind             *kind
	has              map[string]any
	version          int64
	created, changed int64
}

// people is everything that is kept, at one revision.
type people struct {
	all     []store.Resource
	at      int64
	things  map[string]*thing // by id
	order   []*thing
	declare map[string]*store.Resource // members, by name
}

// read reads it.
func (s *Server) read(ctx context.Context) (*people, error) {
	all, at, err := s.store.Resources(ctx)
	if err != nil {
		return nil, err
	}
	p := &people{all: all, at: at, things: map[string]*thing{}, declare: map[string]*store.Resource{}}
	kinds := map[string]*kind{storedUsers: users(), storedGroups: groups()}
	for i := range all {
		r := &all[i]
		if r.Kind == members {
			p.declare[r.Name] = r
		}
		k := kinds[r.Kind]
		if k == nil {
			continue
		}
		t := &thing{id: r.Name, kind: k, version: r.Version, created: r.Created, changed: r.Changed}
		if err := json.Unmarshal(r.Spec, &t.has); err != nil {
			return nil, fmt.Errorf("reading %s %s: %w", r.Kind, r.Name, err)
		}
		p.things[t.id] = t
		p.order = append(p.order, t)
	}
	slices.SortStableFunc(p.order, func(a, b *thing) int { return int(a.created - b.created) })
	return p, nil
}

// of returns those of a kind, oldest first.
func (p *people) of(k *kind) []*thing {
	var out []*thing
	for _, t := range p.order {
		if t.kind.stored == k.stored && p.things[t.id] == t {
			out = append(out, t)
		}
	}
	return out
}

func (t *thing) text(name string) string {
	v, _ := t.has[name].(string)
	return v
}

// called is what a thing is known by: a user's name, or a group's.
func (t *thing) called() string {
	if t.kind.stored == storedUsers {
		return t.text("userName")
	}
	return t.text("displayName")
}

// active reports whether a user is; who is not said to be otherwise is.
func (t *thing) active() bool { return t.has["active"] != false }

// memberIDs are those of a group's members.
func (t *thing) memberIDs() []string {
	list, _ := t.has["members"].([]any)
	out := make([]string, 0, len(list))
	for _, v := range list {
		m, _ := v.(map[string]any)
		if id, ok := m["value"].(string); ok {
			out = append(out, id)
		}
	}
	return out
}

// groupsOf returns the groups of each user, by the user's id: those that name them, and those that name such a group.
func (p *people) groupsOf() map[string][]*thing {
	above := map[string][]*thing{} // the groups that name an id
	for _, g := range p.of(groups()) {
		for _, id := range g.memberIDs() {
			above[id] = append(above[id], g)
		}
	}
	out := map[string][]*thing{}
	for _, u := range p.of(users()) {
		seen := map[string]bool{}
		next := slices.Clone(above[u.id])
		for len(next) > 0 {
			g := next[0]
			next = next[1:]
			if !seen[g.id] {
				seen[g.id] = true
				out[u.id] = append(out[u.id], g)
				next = append(next, above[g.id]...)
			}
		}
	}
	return out
}

// shown is a thing as a directory reads it.
func (p *people) shown(t *thing, base string, groupsOf map[string][]*thing) map[string]any {
	out := map[string]any{}
	for n, v := range t.has {
		out[n] = v
	}
	schemas := []string{t.kind.urn}
	if out[enterpriseURN] != nil {
		schemas = append(schemas, enterpriseURN)
	}
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
	out["schemas"], out["id"] = schemas, t.id
	out["meta"] = map[string]any{
		"resourceType": t.kind.name, "created": at(t.created), "lastModified": at(t.changed),
		"location": base + "/" + t.kind.path + "/" + t.id, "version": t.tag(),
	}
	if t.kind.stored == storedUsers {
		out["active"] = t.active()
		list := []any{}
		for _, g := range groupsOf[t.id] {
			way := "indirect"
			if slices.Contains(g.memberIDs(), t.id) {
				way = "direct"
			}
			list = append(list, map[string]any{"value": g.id, "display": g.called(), "type": way, "$ref": base + "/Groups/" + g.id})
		}
		out["groups"] = list
		return out
	}
	list := []any{}
	for _, id := range t.memberIDs() {
		if m := p.things[id]; m != nil {
			list = append(list, map[string]any{"value": id, "display": m.called(), "type": m.kind.name, "$ref": base + "/" + m.kind.path + "/" + id})
		}
	}
	out["members"] = list
	return out
}

func (t *thing) tag() string { return fmt.Sprintf(`W/"%d"`, t.version) }

// mostTries bounds how often a change is tried again that others came before.
const mostTries = 20

// edit changes a thing, or makes one, and whatever members are by it.
func (s *Server) edit(q *request, id string, to func(p *people, t *thing) (*thing, error)) (reply, error) {
	for range mostTries {
		rep, err := s.tryEdit(q, id, to)
		if err == nil || !errorsIsMoved(err) {
			return rep, err
		}
	}
	return reply{}, store.ErrMoved
}

func (s *Server) tryEdit(q *request, id string, to func(p *people, t *thing) (*thing, error)) (reply, error) {
	p, err := s.read(q.Context())
	if err != nil {
		return reply{}, err
	}
	was := p.things[id]
	if id != "" && (was == nil || was.kind.stored != q.kind.stored) {
		return reply{}, noThing(q.kind)
	}
	if h := q.Header.Get("If-Match"); h != "" && was != nil && !names(h, was.tag()) {
		return reply{}, fail(http.StatusPreconditionFailed, "", "it is not as If-Match says any more; read it again")
	}
	before := p.derived()
	var old string
	if was != nil {
		q.note.Before, _ = json.Marshal(was.has) // of what was JSON
		old = was.called()
	}
	next, err := to(p, was)
	if err != nil {
		return reply{}, err
	}
	changes, err := s.changes(p, before, id, next)
	if err != nil {
		return reply{}, err
	}
	q.note.Name = old
	if next != nil {
		q.note.Name = next.called()
		q.note.After, _ = json.Marshal(next.has)
	}
	if len(changes) > 0 {
		if err := s.foundry.Keep(q.Request, p.all, p.at, changes); err != nil {
			return reply{}, err
		}
	}
	if next == nil {
		return reply{status: http.StatusNoContent}, nil
	}
	if len(changes) > 0 {
		next.version, next.changed = p.at+1, s.clock.Now().UnixMilli()
	}
	return s.answer(q, p, next, was == nil), nil
}

// answer shows what was made or changed.
func (s *Server) answer(q *request, p *people, t *thing, fresh bool) reply {
	shown := p.shown(t, q.base, p.groupsOf())
	rep := reply{status: http.StatusOK, body: only(q.Request, shown), etag: t.tag()}
	if fresh {
		rep.status, rep.location = http.StatusCreated, shown["meta"].(map[string]any)["location"].(string)
	}
	return rep
}

func noThing(k *kind) *Problem {
	return fail(http.StatusNotFound, "", "there is no %s of that id", strings.ToLower(k.name))
}

// changes returns what is to be kept: the thing itself, groups that lose it, and the members that are others by it.
func (s *Server) changes(p *people, before map[string]derived, id string, next *thing) ([]store.ResourceChange, error) {
	var out []store.ResourceChange
	put := func(t *thing) {
		b, _ := json.Marshal(t.has) // of what was JSON
		out = append(out, store.ResourceChange{Kind: t.kind.stored, Name: t.id, Spec: b})
	}
	if next == nil {
		t := p.things[id]
		delete(p.things, id)
		out = append(out, store.ResourceChange{Kind: t.kind.stored, Name: id})
		for _, g := range p.of(groups()) {
			if slices.Contains(g.memberIDs(), id) {
				list := g.has["members"].([]any)
				g.has["members"] = slices.DeleteFunc(slices.Clone(list), func(v any) bool { return v.(map[string]any)["value"] == id })
				put(g)
			}
		}
	} else {
		if p.things[next.id] == nil {
			p.order = append(p.order, next)
		} else {
			p.order[slices.Index(p.order, p.things[next.id])] = next
		}
		p.things[next.id] = next
		if put(next); p.asKept(&out[0]) {
			out = nil
		}
	}
	more, err := s.memberChanges(p, before)
	return append(out, more...), err
}

// asKept reports whether a change changes nothing.
func (p *people) asKept(c *store.ResourceChange) bool {
	return slices.ContainsFunc(p.all, func(r store.Resource) bool {
		return r.Kind == c.Kind && r.Name == c.Name && bytes.Equal(r.Spec, c.Spec)
	})
}

// derived is what a member is by their directory.
type derived struct {
	Title    string
	Groups   []string
	Disabled bool
}

// derived returns the members that the directory makes, by the name that it calls them.
func (p *people) derived() map[string]derived {
	groupsOf := p.groupsOf()
	out := map[string]derived{}
	for _, u := range p.of(users()) {
		d := derived{Title: u.title(), Disabled: !u.active()}
		for _, g := range groupsOf[u.id] {
			d.Groups = append(d.Groups, g.called())
		}
		slices.Sort(d.Groups)
		out[u.called()] = d
	}
	return out
}

// title is what people call a user.
func (t *thing) title() string {
	if v := t.text("displayName"); v != "" {
		return v
	}
	name, _ := t.has["name"].(map[string]any)
	if v, ok := name["formatted"].(string); ok && v != "" {
		return v
	}
	given, _ := name["givenName"].(string)
	family, _ := name["familyName"].(string)
	return strings.TrimSpace(given + " " + family)
}

// member returns what the member of a user is called: as one who is there already, or in small letters where it is an
// address of mail, as it is with people who sign in.
func (p *people) member(userName string) string {
	small := userName
	if strings.Contains(userName, "@") {
		small = strings.ToLower(userName)
	}
	if p.declare[small] != nil {
		return small
	}
	for name := range p.declare {
		if strings.EqualFold(name, userName) {
			return name
		}
	}
	return small
}

// memberChanges returns the changes of members between what the directory made of them and what it makes now.
func (s *Server) memberChanges(p *people, before map[string]derived) ([]store.ResourceChange, error) {
	var out []store.ResourceChange
	after := p.derived()
	kept := map[string]bool{}
	for user, d := range after {
		name := p.member(user)
		kept[name] = true
		if was, ok := before[user]; ok && reflect.DeepEqual(was, d) && p.declare[name] != nil {
			continue
		}
		if file := s.foundry.Declared(name); file != "" {
			return nil, fail(http.StatusConflict, "uniqueness", "the member %q is declared in %s; take them out there first", name, file)
		}
		spec, err := p.spec(name, &d)
		if err != nil {
			return nil, err
		}
		out = append(out, store.ResourceChange{Kind: members, Name: name, Spec: spec})
	}
	for user := range before {
		if name := p.member(user); !kept[name] && p.declare[name] != nil {
			out = append(out, store.ResourceChange{Kind: members, Name: name})
		}
	}
	slices.SortFunc(out, func(a, b store.ResourceChange) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// spec is what is declared of a member: what was declared before, such as roles, with what the directory says.
func (p *people) spec(name string, d *derived) ([]byte, error) {
	has := map[string]any{}
	if was := p.declare[name]; was != nil {
		if err := json.Unmarshal(was.Spec, &has); err != nil {
			return nil, fmt.Errorf("reading the member %s: %w", name, err)
		}
	}
	if has["directory"] != true && has["identity_provider"] != nil {
		delete(has, "roles") // those that they had of their groups at a sign-in
	}
	has["name"], has["directory"] = name, true
	for field, v := range map[string]any{"title": d.Title, "groups": d.Groups, "disabled": d.Disabled} {
		if reflect.ValueOf(v).IsZero() {
			delete(has, field)
		} else {
			has[field] = v
		}
	}
	return json.Marshal(has)
}

// newID returns the id of a thing: a random UUID.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
