package plenum

import (
	"cmp"
	"time"

	"github.com/plenum-foundry/plenum/llm"
)

// Terms are what the price of a call depends on besides what it consumed.
type Terms struct {
	Tier string    // the service tier that the upstream says it was served at, in its own words
	At   time.Time // when it was made
	// Quality and Size are those of the images that it asks for: "hd", "1792x1024".
	Quality, Size string
}

// Tiers are the rates of service tiers; a nil one costs what the standard tier does. Each is a whole price.
type Tiers struct {
	Priority *Price
	Flex     *Price
	Batch    *Price
}

// Hours are the rates of some hours of each day.
type Hours struct {
	From, To int // minutes of the day in UTC; where To is less than From they pass midnight
	Price    *Price
}

// Pictures are the rates of images by quality and size. Those that are not listed have the rate of all images.
type Pictures struct {
	List []Picture
	// Quality and Size are what the vendor takes where a caller does not say.
	Quality, Size string
}

// Picture is the rate of an image of a quality and a size; "" is any.
type Picture struct {
	Quality, Size string
	Rate          Rate
}

// For returns the price that holds on some terms. A tier without rates of its own, the standard one among them,
// has those of the hour.
func (p *Price) For(t Terms) *Price {
	p = p.On(t.At)
	if h := p.Hours; h != nil && h.within(t.At) {
		p = h.Price
	}
	if tier := p.Tiers.of(t.Tier); tier != nil {
		p = tier
	}
	if rate, ok := p.Pictures.rate(t.Quality, t.Size); ok {
		own := *p
		own.Image = rate
		p = &own
	}
	return p
}

// On returns the price that held at a time; the newest for the zero time.
func (p *Price) On(at time.Time) *Price {
	if p.Before == nil || at.IsZero() {
		return p
	}
	for t := at.Unix(); p.Before != nil && t < p.Since; {
		p = p.Before
	}
	return p
}

// Dearest returns rates that a call which reads so many tokens does not exceed, whatever the terms.
func (p *Price) Dearest(read int64) *Price {
	at := p.At(read)
	most := *at
	most.Over, most.Tiers, most.Hours, most.Pictures, most.Before = nil, nil, nil, nil, nil
	if h := p.Hours; h != nil {
		most.raise(h.Price.At(read))
	}
	if t := p.Tiers; t != nil {
		for _, tier := range []*Price{t.Priority, t.Flex, t.Batch} {
			if tier != nil {
				most.raise(tier.At(read))
			}
		}
	}
	if p.Pictures != nil {
		for _, l := range p.Pictures.List {
			most.Image = max(most.Image, l.Rate)
		}
	}
	return &most
}

// raise raises each rate to that of another price, where it is higher.
func (p *Price) raise(o *Price) {
	for class := range (llm.Usage{}).Classes() {
		to := p.rate(class)
		*to = max(*to, o.Rate(class))
	}
}

func (h *Hours) within(at time.Time) bool {
	at = at.UTC()
	m := at.Hour()*60 + at.Minute()
	if h.From <= h.To {
		return m >= h.From && m < h.To
	}
	return m >= h.From || m < h.To
}

// of returns the rates of a tier in a vendor's words.
func (t *Tiers) of(name string) *Price {
	if t == nil {
		return nil
	}
	switch name {
	case "priority":
		return t.Priority
	case "flex":
		return t.Flex
	case "batch":
		return t.Batch
	}
	return nil
}

// rate finds the first line that fits.
func (p *Pictures) rate(quality, size string) (Rate, bool) {
	if p == nil {
		return 0, false
	}
	quality, size = cmp.Or(quality, p.Quality), cmp.Or(size, p.Size)
	for _, l := range p.List {
		if (l.Quality == "" || l.Quality == quality) && (l.Size == "" || l.Size == size) {
			return l.Rate, true
		}
	}
	return 0, false
}
