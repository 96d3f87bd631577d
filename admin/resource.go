package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// keptSecret stands for a secret in what is read; sent back, it leaves the secret as it is.
const keptSecret = config.HiddenSecret

// Resource is something that is declared, as the API shows it.
type Resource struct {
	Name     string          `json:"name"`
	Spec     json.RawMessage `json:"spec,omitempty"`        // what is declared; secrets are "(kept)"
	Declared string          `json:"declared_in,omitempty"` // the file that declares it, where it is read only
	Version  int64           `json:"version,omitempty"`
	Created  *time.Time      `json:"created,omitempty"`
	Changed  *time.Time      `json:"changed,omitempty"`
	By       string          `json:"changed_by,omitempty"`
	Problems []Fault         `json:"problems,omitempty"` // why it is kept and not in force
}

// resource returns the operations on the items of a list.
func (s *Server) resource(n config.Noun) []*operation {
	list, one := "/"+n.List, "/"+n.List+"/{name}"
	shown := resourceSchema(n)
	dry := param{"dry_run", "Only check, and say what would be.", map[string]any{"type": "boolean"}}
	answers := func(status int, schema map[string]any) map[int]map[string]any {
		return map[int]map[string]any{status: schema}
	}
	return []*operation{
		{
			method: http.MethodGet, path: list, id: "list_" + n.List, summary: "List the " + n.List, noun: n.List, verb: read,
			query: pages(), answers: answers(http.StatusOK, listSchema(shown)),
			serve: func(q *request) (reply, error) { return s.listResources(q, n) },
		},
		{
			method: http.MethodPost, path: list, id: "create_" + n.One, summary: "Declare a " + n.One, noun: n.List, verb: write,
			query: []param{dry}, body: n.Schema(), answers: answers(http.StatusCreated, shown),
			serve: func(q *request) (reply, error) { return s.createResource(q, n) },
		},
		{
			method: http.MethodGet, path: one, id: "get_" + n.One, summary: "Show a " + n.One, noun: n.List, verb: read,
			etag: true, answers: answers(http.StatusOK, shown),
			serve: func(q *request) (reply, error) { return s.getResource(q, n) },
		},
		{
			method: http.MethodPut, path: one, id: "put_" + n.One, summary: "Declare a " + n.One + " in the place of what is there", noun: n.List, verb: write,
			etag: true, query: []param{dry}, body: n.Schema(), answers: map[int]map[string]any{http.StatusOK: shown, http.StatusCreated: shown},
			serve: func(q *request) (reply, error) { return s.putResource(q, n) },
		},
		{
			method: http.MethodPatch, path: one, id: "patch_" + n.One, summary: "Change a " + n.One + " by a JSON merge patch (RFC 7396)", noun: n.List, verb: write,
			etag: true, query: []param{dry}, body: map[string]any{"type": "object"}, patch: true, answers: answers(http.StatusOK, shown),
			serve: func(q *request) (reply, error) { return s.patchResource(q, n) },
		},
		{
			method: http.MethodDelete, path: one, id: "delete_" + n.One, summary: "Take a " + n.One + " away", noun: n.List, verb: write,
			etag: true, query: []param{dry}, answers: answers(http.StatusNoContent, nil),
			serve: func(q *request) (reply, error) { return s.deleteResource(q, n) },
		},
	}
}

func (s *Server) listResources(q *request, n config.Noun) (reply, error) {
	all, err := s.known(q.Context(), n)
	if err != nil {
		return reply{}, err
	}
	if !q.reach.all { // somebody with a role in an organization or a project sees what is theirs
		all = slices.DeleteFunc(all, func(r Resource) bool { return !within(&q.reach, n, &r) })
	}
	return page(q, all, func(r *Resource) string { return r.Name })
}

// within reports whether a resource is within a reach that is not everything.
func within(in *reach, n config.Noun, r *Resource) bool {
	var spec struct {
		Organization, Project string
		Scope                 struct{ Organization, Project string }
	}
	if json.Unmarshal(r.Spec, &spec) != nil {
		return false
	}
	switch n.List {
	case "organizations":
		return in.governs(r.Name)
	case "members", "service_accounts":
		return in.governs(spec.Organization)
	case "projects":
		return in.covers(r.Name)
	case "budgets", "limits":
		return in.sees(spec.Scope.Organization, spec.Scope.Project)
	case "publishers":
		return slices.Contains(in.publishers, r.Name)
	case "acceptances":
		return in.covers(spec.Project)
	case "deployments", "models", "policies", "terms":
		return len(in.projects) > 0 || len(in.organizations) > 0 // whoever calls them must know of them
	}
	return false
}

// known returns what there is of a list, by name: what the file declares and what is kept.
func (s *Server) known(ctx context.Context, n config.Noun) ([]Resource, error) {
	rs, _, err := s.store.Resources(ctx)
	if err != nil {
		return nil, err
	}
	f := s.foundry.Snapshot().Declared
	var out []Resource
	declared := n.Declared(f)
	specs, err := n.Specs(f)
	if err != nil {
		return nil, err
	}
	for i, name := range declared {
		out = append(out, Resource{Name: name, Spec: specs[i], Declared: f.Name()})
	}
	for i := range rs {
		if rs[i].Kind != n.List {
			continue
		}
		r, err := s.show(&rs[i])
		if err != nil {
			return nil, err
		}
		if !slices.Contains(declared, r.Name) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Resource) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return out, nil
}

// show returns a kept resource as the API shows it.
func (s *Server) show(r *store.Resource) (Resource, error) {
	spec, err := config.Secrets(r.Kind, r.Spec, func(string, string) (string, error) { return keptSecret, nil })
	if err != nil {
		return Resource{}, fmt.Errorf("reading %s %s: %w", r.Kind, r.Name, err)
	}
	created, changed := time.UnixMilli(r.Created).UTC(), time.UnixMilli(r.Changed).UTC()
	out := Resource{Name: r.Name, Spec: spec, Version: r.Version, Created: &created, Changed: &changed, By: r.By}
	for _, p := range s.foundry.Left() {
		if list, name := p.Of(); list == r.Kind && name == r.Name {
			out.Problems = append(out.Problems, Fault{Path: p.Path, Detail: p.Message})
		}
	}
	return out, nil
}

func (s *Server) getResource(q *request, n config.Noun) (reply, error) {
	all, err := s.known(q.Context(), n)
	if err != nil {
		return reply{}, err
	}
	for i := range all {
		if all[i].Name == q.PathValue("name") && (q.reach.all || within(&q.reach, n, &all[i])) {
			return reply{status: http.StatusOK, body: all[i], etag: s.tag(&all[i])}, nil
		}
	}
	return reply{}, none(n, q.PathValue("name"))
}

func none(n config.Noun, name string) *Problem {
	return fail(http.StatusNotFound, "not_found", fmt.Sprintf("there is no %s %q; GET %s/%s lists those that there are", n.One, name, Prefix, n.List))
}

// tag returns the ETag of a resource.
func (s *Server) tag(r *Resource) string {
	if r.Declared != "" {
		return strconv.Quote("file-" + s.foundry.Snapshot().Version)
	}
	return strconv.Quote(strconv.FormatInt(r.Version, 10))
}

func (s *Server) createResource(q *request, n config.Noun) (reply, error) {
	name, err := nameIn(q.body, n)
	if err != nil {
		return reply{}, err
	}
	q.entry.Name = name
	return s.change(q, n, name, func(was *store.Resource) ([]byte, error) {
		if was != nil {
			return nil, fail(http.StatusConflict, "exists", fmt.Sprintf("there is a %s %q already; PUT changes it", n.One, name))
		}
		return q.body, nil
	})
}

// nameIn returns the name that a body gives.
func nameIn(body []byte, n config.Noun) (string, error) {
	var spec struct{ Name *string }
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return "", fail(http.StatusUnprocessableEntity, "invalid", "the body is a JSON object: what a file would say of one item of "+n.List)
	}
	if err := json.Unmarshal(body, &spec); err != nil || spec.Name == nil || *spec.Name == "" {
		return "", fail(http.StatusUnprocessableEntity, "invalid", "name is missing, or no text")
	}
	return *spec.Name, nil
}

func (s *Server) putResource(q *request, n config.Noun) (reply, error) {
	name := q.PathValue("name")
	return s.change(q, n, name, func(*store.Resource) ([]byte, error) { return q.body, nil })
}

func (s *Server) patchResource(q *request, n config.Noun) (reply, error) {
	name := q.PathValue("name")
	return s.change(q, n, name, func(was *store.Resource) ([]byte, error) {
		if was == nil {
			return nil, none(n, name)
		}
		shown, err := s.show(was)
		if err != nil {
			return nil, err
		}
		return merge(shown.Spec, q.body)
	})
}

func (s *Server) deleteResource(q *request, n config.Noun) (reply, error) {
	name := q.PathValue("name")
	return s.change(q, n, name, func(was *store.Resource) ([]byte, error) {
		if was == nil {
			return nil, none(n, name)
		}
		return nil, nil
	})
}

// mostTries bounds how often a change is tried again that others came before.
const mostTries = 20

// change puts what a function makes of a resource in its place: nil takes it away. It is checked with everything
// else that is declared before it is kept, and in force when change returns.
func (s *Server) change(q *request, n config.Noun, name string, to func(was *store.Resource) ([]byte, error)) (reply, error) {
	if err := s.mayTouch(q, n, name); err != nil {
		return reply{}, err
	}
	if f := s.foundry.Snapshot().Declared; slices.Contains(n.Declared(f), name) {
		return reply{}, fail(http.StatusConflict, "declared", fmt.Sprintf("the %s %q is declared in %s; change it there", n.One, name, f.Name()))
	}
	for range mostTries {
		rep, err := s.tryChange(q, n, name, to)
		if !errors.Is(err, store.ErrMoved) {
			return rep, err
		}
	}
	return reply{}, store.ErrMoved
}

func (s *Server) tryChange(q *request, n config.Noun, name string, to func(was *store.Resource) ([]byte, error)) (reply, error) {
	all, at, err := s.store.Resources(q.Context())
	if err != nil {
		return reply{}, err
	}
	was := find(all, n.List, name)
	if err := s.condition(q, was); err != nil {
		return reply{}, err
	}
	spec, err := to(was)
	if err != nil {
		return reply{}, err
	}
	change := store.ResourceChange{Kind: n.List, Name: name}
	if spec != nil {
		if change.Spec, err = s.sealed(n, name, spec, was); err != nil {
			return reply{}, err
		}
	}
	if err := s.theirs(q, n, was, &change); err != nil {
		return reply{}, err
	}
	if err := s.mayGrant(q, n, was, change.Spec); err != nil {
		return reply{}, err
	}
	if err := s.holds(&q.actor, all, []store.ResourceChange{change}); err != nil {
		return reply{}, err
	}
	if was != nil {
		q.entry.Before = s.plain(was)
	}
	now := s.clock.Now().UnixMilli()
	next := store.Resource{Kind: n.List, Name: name, Spec: change.Spec, Version: at + 1, Created: now, Changed: now, By: q.actor.Name}
	if was != nil {
		next.Created = was.Created
	}
	if change.Spec != nil {
		q.entry.After = s.plain(&next)
	}
	if !q.dry {
		if err := s.keep(q.Context(), at, q.actor.Name, []store.ResourceChange{change}); err != nil {
			return reply{}, err
		}
	}
	return s.changed(q, was, &next)
}

// keep keeps changes that were checked, and has them in force. Members who go lose their keys, first: a key whose member
// nobody knows would still call models.
func (s *Server) keep(ctx context.Context, at int64, by string, changes []store.ResourceChange) error {
	now := s.clock.Now().UnixMilli()
	for _, c := range changes {
		if c.Spec != nil || c.Kind != "members" && c.Kind != "service_accounts" {
			continue
		}
		keys, err := s.store.Keys(ctx)
		if err != nil {
			return err
		}
		for i := range keys {
			if keys[i].Member != c.Name || keys[i].Revoked != 0 {
				continue
			}
			if err := s.store.RevokeKey(ctx, keys[i].ID, now); err != nil {
				return err
			}
		}
	}
	if _, err := s.store.ChangeResources(ctx, at, by, now, changes); err != nil {
		return err
	}
	return s.foundry.Take(ctx)
}

// Keep makes changes that came another way than through this API, as somebody: if nothing has changed since all was at
// a revision, they may, and all holds with them. They are in force when it returns.
func (s *Server) Keep(ctx context.Context, a Actor, all []store.Resource, at int64, changes []store.ResourceChange) error {
	q := &request{actor: a}
	for _, c := range changes {
		if n, ok := config.NounOf(c.Kind); ok {
			if err := s.mayGrant(q, n, find(all, c.Kind, c.Name), c.Spec); err != nil {
				return err
			}
		}
	}
	items := slices.DeleteFunc(slices.Clone(changes), func(c store.ResourceChange) bool { return !(&store.Resource{Kind: c.Kind}).Item() })
	if err := s.holds(&a, all, items); err != nil {
		return err
	}
	return s.keep(ctx, at, a.Name, changes)
}

// May reports whether somebody may see all things of a kind, or change them.
func (a *Actor) May(change bool, noun string) bool {
	v := read
	if change {
		v = write
	}
	return slices.ContainsFunc(a.Grants, func(g plenum.Grant) bool {
		return g.Organization == "" && g.Project == "" && g.Publisher == "" && !(a.ReadOnly && change) && may(g.Role, v, noun)
	})
}

// changed answers a request that changed a resource.
func (s *Server) changed(q *request, was, next *store.Resource) (reply, error) {
	if next.Spec == nil {
		return reply{status: http.StatusNoContent}, nil
	}
	status := http.StatusOK
	if was == nil {
		status = http.StatusCreated
	}
	shown, err := s.show(next)
	if err != nil {
		return reply{}, err
	}
	if q.dry {
		shown.Version, shown.Problems = 0, nil
		return reply{status: status, body: shown}, nil
	}
	return reply{status: status, body: shown, etag: s.tag(&shown)}, nil
}

func find(all []store.Resource, list, name string) *store.Resource {
	for i := range all {
		if all[i].Kind == list && all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// plain returns a resource's spec without its secrets, for the audit.
func (s *Server) plain(r *store.Resource) []byte {
	shown, err := s.show(r)
	if err != nil {
		return nil
	}
	return shown.Spec
}

// condition compares a resource with what If-Match and If-None-Match ask for.
func (s *Server) condition(q *request, was *store.Resource) error {
	tag := ""
	if was != nil {
		tag = strconv.Quote(strconv.FormatInt(was.Version, 10))
	}
	if h := q.Header.Get("If-Match"); h != "" && (tag == "" || !matches(h, tag)) {
		return fail(http.StatusPreconditionFailed, "changed", "it is not as If-Match says any more; read it again")
	}
	if h := q.Header.Get("If-None-Match"); h != "" && tag != "" && matches(h, tag) {
		return fail(http.StatusPreconditionFailed, "exists", "there is one already, which If-None-Match rules out")
	}
	return nil
}

// sealed checks what is declared of an item by itself and returns it with its secrets sealed. Those that say
// "(kept)" are taken from what was there.
func (s *Server) sealed(n config.Noun, name string, spec []byte, was *store.Resource) ([]byte, error) {
	if err := (&config.Item{List: n.List, Name: name, Spec: spec}).Check(nil); err != nil {
		return nil, err
	}
	old := map[string]string{}
	if was != nil {
		_, err := config.Secrets(n.List, was.Spec, func(path, v string) (string, error) {
			old[path] = v
			return v, nil
		})
		if err != nil {
			return nil, err
		}
	}
	var missing config.Problems
	out, err := config.Secrets(n.List, spec, func(path, v string) (string, error) {
		if v != keptSecret {
			return s.foundry.Seal(v)
		}
		if old[path] == "" {
			missing = append(missing, config.Problem{File: config.Item{List: n.List, Name: name}.String(), Path: path, Message: "says (kept), and there is no secret that could be kept; give it"})
		}
		return old[path], nil
	})
	if err == nil && len(missing) > 0 {
		err = missing
	}
	return out, err
}

// holds reports what is wrong with everything that is declared, once somebody's changes are made to it.
func (s *Server) holds(a *Actor, all []store.Resource, changes []store.ResourceChange) error {
	changed := map[[2]string]bool{}
	var items []config.Item
	var deployments []string
	for _, c := range changes {
		changed[[2]string{c.Kind, c.Name}] = true
		if c.Kind == "deployments" && c.Spec != nil {
			deployments = append(deployments, c.Name)
		}
		if c.Spec != nil {
			items = append(items, config.Item{List: c.Kind, Name: c.Name, Version: -1, Spec: c.Spec})
		}
	}
	out := map[[2]string]bool{} // those that do not hold already are no reason to refuse others
	for _, p := range s.foundry.Left() {
		list, name := p.Of()
		out[[2]string{list, name}] = true
	}
	for i := range all {
		if id := [2]string{all[i].Kind, all[i].Name}; !changed[id] && !out[id] && all[i].Item() {
			items = append(items, ItemOf(&all[i]))
		}
	}
	if err := s.foundry.Check(items); err != nil || len(deployments) == 0 || a.owns() {
		return err // an owner could change the policies as well
	}
	return s.foundry.MayDeploy(*a, items, deployments)
}

// ItemOf returns a resource as the configuration takes it.
func ItemOf(r *store.Resource) config.Item {
	return config.Item{List: r.Kind, Name: r.Name, Version: r.Version, Spec: r.Spec}
}

// mayGrant refuses that somebody who is no owner makes an owner or a reader, or changes one, or says who signs people in: that
// one could vouch for anybody as an owner.
func (s *Server) mayGrant(q *request, n config.Noun, was *store.Resource, spec []byte) error {
	if q.actor.owns() {
		return nil
	}
	switch n.List {
	case "members", "service_accounts":
	case "identity_providers":
		return fail(http.StatusForbidden, "forbidden", "only an owner says who signs people in: whoever does could sign anybody in as an owner")
	default:
		return nil
	}
	owners := func(spec []byte) bool {
		var m struct{ Roles []struct{ Role plenum.Role } }
		_ = json.Unmarshal(spec, &m)
		return slices.ContainsFunc(m.Roles, func(r struct{ Role plenum.Role }) bool { return guarded(r.Role) })
	}
	if owners(spec) || was != nil && owners(was.Spec) {
		return fail(http.StatusForbidden, "forbidden", "only an owner makes, changes or removes owners and readers")
	}
	return nil
}

// merge applies a JSON merge patch (RFC 7396).
func merge(doc, patch []byte) ([]byte, error) {
	decode := func(b []byte) (any, error) {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var v any
		err := d.Decode(&v)
		return v, err
	}
	a, err := decode(doc)
	if err != nil {
		return nil, err
	}
	b, err := decode(patch)
	if err != nil {
		return nil, err
	}
	if _, ok := b.(map[string]any); !ok {
		return nil, fail(http.StatusUnprocessableEntity, "invalid", "a merge patch is a JSON object with the members to change")
	}
	return json.Marshal(merged(a, b))
}

func merged(a, b any) any {
	patch, ok := b.(map[string]any)
	if !ok {
		return b
	}
	out, ok := a.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for name, v := range patch {
		if v == nil {
			delete(out, name)
		} else {
			out[name] = merged(out[name], v)
		}
	}
	return out
}
