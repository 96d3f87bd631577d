package admin

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/desk"
	"github.com/plenum-foundry/plenum/store"
)

// why is what somebody says of a thing that they do.
type why struct {
	Reason string `json:"reason"`
}

// acceptor is who accepts terms.
type acceptor struct {
	Project string `json:"project"`
}

func (s *Server) cards() []*operation {
	dry := param{"dry_run", "Only check, and say what would be.", map[string]any{"type": "boolean"}}
	text := map[string]any{"type": "string"}
	entry, run := schemaOf(reflect.TypeFor[desk.Entry]()), schemaOf(reflect.TypeFor[desk.Run]())
	accepted := func(status int, schema map[string]any) map[int]map[string]any {
		return map[int]map[string]any{status: schema}
	}
	return []*operation{
		{
			method: http.MethodGet, path: "/cards", id: "list_cards", summary: "List the model cards of the vendor desk", noun: "cards", verb: read,
			query: pages(param{"publisher", "Only those of this publisher.", text}), answers: accepted(http.StatusOK, listSchema(entry)), serve: s.listCards,
		},
		{
			method: http.MethodPost, path: "/cards", id: "submit_card", summary: "Submit a model card: its model is tried, and listed if it holds", noun: "cards", verb: write,
			query: []param{dry}, body: schemaOf(reflect.TypeFor[desk.Submission]()), answers: accepted(http.StatusAccepted, entry), serve: s.submitCard,
		},
		{
			method: http.MethodGet, path: "/cards/{name}", id: "get_card", summary: "Show a model card and what became of it, by its id", noun: "cards", verb: read,
			answers: accepted(http.StatusOK, entry), serve: s.getCard,
		},
		{
			method: http.MethodGet, path: "/cards/{name}/runs", id: "list_card_runs", summary: "List the reports of a card's conformance runs, the latest first", noun: "cards", verb: read,
			answers: accepted(http.StatusOK, listSchema(run)), serve: s.listRuns,
		},
		{
			method: http.MethodPost, path: "/cards/{name}/run", id: "run_card", summary: "Try a card's model again", noun: "cards", verb: write,
			answers: accepted(http.StatusAccepted, entry), serve: func(q *request) (reply, error) { return s.onCard(q, http.StatusAccepted, s.foundry.Desk().Ask) },
		},
		{
			method: http.MethodPost, path: "/cards/{name}/withdraw", id: "withdraw_card", summary: "Take a model out: at once it can be called on no node any more", noun: "cards", verb: write,
			body: optional(schemaOf(reflect.TypeFor[why]())), answers: accepted(http.StatusOK, entry), serve: s.withdrawCard,
		},
		{
			method: http.MethodPost, path: "/cards/{name}/restore", id: "restore_card", summary: "Put a model back that was taken out: it is tried, and listed if it holds", noun: "cards", verb: write,
			answers: accepted(http.StatusAccepted, entry), serve: s.restoreCard,
		},
		{
			method: http.MethodGet, path: "/publishers/{name}/usage", id: "get_publisher_usage", summary: "Sum up by day what calls of a publisher's models came to", noun: "statements", verb: read,
			query: []param{
				{"from", "The first day (RFC 3339); thirty days ago if left out.", map[string]any{"type": "string", "format": "date-time"}},
				{"to", "The day after the last one; now if left out.", map[string]any{"type": "string", "format": "date-time"}},
			}, answers: accepted(http.StatusOK, listSchema(schemaOf(reflect.TypeFor[desk.Usage]()))), serve: s.publisherUsage,
		},
		{
			method: http.MethodGet, path: "/publishers/{name}/statement", id: "get_statement", summary: "What a publisher is paid for a month", noun: "statements", verb: read,
			query:   []param{{"month", "As 2026-11 (UTC); this one if left out.", text}},
			answers: accepted(http.StatusOK, schemaOf(reflect.TypeFor[desk.Statement]())), serve: s.statement,
		},
		{
			method: http.MethodPost, path: "/terms/{name}/accept", id: "accept_terms", summary: "Accept terms of use for a project", noun: "acceptances", verb: write,
			body: schemaOf(reflect.TypeFor[acceptor]()), answers: map[int]map[string]any{
				http.StatusOK: schemaOf(reflect.TypeFor[Resource]()), http.StatusCreated: schemaOf(reflect.TypeFor[Resource]()),
			}, serve: s.acceptTerms,
		},
	}
}

// theirs reports whether a publisher is within the reach.
func (r *reach) theirs(publisher string) bool {
	return r.all || slices.Contains(r.publishers, publisher)
}

func (s *Server) listCards(q *request) (reply, error) {
	all, err := s.foundry.Desk().Cards(q.Context(), query(q.Request, "publisher"))
	if err != nil {
		return reply{}, err
	}
	all = slices.DeleteFunc(all, func(e desk.Entry) bool { return !q.reach.theirs(e.Card.Publisher) })
	return page(q, all, func(e *desk.Entry) string { return e.ID })
}

func (s *Server) submitCard(q *request) (reply, error) {
	publisher, err := desk.PublisherOf(q.body)
	if err != nil {
		return reply{}, err
	}
	if !q.reach.theirs(publisher) {
		return reply{}, fail(http.StatusForbidden, "forbidden", "your roles let you submit cards of your own publisher alone")
	}
	if err := s.mayPublish(q); err != nil {
		return reply{}, err
	}
	e, err := s.foundry.Desk().Submit(q.Context(), q.actor.Name, q.body, q.dry)
	if err != nil {
		return reply{}, onDesk(err)
	}
	q.entry.Name, q.entry.After = e.ID, asJSON(e)
	return reply{status: http.StatusAccepted, body: e}, nil
}

// mayPublish asks policies whether the model may be deployed.
func (s *Server) mayPublish(q *request) error {
	if q.actor.owns() {
		return nil
	}
	items, names, err := s.foundry.Desk().Items(q.body)
	if err != nil {
		return err
	}
	err = s.foundry.MayDeploy(q.actor, items, names)
	var ps config.Problems
	if errors.As(err, &ps) { // what does not hold the desk says, in the card's words
		return nil
	}
	return err
}

// onDesk is an error of the desk as the API tells it.
func onDesk(err error) error {
	switch {
	case errors.Is(err, desk.ErrUnknown):
		return noCard()
	case errors.Is(err, desk.ErrConflict):
		return fail(http.StatusConflict, "conflict", err.Error())
	}
	return err
}

func noCard() *Problem {
	return fail(http.StatusNotFound, "not_found", "there is no card of that id; GET "+Prefix+"/cards lists those that there are")
}

// card returns the card that a request is about, if it is theirs.
func (s *Server) card(q *request) (*desk.Entry, error) {
	e, err := s.foundry.Desk().Card(q.Context(), q.PathValue("name"))
	if err != nil {
		return nil, onDesk(err)
	}
	if !q.reach.theirs(e.Card.Publisher) {
		return nil, noCard()
	}
	return e, nil
}

func (s *Server) getCard(q *request) (reply, error) {
	e, err := s.card(q)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: e}, nil
}

func (s *Server) listRuns(q *request) (reply, error) {
	e, err := s.card(q)
	if err != nil {
		return reply{}, err
	}
	runs, err := s.foundry.Desk().Runs(q.Context(), e.ID)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: list[desk.Run]{Data: runs}}, nil
}

// onCard does something to a card, and tells the audit what it was before.
func (s *Server) onCard(q *request, status int, do func(ctx context.Context, id string) (*desk.Entry, error)) (reply, error) {
	was, err := s.card(q)
	if err != nil {
		return reply{}, err
	}
	q.entry.Before = asJSON(was)
	e, err := do(q.Context(), was.ID)
	if err != nil {
		return reply{}, onDesk(err)
	}
	q.entry.After = asJSON(e)
	return reply{status: status, body: e}, nil
}

func (s *Server) withdrawCard(q *request) (reply, error) {
	var w why
	if err := strict(q.body, &w); err != nil {
		return reply{}, err
	}
	if len(w.Reason) > 1024 {
		return reply{}, Invalid("reason", "has up to 1024 bytes")
	}
	return s.onCard(q, http.StatusOK, func(ctx context.Context, id string) (*desk.Entry, error) {
		return s.foundry.Desk().Withdraw(ctx, id, q.reach.all, w.Reason)
	})
}

func (s *Server) restoreCard(q *request) (reply, error) {
	return s.onCard(q, http.StatusAccepted, func(ctx context.Context, id string) (*desk.Entry, error) {
		return s.foundry.Desk().Restore(ctx, id, q.reach.all)
	})
}

// acceptTerms declares that a project has accepted terms. Who did so, and when, is noted with it and in the audit.
func (s *Server) acceptTerms(q *request) (reply, error) {
	var a acceptor
	if err := strict(q.body, &a); err != nil {
		return reply{}, err
	}
	terms := q.PathValue("name")
	if _, ok := s.foundry.Snapshot().Terms(terms); !ok {
		return reply{}, fail(http.StatusNotFound, "not_found", "there are no terms of that name; GET "+Prefix+"/terms lists those that there are")
	}
	if !q.reach.covers(a.Project) {
		return reply{}, fail(http.StatusForbidden, "forbidden", "your roles do not let you accept terms for that project")
	}
	if a.Project == "" {
		return reply{}, Invalid("project", "is missing")
	}
	n, _ := config.NounOf("acceptances")
	name := config.AcceptanceName(a.Project, terms)
	q.entry.Name = name
	all := *q
	all.reach.all = true // that it is theirs was just seen
	return s.change(&all, n, name, func(was *store.Resource) ([]byte, error) {
		if was != nil {
			return was.Spec, nil
		}
		return asJSON(map[string]string{"name": name, "project": a.Project, "terms": terms}), nil
	})
}

// publisher returns the publisher that a request is about, if the actor may see it.
func (s *Server) publisher(q *request) (string, error) {
	name := q.PathValue("name")
	if _, ok := s.foundry.Snapshot().Publisher(name); !ok || !q.reach.theirs(name) {
		return "", fail(http.StatusNotFound, "not_found", "there is no such publisher")
	}
	return name, nil
}

func (s *Server) publisherUsage(q *request) (reply, error) {
	name, err := s.publisher(q)
	if err != nil {
		return reply{}, err
	}
	from, to, err := window(q)
	if err != nil {
		return reply{}, err
	}
	until := s.clock.Now()
	if to != 0 {
		until = time.UnixMicro(to)
	}
	since := until.AddDate(0, 0, -30)
	if from != 0 {
		since = time.UnixMicro(from)
	}
	all, err := s.foundry.Desk().Usage(q.Context(), name, since, until)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: list[desk.Usage]{Data: all}}, nil
}

func (s *Server) statement(q *request) (reply, error) {
	name, err := s.publisher(q)
	if err != nil {
		return reply{}, err
	}
	month := s.clock.Now().UTC()
	if v := query(q.Request, "month"); v != "" {
		if month, err = time.Parse("2006-01", v); err != nil || month.Year() < 2000 || month.Year() > 9000 {
			return reply{}, fail(http.StatusBadRequest, "bad_parameter", "month is such as 2026-11")
		}
	}
	month = time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	st, err := s.foundry.Desk().Statement(q.Context(), name, month)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: st}, nil
}
