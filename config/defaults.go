package config

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Known is what a start without a configuration needs to know from elsewhere.
type Known struct {
	Kinds []Kind
	// Models returns the ids of the models that a provider serves today under ids of its own.
	Models func(provider string) []string
	// Patterns returns patterns that fit a vendor's own models and nobody else's, such as "grok-*".
	Patterns func(provider string) []string
}

// Defaults returns the configuration of a start without one: a connection for every provider whose
// required fields the environment holds, with a deployment for each of its models and one for whatever
// else it serves, as provider/*. A model that several of them serve is one deployment with a target at
// each, in the order of the kinds.
func Defaults(env Env, k Known) *File {
	f := New()
	f.source.name = "(environment)"
	for i := range k.Kinds {
		if c, ok := fromEnvironment(env, &k.Kinds[i]); ok {
			f.Connections = append(f.Connections, c)
			f.passAll(c.Name)
			if k.Patterns != nil {
				f.passOwn(c.Name, k.Patterns(c.Provider))
			}
			if k.Models != nil {
				f.serve(c.Name, k.Models(c.Provider))
			}
		}
	}
	f.source.digest = sha256.Sum256(fmt.Append(nil, f.Deployments))
	return f
}

// fromEnvironment makes a connection of what the environment holds; false if a required field is not
// there, or if there is no field at all to tell that the provider is wanted.
func fromEnvironment(env Env, k *Kind) (Connection, bool) {
	c := Connection{
		Name: k.Name, Provider: k.Name, BaseURL: k.BaseURL,
		Credentials: map[string]plenum.Secret{}, Settings: map[string]string{},
	}
	setDefaults(valueOf(&c))
	for _, f := range k.Fields {
		v := firstSet(env, f.Env)
		switch {
		case v == "" && f.Required && f.Default == "":
			return c, false
		case v == "":
		case f.Secret:
			c.Credentials[f.Name] = plenum.NewSecret(v)
		case f.Name == "base_url":
			c.BaseURL = v
		case f.Name == "region":
			c.Region = v
		default:
			c.Settings[f.Name] = v
		}
	}
	return c, len(c.Credentials) > 0 && c.BaseURL != ""
}

func firstSet(env Env, names []string) string {
	for _, name := range names {
		if v, ok := env.lookup(name); ok && strings.TrimSpace(v) != "" {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// newDeployment returns a deployment with the defaults of one that is declared.
func newDeployment(name string) Deployment {
	d := Deployment{Name: name}
	setDefaults(valueOf(&d))
	return d
}

// newTarget returns a target with the defaults of one that is declared.
func newTarget(connection, upstream string) Target {
	t := Target{Connection: connection, Upstream: upstream}
	setDefaults(valueOf(&t))
	return t
}

// passAll lets any model of a connection through, asked for as connection/model.
func (f *File) passAll(connection string) {
	d := newDeployment(connection + "/any")
	d.Aliases = []string{connection + "/*"}
	d.Targets = []Target{newTarget(connection, "*")}
	f.Deployments = append(f.Deployments, d)
}

// passOwn lets a vendor's own models through, asked for by their own ids. A pattern that another
// connection has is left to it.
func (f *File) passOwn(connection string, patterns []string) {
	for _, p := range patterns {
		name := strings.TrimRight(strings.ReplaceAll(p, "*", ""), "-./:") + "/any"
		taken := func(d Deployment) bool { return d.Name == name || slices.Contains(d.Aliases, p) }
		if slices.ContainsFunc(f.Deployments, taken) {
			continue
		}
		d := newDeployment(name)
		d.Aliases = []string{p}
		d.Targets = []Target{newTarget(connection, p)}
		f.Deployments = append(f.Deployments, d)
	}
}

// serve adds a deployment for each model, or a target to the one that another connection has.
func (f *File) serve(connection string, models []string) {
	at := map[string]int{}
	for i := range f.Deployments {
		at[f.Deployments[i].Name] = i
	}
	for _, id := range models {
		if nameFault(id, false) != "" {
			continue
		}
		if i, ok := at[id]; ok {
			t := newTarget(connection, id)
			t.Priority = 1 + len(f.Deployments[i].Targets)
			f.Deployments[i].Targets = append(f.Deployments[i].Targets, t)
			continue
		}
		d := newDeployment(id)
		d.Targets = []Target{newTarget(connection, id)}
		at[id] = len(f.Deployments)
		f.Deployments = append(f.Deployments, d)
	}
}
