package admin

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/store"
)

// Offered is an offer as the API shows it.
type Offered struct {
	catalog.Offer
	Stage   catalog.Stage  `json:"stage"`                    // on the day that is asked for
	InForce *catalog.Price `json:"price_in_force,omitempty"` // the price of that day
}

// ModelCard is all that is known of a model.
type ModelCard struct {
	catalog.Model
	Publisher catalog.Publisher `json:"publisher"`
	Stage     catalog.Stage     `json:"stage"`
	Offers    []Offered         `json:"offers"`
}

// Imported is a table that was imported.
type Imported struct {
	Source   catalog.Source `json:"source"`
	Offers   int            `json:"offers"`
	Imported time.Time      `json:"imported"`
	By       string         `json:"by,omitempty"`
}

// Importing is what an import does, or did.
type Importing struct {
	Source  catalog.Source `json:"source"`
	Applied bool           `json:"applied"`
	Offers  int            `json:"offers"`  // that the table has, of hosts that Plenum knows
	Skipped int            `json:"skipped"` // entries about others
	New     int            `json:"new"`     // that Plenum did not know
	Changed []PriceChange  `json:"changed"` // prices that calls are charged otherwise from now on
	Notes   []Fault        `json:"notes"`   // entries that contradict each other
	Left    []Fault        `json:"left"`    // entries that are wrong and were left out
}

// PriceChange is a price that an import changes.
type PriceChange struct {
	Host   string         `json:"host"`
	ID     string         `json:"id"`
	Before *catalog.Price `json:"before,omitempty"`
	After  *catalog.Price `json:"after,omitempty"`
}

// catalogOperations are those on what is known of models.
func (s *Server) catalogOperations() []*operation {
	list := func(of reflect.Type) map[int]map[string]any {
		return map[int]map[string]any{http.StatusOK: listSchema(schemaOf(of))}
	}
	return []*operation{
		{
			method: http.MethodGet, path: "/catalog/publishers", id: "list_catalog_publishers", summary: "List the labs that make models", noun: "models", verb: read,
			query: pages(), answers: list(reflect.TypeFor[catalog.Publisher]()), serve: s.listPublishers,
		},
		{
			method: http.MethodGet, path: "/catalog/models", id: "list_catalog_models", summary: "Search the models that the catalog knows", noun: "models", verb: read,
			query: pages(catalogParams()...), answers: list(reflect.TypeFor[catalog.Found]()), serve: s.listModels,
		},
		{
			method: http.MethodGet, path: "/catalog/models/{name}", id: "get_catalog_model", summary: "Show a model with its versions, its offers and their prices", noun: "models", verb: read,
			query: []param{onParam()}, answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[ModelCard]())}, serve: s.getModel,
		},
		{
			method: http.MethodGet, path: "/catalog/offers", id: "list_catalog_offers", summary: "Search the offers that the catalog knows", noun: "models", verb: read,
			query: pages(catalogParams()...), answers: list(reflect.TypeFor[Offered]()), serve: s.listOffers,
		},
		{
			method: http.MethodGet, path: "/catalog/conflicts", id: "list_catalog_conflicts", summary: "List prices on which sources disagree, or that are old, with the one that is applied and why", noun: "models", verb: read,
			query:   pages(append(catalogParams(), param{"stale_days", "From how many days on sources are old; price_age of the configuration if left out, 0 is never.", map[string]any{"type": "integer", "minimum": 0, "maximum": 36500}})...),
			answers: list(reflect.TypeFor[catalog.Conflict]()), serve: s.listConflicts,
		},
		{
			method: http.MethodGet, path: "/catalog/imports", id: "list_catalog_imports", summary: "List the tables that were imported", noun: "catalog", verb: read,
			query: pages(), answers: list(reflect.TypeFor[Imported]()), serve: s.listImports,
		},
		{
			method: http.MethodPost, path: "/catalog/imports", id: "import_catalog", summary: "Import models.dev's api.json, LiteLLM's table of prices or a list of offers", noun: "catalog", verb: write,
			query: []param{
				{"dry_run", "Only check, and say what would be.", map[string]any{"type": "boolean"}},
				{"date", "As of when the table is; today if left out.", map[string]any{"type": "string", "format": "date"}},
				{"skip_bad", "Leave entries that are wrong out, and import the rest.", map[string]any{"type": "boolean"}},
			},
			body:    map[string]any{"type": "object", "description": "The table, as it is published."},
			answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[Importing]())}, serve: s.importTable,
		},
		{
			method: http.MethodDelete, path: "/catalog/imports/{name}", id: "delete_catalog_import", summary: "Take an imported table away, by the name of its source", noun: "catalog", verb: write,
			query:   []param{{"dry_run", "Only check, and say what would be.", map[string]any{"type": "boolean"}}},
			answers: map[int]map[string]any{http.StatusNoContent: nil}, serve: s.deleteImport,
		},
	}
}

func onParam() param {
	return param{"on", "The day for which prices and lifecycles are shown; today if left out.", map[string]any{"type": "string", "format": "date"}}
}

// catalogParams are those that choose among models and offers.
func catalogParams() []param {
	text := map[string]any{"type": "string"}
	dollars := map[string]any{"type": "number", "minimum": 0, "maximum": 1000000}
	return []param{
		{"q", "Words that its id, title or family has.", text},
		{"publisher", "Of this publisher, such as xai.", text},
		{"model", "This model, as publisher/name.", text},
		{"host", "Offered at this kind of provider, such as azure.", text},
		{"task", "What it is called for: chat, embedding, rerank, moderation, image, speech, transcription or realtime.", text},
		{"modality", "What it reads or writes: text, image, audio, video, pdf.", text},
		{"capability", "What it can do: tools, schema, thinking, search and so on.", text},
		{"license", "The licence of its weights, such as Apache-2.0.", text},
		{"lifecycle", "In this part of its life.", map[string]any{"enum": []string{"preview", "ga", "legacy", "deprecated", "retired", "unknown"}}},
		{"open", "Whether its weights can be had.", map[string]any{"type": "boolean"}},
		{"min_context", "At least so many tokens of context.", map[string]any{"type": "integer", "minimum": 0}},
		{"max_input_price", "At most so many dollars for a million tokens read.", dollars},
		{"max_output_price", "At most so many dollars for a million tokens written.", dollars},
		onParam(),
	}
}

// queryOf reads what is asked of the catalog.
func (s *Server) queryOf(q *request) (catalog.Query, error) {
	get := func(name string) string { return query(q.Request, name) }
	out := catalog.Query{
		Text: get("q"), Publisher: get("publisher"), Model: get("model"), Host: get("host"), Task: get("task"), Modality: get("modality"),
		Capability: get("capability"), License: get("license"), Stage: catalog.Stage(get("lifecycle")),
	}
	var err error
	if out.Day, err = s.day(q, "on"); err != nil {
		return out, err
	}
	switch out.Stage {
	case "", catalog.Preview, catalog.GA, catalog.Legacy, catalog.Deprecated, catalog.Retired, "unknown":
	default:
		return out, fail(http.StatusBadRequest, "bad_parameter", "lifecycle is preview, ga, legacy, deprecated, retired or unknown")
	}
	if v := get("open"); v != "" {
		open, err := strconv.ParseBool(v)
		if err != nil || v != "true" && v != "false" {
			return out, fail(http.StatusBadRequest, "bad_parameter", "open is true or false")
		}
		out.Open = &open
	}
	if v := get("min_context"); v != "" {
		if out.MinContext, err = strconv.Atoi(v); err != nil || out.MinContext < 0 {
			return out, fail(http.StatusBadRequest, "bad_parameter", "min_context is a number of tokens")
		}
	}
	if out.MaxInput, err = dollars(q, "max_input_price"); err != nil {
		return out, err
	}
	out.MaxOutput, err = dollars(q, "max_output_price")
	return out, err
}

// dollars reads a price of a million tokens; nil where none is given.
func dollars(q *request, name string) (*catalog.Rate, error) {
	v := query(q.Request, name)
	if v == "" {
		return nil, nil
	}
	bad := fail(http.StatusBadRequest, "bad_parameter", name+" is a number of dollars from 0 to 1000000, such as 0.15")
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !(f >= 0 && f <= 1e6) {
		return nil, bad
	}
	r := catalog.Rate(f*1e6 + 0.5)
	return &r, nil
}

// day reads a day; today if there is none.
func (s *Server) day(q *request, name string) (string, error) {
	v := query(q.Request, name)
	if v == "" {
		return s.clock.Now().UTC().Format(time.DateOnly), nil
	}
	if _, err := time.Parse(time.DateOnly, v); err != nil {
		return "", fail(http.StatusBadRequest, "bad_parameter", name+" is a day such as 2026-03-09")
	}
	return v, nil
}

func (s *Server) listPublishers(q *request) (reply, error) {
	return page(q, s.foundry.Catalog().Publishers(), func(p *catalog.Publisher) string { return p.Name })
}

func (s *Server) listModels(q *request) (reply, error) {
	want, err := s.queryOf(q)
	if err != nil {
		return reply{}, err
	}
	c, err := s.catalog()
	if err != nil {
		return reply{}, err
	}
	return page(q, c.Search(want), func(f *catalog.Found) string { return f.ID })
}

func (s *Server) listOffers(q *request) (reply, error) {
	want, err := s.queryOf(q)
	if err != nil {
		return reply{}, err
	}
	c, err := s.catalog()
	if err != nil {
		return reply{}, err
	}
	return page(q, offered(c.Offers(want), want.Day), func(o *Offered) string { return o.Host + " " + o.ID })
}

// offered shows offers as they are on a day.
func offered(all []catalog.Offer, day string) []Offered {
	out := make([]Offered, len(all))
	for i := range all {
		out[i] = Offered{Offer: all[i], Stage: all[i].Life.At(day), InForce: all[i].PriceOn(day)}
		if out[i].Stage == "" {
			out[i].Stage = "unknown"
		}
	}
	return out
}

func (s *Server) getModel(q *request) (reply, error) {
	day, err := s.day(q, "on")
	if err != nil {
		return reply{}, err
	}
	c, err := s.catalog()
	if err != nil {
		return reply{}, err
	}
	name := q.PathValue("name")
	found := c.Search(catalog.Query{Model: name, Day: day})
	if len(found) == 0 {
		return reply{}, fail(http.StatusNotFound, "not_found", "the catalog has no model of that name; a model is called publisher/name, as GET "+Prefix+"/catalog/models lists them")
	}
	card := ModelCard{Model: found[0].Model, Stage: found[0].Stage, Offers: offered(c.Offers(catalog.Query{Model: name}), day)}
	if card.Stage == "" {
		card.Stage = "unknown"
	}
	card.Publisher = catalog.Publisher{Name: found[0].Publisher, Title: found[0].Publisher}
	for _, p := range c.Publishers() {
		if p.Name == found[0].Publisher {
			card.Publisher = p
		}
	}
	return reply{status: http.StatusOK, body: card}, nil
}

func (s *Server) listConflicts(q *request) (reply, error) {
	want, err := s.queryOf(q)
	if err != nil {
		return reply{}, err
	}
	age := s.foundry.Snapshot().Declared.PriceAge
	if v := query(q.Request, "stale_days"); v != "" {
		days, err := strconv.Atoi(v)
		if err != nil || days < 0 || days > 36500 {
			return reply{}, fail(http.StatusBadRequest, "bad_parameter", "stale_days is a number of days from 0 to 36500")
		}
		age = time.Duration(days) * 24 * time.Hour
	}
	fresh := ""
	if age > 0 {
		fresh = s.clock.Now().Add(-age).UTC().Format(time.DateOnly)
	}
	c, err := s.catalog()
	if err != nil {
		return reply{}, err
	}
	return page(q, c.Conflicts(want, fresh), func(x *catalog.Conflict) string { return x.Host + " " + x.ID })
}

// catalog returns what is known of models, with what deployments declare before all: their prices, and the models of
// publishers that this Plenum alone offers.
func (s *Server) catalog() (*catalog.Catalog, error) {
	c := s.foundry.Catalog()
	offers := map[catalog.Rank][]catalog.Offer{}
	seen := map[[2]string]bool{}
	for _, d := range s.foundry.Snapshot().Deployments {
		for i := range d.Targets {
			o := &d.Targets[i].Offer
			known, ok := c.Offer(o.Provider, o.Upstream)
			own := catalog.Offer{Host: o.Provider, ID: o.Upstream, Model: d.Model, Context: o.Context, Output: o.MaxOutput, Price: declaredPrice(&o.Price)}
			if ok {
				own = catalog.Offer{Host: o.Provider, ID: known.ID, Price: own.Price}
			}
			key := [2]string{own.Host, own.ID}
			if o.Price.Source != "configuration" || seen[key] || own.Model == "" && !ok {
				continue
			}
			seen[key] = true
			rank := catalog.Declared
			if o.Terms != "" { // a publisher's, who came through the desk
				rank = catalog.Card
			}
			offers[rank] = append(offers[rank], own)
		}
	}
	layers := c.Layers()
	for rank, list := range offers {
		name := map[catalog.Rank]string{catalog.Declared: "the configuration", catalog.Card: "the publisher's card"}[rank]
		l, err := catalog.NewLayer(rank, catalog.Source{Name: name, Date: s.clock.Now().UTC().Format(time.DateOnly)}, list)
		if err != nil {
			return nil, err
		}
		layers = append(slices.Clip(layers), l)
	}
	return c.With(layers...), nil
}

// declaredPrice is the plain part of a price that a target declares.
func declaredPrice(p *plenum.Price) *catalog.Price {
	in, out := catalog.Rate(p.Input), catalog.Rate(p.Output)
	return &catalog.Price{Input: &in, Output: &out}
}

func (s *Server) listImports(q *request) (reply, error) {
	tables, err := s.store.Tables(q.Context())
	if err != nil {
		return reply{}, err
	}
	out := make([]Imported, len(tables))
	for i := range tables {
		t := &tables[i]
		out[i] = Imported{Source: catalog.Source{Name: t.Name, Date: t.Date}, Offers: t.Offers, Imported: time.UnixMilli(t.Imported).UTC(), By: t.By}
	}
	return page(q, out, func(i *Imported) string { return i.Source.Name })
}

func (s *Server) importTable(q *request) (reply, error) {
	day, err := s.day(q, "date")
	if err != nil {
		return reply{}, err
	}
	if today := s.clock.Now().Add(24 * time.Hour).UTC().Format(time.DateOnly); day > today {
		return reply{}, fail(http.StatusBadRequest, "bad_parameter", "date is in the future")
	}
	read, err := catalog.ReadTable(q.body, day)
	out := Importing{Changed: []PriceChange{}, Notes: []Fault{}, Left: []Fault{}}
	var faults catalog.Faults
	switch {
	case errors.As(err, &faults) && query(q.Request, "skip_bad") == "true" && len(read.Offers) > 0:
		out.Left = told(faults)
	case errors.As(err, &faults):
		p := fail(http.StatusUnprocessableEntity, "invalid", "some entries of the table are wrong, and nothing is imported; skip_bad=true leaves them out")
		p.Faults = told(faults)
		return reply{}, p
	case err != nil:
		return reply{}, fail(http.StatusUnprocessableEntity, "invalid", err.Error())
	}
	name := read.Source.Name
	q.entry.Name = name
	before, at, err := s.table(q, name)
	if err != nil {
		return reply{}, err
	}
	merged, err := catalog.Merge(before, read)
	if err != nil {
		return reply{}, fail(http.StatusConflict, "older", err.Error())
	}
	layer, err := catalog.NewLayer(catalog.Imported, merged.Source, merged.Offers)
	if err != nil {
		return reply{}, err
	}
	out.Source, out.Offers, out.Skipped, out.Notes = read.Source, len(read.Offers), read.Skipped, told(read.Notes)
	out.compare(s.foundry.Catalog(), layer, read.Offers)
	if q.dry {
		return reply{status: http.StatusOK, body: out}, nil
	}
	body, err := packed(merged)
	if err != nil {
		return reply{}, err
	}
	t := store.Table{Name: name, Date: merged.Source.Date, Imported: s.clock.Now().UnixMilli(), By: q.actor.Name, Offers: len(merged.Offers), Body: body}
	if err := s.store.PutTable(q.Context(), at, t); err != nil {
		return reply{}, err
	}
	out.Applied = true
	q.entry.After = asJSON(Imported{Source: merged.Source, Offers: t.Offers, Imported: time.UnixMilli(t.Imported).UTC(), By: t.By})
	return reply{status: http.StatusOK, body: out}, s.foundry.Take(q.Context())
}

// told returns faults as the API tells them.
func told(fs catalog.Faults) []Fault {
	out := make([]Fault, 0, min(len(fs), mostFaults))
	for _, f := range fs {
		if len(out) == mostFaults {
			break
		}
		out = append(out, Fault{Item: f.Item, Path: f.Field, Detail: f.Detail})
	}
	return out
}

// compare says what a table changes of what is charged.
func (i *Importing) compare(now *catalog.Catalog, layer *catalog.Layer, offers []catalog.Offer) {
	others := []*catalog.Layer{layer}
	for _, l := range now.Layers() {
		if l.Rank != catalog.Imported || l.Source.Name != layer.Source.Name {
			others = append(others, l)
		}
	}
	next := now.With(others...)
	for n := range offers {
		o := &offers[n]
		was, known := now.Offer(o.Host, o.ID)
		is, _ := next.Offer(o.Host, o.ID)
		if !known {
			i.New++
		}
		if known && is.Price.Known && (was.Price.Input != is.Price.Input || was.Price.Output != is.Price.Output || !was.Price.Known) {
			c := PriceChange{Host: o.Host, ID: o.ID, After: declaredPrice(&is.Price)}
			if was.Price.Known {
				c.Before = declaredPrice(&was.Price)
			}
			i.Changed = append(i.Changed, c)
		}
	}
}

// table returns the table of a name that is kept, and its version; nil and 0 where there is none.
func (s *Server) table(q *request, name string) (*catalog.Layer, int64, error) {
	tables, err := s.store.Tables(q.Context())
	if err != nil {
		return nil, 0, err
	}
	for i := range tables {
		if tables[i].Name == name {
			l, err := LayerOf(&tables[i])
			return l, tables[i].Version, err
		}
	}
	return nil, 0, nil
}

func (s *Server) deleteImport(q *request) (reply, error) {
	l, at, err := s.table(q, q.PathValue("name"))
	if err != nil {
		return reply{}, err
	}
	if l == nil {
		return reply{}, fail(http.StatusNotFound, "not_found", "no table of that name was imported")
	}
	q.entry.Before = asJSON(Imported{Source: l.Source, Offers: l.Len()})
	if q.dry {
		return reply{status: http.StatusNoContent}, nil
	}
	t := store.Table{Name: l.Source.Name, Date: l.Source.Date, Imported: s.clock.Now().UnixMilli(), By: q.actor.Name}
	if err := s.store.PutTable(q.Context(), at, t); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, s.foundry.Take(q.Context())
}

// packed returns an import as the store keeps it.
func packed(i *catalog.Import) ([]byte, error) {
	text, err := catalog.Encode(i.Source, i.Offers)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err = w.Write(text)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// largestTable bounds an import as it is read again.
const largestTable = 64 << 20

// LayerOf returns what a table that the store keeps adds to the catalog.
func LayerOf(t *store.Table) (*catalog.Layer, error) {
	r, err := gzip.NewReader(bytes.NewReader(t.Body))
	if err != nil {
		return nil, fmt.Errorf("unpacking it: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, largestTable))
	if err != nil {
		return nil, fmt.Errorf("unpacking it: %w", err)
	}
	return catalog.ReadLayer(catalog.Imported, slices.Clip(text))
}
