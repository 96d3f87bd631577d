package admin

import (
	"net/http"
	"reflect"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Question is a call that policies are asked about: one on record, or one that is described.
type Question struct {
	Call      string     `json:"call"` // the id of one on record; what else is said here is of one that is described
	Key       string     `json:"key"`  // who calls: a key's name or id
	Project   string     `json:"project"`
	Member    string     `json:"member"`
	Groups    []string   `json:"groups"`
	Model     string     `json:"model"` // the name that is asked for; all deployments if left out
	Operation string     `json:"operation"`
	Action    string     `json:"action"` // use, deploy or own; left out it follows from the operation
	At        *time.Time `json:"at"`
	From      string     `json:"from"`
	Dialect   string     `json:"dialect"`
	Stream    bool       `json:"stream"`
	Drafts    []Draft    `json:"policies"` // in the place of those in force
}

// Draft is a policy that is tried.
type Draft struct {
	Name  string `json:"name"`
	Cedar string `json:"cedar"`
}

// Explanation is what policies decide on a call, target by target.
type Explanation struct {
	Policies string      `json:"policies"` // their version; empty where none are in force, and every key may use everything
	Key      string      `json:"key,omitempty"`
	Project  string      `json:"project"`
	What     string      `json:"what"` // the operation, or deploy
	Time     time.Time   `json:"time"`
	Targets  []Explained `json:"targets"`
}

// Explained is the explanation for one target.
type Explained struct {
	Deployment string   `json:"deployment,omitempty"`
	Target     string   `json:"target"`
	Allowed    bool     `json:"allowed"`
	By         []string `json:"by,omitempty"`
	Message    string   `json:"message,omitempty"`
	Broken     string   `json:"broken,omitempty"` // why it could not be evaluated
	Rules      []Ruling `json:"rules"`
	Changes    []string `json:"changes,omitempty"` // what would turn the decision round, each alone
}

// Ruling is what one rule says.
type Ruling struct {
	Rule    string `json:"rule"`
	Effect  string `json:"effect"`
	Line    int    `json:"line"`
	Applies bool   `json:"applies"`
	Lacks   string `json:"lacks,omitempty"`
}

// Trial is which calls on record policies are tried on.
type Trial struct {
	Project    string     `json:"project"`
	Key        string     `json:"key"`
	Deployment string     `json:"deployment"`
	From       *time.Time `json:"from"` // a week ago if left out
	To         *time.Time `json:"to"`
	Drafts     []Draft    `json:"policies"`
}

// Retrial is what came of judging calls anew.
type Retrial struct {
	Policies string `json:"policies"` // their version
	Calls    int    `json:"calls"`
	Refused  int    `json:"refused"` // that went through, and would not now
	Moved    int    `json:"moved"`   // that would have gone to another target
	Before   int    `json:"refused_before"`
	// Gone are calls by deployments that are not declared any more; they are judged by what is on record of them.
	Gone   int       `json:"gone,omitempty"`
	Groups []Refused `json:"groups"`
	Idle   []string  `json:"idle,omitempty"` // rules that decided nothing
}

// Refused are the calls that one rule would refuse to one key at one deployment.
type Refused struct {
	Rule       string `json:"rule"`
	What       string `json:"what"`       // refused or moved
	Deployment string `json:"deployment"` // or what callers keep
	Key        string `json:"key"`
	Project    string `json:"project"`
	Calls      int    `json:"calls"`
	Cost       int64  `json:"cost_micros"`
	Last       string `json:"last_call"`
}

// aWeek is how far back policies are tried, where nobody says.
const aWeek = 7 * 24 * time.Hour

func (s *Server) policies() []*operation {
	question, trial := optional(schemaOf(reflect.TypeFor[Question]())), optional(schemaOf(reflect.TypeFor[Trial]()))
	return []*operation{
		{
			method: http.MethodPost, path: "/policies:explain", id: "explain_policies", noun: "policies", verb: read,
			summary: "Say which rules decide on a call at each target, what the others lack, and what would turn the decision round",
			body:    question, answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[Explanation]())}, serve: s.explain,
		},
		{
			method: http.MethodPost, path: "/policies:test", id: "test_policies", noun: "policies", verb: read,
			summary: "Say which calls on record policies would have refused, or sent elsewhere; nothing is called and nothing changes",
			body:    trial, answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[Retrial]())}, serve: s.tryPolicies,
		},
	}
}

func (s *Server) explain(q *request) (reply, error) {
	var asked Question
	if err := strict(q.body, &asked); err != nil {
		return reply{}, err
	}
	if asked.Project == "" && asked.Key == "" && asked.Call == "" && !q.reach.all && len(q.reach.projects) > 0 {
		asked.Project = q.reach.projects[0]
	}
	e, err := s.foundry.Explain(q.Context(), &asked)
	if err != nil {
		return reply{}, err
	}
	if project := e.Project; !q.reach.covers(project) {
		if asked.Call != "" {
			return reply{}, noCall()
		}
		return reply{}, fail(http.StatusForbidden, "forbidden", "your roles do not let you ask about callers of that project")
	}
	return reply{status: http.StatusOK, body: e}, nil
}

func (s *Server) tryPolicies(q *request) (reply, error) {
	var t Trial
	if err := strict(q.body, &t); err != nil {
		return reply{}, err
	}
	var err error
	if t.Project, err = q.within(t.Project); err != nil {
		return reply{}, err
	}
	if t.From == nil {
		from := s.clock.Now().Add(-aWeek)
		t.From = &from
	}
	out, err := s.foundry.Retry(q.Context(), &t)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: out}, nil
}

// USD is what the calls cost.
func (r *Refused) USD() plenum.Micros { return plenum.Micros(r.Cost) }
