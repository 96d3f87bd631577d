package catalog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// Rank says whose word facts are. Of what several say something the first rank counts.
type Rank string

// The ranks, from the first to the last.
const (
	Declared Rank = "declared" // the owner's, in the configuration
	Card     Rank = "card"     // the publisher's own
	Imported Rank = "import"   // a table that somebody imported; of several the newest
	Seed     Rank = "seed"     // what the program brings
)

func (r Rank) order() int { return slices.Index([]Rank{Declared, Card, Imported, Seed}, r) }

// Layer is a set of facts that stands before those that the program brings. It never changes.
type Layer struct {
	Rank   Rank
	Source Source
	pack   *pack
}

// NewLayer makes a layer of offers, each with its host. Those without sources of their own have the layer's.
func NewLayer(rank Rank, source Source, offers []Offer) (*Layer, error) {
	text, err := Encode(source, offers)
	if err != nil {
		return nil, err
	}
	return ReadLayer(rank, text)
}

// ReadLayer makes a layer of what Encode wrote.
func ReadLayer(rank Rank, text []byte) (*Layer, error) {
	p, err := newPack(rank, text, func(into []byte, at int64) error {
		if at < 0 || at+int64(len(into)) > int64(len(text)) {
			return io.ErrUnexpectedEOF
		}
		copy(into, text[at:])
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading a layer of the catalog: %w", err)
	}
	l := &Layer{Rank: rank, pack: p}
	if len(p.head.Sources) > 0 {
		l.Source = p.head.Sources[0]
	}
	return l, nil
}

// Offers returns all offers of a layer.
func (l *Layer) Offers() []Offer {
	out := make([]Offer, 0, len(l.pack.lines))
	for o := range l.pack.all {
		out = append(out, *o)
	}
	return out
}

// Len returns how many offers a layer has.
func (l *Layer) Len() int { return len(l.pack.lines) }

// Encode writes offers in the form in which a layer is kept: one a line, with the sources by number.
func Encode(source Source, offers []Offer) ([]byte, error) {
	w := &writer{sources: []Source{source}}
	var lines [][]byte
	for i := range offers {
		o := offers[i]
		o.From, o.Sources = w.numbers(o.Sources, []int{0}), nil
		w.price(&o.Price, o.From)
		o.Past, o.Quotes = slices.Clone(o.Past), slices.Clone(o.Quotes)
		for j := range o.Past {
			p := &o.Past[j]
			w.price(&p, nil)
			o.Past[j] = *p
		}
		if o.Life != nil {
			life := *o.Life
			life.From, life.Sources = w.numbers(life.Sources, o.From), nil
			o.Life = &life
		}
		line, err := json.Marshal(&o)
		if err != nil {
			return nil, fmt.Errorf("writing the offer %s: %w", o.ID, err)
		}
		lines = append(lines, line)
	}
	head, err := json.Marshal(w.sources)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"provider\":\"\",\"made\":%q,\n\"sources\":%s,\n\"offers\":[\n", source.Date, head)
	b.Write(bytes.Join(lines, []byte(",\n")))
	b.WriteString("\n]}\n")
	return b.Bytes(), nil
}

// writer collects the sources of a file.
type writer struct{ sources []Source }

func (w *writer) numbers(own []Source, otherwise []int) []int {
	if len(own) == 0 {
		return otherwise
	}
	var out []int
	for _, s := range own {
		at := slices.Index(w.sources, s)
		if at < 0 {
			at = len(w.sources)
			w.sources = append(w.sources, s)
		}
		out = append(out, at)
	}
	return out
}

// price numbers the sources of a price, without touching the one that was given.
func (w *writer) price(p **Price, otherwise []int) {
	if *p == nil {
		return
	}
	own := **p
	own.From, own.Sources = w.numbers(own.Sources, otherwise), nil
	*p = &own
}

// With returns a catalog with layers before what it has. It shares the rest, and neither changes.
func (c *Catalog) With(layers ...*Layer) *Catalog {
	out := *c
	out.layers = slices.Clone(layers)
	slices.SortStableFunc(out.layers, func(a, b *Layer) int {
		return cmp.Or(cmp.Compare(a.Rank.order(), b.Rank.order()), cmp.Compare(b.Source.Date, a.Source.Date), cmp.Compare(a.Source.Name, b.Source.Name))
	})
	return &out
}

// Layers returns what stands before what the program brings, the first first.
func (c *Catalog) Layers() []*Layer { return c.layers }

// find returns what is known of an id, and whether its price is that of the id.
func (c *Catalog) find(kind, upstream string) (*item, bool) {
	var o *item
	priced := true
	if p, ok := c.provider(kind); ok {
		o, priced = p.find(kind, upstream)
	}
	if len(c.layers) == 0 {
		return o, priced
	}
	l := c.layered(kind, plainID(kind, strings.ToLower(upstream)), o)
	if l != o && l != nil {
		priced = priced || o == nil || l.price != o.price
	}
	return l, priced
}

// layered returns an offer as the layers and what the program brings tell it together.
func (c *Catalog) layered(kind, id string, seed *item) *item {
	out := seed
	for i := len(c.layers) - 1; i >= 0; i-- {
		p := c.layers[i].pack
		o := p.byID(kind, id)
		if o == nil && seed != nil && !strings.EqualFold(id, seed.ID) {
			o = p.byID(kind, seed.ID)
		}
		if o != nil {
			out = over(o, out)
		}
	}
	return out
}

// told is like layered, for who only looks: nothing is kept.
func (c *Catalog) told(host, id string, seed *Offer) *Offer {
	var out *item
	if seed != nil {
		out = &item{Offer: seed}
	}
	for i := len(c.layers) - 1; i >= 0; i-- {
		if o := c.layers[i].of(host, id, seed); o != nil {
			out = over(&item{Offer: o}, out)
		}
	}
	return out.Offer
}

// of returns what a layer says of an id, or of that under which the program knows it.
func (l *Layer) of(host, id string, seed *Offer) *Offer {
	o := l.pack.look(host, id)
	if o == nil && seed != nil && !strings.EqualFold(id, seed.ID) {
		o = l.pack.look(host, seed.ID)
	}
	return o
}

// over puts what one rank says over what those behind it say.
func over(first, behind *item) *item {
	if behind == nil {
		own := *first.Offer
		lived(&own)
		return &item{Offer: &own, price: first.price}
	}
	o := *behind.Offer
	out := &item{Offer: &o, price: behind.price}
	if first.Price != nil {
		o.Price, o.Past, out.price = first.Price, first.Past, first.price
	}
	o.Context, o.Output = cmp.Or(first.Context, o.Context), cmp.Or(first.Output, o.Output)
	o.Model, o.Mode = cmp.Or(first.Model, o.Model), cmp.Or(first.Mode, o.Mode)
	o.Terms = cmp.Or(first.Terms, o.Terms)
	if first.Life != nil {
		o.Life = first.Life
	}
	if first.Data != nil {
		o.Data = first.Data
	}
	if len(first.Regions) > 0 {
		o.Regions = first.Regions
	}
	for _, name := range first.Can {
		if !slices.Contains(o.Can, name) {
			o.Can = append(slices.Clone(o.Can), name)
		}
	}
	o.Sources = append(slices.Clone(first.Sources), o.Sources...)
	return out
}

// Merge returns an import with the history of the one of the same source before it: where a price differs, the old one
// held until the day of the new table. What the new table does not have any more stays as it was.
func Merge(before *Layer, next *Import) (*Import, error) {
	if before == nil {
		return next, nil
	}
	if next.Source.Date < before.Source.Date {
		return nil, fmt.Errorf("the table is of %s, and one of %s has been imported already", next.Source.Date, before.Source.Date)
	}
	out := &Import{Source: next.Source, Skipped: next.Skipped, Notes: next.Notes}
	there := map[[2]string]bool{}
	for _, o := range next.Offers {
		there[[2]string{o.Host, strings.ToLower(o.ID)}] = true
		if old := before.pack.look(o.Host, o.ID); old != nil {
			o = since(old, o, next.Source.Date)
		}
		out.Offers = append(out.Offers, o)
	}
	for _, o := range before.Offers() {
		if !there[[2]string{o.Host, strings.ToLower(o.ID)}] {
			out.Offers = append(out.Offers, o)
		}
	}
	return out, nil
}

// since gives an offer the prices that it had before.
func since(old *Offer, o Offer, day string) Offer {
	switch {
	case old.Price == nil:
		return o
	case o.Price == nil:
		o.Price, o.Past = old.Price, old.Past
		return o
	case sameRates(old.Price, o.Price):
		own := *o.Price
		own.Since = cmp.Or(own.Since, old.Price.Since)
		o.Price = &own
		if o.Past == nil {
			o.Past = old.Past
		}
		return o
	case o.Past != nil || old.Price.Since >= day:
		return o // it brings its own history, or is another reading of the same day
	}
	own := *o.Price
	own.Since = cmp.Or(own.Since, day)
	o.Price = &own
	past := *old.Price
	past.Until = own.Since
	if past.Until > past.Since {
		o.Past = append([]Price{past}, old.Past...)
	}
	return o
}

// sameRates reports whether two prices are the same but for rounding.
func sameRates(a, b *Price) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := rates(a), rates(b)
	for i := range x {
		if (x[i].rate == nil) != (y[i].rate == nil) || x[i].rate != nil && !near(*x[i].rate, *y[i].rate) {
			return false
		}
	}
	return a.Above == b.Above && sameRates(a.Over, b.Over) && sameRates(a.Priority, b.Priority) && sameRates(a.Flex, b.Flex) && sameRates(a.Batch, b.Batch)
}

// near reports whether two rates are the same but for rounding: a thousandth, or a millionth of a dollar.
func near(a, b record.Rate) bool {
	d := a - b
	if d < 0 {
		d = -d
	}
	return d <= max(1, max(a, b)/1000)
}
