package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// Plan is what a declaration changes, or has changed.
type Plan struct {
	Changes   []Change `json:"changes"`
	Unchanged int      `json:"unchanged"`
	Applied   bool     `json:"applied"`
}

// Change is what becomes of one item.
type Change struct {
	Action string          `json:"action"` // create, update, delete
	List   string          `json:"list"`
	Name   string          `json:"name"`
	Before json.RawMessage `json:"before,omitempty"` // without secrets
	After  json.RawMessage `json:"after,omitempty"`
}

func (s *Server) declarations() []*operation {
	lists := map[string]any{}
	for _, n := range config.Nouns() {
		lists[n.List] = map[string]any{"type": "array", "items": n.Schema()}
	}
	declaration := map[string]any{"type": "object", "properties": lists, "additionalProperties": false}
	boolean := map[string]any{"type": "boolean"}
	plan := schemaOf(reflect.TypeFor[Plan]())
	return []*operation{
		{
			method: http.MethodPost, path: "/declarations:apply", id: "apply", summary: "Make everything as a declaration says, all of it or nothing", noun: "declarations", verb: write,
			query: []param{
				{"dry_run", "Only check, and say what would change.", boolean},
				{"prune", "Take away what is in none of the lists that the declaration has, where it was declared through this API.", boolean},
			},
			body: declaration, answers: map[int]map[string]any{http.StatusOK: plan}, serve: s.apply,
		},
		{
			method: http.MethodGet, path: "/declarations", id: "export", summary: "Everything that is declared, in files and through this API, as one declaration", noun: "declarations", verb: read,
			answers: map[int]map[string]any{http.StatusOK: declaration}, serve: s.export,
		},
	}
}

// export answers with everything that is declared.
func (s *Server) export(q *request) (reply, error) {
	if !q.reach.all {
		return reply{}, fail(http.StatusForbidden, "forbidden", "a role in a project alone does not let you see all that is declared")
	}
	out := map[string][]json.RawMessage{}
	for _, n := range config.Nouns() {
		all, err := s.known(q.Context(), n)
		if err != nil {
			return reply{}, err
		}
		for i := range all {
			out[n.List] = append(out[n.List], all[i].Spec)
		}
	}
	return reply{status: http.StatusOK, body: out}, nil
}

// apply makes everything as a declaration says.
func (s *Server) apply(q *request) (reply, error) {
	if !q.reach.all {
		return reply{}, fail(http.StatusForbidden, "forbidden", "a role in a project alone does not let you apply declarations")
	}
	prune := query(q.Request, "prune")
	if prune != "" && prune != "true" && prune != "false" {
		return reply{}, fail(http.StatusBadRequest, "bad_parameter", "prune is true or false")
	}
	var lists map[string][]json.RawMessage
	if err := json.Unmarshal(q.body, &lists); err != nil {
		return reply{}, fail(http.StatusUnprocessableEntity, "invalid", "a declaration is a JSON object of lists: "+listNames())
	}
	for name := range lists {
		if _, ok := config.NounOf(name); !ok {
			return reply{}, Invalid(name, "is no list that can be applied; there are "+listNames())
		}
	}
	for range mostTries {
		rep, err := s.tryApply(q, lists, prune == "true")
		if !errors.Is(err, store.ErrMoved) {
			return rep, err
		}
	}
	return reply{}, store.ErrMoved
}

func listNames() string {
	var names []string
	for _, n := range config.Nouns() {
		names = append(names, n.List)
	}
	return strings.Join(names, ", ")
}

func (s *Server) tryApply(q *request, lists map[string][]json.RawMessage, prune bool) (reply, error) {
	all, at, err := s.store.Resources(q.Context())
	if err != nil {
		return reply{}, err
	}
	plan := Plan{Changes: []Change{}}
	var changes []store.ResourceChange
	var faults config.Problems
	for _, n := range config.Nouns() {
		if specs, ok := lists[n.List]; ok {
			cs, err := s.planList(q, n, specs, all, prune, &plan)
			if err != nil && !gather(&faults, err) {
				return reply{}, err
			}
			changes = append(changes, cs...)
		}
	}
	if len(faults) > 0 {
		return reply{}, faults
	}
	if err := s.holds(&q.actor, all, changes); err != nil {
		return reply{}, err
	}
	q.entry.After = asJSON(plan)
	if q.dry || len(changes) == 0 {
		return reply{status: http.StatusOK, body: plan}, nil
	}
	if err := s.keep(q.Context(), at, q.actor.Name, changes); err != nil {
		return reply{}, err
	}
	plan.Applied = true
	return reply{status: http.StatusOK, body: plan}, nil
}

// gather adds problems to others; false where the error is something else.
func gather(to *config.Problems, err error) bool {
	var ps config.Problems
	if !errors.As(err, &ps) {
		return false
	}
	*to = append(*to, ps...)
	return true
}

// planList adds to a plan what becomes of a list.
func (s *Server) planList(q *request, n config.Noun, specs []json.RawMessage, all []store.Resource, prune bool, plan *Plan) ([]store.ResourceChange, error) {
	var changes []store.ResourceChange
	var faults config.Problems
	wanted := map[string]bool{}
	declared := n.Declared(s.foundry.Snapshot().Declared)
	for i, spec := range specs {
		name, err := nameIn(spec, n)
		if err != nil {
			return nil, Invalid(fmt.Sprintf("%s[%d]", n.List, i), "name is missing, or it is no object")
		}
		if wanted[name] {
			return nil, Invalid(fmt.Sprintf("%s[%d].name", n.List, i), fmt.Sprintf("%q is there twice", name))
		}
		wanted[name] = true
		if slices.Contains(declared, name) {
			same, err := s.sameAsDeclared(n, name, spec)
			if err != nil {
				return nil, err
			}
			if !same {
				return nil, fail(http.StatusConflict, "declared", fmt.Sprintf("the %s %q is declared in %s; change it there", n.One, name, s.foundry.Snapshot().Declared.Name()))
			}
			plan.Unchanged++
			continue
		}
		c, err := s.planOne(q, n, name, spec, find(all, n.List, name), plan)
		if err != nil && !gather(&faults, err) {
			return nil, err
		}
		if c != nil {
			changes = append(changes, *c)
		}
	}
	if prune {
		theirs, err := s.published(q.Context())
		if err != nil {
			return nil, err
		}
		for i := range all {
			if r := &all[i]; r.Kind == n.List && !wanted[r.Name] && !theirs[[2]string{r.Kind, r.Name}] {
				if err := s.mayGrant(q, n, r, nil); err != nil {
					return nil, err
				}
				changes = append(changes, store.ResourceChange{Kind: n.List, Name: r.Name})
				plan.Changes = append(plan.Changes, Change{Action: "delete", List: n.List, Name: r.Name, Before: s.plain(r)})
			}
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return changes, nil
}

// published names what the vendor desk has declared for publishers: who takes away what a file does not name does not mean
// that. It goes when its card does.
func (s *Server) published(ctx context.Context) (map[[2]string]bool, error) {
	cards, err := s.foundry.Desk().Cards(ctx, "")
	if err != nil {
		return nil, err
	}
	out := map[[2]string]bool{}
	for i := range cards {
		for _, of := range cards[i].Declares() {
			out[of] = true
		}
	}
	return out, nil
}

// sameAsDeclared reports whether an item is what a file declares already: an export may be applied where it came from.
func (s *Server) sameAsDeclared(n config.Noun, name string, spec []byte) (bool, error) {
	f := s.foundry.Snapshot().Declared
	specs, err := n.Specs(f)
	if err != nil {
		return false, err
	}
	i := slices.Index(n.Declared(f), name)
	return i >= 0 && sameJSON(specs[i], spec), nil
}

func (s *Server) planOne(q *request, n config.Noun, name string, spec []byte, was *store.Resource, plan *Plan) (*store.ResourceChange, error) {
	sealed, err := s.sealed(n, name, spec, was)
	if err != nil {
		return nil, err
	}
	same, err := s.same(n, was, sealed)
	if err != nil {
		return nil, err
	}
	if same {
		plan.Unchanged++
		return nil, nil
	}
	if err := s.mayGrant(q, n, was, sealed); err != nil {
		return nil, err
	}
	c := Change{Action: "create", List: n.List, Name: name, After: s.plain(&store.Resource{Kind: n.List, Name: name, Spec: sealed})}
	if was != nil {
		c.Action, c.Before = "update", s.plain(was)
	}
	plan.Changes = append(plan.Changes, c)
	return &store.ResourceChange{Kind: n.List, Name: name, Spec: sealed}, nil
}

// same reports whether an item says what is kept of it already, secrets opened.
func (s *Server) same(n config.Noun, was *store.Resource, sealed []byte) (bool, error) {
	if was == nil {
		return false, nil
	}
	open := func(_, v string) (string, error) { return s.foundry.Open(v) }
	a, err := config.Secrets(n.List, was.Spec, open)
	if err != nil {
		return false, err
	}
	b, err := config.Secrets(n.List, sealed, open)
	if err != nil {
		return false, err
	}
	return sameJSON(a, b), nil
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
