package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// Usage is what calls of a publisher's model came to on a day. It says nothing of who called, but for the project
// where the owner shows that.
type Usage struct {
	Day       string        `json:"day"` // UTC
	Card      string        `json:"card"`
	Project   string        `json:"project,omitempty"`
	Calls     int64         `json:"calls"`
	Errors    int64         `json:"errors"`
	Usage     plenum.Tokens `json:"usage"`
	Estimated int64         `json:"estimated"` // calls of which the tokens are estimated
	CostUSD   string        `json:"cost_usd"`
}

// Statement is what a publisher is paid for a month.
type Statement struct {
	Publisher string `json:"publisher"`
	Month     string `json:"month"` // UTC, as 2026-11
	Closed    bool   `json:"closed"`
	Percent   int    `json:"payout_percent"`
	Lines     []Line `json:"lines"`
	GrossUSD  string `json:"gross_usd"`
	PayoutUSD string `json:"payout_usd"`
	FeeUSD    string `json:"fee_usd"`
}

// Line is what is paid for one card.
type Line struct {
	Card      string        `json:"card"`
	Calls     int64         `json:"calls"`
	Usage     plenum.Tokens `json:"usage"`
	GrossUSD  string        `json:"gross_usd"`
	PayoutUSD string        `json:"payout_usd"`
	FeeUSD    string        `json:"fee_usd"`

	gross, payout plenum.Micros
}

// used is a sum of a card in a slot.
type used struct {
	slot          int64
	card, project string
}

// sums adds up what calls of a publisher's cards came to, from a slot up to another. Projects are told apart only if asked.
func (d *Desk) sums(ctx context.Context, publisher string, span store.Span, from, to int64, projects bool) (map[used]*store.Sum, error) {
	cards, err := d.cards(ctx, publisher)
	if err != nil {
		return nil, err
	}
	of := map[int64]used{}
	var ids []int64
	err = d.store.Mixes(ctx, nil, func(id int64, m *store.Mix) error {
		if card, ok := cardOf(cards, m); ok {
			u := used{card: card}
			if projects {
				u.project = m.Project
			}
			of[id] = u
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	out := map[used]*store.Sum{}
	q := store.RollupQuery{From: from, To: to, Mixes: ids, Columns: strings.Split(store.SumColumns, ", ")}
	err = store.EachSum(ctx, d.store, q, func(slot, mix int64, values []int64) error {
		u := of[mix]
		u.slot = span.Slot(slot)
		s := out[u]
		if s == nil {
			s = new(store.Sum)
			out[u] = s
		}
		for i, p := range s.Pointers() {
			if n, ok := p.(*int64); ok {
				*n += values[i]
			}
		}
		return nil
	})
	return out, err
}

// cardOf returns the card whose model a mix is of.
func cardOf(cards []*kept, m *store.Mix) (string, bool) {
	for _, k := range cards {
		s := Submission{Card: k.Card}
		switch {
		case m.Target != s.place()+"/"+s.upstream():
		case s.Connection == "", m.Deployment == k.ID: // what else is done at a connection of this Plenum is not the publisher's
			return k.ID, true
		}
	}
	return "", false
}

// Usage returns what calls of a publisher's models came to, by day, from one time up to another.
func (d *Desk) Usage(ctx context.Context, publisher string, from, to time.Time) ([]Usage, error) {
	p, ok := d.foundry.Snapshot().Publisher(publisher)
	first, last := store.Day.Slot(from.Unix()/3600), store.Day.Slot((to.Unix()+86399)/3600)
	sums, err := d.sums(ctx, publisher, store.Day, first, last, ok && p.ShowProjects)
	if err != nil {
		return nil, err
	}
	out := make([]Usage, 0, len(sums))
	for u, s := range sums {
		out = append(out, Usage{
			Day: time.Unix(u.slot*3600, 0).UTC().Format(time.DateOnly), Card: u.card, Project: u.project,
			Calls: s.Calls, Errors: s.Errors, Usage: s.Tokens, Estimated: s.Estimated, CostUSD: s.Cost.String(),
		})
	}
	slices.SortFunc(out, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Card, b.Card), cmp.Compare(a.Project, b.Project))
	})
	return out, nil
}

// closedAfter is how long after its end a month is closed: nodes that were away have shipped their records by then.
const closedAfter = 24 * time.Hour

func statementID(publisher, month string) string { return "statement_" + publisher + "_" + month }

// statementKind is the kind of object that a closed statement is.
const statementKind = "card_statement"

// Statement returns what a publisher is paid for a month. Once it is closed it does not change any more, whatever
// becomes of shares.
func (d *Desk) Statement(ctx context.Context, publisher string, month time.Time) (*Statement, error) {
	name := month.Format("2006-01")
	o, err := d.store.Object(ctx, statementID(publisher, name))
	if err == nil {
		st := new(Statement)
		return st, json.Unmarshal(o.Body, st)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	slot := month.Unix() / 3600
	sums, err := d.sums(ctx, publisher, store.Month, slot, store.Month.Next(slot), false)
	if err != nil {
		return nil, err
	}
	st := &Statement{Publisher: publisher, Month: name, Percent: d.foundry.Snapshot().Share(publisher), Lines: []Line{}}
	for u, s := range sums {
		payout := share(s.Cost, st.Percent)
		st.Lines = append(st.Lines, Line{
			Card: u.card, Calls: s.Calls, Usage: s.Tokens, GrossUSD: s.Cost.String(), PayoutUSD: payout.String(),
			FeeUSD: (s.Cost - payout).String(), gross: s.Cost, payout: payout,
		})
	}
	slices.SortFunc(st.Lines, func(a, b Line) int { return cmp.Compare(a.Card, b.Card) })
	var gross, payout plenum.Micros
	for i := range st.Lines {
		gross += st.Lines[i].gross
		payout += st.Lines[i].payout
	}
	st.GrossUSD, st.PayoutUSD, st.FeeUSD = gross.String(), payout.String(), (gross - payout).String()
	if end := store.Month.Next(slot); d.clock.Now().Before(time.Unix(end*3600, 0).Add(closedAfter)) {
		return st, nil
	}
	st.Closed = true
	return st, d.file(ctx, st)
}

// file keeps a closed statement. Where another node was first, its own is the one that counts, and the same.
func (d *Desk) file(ctx context.Context, st *Statement) error {
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	err = d.store.CreateObject(ctx, store.Object{
		ID: statementID(st.Publisher, st.Month), Kind: statementKind, Label: st.Publisher, Created: d.clock.Now().UnixMilli(), Body: b,
	})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keeping the statement of %s: %w", st.Month, err)
	}
	return nil
}

// closeMonth closes the statements of the month before.
func (d *Desk) closeMonth(ctx context.Context) error {
	now := d.clock.Now().UTC().Add(-closedAfter)
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -1, 0)
	cards, err := d.cards(ctx, "")
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, k := range cards {
		if p := k.Card.Publisher; !done[p] {
			done[p] = true
			if _, err := d.Statement(ctx, p, month); err != nil {
				return err
			}
		}
	}
	return nil
}

// share returns so many per cent of an amount, to the nearest micro-dollar; a half goes to the even one.
func share(m plenum.Micros, percent int) plenum.Micros {
	whole, rest := m/100*plenum.Micros(percent), m%100*plenum.Micros(percent)
	q, r := rest/100, rest%100
	if r > 50 || r == 50 && (whole+q)%2 != 0 {
		q++
	}
	return whole + q
}
