package catalog

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// modelIndex says where each model stands in its file.
type modelIndex struct {
	publishers []Publisher
	sources    []Source
	ids        []spot
	lines      []span
	seen       sync.Map
}

func readModels() *modelIndex {
	text := embedded("models")
	var f record.Models
	if err := json.Unmarshal(text, &f); err != nil {
		panic("catalog: models: " + err.Error())
	}
	x := &modelIndex{publishers: f.Publishers, sources: f.Sources}
	begin := strings.Index(string(text), "\"models\":[")
	for at, line := range linesOf(text, begin) {
		n := uint32(len(x.lines))
		x.ids = append(x.ids, spot{hash(f.Models[n].ID), n})
		x.lines = append(x.lines, span{uint32(at), uint32(len(line))})
	}
	slices.SortFunc(x.ids, bySpot)
	x.lines, x.ids = slices.Clip(x.lines), slices.Clip(x.ids)
	return x
}

// read returns the model on a line.
func (x *modelIndex) read(line uint32) *Model {
	m := &Model{}
	text := make([]byte, x.lines[line].size)
	if err := readAt("models")(text, int64(x.lines[line].at)); err != nil || json.Unmarshal(text, m) != nil {
		return m // it was read when the index was made
	}
	m.Sources, m.From = sourcesOf(x.sources, m.From, m.Sources), nil
	lives := []*Lifecycle{m.Life}
	for i := range m.Versions {
		lives = append(lives, m.Versions[i].Life)
	}
	for _, l := range lives {
		if l != nil {
			l.Sources, l.From = sourcesOf(x.sources, l.From, l.Sources), nil
		}
	}
	return m
}

// Model returns the model of an id such as "xai/grok-4.3".
func (c *Catalog) Model(id string) (Model, bool) {
	if id == "" {
		return Model{}, false
	}
	x := c.models()
	for _, s := range at(x.ids, hash(id)) {
		kept, ok := x.seen.Load(s.line)
		if !ok {
			kept, _ = x.seen.LoadOrStore(s.line, x.read(s.line))
		}
		if m := kept.(*Model); m.ID == id {
			return *m, true
		}
	}
	return Model{}, false
}

// AllModels returns every model, sorted by id.
func (c *Catalog) AllModels() []Model {
	x := c.models()
	out := make([]Model, 0, len(x.lines))
	for n := range x.lines {
		out = append(out, *x.read(uint32(n)))
	}
	return out
}

// Publishers returns every publisher, sorted. The slice must not be changed.
func (c *Catalog) Publishers() []Publisher { return c.models().publishers }

// can returns what the catalog knows a model to be able to do.
func can(m *Model) plenum.Capabilities { return capabilitiesOf(m.Can, m.Cannot) }
