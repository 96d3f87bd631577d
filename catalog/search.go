package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// Query chooses among models and offers. What is left out chooses all.
type Query struct {
	Text       string // words that stand in the id, the title, the publisher or the family
	Publisher  string
	Model      string // publisher/name
	Host       string // the kind of provider
	Task       string // "chat", "embedding", "rerank", "moderation", "image", "speech", "transcription", "realtime"
	Modality   string // that is read or written: "text", "image", "audio", "video", "pdf"
	Capability string // "tools", "schema", "thinking" and so on
	License    string
	Stage      Stage // "unknown" are those of which nobody tells any
	Open       *bool // the weights can be had
	MinContext int
	MaxInput   *Rate // the dearest million of tokens
	MaxOutput  *Rate
	Day        string // on which it is asked, for prices and lifecycles
}

// Found is a model with where it is offered.
type Found struct {
	Model
	Publisher string   `json:"publisher"`
	Tasks     []string `json:"tasks"`
	Stage     Stage    `json:"stage"`
	Hosts     []string `json:"hosts"`
	Offers    int      `json:"offers"`
	// InputPrice and OutputPrice are the lowest price of a million tokens among the offers that were chosen.
	InputPrice  *Rate `json:"input_price,omitempty"`
	OutputPrice *Rate `json:"output_price,omitempty"`
}

// AllOffers yields every offer, as layers and what the program brings tell it together. Nothing of it is kept.
func (c *Catalog) AllOffers(yield func(*Offer) bool) {
	for _, host := range c.Providers() {
		p, _ := c.provider(host)
		for o := range p.all {
			if !yield(c.told(host, o.ID, o)) {
				return
			}
		}
	}
	for i, l := range c.layers {
		for o := range l.pack.all {
			if c.before(i, o) {
				continue
			}
			if !yield(c.told(o.Host, o.ID, nil)) {
				return
			}
		}
	}
}

// before reports whether an offer of a layer is told by an earlier layer, or by what the program brings.
func (c *Catalog) before(layer int, o *Offer) bool {
	if p, ok := c.provider(o.Host); ok && p.look(o.Host, o.ID) != nil {
		return true
	}
	return slices.ContainsFunc(c.layers[:layer], func(l *Layer) bool { return l.pack.look(o.Host, o.ID) != nil })
}

// Offers returns the offers that a query chooses, ordered by host and id.
func (c *Catalog) Offers(q Query) []Offer {
	var out []Offer
	known := c.known()
	for o := range c.AllOffers {
		m := known[o.Model]
		if q.offer(o, &m) && q.text(&m, o) {
			out = append(out, *o)
		}
	}
	slices.SortFunc(out, func(a, b Offer) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID)) })
	return out
}

// known returns all models by their ids, without keeping them.
func (c *Catalog) known() map[string]Model {
	out := map[string]Model{}
	for _, m := range c.AllModels() {
		out[m.ID] = m
	}
	return out
}

// Search returns the models that a query chooses, ordered by id. A model is chosen where one of its offers fits, or
// where nobody offers it and nothing is asked of an offer.
func (c *Catalog) Search(q Query) []Found {
	offers := map[string][]Offer{}
	every := map[string]int{}
	for o := range c.AllOffers {
		every[o.Model]++
		if q.wanted(o) {
			offers[o.Model] = append(offers[o.Model], *o)
		}
	}
	var out []Found
	for _, m := range c.every(every) {
		f := Found{Model: m, Hosts: []string{}, Tasks: tasksOf(&m, offers[m.ID]), Stage: c.stage(&m, offers[m.ID], q.Day)}
		f.Publisher, _, _ = strings.Cut(m.ID, "/")
		for i := range offers[m.ID] {
			f.offer(&offers[m.ID][i], &m, q)
		}
		if q.model(&f) && (f.Offers > 0 || q.bare() && q.itself(&m)) {
			out = append(out, f)
		}
	}
	return out
}

// wanted reports whether an offer may be one that is asked for, before its model is known.
func (q *Query) wanted(o *Offer) bool {
	return o.Model != "" && (q.Host == "" || q.Host == o.Host) && (q.Model == "" || q.Model == o.Model)
}

// every returns all models, those as well that only a layer's offers name.
func (c *Catalog) every(offered map[string]int) []Model {
	all := c.AllModels()
	there := c.known()
	for id := range offered {
		publisher, name, ok := strings.Cut(id, "/")
		if _, known := there[id]; known || !ok || publisher == "" || !c.layerHas(id) {
			continue
		}
		all = append(all, Model{ID: id, Title: name})
	}
	slices.SortFunc(all, func(a, b Model) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (c *Catalog) layerHas(model string) bool {
	return slices.ContainsFunc(c.layers, func(l *Layer) bool { return l.pack.has(model) })
}

// offer adds an offer of the model, if it is one that is asked for.
func (f *Found) offer(o *Offer, m *Model, q Query) {
	if !q.offer(o, m) {
		return
	}
	f.Offers++
	if !slices.Contains(f.Hosts, o.Host) {
		f.Hosts = append(f.Hosts, o.Host)
	}
	if o.Price != nil {
		f.InputPrice, f.OutputPrice = lower(f.InputPrice, o.PriceOn(q.Day).Input), lower(f.OutputPrice, o.PriceOn(q.Day).Output)
	}
}

func lower(a, b *Rate) *Rate {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// bare reports whether nothing is asked of offers.
func (q *Query) bare() bool {
	return q.Host == "" && q.MaxInput == nil && q.MaxOutput == nil && q.Task == "" && q.Capability == ""
}

// itself reports whether a model that nobody offers reads and writes what is asked for.
func (q *Query) itself(m *Model) bool {
	return q.MinContext <= m.Context && (q.Modality == "" || handles(&Offer{Mode: "none"}, m, q.Modality))
}

// model reports whether a model itself is as it is asked for.
func (q *Query) model(f *Found) bool {
	m := &f.Model
	return (q.Publisher == "" || q.Publisher == f.Publisher) && (q.Model == "" || q.Model == m.ID) &&
		(q.License == "" || strings.EqualFold(q.License, m.License)) && (q.Open == nil || *q.Open == m.Open) &&
		(q.Stage == "" || q.Stage == cmp.Or(f.Stage, "unknown")) && (q.Task == "" || slices.Contains(f.Tasks, q.Task)) && q.text(m, nil)
}

// offer reports whether an offer is as it is asked for.
func (q *Query) offer(o *Offer, m *Model) bool {
	publisher, _, _ := strings.Cut(o.Model, "/")
	switch {
	case q.Host != "" && q.Host != o.Host, q.Model != "" && q.Model != o.Model, q.Publisher != "" && q.Publisher != publisher:
		return false
	case q.License != "" && !strings.EqualFold(q.License, m.License), q.Open != nil && *q.Open != m.Open:
		return false
	case q.Stage != "" && q.Stage != cmp.Or(o.Life.At(q.Day), "unknown"):
		return false
	case q.Task != "" && !slices.Contains(tasksOf(m, []Offer{*o}), q.Task), q.Capability != "" && !slices.Contains(o.Can, q.Capability):
		return false
	case q.MinContext > cmp.Or(o.Context, m.Context), q.Modality != "" && !handles(o, m, q.Modality):
		return false
	case q.MaxInput == nil && q.MaxOutput == nil:
		return true
	case o.Price == nil: // what nobody knows is not cheap
		return false
	}
	p := o.PriceOn(q.Day)
	return within(p.Input, q.MaxInput) && within(p.Output, q.MaxOutput)
}

func within(r, most *Rate) bool { return most == nil || r != nil && *r <= *most }

// handles reports whether an offer reads or writes a modality.
func handles(o *Offer, m *Model, modality string) bool {
	if slices.Contains(m.Reads, modality) || slices.Contains(m.Writes, modality) || o.Mode == modality {
		return true
	}
	name := map[string]string{"image": "images", "pdf": "documents"}[modality]
	return slices.Contains(o.Can, cmp.Or(name, modality)) || modality == "text" && o.Mode == ""
}

// text reports whether every word that is asked for stands somewhere.
func (q *Query) text(m *Model, o *Offer) bool {
	where := strings.ToLower(m.ID + " " + m.Title + " " + m.Family + " " + m.License)
	if o != nil {
		where += " " + strings.ToLower(o.Host+" "+o.ID+" "+o.Model)
	}
	for word := range strings.FieldsSeq(strings.ToLower(q.Text)) {
		if !strings.Contains(where, word) {
			return false
		}
	}
	return true
}

// tasksOf returns what a model is called for.
func tasksOf(m *Model, offers []Offer) []string {
	out := []string{}
	add := func(task string) {
		if !slices.Contains(out, task) {
			out = append(out, task)
		}
	}
	for i := range offers {
		switch mode := offers[i].Mode; mode {
		case "", "responses":
			add("chat")
		default:
			add(mode)
		}
	}
	if slices.Contains(m.Writes, "image") {
		add("image")
	}
	if len(offers) == 0 && slices.Contains(m.Writes, "text") {
		add("chat")
	}
	slices.Sort(out)
	return out
}

// stage returns that of a model: the one that is told of the model itself, or the earliest of its offers.
func (c *Catalog) stage(m *Model, offers []Offer, day string) Stage {
	if s := m.Life.At(day); s != "" {
		return s
	}
	order := []Stage{GA, Preview, Legacy, Deprecated, Retired}
	best := Stage("")
	for i := range offers {
		s := offers[i].Life.At(day)
		if at := slices.Index(order, s); at >= 0 && (best == "" || at < slices.Index(order, best)) {
			best = s
		}
	}
	return best
}

// Claim is what one source says that an offer costs.
type Claim struct {
	Rank    Rank     `json:"rank"`
	Price   Price    `json:"price"`
	Sources []Source `json:"sources"`
	Applied bool     `json:"applied"`
	Why     string   `json:"why"`
	Stale   bool     `json:"stale"`
}

// Conflict is an offer of whose price sources say different things, or whose price has become old.
type Conflict struct {
	Host     string  `json:"host"`
	ID       string  `json:"id"`
	Model    string  `json:"model,omitempty"`
	Disagree bool    `json:"disagree"` // beyond rounding
	Stale    bool    `json:"stale"`    // the price that is applied is from sources that are all older than it may be
	Claims   []Claim `json:"claims"`
}

// Conflicts returns the offers whose price sources disagree on beyond rounding, and with a day those whose applied
// price is of before it. A query chooses among the offers.
func (c *Catalog) Conflicts(q Query, fresh string) []Conflict {
	var out []Conflict
	known := c.known()
	for o := range c.AllOffers {
		m := known[o.Model]
		if !q.offer(o, &m) || !q.text(&m, o) {
			continue
		}
		x := Conflict{Host: o.Host, ID: o.ID, Model: o.Model, Claims: c.Claims(o.Host, o.ID, fresh)}
		for i := range x.Claims {
			claim := &x.Claims[i]
			x.Stale = x.Stale || claim.Applied && claim.Stale
			x.Disagree = x.Disagree || !agree(&x.Claims[0].Price, &claim.Price)
		}
		if x.Disagree || x.Stale {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Conflict) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Claims returns what each source says that an offer costs, those that count first, and which is applied and why.
// Sources that are all older than the day are stale; "" is none.
func (c *Catalog) Claims(host, id, fresh string) []Claim {
	out := []Claim{}
	add := func(rank Rank, p *Price, sources []Source) {
		if len(p.Sources) > 0 {
			sources = p.Sources
		}
		stale := fresh != "" && !slices.ContainsFunc(sources, func(s Source) bool { return s.Date >= fresh }) && p.Since < fresh
		out = append(out, Claim{Rank: rank, Price: *p, Sources: sources, Stale: stale})
	}
	var seed *Offer
	if p, ok := c.provider(host); ok {
		seed = p.look(host, id)
	}
	for _, l := range c.layers {
		if o := l.of(host, id, seed); o != nil && o.Price != nil {
			add(l.Rank, o.Price, o.Sources)
		}
	}
	if seed != nil && seed.Price != nil {
		add(Seed, seed.Price, seed.Sources)
	}
	applied := len(out) > 0
	for i := range out {
		out[i].Applied, out[i].Why = i == 0, why(out, i, seed != nil && len(seed.Quotes) > 0)
	}
	if seed == nil {
		return out
	}
	for i := range seed.Quotes {
		q := &seed.Quotes[i]
		if applied && seed.Price != nil && agree(q, seed.Price) {
			continue // it is what the program brings
		}
		add(Seed, q, seed.Sources)
		out[len(out)-1].Why = "outvoted by the others, or older than a price that is known to have begun later"
		if seed.Price == nil {
			out[len(out)-1].Why = "disputed: no two sources agree, and none is taken"
		}
	}
	return out
}

// why says why a claim is applied or not.
func why(all []Claim, i int, disputed bool) string {
	switch {
	case i == 0 && len(all) == 1 && (!disputed || all[0].Rank == Seed):
		return "nobody else says anything"
	case i == 0 && len(all) > 1 && all[0].Rank == all[1].Rank:
		return "the newest import"
	case i == 0:
		return map[Rank]string{Declared: "what the owner declares comes first", Card: "the publisher's own card comes first", Imported: "an import comes before what the program brings"}[all[0].Rank]
	case all[i].Rank == all[0].Rank:
		return "an older import"
	}
	return "the " + string(all[0].Rank) + " comes before it"
}

// agree reports whether two prices say the same of what both speak of, but for rounding.
func agree(a, b *Price) bool {
	x, y := rates(a), rates(b)
	for i := range x {
		if x[i].rate != nil && y[i].rate != nil && !near(*x[i].rate, *y[i].rate) {
			return false
		}
	}
	return true
}
