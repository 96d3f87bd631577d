package admin

import (
	"net/http"
	"reflect"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Balance is the state of a budget or a limit, or of the part of one that somebody has for himself.
type Balance struct {
	Account      string     `json:"account"` // what it is kept under: no other has it
	Name         string     `json:"name"`
	Kind         string     `json:"kind"` // budget or limit
	Per          string     `json:"per,omitempty"`
	Part         string     `json:"part,omitempty"`      // whose part it is: of keys their id
	PartName     string     `json:"part_name,omitempty"` // of keys their name
	Counts       string     `json:"counts"`              // usd_micros, requests, tokens, input_tokens, output_tokens or concurrent
	Soft         bool       `json:"soft,omitempty"`
	Window       string     `json:"window,omitempty"`
	Amount       int64      `json:"amount"`
	Spent        int64      `json:"spent"`
	Held         int64      `json:"held"` // by calls under way
	Left         int64      `json:"left"`
	Resets       *time.Time `json:"resets,omitempty"`       // when some of what was spent counts no more
	Organization string     `json:"organization,omitempty"` // whose calls it counts alone
	Project      string     `json:"project,omitempty"`
}

// Asked is which balances are meant.
type Asked struct {
	Name, Kind string // "" is all
	Sees       func(organization, project string) bool
	After      string // an account
	Most       int
}

func (s *Server) balances() []*operation {
	text := map[string]any{"type": "string"}
	return []*operation{{
		method: http.MethodGet, path: "/balances", id: "list_balances", summary: "List what is spent, held and left of budgets and limits, of each part that was ever used", noun: "budgets", verb: read,
		query: pages(
			param{"name", "Only of the budget or limit of this name.", text},
			param{"kind", "Only of budgets, or of limits.", map[string]any{"enum": []string{"budget", "limit"}}},
		),
		answers: map[int]map[string]any{http.StatusOK: listSchema(schemaOf(reflect.TypeFor[Balance]()))}, serve: s.listBalances,
	}, {
		method: http.MethodPost, path: "/balances:carry", id: "carry_balance", noun: "budgets", verb: write,
		summary: "Have a budget know what was spent before it was here: what is spent of it is raised to that, and never lowered",
		body:    schemaOf(reflect.TypeFor[Carried]()), answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[Balance]())}, serve: s.carryBalance,
	}}
}

// Carried is what was spent of a budget before it was here, such as at another gateway, in the window of now.
type Carried struct {
	Name     string `json:"name"`
	Part     string `json:"part,omitempty"` // whose, of a budget that each has for himself
	SpentUSD string `json:"spent_usd"`      // in dollars, such as 12.34
	Reason   string `json:"reason"`         // for the audit

	Spent plenum.Micros                           `json:"-"`
	Sees  func(organization, project string) bool `json:"-"`
}

func (s *Server) carryBalance(q *request) (reply, error) {
	var c Carried
	if err := strict(q.body, &c); err != nil {
		return reply{}, err
	}
	var err error
	if c.Spent, err = plenum.ParseMicros(c.SpentUSD); err != nil || c.Spent < 0 {
		return reply{}, Invalid("spent_usd", "is an amount of dollars such as 12.34")
	}
	if len(c.Reason) < leastReason || len(c.Reason) > mostReason {
		return reply{}, Invalid("reason", "says in 3 to 500 bytes where that was spent")
	}
	c.Sees = q.reach.sees
	q.entry.Name, q.entry.After = c.Name, asJSON(&c)
	b, charges, err := s.foundry.Carry(q.Context(), &c)
	q.entry.Charges = charges
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: b}, nil
}

func (s *Server) listBalances(q *request) (reply, error) {
	limit, after, err := pageOf(q)
	if err != nil {
		return reply{}, err
	}
	a := Asked{Name: query(q.Request, "name"), Kind: query(q.Request, "kind"), Sees: q.reach.sees, After: after, Most: limit + 1}
	if a.Kind != "" && a.Kind != "budget" && a.Kind != "limit" {
		return reply{}, fail(http.StatusBadRequest, "bad_parameter", "kind is budget or limit")
	}
	all, err := s.foundry.Balances(q.Context(), a)
	if err != nil {
		return reply{}, fail(http.StatusServiceUnavailable, "balances_unknown", "what is left cannot be told at the moment; try again")
	}
	out := list[Balance]{Data: all, More: len(all) > limit}
	if out.More {
		out.Data = all[:limit]
		out.Next = cursor(out.Data[limit-1].Account)
	}
	if out.Data == nil {
		out.Data = []Balance{}
	}
	return reply{status: http.StatusOK, body: out}, nil
}
