package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
)

// mostParts is how many accounts are looked through for the parts of budgets and limits.
const mostParts = 200_000

// Balances returns what is spent, held and left of budgets and limits: of those that are for all, and of each part that was
// ever used.
func (n foundry) Balances(ctx context.Context, a admin.Asked) ([]admin.Balance, error) {
	s := n.current.Load()
	var found []part
	var known []string
	for i := range s.Bounds.All {
		b := &s.Bounds.All[i]
		if a.Name != "" && b.Name != a.Name || a.Kind != "" && b.Kind() != a.Kind {
			continue
		}
		if b.Per != "" && known == nil {
			var err error
			if known, err = n.book.Parts(ctx, "", mostParts); err != nil {
				return nil, err
			}
		}
		found = append(found, partsOf(s, b, known)...)
	}
	found = slices.DeleteFunc(found, func(x part) bool {
		return x.Account <= a.After && a.After != "" || !a.Sees(x.Organization, x.Project) // whose roles are for projects sees what is theirs
	})
	slices.SortFunc(found, func(x, y part) int { return strings.Compare(x.Account, y.Account) })
	return n.states(ctx, found[:min(len(found), a.Most)])
}

// part is an account of a budget or limit.
type part struct {
	admin.Balance
	of *config.Bound
}

// partsOf returns the accounts of one budget or limit, without their state.
func partsOf(s *config.Snapshot, b *config.Bound, known []string) []part {
	one := part{of: b, Balance: admin.Balance{
		Account: b.Account, Name: b.Name, Kind: b.Kind(), Per: b.Per, Counts: b.Counts, Soft: b.Soft, Amount: b.Amount, Organization: b.Scope.Organization, Project: b.Scope.Project,
	}}
	if b.Counts != string(budget.Calls) {
		one.Window = b.Window.String()
	}
	if b.Per == "" {
		return []part{one}
	}
	var out []part
	for _, id := range known {
		whose, ok := b.PartOf(id)
		if !ok {
			continue
		}
		x := one
		x.Account, x.Part = id, whose
		switch b.Per {
		case "project":
			x.Project = whose
		case "organization":
			x.Organization = whose
		}
		if k, ok := s.KeyByID(whose); ok && b.Per == "key" {
			x.PartName = k.Name
		}
		out = append(out, x)
	}
	return out
}

// states adds the state of accounts.
func (n foundry) states(ctx context.Context, parts []part) ([]admin.Balance, error) {
	accounts := make([]budget.Account, len(parts))
	for i, p := range parts {
		accounts[i] = budget.Account{ID: p.Account, Unit: budget.Unit(p.Counts), Bound: p.Amount, Window: p.of.Window}
	}
	got, err := n.book.Balances(ctx, accounts, clock.Real.Now())
	if err != nil {
		return nil, err
	}
	out := make([]admin.Balance, len(parts))
	for i, b := range got {
		x := parts[i].Balance
		x.Spent, x.Held, x.Left = b.Spent, b.Held, b.Left(x.Amount)
		if b.Spent > 0 && !b.Resets.IsZero() {
			at := b.Resets.UTC()
			x.Resets = &at
		}
		out[i] = x
	}
	return out, nil
}

// Carry puts on an account of a budget what was spent before it was here.
func (n foundry) Carry(ctx context.Context, c *admin.Carried) (admin.Balance, []plenum.Charge, error) {
	s := n.current.Load()
	i := slices.IndexFunc(s.Bounds.All, func(b config.Bound) bool { return b.Name == c.Name && b.Kind() == "budget" })
	if i < 0 {
		return admin.Balance{}, nil, admin.Invalid("name", "there is no budget of that name")
	}
	b := &s.Bounds.All[i]
	if (b.Per == "") != (c.Part == "") {
		return admin.Balance{}, nil, admin.Invalid("part", "names whose part it is, of a budget that each has for himself (per), and of no other")
	}
	account := b.Account
	if b.Per != "" {
		account += "[" + c.Part + "]"
	}
	whose := partsOf(s, b, []string{account})
	if len(whose) != 1 || !c.Sees(whose[0].Organization, whose[0].Project) {
		return admin.Balance{}, nil, admin.Invalid("name", "there is no budget of that name")
	}
	before, err := n.states(ctx, whose)
	if err != nil {
		return admin.Balance{}, nil, err
	}
	more := int64(c.Spent) - before[0].Spent
	if more <= 0 {
		return before[0], nil, nil
	}
	// Nothing is refused: what was spent was spent.
	hold := "carry/" + rand.Text()
	line := budget.Line{Account: budget.Account{ID: account, Unit: budget.Money, Bound: math.MaxInt64, Window: b.Window}}
	if _, err := n.book.Take(ctx, hold, []budget.Line{line}, clock.Real.Now()); err != nil {
		return admin.Balance{}, nil, err
	}
	charges, err := n.book.Settle(ctx, hold, []int64{more})
	if err != nil {
		return admin.Balance{}, charges, err
	}
	after, err := n.states(ctx, whose)
	if err != nil {
		return admin.Balance{}, charges, err
	}
	return after[0], charges, nil
}

// bounds shows budgets or limits with what is left of them, or of each part of one that was used.
func (o *output) bounds(cmd *cobra.Command, r *remote, n config.Noun, all []admin.Resource) error {
	of := map[string][]admin.Balance{}
	if o.format != "json" {
		note := func(b admin.Balance) { of[b.Name] = append(of[b.Name], b) }
		if err := eachItem(cmd.Context(), r, "/balances", url.Values{"kind": {n.One}}, note); err != nil {
			return err
		}
	}
	var rows [][]string
	add := func(name, where, state string) {
		for i := range of[name] {
			b := &of[name][i]
			rows = append(rows, append(boundRow(b), where, state))
		}
		if len(of[name]) == 0 {
			rows = append(rows, []string{name, dash, dash, dash, dash, dash, dash, dash, where, state})
		}
		delete(of, name)
	}
	for i := range all {
		row := resourceRow(&all[i])
		add(row[0], row[1], row[4])
	}
	for _, name := range slices.Sorted(maps.Keys(of)) { // those that deployments have of their own
		add(name, "its deployment", "in force")
	}
	return o.show(cmd.OutOrStdout(), all, []string{"NAME", "OF", "COUNTS", "AMOUNT", "SPENT", "HELD", "LEFT", "RESETS", "DECLARED", "STATE"}, rows, "There are no "+n.List+".")
}

// boundRow shows the state of a budget or limit.
func boundRow(b *admin.Balance) []string {
	show, counts := count, strings.ReplaceAll(b.Counts, "_", " ")
	if b.Kind == "budget" {
		show, counts = func(n int64) string { return plenum.Micros(n).String() }, "USD"
	}
	of, resets := dash, dash
	if b.Per != "" {
		of = b.Per + " " + cmp.Or(b.PartName, b.Part, dash)
	}
	if b.Resets != nil {
		resets = when(*b.Resets)
	}
	amount := show(b.Amount)
	if b.Window != "" {
		amount += " / " + b.Window
	}
	return []string{b.Name, of, counts, amount, show(b.Spent), show(b.Held), show(b.Left), resets}
}
