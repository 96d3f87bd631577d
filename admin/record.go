package admin

import (
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
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
func project(q *request) (string, error) {
	asked := query(q.Request, "project")
	switch {
	case q.reach.all || asked != "" && q.reach.covers(asked):
		return asked, nil
	case asked != "":
		return "", fail(http.StatusForbidden, "forbidden", "your roles do not let you see that project")
	case len(q.reach.projects) == 1:
		return q.reach.projects[0], nil
	}
	return "", fail(http.StatusBadRequest, "bad_parameter", "say which project: "+strings.Join(q.reach.projects, ", "))
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
	start, id, _ := strings.Cut(after, " ")
	if after != "" {
		at, err := strconv.ParseInt(start, 10, 64)
		if err != nil {
			return reply{}, fail(http.StatusBadRequest, "bad_parameter", "after is not what next of a page said")
		}
		f.Before, f.BeforeID = at, id
	}
	f.Limit = limit + 1
	calls, err := s.store.Calls(q.Context(), f)
	if err != nil {
		return reply{}, err
	}
	out := list[plenum.Record]{Data: calls, More: len(calls) > limit}
	if out.More {
		out.Data = calls[:limit]
		last := &out.Data[limit-1]
		out.Next = cursor(strconv.FormatInt(last.Start, 10) + " " + last.ID)
	}
	if out.Data == nil {
		out.Data = []plenum.Record{}
	}
	return reply{status: http.StatusOK, body: out}, nil
}

func (s *Server) getCall(q *request) (reply, error) {
	r, err := s.store.Call(q.Context(), q.PathValue("name"))
	if errors.Is(err, store.ErrNotFound) || err == nil && !q.reach.covers(r.Project) {
		return reply{}, fail(http.StatusNotFound, "not_found", "there is no call of that id; a call that has just ended is here within a second")
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
