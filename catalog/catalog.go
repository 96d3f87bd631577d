// Package catalog knows publishers, models and what providers offer: limits, prices, capabilities and
// the quirks of each. The facts are data files, made by the generator in gen from public tables, with
// their sources and the day for which they hold.
//
// What the catalog does not know it leaves open: an unknown price is better than a wrong one.
package catalog

import (
	"cmp"
	"embed"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

//go:embed data/*.json
var data embed.FS

// Catalog answers questions about models and offers. What it keeps in memory of a file is where its items stand; they
// are read when they are asked for. It may be used by several goroutines at once.
type Catalog struct {
	providers map[string]func() *pack
	models    func() *modelIndex
	layers    []*Layer // the first comes first
}

// New returns the catalog that is built in.
func New() *Catalog {
	c := &Catalog{providers: map[string]func() *pack{}, models: sync.OnceValue(readModels)}
	entries, err := data.ReadDir("data")
	if err != nil {
		panic("catalog: " + err.Error())
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".json"); name != "models" {
			c.providers[name] = sync.OnceValue(func() *pack { return readProvider(name) })
		}
	}
	return c
}

// embedded returns one of the files as it is; that they can be read is tested.
func embedded(name string) []byte {
	text, err := data.ReadFile("data/" + name + ".json")
	if err != nil {
		panic("catalog: " + name + ": " + err.Error())
	}
	return text
}

// readAt reads parts of one of the files.
func readAt(name string) func([]byte, int64) error {
	return func(into []byte, at int64) error {
		f, err := data.Open("data/" + name + ".json")
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.(io.ReaderAt).ReadAt(into, at)
		return err
	}
}

func readProvider(name string) *pack {
	p, err := newPack(Seed, embedded(name), readAt(name))
	if err != nil {
		panic("catalog: " + name + ": " + err.Error())
	}
	return p
}

// Facts are what is known of a model at a provider.
type Facts struct {
	ID        string // the id under which it is known: perhaps that of its family
	Model     string // publisher/name; "" where it is not known
	Context   int
	MaxOutput int
	Price     plenum.Price
	Traits    plenum.Traits
	Mode      string // what it is called for: "chat", "responses", or another task
	Life      Lifecycle
	// Disputed says that the sources give different prices, so that none is taken.
	Disputed bool
	Sources  []string // where the facts are from, with the date: "models.dev 2026-07-02"
}

// Offer returns what is known of a model at a provider, by the provider's kind and the model's id
// there. An id that ends in a date, or in -latest, and is not known itself is taken as its family at
// those vendors whose snapshots cost the same; ARNs and whole names of resources are what they name.
func (c *Catalog) Offer(kind, upstream string) (Facts, bool) {
	o, priced := c.find(kind, upstream)
	if o == nil {
		return Facts{}, false
	}
	f := factsOf(o)
	if !priced {
		f.Price = plenum.Price{}
	}
	return f, true
}

func (c *Catalog) provider(kind string) (*pack, bool) {
	read, ok := c.providers[kind]
	if !ok {
		return nil, false
	}
	return read(), true
}

// steady reports whether a vendor's snapshots cost what their family does, unless the catalog has them
// apart. Others give each its own price.
func steady(kind string) bool {
	return slices.Contains([]string{"openai", "azure", "anthropic"}, kind)
}

// family cuts the date or -latest off an id.
func family(id string) string {
	return dated().ReplaceAllString(id, "")
}

func dated() *regexp.Regexp {
	return regexp.MustCompile(`-(20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|latest)$`)
}

func factsOf(o *item) Facts {
	f := Facts{
		ID: o.ID, Model: o.Model, Context: o.Context, MaxOutput: o.Output, Mode: cmp.Or(o.Mode, "chat"),
		Life: *o.Life, Disputed: o.Disputed && o.price == nil, Traits: traitsOf(o.Offer),
	}
	if o.price != nil {
		f.Price = *o.price
	}
	for _, s := range o.Sources {
		f.Sources = append(f.Sources, s.Name+" "+s.Date)
	}
	return f
}

// pricesOf returns the price of an offer with those that held before it.
func pricesOf(o *Offer, source string) *plenum.Price {
	p := priceOf(o.Price, source)
	p.Since = midnight(o.Price.Since)
	newer := p
	for i := range o.Past {
		newer.Before = priceOf(&o.Past[i], source)
		newer.Since = midnight(o.Past[i].Until)
		newer = newer.Before
		newer.Since = midnight(o.Past[i].Since)
	}
	return p
}

// midnight is when a day begins, in Unix seconds; 0 where there is no day.
func midnight(day string) int64 {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// priceOf fills what a price leaves open: a class without a rate of its own costs what the plain class
// of its side does.
func priceOf(r *record.Price, source string) *plenum.Price {
	pick := func(r *record.Rate, otherwise plenum.Rate) plenum.Rate {
		if r != nil {
			return plenum.Rate(*r)
		}
		return otherwise
	}
	in, out := pick(r.Input, 0), pick(r.Output, 0)
	short := pick(r.CacheWrite5m, in)
	p := &plenum.Price{
		Known: true, Source: source,
		Input: in, CacheRead: pick(r.CacheRead, in), CacheWrite5m: short, CacheWrite1h: pick(r.CacheWrite1h, short),
		InputAudio: pick(r.InputAudio, in), InputImage: pick(r.InputImage, in),
		Output: out, Reasoning: pick(r.Reasoning, out),
		OutputAudio: pick(r.OutputAudio, out), OutputImage: pick(r.OutputImage, out),
		Search: pick(r.Search, 0) * 1000, Image: pick(r.Image, 0) * 1000, Character: pick(r.Character, 0), Second: pick(r.Second, 0) * 1000,
	}
	if r.Over != nil {
		p.Above, p.Over = r.Over.Above, priceOf(r.Over, source)
		if p.Over.Search == 0 {
			p.Over.Search = p.Search
		}
	}
	tiers := plenum.Tiers{Priority: tierOf(r.Priority, p, source), Flex: tierOf(r.Flex, p, source), Batch: tierOf(r.Batch, p, source)}
	if tiers != (plenum.Tiers{}) {
		p.Tiers = &tiers
	}
	if r.Hours != nil {
		p.Hours = &plenum.Hours{From: r.Hours.From, To: r.Hours.To, Price: priceOf(r.Hours.Price, source)}
	}
	if len(r.Pictures) > 0 {
		p.Pictures = &plenum.Pictures{Quality: "standard", Size: "1024x1024"} // as the vendors of such prices have it
		for _, l := range r.Pictures {
			p.Pictures.List = append(p.Pictures.List, plenum.Picture{Quality: l.Quality, Size: l.Size, Rate: plenum.Rate(l.Rate) * 1000})
		}
	}
	return p
}

// tierOf fills the price of a service tier. Where it has no rates of long prompts they are at least those of the
// standard tier: a budget must hold.
func tierOf(r *record.Price, standard *plenum.Price, source string) *plenum.Price {
	if r == nil {
		return nil
	}
	p := priceOf(r, source)
	if p.Over == nil && standard.Over != nil && standard.Over.Input > p.Input {
		p.Above, p.Over = standard.Above, standard.Over
	}
	if p.Search == 0 {
		p.Search = standard.Search
	}
	return p
}

func traitsOf(o *record.Offer) plenum.Traits {
	return plenum.Traits{
		MaxTokensField: o.MaxField, DefaultMaxOut: o.DefaultTo, Refuses: o.Refuses,
		SchemaRefuses: o.SchemaRefuses, Effort: o.Effort,
		Capabilities: capabilitiesOf(o.Can, o.Cannot),
	}
}

func capabilitiesOf(can, cannot []string) plenum.Capabilities {
	says := func(name string) plenum.Tri {
		switch {
		case slices.Contains(can, name):
			return plenum.Yes
		case slices.Contains(cannot, name):
			return plenum.No
		}
		return plenum.Unknown
	}
	return plenum.Capabilities{
		Tools: says("tools"), Images: says("images"), Documents: says("documents"), Audio: says("audio"),
		Schema: says("schema"), Thinking: says("thinking"), Streaming: says("streaming"),
	}
}

// Describe returns what is known of an offer, for the configuration: Model, Context, MaxOutput, Traits
// and Price. The model's name in the catalog, where the owner gives it, helps where ids say nothing: at
// Azure people choose them, and on one's own machine a model has no price, which is known to be none.
func (c *Catalog) Describe(kind, upstream, model string) (plenum.Offer, bool) {
	if f, ok := c.Offer(kind, upstream); ok {
		return f.offer(), true
	}
	if f, ok := c.ofModel(kind, model); ok {
		return f.offer(), true
	}
	var o plenum.Offer
	m, ok := c.Model(model)
	if ok {
		o = plenum.Offer{Model: m.ID, Context: m.Context, MaxOutput: m.Output}
		o.Traits.Capabilities = can(&m)
	}
	if t, is := fresh(upstream, model); is && slices.Contains([]string{"anthropic", "azure", "bedrock", "vertex"}, kind) {
		t.Capabilities = o.Traits.Capabilities
		o.Traits, ok = t, true
	}
	if slices.Contains([]string{"llamacpp", "ollama", "vllm"}, kind) {
		o.Price, ok = plenum.Price{Known: true, Source: "own machine"}, true
	}
	return o, ok
}

func (f *Facts) offer() plenum.Offer {
	return plenum.Offer{Model: f.Model, Context: f.Context, MaxOutput: f.MaxOutput, Traits: f.Traits, Price: f.Price}
}

// ofModel finds the offer of a model at a provider: under the model's own name, or else the only one.
func (c *Catalog) ofModel(kind, model string) (Facts, bool) {
	_, name, ok := strings.Cut(model, "/")
	p, known := c.provider(kind)
	if !ok || !known {
		return Facts{}, false
	}
	if o := p.byID(kind, name); o != nil && (o.Model == model || o.Model == "") {
		return factsOf(c.layered(kind, o.ID, o)), true
	}
	if all := p.ofModel(model); len(all) == 1 {
		return factsOf(c.layered(kind, all[0].ID, all[0])), true
	}
	return Facts{}, false
}

// Providers returns the kinds of provider whose offers are known, sorted.
func (c *Catalog) Providers() []string {
	var out []string
	for name := range c.providers {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Models returns the ids under which everyone can call a provider's current chat models, sorted; none
// where people choose the ids.
func (c *Catalog) Models(kind string) []string {
	p, ok := c.provider(kind)
	if !ok {
		return nil
	}
	var out []string
	for o := range p.all {
		if o.Listed {
			out = append(out, o.ID)
		}
	}
	return out
}

// Patterns returns patterns that fit the ids of a vendor's own models and nobody else's, so that a
// model which is newer than the catalog can be called by its bare id.
func (c *Catalog) Patterns(kind string) []string {
	return map[string][]string{
		"anthropic":  {"claude-*"},
		"deepseek":   {"deepseek-*"},
		"mistral":    {"mistral-*", "ministral-*", "magistral-*", "codestral-*", "devstral-*", "pixtral-*"},
		"moonshot":   {"kimi-*", "moonshot-*"},
		"openai":     {"gpt-*", "o1*", "o3*", "o4*"},
		"perplexity": {"sonar*"},
		"xai":        {"grok-*"},
		"zai":        {"glm-*"},
	}[kind]
}
