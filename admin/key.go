package admin

import (
	"cmp"
	"encoding/hex"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// Key is a caller's key, as the API shows it.
type Key struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Project  string        `json:"project"`
	Member   string        `json:"member,omitempty"`
	Prefix   string        `json:"prefix"` // the first characters of the secret
	State    string        `json:"state"`  // good, expired or revoked
	Created  *time.Time    `json:"created,omitempty"`
	Expires  *time.Time    `json:"expires,omitempty"`
	Revoked  *time.Time    `json:"revoked,omitempty"`
	Used     *time.Time    `json:"last_used,omitempty"`     // to about ten seconds; left out where it never was
	Overlap  *time.Time    `json:"overlap_until,omitempty"` // until when the secret that it had before is good as well
	Scope    *plenum.Scope `json:"scope,omitempty"`         // what it is good for; left out is all
	Admin    bool          `json:"admin,omitempty"`         // it opens this API, with the roles of its member, and no models
	Declared string        `json:"declared_in,omitempty"`
	Secret   string        `json:"secret,omitempty"`     // only in the answer to its making
	AWS      string        `json:"aws_secret,omitempty"` // likewise: what signs for AWS's SDKs, with the id as the access key
}

// newKey is what is asked for.
type newKey struct {
	Name    string          `json:"name"`
	Project string          `json:"project"`
	Member  string          `json:"member"`
	Expires *time.Time      `json:"expires"`
	Admin   bool            `json:"admin"`
	Scope   config.KeyScope `json:"scope"`
	SHA256  string          `json:"sha256"` // of a secret that another gateway made, in hexadecimal: that secret stays good
	Prefix  string          `json:"prefix"` // how that secret begins, or ends, for people to know it by
}

// rotation is what is asked for of a rotation.
type rotation struct {
	Overlap string     `json:"overlap"` // how long the secret that it had stays good, such as 24h
	Expires *time.Time `json:"expires"` // when the key ends; as it was if left out
}

// The overlaps of a rotation.
const (
	usualOverlap   = 24 * time.Hour
	longestOverlap = 90 * 24 * time.Hour
)

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
		{
			method: http.MethodPost, path: "/keys/{name}/rotate", id: "rotate_key", summary: "Give a key another secret, by its id; the one that it had stays good for the overlap, 24h if left out", noun: "keys", verb: write,
			query: []param{dry}, body: optional(schemaOf(reflect.TypeFor[rotation]())), answers: map[int]map[string]any{http.StatusOK: shown}, serve: s.rotateKey,
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
	if k.Overlap > ms {
		out.Overlap = at(k.Overlap)
	}
	if !k.Scope.Empty() {
		out.Scope = k.Scope
	}
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
	used, err := s.foundry.Uses(q.Context())
	if err != nil {
		return nil, err
	}
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
	for i := range out {
		if ms, ok := used[out[i].ID]; ok {
			at := time.UnixMilli(ms).UTC()
			out[i].Used = &at
		}
	}
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
	scope, faults := config.NewScope(&k.Scope)
	if len(faults) > 0 {
		return reply{}, Invalid("scope."+faults[0].Path, faults[0].Message)
	}
	if !scope.Empty() {
		want.Scope = scope
	}
	secret, key, err := s.makeKey(&k, want)
	if err != nil {
		return reply{}, err
	}
	out := showKey(&key, s.clock.Now())
	q.entry.After, q.entry.Name = asJSON(out), key.ID
	if q.dry {
		out.ID, out.Prefix = "", ""
		return reply{status: http.StatusCreated, body: out}, nil
	}
	switch err := s.store.CreateKey(q.Context(), key); {
	case errors.Is(err, store.ErrExists):
		return reply{}, fail(http.StatusConflict, "exists", "that key is here already, as "+key.ID)
	case err != nil:
		return reply{}, err
	}
	if err := s.foundry.Take(q.Context()); err != nil {
		return reply{}, err
	}
	s.reveal(&out, &key, secret)
	return reply{status: http.StatusCreated, body: out}, nil
}

// reveal shows what is shown once.
func (s *Server) reveal(out *Key, k *plenum.Key, secret plenum.Secret) {
	out.Secret = secret.Reveal()
	if !k.Admin && !secret.Empty() {
		out.AWS = s.foundry.AWSSecret(k).Reveal()
	}
}

// makeKey makes a key with a new secret, or of the hash of one that there is.
func (s *Server) makeKey(k *newKey, want plenum.Key) (plenum.Secret, plenum.Key, error) {
	if k.SHA256 == "" {
		return s.foundry.NewKey(want)
	}
	sum, err := hex.DecodeString(k.SHA256)
	if err != nil || len(sum) != 32 {
		return plenum.Secret{}, plenum.Key{}, Invalid("sha256", "is the SHA-256 of a key, as 64 digits in hexadecimal")
	}
	want.Prefix = k.Prefix
	return plenum.Secret{}, s.foundry.ImportKey(want, [32]byte(sum)), nil
}

// mayMake checks what is asked for of a key.
func (s *Server) mayMake(q *request, k *newKey) error {
	plain := func(v string) bool {
		return len(v) <= 128 && !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f })
	}
	snap := s.foundry.Snapshot()
	_, known := snap.Project(k.Project)
	member, isMember := snap.Member(k.Member)
	theirs := q.reach.all || isMember && q.reach.governs(member.Organization)
	switch {
	case k.Name == "" || !plain(k.Name):
		return Invalid("name", "has 1 to 128 bytes and no control characters")
	case !plain(k.Member):
		return Invalid("member", "has up to 128 bytes and no control characters")
	case !known && k.Project != plenum.DefaultProject:
		return Invalid("project", "there is no project of that name; POST "+Prefix+"/projects makes one")
	case !q.reach.covers(k.Project):
		return fail(http.StatusForbidden, "forbidden", "your roles do not let you make keys in that project")
	case !theirs && k.Member != "" && "member:"+k.Member != q.actor.Name:
		return fail(http.StatusForbidden, "forbidden", "your roles let you make keys of those projects, your own, and those of members of your organization: not those of other members, which policies may allow more")
	case k.Expires != nil && !k.Expires.After(s.clock.Now()):
		return Invalid("expires", "is past")
	case k.SHA256 == "" && k.Prefix != "" || !plain(k.Prefix) || len(k.Prefix) > 32:
		return Invalid("prefix", "is of a key from elsewhere (sha256), and has up to 32 bytes")
	case k.SHA256 != "" && !q.reach.all:
		return fail(http.StatusForbidden, "forbidden", "only owners and admins bring keys from elsewhere")
	case k.SHA256 != "" && k.Admin:
		return Invalid("admin", "a key from elsewhere calls models; make another for the management API")
	case k.Scope.ReadOnly && !k.Admin:
		return Invalid("scope.read_only", "is of keys of the management API; a key that calls models has operations")
	case k.Scope.SCIM && !k.Admin:
		return Invalid("scope.scim", "is of keys of the management API, which a directory keeps members with; set admin too")
	case k.Admin && (len(k.Scope.Deployments) > 0 || len(k.Scope.Operations) > 0):
		return Invalid("scope", "a key of the management API calls no models; of a scope it has networks, read_only and scim")
	case k.Admin && !theirs:
		return fail(http.StatusForbidden, "forbidden", "only owners and admins make keys of the management API")
	case k.Admin && !isMember:
		return Invalid("member", "a key of the management API has the roles of its member; there is no member of that name")
	case k.Admin && !q.actor.owns() && slices.ContainsFunc(member.Grants, func(g plenum.Grant) bool { return guarded(g.Role) }):
		return fail(http.StatusForbidden, "forbidden", "only an owner makes keys with the roles of an owner or a reader")
	}
	return nil
}

// Invalid is what is wrong with a member of what was sent.
func Invalid(path, detail string) *Problem {
	p := fail(http.StatusUnprocessableEntity, "invalid", path+": "+detail)
	p.Faults = []Fault{{Path: path, Detail: detail}}
	return p
}

// keptKey returns the key that a request is to change: one of the store.
func (s *Server) keptKey(q *request) (plenum.Key, error) {
	id := q.PathValue("name")
	if k, ok := s.foundry.Snapshot().KeyByID(id); ok && k.Declared != "" && q.reach.covers(k.Project) {
		return plenum.Key{}, fail(http.StatusConflict, "declared", "this key is declared in "+k.Declared+"; change it there")
	}
	k, err := s.store.Key(q.Context(), id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !q.reach.covers(k.Project) {
		return k, noKey()
	}
	return k, err
}

// rotateKey gives a key another secret. Who may make such a key may do that, for he comes to know its secret.
func (s *Server) rotateKey(q *request) (reply, error) {
	var want rotation
	if err := strict(q.body, &want); err != nil {
		return reply{}, err
	}
	overlap := usualOverlap
	if want.Overlap != "" {
		var err error
		if overlap, err = time.ParseDuration(want.Overlap); err != nil || overlap < 0 || overlap > longestOverlap {
			return reply{}, Invalid("overlap", "is a length of time from 0s to 2160h, such as 24h")
		}
	}
	k, err := s.keptKey(q)
	if err != nil {
		return reply{}, err
	}
	now := s.clock.Now()
	asked := newKey{Name: k.Name, Project: k.Project, Member: k.Member, Admin: k.Admin, Expires: want.Expires}
	if err := s.mayMake(q, &asked); err != nil {
		return reply{}, err
	}
	if state := showKey(&k, now).State; state == "revoked" || state == "expired" && want.Expires == nil {
		return reply{}, fail(http.StatusConflict, state, "this key is "+state+"; make another")
	}
	q.entry.Before = asJSON(showKey(&k, now))
	secret, fresh, err := s.foundry.Rotate(k, overlap)
	if err != nil {
		return reply{}, err
	}
	if want.Expires != nil {
		fresh.Expires = want.Expires.UnixMilli()
	}
	out := showKey(&fresh, now)
	q.entry.After = asJSON(out)
	if q.dry {
		out.Prefix = k.Prefix
		return reply{status: http.StatusOK, body: out}, nil
	}
	switch err := s.store.RotateKey(q.Context(), fresh); {
	case errors.Is(err, store.ErrMoved):
		return reply{}, fail(http.StatusConflict, "changed", "somebody else has changed this key meanwhile; look at it again")
	case err != nil:
		return reply{}, err
	}
	if err := s.foundry.Take(q.Context()); err != nil {
		return reply{}, err
	}
	s.reveal(&out, &fresh, secret)
	return reply{status: http.StatusOK, body: out}, nil
}

func (s *Server) revokeKey(q *request) (reply, error) {
	id := q.PathValue("name")
	k, err := s.keptKey(q)
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
