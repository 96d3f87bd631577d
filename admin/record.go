package admin

import (
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

// Usage is what was used, summed.
type Usage struct {
	Name      string        `json:"name"`
	Calls     int64         `json:"calls"`
	Errors    int64         `json:"errors"`
	Unpriced  int64         `json:"unpriced"`
	Estimated int64         `json:"estimated"`
	Usage     plenum.Tokens `json:"usage"`
	CostUSD   string        `json:"cost_usd"`
}

func (s *Server) records() []*operation {
	text := map[string]any{"type": "string"}
	when := map[string]any{"type": "string", "format": "date-time"}
	window := []param{
		{"project", "Only of this project.", text},
		{"key", "Only of the key of this id.", text},
		{"deployment", "Only of this deployment.", text},
		{"from", "Only what began at this time (RFC 3339) or after.", when},
		{"to", "Only what began before this time.", when},
	}
	record := map[string]any{"type": "object", "description": "The record of a call: docs/operations.md has its members.", "required": []string{"id"}, "properties": map[string]any{"id": text}}
	return []*operation{
		{
			method: http.MethodGet, path: "/calls", id: "list_calls", summary: "List the calls, the latest first", noun: "calls", verb: read,
			query: pages(window...), answers: map[int]map[string]any{http.StatusOK: listSchema(record)}, serve: s.listCalls,
		},
		{
			method: http.MethodGet, path: "/calls/{name}", id: "get_call", summary: "Show all that is known of a call, by its id", noun: "calls", verb: read,
			answers: map[int]map[string]any{http.StatusOK: record}, serve: s.getCall,
		},
		{
			method: http.MethodGet, path: "/usage", id: "get_usage", summary: "Sum up what was used, and what it cost, by the hours (UTC) of a window", noun: "usage", verb: read,
			query:   append([]param{{"by", "What it is summed by; one sum of all if left out.", map[string]any{"enum": []string{"project", "key", "deployment"}}}}, window...),
			answers: map[int]map[string]any{http.StatusOK: listSchema(schemaOf(reflect.TypeFor[Usage]()))}, serve: s.getUsage,
		},
		{
			method: http.MethodGet, path: "/audit", id: "list_audit", summary: "List what was done through this API, and what was refused, the latest first", noun: "audit", verb: read,
			query: pages(
				param{"actor", "Only what this one did, such as member:ann@example.com.", text}, param{"noun", "Only what was done to such things, such as keys.", text},
				param{"decision", "Only what was decided so.", map[string]any{"enum": []string{string(ledger.Allowed), string(ledger.Refused), string(ledger.Failed)}}}, window[0],
				param{"organization", "Only what is the business of this organization, or of its projects.", text}, window[3], window[4],
			),
			answers: map[int]map[string]any{http.StatusOK: listSchema(schemaOf(reflect.TypeFor[ledger.Audit]()))}, serve: s.listAudit,
		},
	}
}

// window reads the time that a request is about, in Unix microseconds.
func window(q *request) (from, to int64, err error) {
	for _, p := range []struct {
		name string
		to   *int64
	}{{"from", &from}, {"to", &to}} {
		v := query(q.Request, p.name)
		if v == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return 0, 0, fail(http.StatusBadRequest, "bad_parameter", p.name+" is a time such as 2027-01-31T15:04:05Z")
		}
		*p.to = t.UnixMicro()
	}
	return from, to, nil
}

// project returns the one project that a request is about: "" is all of them.
func project(q *request) (string, error) { return q.within(query(q.Request, "project")) }

// within returns the one project of those that the actor may see which is asked for: "" is all of them.
func (q *request) within(asked string) (string, error) {
	switch {
	case q.reach.all || asked != "" && q.reach.covers(asked):
		return asked, nil
	case asked != "":
		return "", fail(http.StatusForbidden, "forbidden", "your roles do not let you see that project")
	case len(q.reach.projects) == 0:
		return "", fail(http.StatusForbidden, "forbidden", "your organization has no project yet")
	case len(q.reach.projects) == 1:
		return q.reach.projects[0], nil
	}
	return "", fail(http.StatusBadRequest, "bad_parameter", "say which project: "+strings.Join(q.reach.projects, ", "))
}

// business returns whose business of that which the actor may see is asked for: that of one organization, or of one project.
func (q *request) business() (organization, project string, err error) {
	organization, project = query(q.Request, "organization"), query(q.Request, "project")
	switch {
	case q.reach.all:
		return organization, project, nil
	case organization != "" && !q.reach.governs(organization):
		return "", "", fail(http.StatusForbidden, "forbidden", "your roles do not let you see that organization")
	case organization == "" && project == "" && len(q.reach.organizations) == 1:
		return q.reach.organizations[0], "", nil
	case organization == "" || project != "":
		project, err = q.within(project)
	}
	return organization, project, err
}

func noCall() *Problem {
	return fail(http.StatusNotFound, "not_found", "there is no call of that id; a call that has just ended is here within a second")
}

func (s *Server) listCalls(q *request) (reply, error) {
	limit, after, err := pageOf(q)
	if err != nil {
		return reply{}, err
	}
	f := store.Filter{KeyID: query(q.Request, "key"), Deployment: query(q.Request, "deployment")}
	if f.Project, err = project(q); err != nil {
		return reply{}, err
	}
	if f.From, f.To, err = window(q); err != nil {
		return reply{}, err
	}
	if f.Before, f.BeforeID, err = moment(after); err != nil {
		return reply{}, err
	}
	f.Limit = limit + 1
	calls, err := s.store.Calls(q.Context(), f)
	if err != nil {
		return reply{}, err
	}
	return latest(calls, limit, func(r *plenum.Record) (int64, string) { return r.Start, r.ID }), nil
}

// moment reads the place in a list of the latest: a time and an id.
func moment(after string) (at int64, id string, err error) {
	if after == "" {
		return 0, "", nil
	}
	start, id, _ := strings.Cut(after, " ")
	if at, err = strconv.ParseInt(start, 10, 64); err != nil {
		return 0, "", fail(http.StatusBadRequest, "bad_parameter", "after is not what next of a page said")
	}
	return at, id, nil
}

// latest answers with a page of the latest, of which one more was asked for than it has.
func latest[T any](found []T, limit int, place func(*T) (int64, string)) reply {
	out := list[T]{Data: found, More: len(found) > limit}
	if out.More {
		out.Data = found[:limit]
		at, id := place(&out.Data[limit-1])
		out.Next = cursor(strconv.FormatInt(at, 10) + " " + id)
	}
	if out.Data == nil {
		out.Data = []T{}
	}
	return reply{status: http.StatusOK, body: out}
}

func (s *Server) listAudit(q *request) (reply, error) {
	limit, after, err := pageOf(q)
	if err != nil {
		return reply{}, err
	}
	f := store.AuditFilter{Actor: query(q.Request, "actor"), Noun: query(q.Request, "noun"), Decision: ledger.Decision(query(q.Request, "decision")), Limit: limit + 1}
	switch f.Decision {
	case "", ledger.Allowed, ledger.Refused, ledger.Failed:
	default:
		return reply{}, fail(http.StatusBadRequest, "bad_parameter", "decision is allowed, refused or failed")
	}
	if f.Organization, f.Project, err = q.business(); err != nil {
		return reply{}, err
	}
	if f.From, f.To, err = window(q); err != nil {
		return reply{}, err
	}
	if f.Before, f.BeforeID, err = moment(after); err != nil {
		return reply{}, err
	}
	found, err := s.store.Audits(q.Context(), f)
	if err != nil {
		return reply{}, err
	}
	return latest(found, limit, func(a *ledger.Audit) (int64, string) { return a.Time, a.ID }), nil
}

func (s *Server) getCall(q *request) (reply, error) {
	r, err := s.store.Call(q.Context(), q.PathValue("name"))
	if errors.Is(err, store.ErrNotFound) || err == nil && !q.reach.covers(r.Project) {
		return reply{}, noCall()
	}
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: r}, nil
}

func (s *Server) getUsage(q *request) (reply, error) {
	u := store.UsageQuery{By: store.By(query(q.Request, "by")), KeyID: query(q.Request, "key"), Deployment: query(q.Request, "deployment")}
	switch u.By {
	case store.ByNothing, store.ByProject, store.ByKey, store.ByDeployment:
	default:
		return reply{}, fail(http.StatusBadRequest, "bad_parameter", "by is project, key or deployment")
	}
	var err error
	if u.Project, err = project(q); err != nil {
		return reply{}, err
	}
	if u.From, u.To, err = window(q); err != nil {
		return reply{}, err
	}
	sums, err := s.store.Usage(q.Context(), u)
	if err != nil {
		return reply{}, err
	}
	out := list[Usage]{Data: make([]Usage, 0, len(sums))}
	for _, x := range sums {
		out.Data = append(out.Data, Usage{x.Name, x.Calls, x.Errors, x.Unpriced, x.Estimated, x.Tokens, x.Cost.String()})
	}
	return reply{status: http.StatusOK, body: out}, nil
}
