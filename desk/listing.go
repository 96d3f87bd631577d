package desk

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/router"
)

// The lists that what is published stands in.
const (
	connections = "connections"
	deployments = "deployments"
	terms       = "terms"
)

func item(list, name string, spec map[string]any) config.Item {
	b, _ := json.Marshal(spec) // of texts, numbers, and JSON that was read
	return config.Item{List: list, Name: name, Version: -1, Spec: b}
}

// connection is the place of the model as the configuration has it. Put is given each secret.
func (s *Submission) connection(network, terms string, put func(string) (string, error)) config.Item {
	d, _ := dialectOf(s.Dialect)
	spec := map[string]any{"name": s.ID(), "provider": d.provider, "base_url": s.Address, "network": network}
	if d.setting != "" {
		spec["dialect"] = d.setting
	}
	if s.Region != "" {
		spec["region"] = s.Region
	}
	if terms != "" {
		spec["terms"] = terms
	}
	given := map[string]string{}
	for name, v := range s.Credentials {
		if sealed, err := put(v); err == nil {
			given[name] = sealed
		}
	}
	if len(given) > 0 {
		spec["credentials"] = given
	}
	return item(connections, s.ID(), spec)
}

// deployment is the name that callers use. Where it is only tried, it is asked once.
func (s *Submission) deployment(terms string, aliases []string, tried bool) config.Item {
	target := map[string]any{
		"connection": s.place(), "upstream_model": s.upstream(), "context": s.Context, "max_output": s.MaxOutput,
		"price": s.Price, "traits": s.traits(),
	}
	if terms != "" {
		target["terms"] = terms
	}
	if s.Licence != "" {
		target["license"] = s.Licence
	}
	if s.Region != "" && s.Connection != "" {
		target["region"] = s.Region
	}
	spec := map[string]any{"name": s.ID(), "model": s.Name(), "targets": []any{target}}
	if len(aliases) > 0 {
		spec["aliases"] = aliases
	}
	if tried {
		spec["retry"] = map[string]any{"attempts": 1, "max_wait": "0s"}
	}
	return item(deployments, s.ID(), spec)
}

// traits are those of the card, with what it claims: what it does not claim it cannot.
func (s *Submission) traits() map[string]any {
	out := map[string]any{}
	if len(s.Traits) > 0 {
		_ = json.Unmarshal(s.Traits, &out) // what is no object the configuration complains about: see faults
	}
	can := map[string]bool{}
	for _, c := range router.All() {
		can[string(c)] = slices.Contains(s.Capabilities, string(c))
	}
	out["capabilities"] = can
	return out
}

// agreement is its terms of use.
func (s *Submission) agreement() config.Item {
	spec := map[string]any{"name": s.terms(), "publisher": s.Publisher}
	if s.Terms.URL != "" {
		spec["url"] = s.Terms.URL
	}
	if s.Terms.Text != "" {
		spec["text"] = s.Terms.Text
	}
	return item(terms, s.terms(), spec)
}

// items are everything that a listed card declares.
func (s *Submission) items(network string, aliases []string, put func(string) (string, error)) []config.Item {
	out := []config.Item{s.agreement()}
	if s.Connection == "" {
		out = append(out, s.connection(network, s.terms(), put))
	}
	return append(out, s.deployment(s.terms(), aliases, false))
}

// faults reports what the configuration has against a card, in the card's own words.
func (s *Submission) faults(network string) error {
	var out config.Problems
	for _, it := range s.items(network, nil, func(v string) (string, error) { return v, nil }) {
		var ps config.Problems
		if err := it.Check(nil); errors.As(err, &ps) {
			for _, p := range ps {
				out = append(out, config.Problem{Path: inCard(it.List, p.Path), Message: p.Message})
			}
		}
	}
	if len(s.Traits) > 0 {
		var v map[string]any
		if json.Unmarshal(s.Traits, &v) != nil {
			out = append(out, config.Problem{Path: "traits", Message: "is no object"})
		} else if v["capabilities"] != nil {
			out = append(out, config.Problem{Path: "traits.capabilities", Message: "are the card's own capabilities"})
		}
	}
	if len(out) > 0 {
		return out
	}
	return nil
}

// inCard says where in a card stands what the configuration complains about.
func inCard(list, path string) string {
	if rest, ok := strings.CutPrefix(path, "targets[0]."); ok {
		return rest
	}
	switch {
	case list == terms:
		return "terms." + path
	case path == "base_url":
		return "address"
	}
	return path
}
