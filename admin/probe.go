package admin

import (
	"net/http"
	"reflect"

	"github.com/plenum-foundry/plenum/probe"
)

// Probed is what was found out of the targets of a deployment.
type Probed struct {
	Deployment string          `json:"deployment"`
	Findings   []probe.Finding `json:"findings"`
}

func (s *Server) probes() []*operation {
	text := map[string]any{"type": "string"}
	return []*operation{{
		method: http.MethodPost, path: "/deployments/{name}/probe", id: "probe_deployment", noun: "deployments", verb: write,
		summary: "Find out what a deployment's targets can do, by a small call for each capability, which costs what calls cost",
		query: []param{
			{"capabilities", "Only these, with commas between; all if left out.", text},
			{"key", "The id of the key that the calls are made with; the first good one if left out.", text},
		},
		answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[Probed]())}, serve: s.probe,
	}}
}

func (s *Server) probe(q *request) (reply, error) {
	if _, ok := s.foundry.Snapshot().Deployment(q.PathValue("name")); !ok {
		return reply{}, fail(http.StatusNotFound, "not_found", "there is no deployment of that name")
	}
	out, err := s.foundry.Probe(q.Context(), q.PathValue("name"), query(q.Request, "capabilities"), query(q.Request, "key"))
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: out}, nil
}
