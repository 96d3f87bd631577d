package catalog

import (
	"cmp"
	"slices"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// Publisher is a lab that makes models.
type Publisher struct {
	Name  string // as in publisher/name
	Title string // as people write it
}

// Model is a model, whoever serves it.
type Model struct {
	ID           string // publisher/name
	Title        string
	Released     string // the day, as 2026-03-09; "" where it is not known
	Open         bool   // its weights can be had
	Context      int
	MaxOutput    int
	Capabilities plenum.Capabilities
}

// modelIndex holds the models, sorted and by id.
type modelIndex struct {
	publishers []Publisher
	all        []Model
	byID       map[string]int
}

func readModels() *modelIndex {
	var f record.Models
	decode("models", &f)
	x := &modelIndex{byID: map[string]int{}}
	for _, p := range f.Publishers {
		x.publishers = append(x.publishers, Publisher(p))
	}
	for _, m := range f.Models {
		x.all = append(x.all, Model{
			ID: m.ID, Title: m.Title, Released: m.Released, Open: m.Open, Context: m.Context, MaxOutput: m.Output,
			Capabilities: capabilitiesOf(m.Can, m.Cannot),
		})
	}
	slices.SortFunc(x.all, func(a, b Model) int { return cmp.Compare(a.ID, b.ID) })
	for i, m := range x.all {
		x.byID[m.ID] = i
	}
	return x
}

// Model returns the model of an id such as "xai/grok-4.3".
func (c *Catalog) Model(id string) (Model, bool) {
	x := c.models()
	i, ok := x.byID[id]
	if !ok {
		return Model{}, false
	}
	return x.all[i], true
}

// AllModels returns every model, sorted by id. The slice must not be changed.
func (c *Catalog) AllModels() []Model { return c.models().all }

// Publishers returns every publisher, sorted. The slice must not be changed.
func (c *Catalog) Publishers() []Publisher { return c.models().publishers }
