package desk

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// actor is who changes what is declared for the desk.
const actor = "desk"

// mostTries bounds how often a change is tried again that others came before.
const mostTries = 20

// place makes what is declared of a model as its cards say.
func (d *Desk) place(ctx context.Context, c *Card) error {
	cards, err := d.cards(ctx, c.Publisher)
	if err != nil {
		return err
	}
	return d.placed(ctx, cards, c.Name())
}

func (d *Desk) placed(ctx context.Context, cards []*kept, model string) error {
	for range mostTries {
		all, at, err := d.store.Resources(ctx)
		if err != nil {
			return err
		}
		changes, err := d.placement(cards, model, all)
		if err != nil || len(changes) == 0 {
			return err
		}
		if err := d.holds(all, changes); err != nil {
			return err
		}
		_, err = d.store.ChangeResources(ctx, at, actor, d.clock.Now().UnixMilli(), changes)
		if errors.Is(err, store.ErrMoved) {
			continue
		}
		if err != nil {
			return err
		}
		return d.foundry.Take(ctx)
	}
	return store.ErrMoved
}

// placement returns what is to be changed so that a model's listed cards are declared, and its others are not. The
// latest of those that are listed has the model's own name as well.
func (d *Desk) placement(cards []*kept, model string, all []store.Resource) ([]store.ResourceChange, error) {
	var mine []*kept
	for _, k := range cards {
		if k.Card.Name() == model {
			mine = append(mine, k)
		}
	}
	slices.SortStableFunc(mine, func(a, b *kept) int { return a.Submitted.Compare(b.Submitted) })
	latest := ""
	for _, k := range mine {
		if k.State == Listed {
			latest = k.ID
		}
	}
	var out []store.ResourceChange
	for _, k := range mine {
		if k.State != Listed {
			out = append(out, d.gone(k, all)...)
			continue
		}
		var aliases []string
		if k.ID == latest {
			aliases = []string{model}
		}
		cs, err := d.there(k, aliases, all)
		if err != nil {
			return nil, err
		}
		out = append(out, cs...)
	}
	return out, nil
}

// gone takes away what is declared of a card. Its terms stay: projects have accepted them.
func (d *Desk) gone(k *kept, all []store.Resource) []store.ResourceChange {
	var out []store.ResourceChange
	if find(all, deployments, k.ID) != nil {
		out = append(out, store.ResourceChange{Kind: deployments, Name: k.ID})
	}
	if find(all, connections, k.ID) != nil && k.Card.Connection == "" {
		out = append(out, store.ResourceChange{Kind: connections, Name: k.ID})
	}
	return out
}

// Declares returns the list and the name of what the desk declares, or has declared, for a card. Its terms stay where the
// card is gone: projects have accepted them.
func (e *Entry) Declares() [][2]string {
	out := [][2]string{{terms, e.Card.terms()}}
	if e.State != Listed {
		return out
	}
	out = append(out, [2]string{deployments, e.ID})
	if e.Card.Connection == "" {
		out = append(out, [2]string{connections, e.ID})
	}
	return out
}

// there declares what a card needs. What somebody has changed of a deployment that is there stays, but for aliases.
func (d *Desk) there(k *kept, aliases []string, all []store.Resource) ([]store.ResourceChange, error) {
	s := &Submission{Card: k.Card, Credentials: k.Credentials}
	network := "public"
	if p, ok := d.foundry.Snapshot().Publisher(s.Publisher); ok {
		network = p.Network
	}
	var sealing error
	put := func(v string) (string, error) {
		sealed, err := d.foundry.Seal(v)
		if err != nil {
			sealing = err
		}
		return sealed, err
	}
	var out []store.ResourceChange
	for _, it := range s.items(network, aliases, put) {
		was := find(all, it.List, it.Name)
		switch {
		case was == nil && it.List == terms:
			if _, ok := d.foundry.Snapshot().Terms(it.Name); ok { // a file declares them
				continue
			}
		case was == nil:
		case it.List == terms, it.List == connections && !k.Renewed:
			continue
		case it.List == deployments:
			spec, changed, err := realiased(was.Spec, aliases)
			if err != nil {
				return nil, err
			}
			if !changed {
				continue
			}
			it.Spec = spec
		}
		out = append(out, store.ResourceChange{Kind: it.List, Name: it.Name, Spec: it.Spec})
	}
	return out, sealing
}

// realiased returns a deployment with other aliases.
func realiased(spec []byte, aliases []string) ([]byte, bool, error) {
	var v map[string]json.RawMessage
	if err := json.Unmarshal(spec, &v); err != nil {
		return nil, false, err
	}
	var have []string
	if len(v["aliases"]) > 0 {
		if err := json.Unmarshal(v["aliases"], &have); err != nil {
			return nil, false, err
		}
	}
	if slices.Equal(have, aliases) {
		return spec, false, nil
	}
	delete(v, "aliases")
	if len(aliases) > 0 {
		b, err := json.Marshal(aliases)
		if err != nil {
			return nil, false, err
		}
		v["aliases"] = b
	}
	b, err := json.Marshal(v)
	return b, true, err
}

func find(all []store.Resource, list, name string) *store.Resource {
	for i := range all {
		if all[i].Kind == list && all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// holds reports what is wrong with everything that is declared, once changes are made to it. What does not hold already
// is no reason to refuse others.
func (d *Desk) holds(all []store.Resource, changes []store.ResourceChange) error {
	skip := map[[2]string]bool{}
	for _, p := range d.foundry.Left() {
		list, name := p.Of()
		skip[[2]string{list, name}] = true
	}
	var items []config.Item
	for _, c := range changes {
		skip[[2]string{c.Kind, c.Name}] = true
		if c.Spec != nil {
			items = append(items, config.Item{List: c.Kind, Name: c.Name, Version: -1, Spec: c.Spec})
		}
	}
	for i := range all {
		if r := &all[i]; !skip[[2]string{r.Kind, r.Name}] {
			items = append(items, config.Item{List: r.Kind, Name: r.Name, Version: r.Version, Spec: r.Spec})
		}
	}
	return d.foundry.Check(items)
}
