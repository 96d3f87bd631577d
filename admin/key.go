package admin

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// Key is a caller's key, as the API shows it.
type Key struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Project  string     `json:"project"`
	Member   string     `json:"member,omitempty"`
	Prefix   string     `json:"prefix"` // the first characters of the secret
	State    string     `json:"state"`  // good, expired or revoked
	Created  *time.Time `json:"created,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Revoked  *time.Time `json:"revoked,omitempty"`
	Admin    bool       `json:"admin,omitempty"` // it opens this API, with the roles of its member, and no models
	Declared string     `json:"declared_in,omitempty"`
	Secret   string     `json:"secret,omitempty"` // only in the answer to its making
}

// newKey is what is asked for.
type newKey struct {
	Name    string     `json:"name"`
	Project string     `json:"project"`
	Member  string     `json:"member"`
	Expires *time.Time `json:"expires"`
	Admin   bool       `json:"admin"`
}

func (s *Server) keys() []*operation {
	dry := param{"dry_run", "Only check, and say what would be.", map[string]any{"type": "boolean"}}
	shown := keySchema()
	text := map[string]any{"type": "string"}
	return []*operation{
		{
			method: http.MethodGet, path: "/keys", id: "list_keys", summary: "List the keys", noun: "keys", verb: read,
			query:   pages(param{"project", "Only the keys of this project.", text}, param{"member", "Only the keys of this member.", text}, param{"state", "Only keys in this state.", map[string]any{"enum": []string{"good", "expired", "revoked"}}}),
			answers: map[int]map[string]any{http.StatusOK: listSchema(shown)}, serve: s.listKeys,
		},
		{
			method: http.MethodPost, path: "/keys", id: "create_key", summary: "Make a key; its secret is in the answer, and nowhere else", noun: "keys", verb: write,
			query: []param{dry}, body: newKeySchema(), answers: map[int]map[string]any{http.StatusCreated: shown}, serve: s.createKey,
		},
		{
			method: http.MethodGet, path: "/keys/{name}", id: "get_key", summary: "Show a key, by its id", noun: "keys", verb: read,
			answers: map[int]map[string]any{http.StatusOK: shown}, serve: s.getKey,
		},
		{
			method: http.MethodDelete, path: "/keys/{name}", id: "revoke_key", summary: "Revoke a key, by its id; every node refuses it within a second", noun: "keys", verb: write,
			query: []param{dry}, answers: map[int]map[string]any{http.StatusNoContent: nil}, serve: s.revokeKey,
		},
	}
}

// show returns a key as the API shows it.
func showKey(k *plenum.Key, now time.Time) Key {
	at := func(ms int64) *time.Time {
		if ms == 0 {
			return nil
		}
		t := time.UnixMilli(ms).UTC()
		return &t
	}
	out := Key{
		ID: k.ID, Name: k.Name, Project: k.Project, Member: k.Member, Prefix: k.Prefix, State: "good", Admin: k.Admin, Declared: k.Declared,
		Created: at(k.Created), Expires: at(k.Expires), Revoked: at(k.Revoked),
	}
	ms := now.UnixMilli()
	switch {
	case k.Revoked != 0 && k.Revoked <= ms:
		out.State = "revoked"
	case k.Expires != 0 && k.Expires <= ms:
		out.State = "expired"
	}
	return out
}

// knownKeys returns all keys: those of the store and those that the file declares.
func (s *Server) knownKeys(q *request) ([]Key, error) {
	kept, err := s.store.Keys(q.Context())
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	var out []Key
	f := s.foundry.Snapshot().Declared
	for i := range f.Keys {
		if k, ok := s.foundry.Snapshot().KeyByID("declared:" + f.Keys[i].Name); ok {
			out = append(out, showKey(k, now))
		}
	}
	for i := range kept {
		out = append(out, showKey(&kept[i], now))
	}
	out = slices.DeleteFunc(out, func(k Key) bool { return !q.reach.covers(k.Project) })
	slices.SortFunc(out, func(a, b Key) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func (s *Server) listKeys(q *request) (reply, error) {
	all, err := s.knownKeys(q)
	if err != nil {
		return reply{}, err
	}
	is := func(name, have string) bool { want := query(q.Request, name); return want == "" || want == have }
	all = slices.DeleteFunc(all, func(k Key) bool { return !is("project", k.Project) || !is("member", k.Member) || !is("state", k.State) })
	return page(q, all, func(k *Key) string { return k.ID })
}

func (s *Server) getKey(q *request) (reply, error) {
	all, err := s.knownKeys(q)
	if err != nil {
		return reply{}, err
	}
	for i := range all {
		if all[i].ID == q.PathValue("name") {
			return reply{status: http.StatusOK, body: all[i]}, nil
		}
	}
	return reply{}, noKey()
}

func noKey() *Problem {
	return fail(http.StatusNotFound, "not_found", "there is no key of that id; GET "+Prefix+"/keys lists those that there are")
}

func (s *Server) createKey(q *request) (reply, error) {
	var k newKey
	if err := strict(q.body, &k); err != nil {
		return reply{}, err
	}
	if k.Project == "" {
		k.Project = plenum.DefaultProject
	}
	q.entry.Name = k.Name
	if err := s.mayMake(q, &k); err != nil {
		return reply{}, err
	}
	want := plenum.Key{Name: k.Name, Project: k.Project, Member: k.Member, Admin: k.Admin}
	if k.Expires != nil {
		want.Expires = k.Expires.UnixMilli()
	}
	secret, key, err := s.foundry.NewKey(want)
	if err != nil {
		return reply{}, err
	}
	out := showKey(&key, s.clock.Now())
	q.entry.After, q.entry.Name = asJSON(out), key.ID
	if q.dry {
		out.ID, out.Prefix = "", ""
		return reply{status: http.StatusCreated, body: out}, nil
	}
	if err := s.store.CreateKey(q.Context(), key); err != nil {
		return reply{}, err
	}
	if err := s.foundry.Take(q.Context()); err != nil {
		return reply{}, err
	}
	out.Secret = secret.Reveal()
	return reply{status: http.StatusCreated, body: out}, nil
}

// mayMake checks what is asked for of a key.
func (s *Server) mayMake(q *request, k *newKey) error {
	plain := func(v string) bool {
		return len(v) <= 128 && !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f })
	}
	snap := s.foundry.Snapshot()
	_, known := snap.Project(k.Project)
	member, isMember := snap.Member(k.Member)
	switch {
	case k.Name == "" || !plain(k.Name):
		return invalid("name", "has 1 to 128 bytes and no control characters")
	case !plain(k.Member):
		return invalid("member", "has up to 128 bytes and no control characters")
	case !known && k.Project != plenum.DefaultProject:
		return invalid("project", "there is no project of that name; POST "+Prefix+"/projects makes one")
	case !q.reach.covers(k.Project):
		return fail(http.StatusForbidden, "forbidden", "your roles do not let you make keys in that project")
	case !q.reach.all && k.Member != "" && "member:"+k.Member != q.actor.Name:
		return fail(http.StatusForbidden, "forbidden", "a role in a project alone lets you make keys of that project, or your own: not those of other members, which policies may allow more")
	case k.Expires != nil && !k.Expires.After(s.clock.Now()):
		return invalid("expires", "is past")
	case k.Admin && !q.reach.all:
		return fail(http.StatusForbidden, "forbidden", "only owners and admins make keys of the management API")
	case k.Admin && !isMember:
		return invalid("member", "a key of the management API has the roles of its member; there is no member of that name")
	case k.Admin && !q.actor.owns() && slices.ContainsFunc(member.Grants, func(g plenum.Grant) bool { return g.Role == plenum.RoleOwner }):
		return fail(http.StatusForbidden, "forbidden", "only an owner makes keys with an owner's roles")
	}
	return nil
}

func invalid(path, detail string) *Problem {
	p := fail(http.StatusUnprocessableEntity, "invalid", path+": "+detail)
	p.Faults = []Fault{{Path: path, Detail: detail}}
	return p
}

func (s *Server) revokeKey(q *request) (reply, error) {
	id := q.PathValue("name")
	if k, ok := s.foundry.Snapshot().KeyByID(id); ok && k.Declared != "" && q.reach.covers(k.Project) {
		return reply{}, fail(http.StatusConflict, "declared", "this key is declared in "+k.Declared+"; take it out there")
	}
	k, err := s.store.Key(q.Context(), id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !q.reach.covers(k.Project) {
		return reply{}, noKey()
	}
	if err != nil {
		return reply{}, err
	}
	now := s.clock.Now()
	q.entry.Before = asJSON(showKey(&k, now))
	if q.dry {
		return reply{status: http.StatusNoContent}, nil
	}
	if err := s.store.RevokeKey(q.Context(), id, now.UnixMilli()); err != nil {
		return reply{}, err
	}
	if k.Revoked == 0 {
		k.Revoked = now.UnixMilli()
	}
	q.entry.After = asJSON(showKey(&k, now))
	return reply{status: http.StatusNoContent}, s.foundry.Take(q.Context())
}
