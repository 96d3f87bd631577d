package main

import (
	"fmt"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

// quote is one source's price of an offer.
type quote struct {
	from  int    // the source's number; less than 0 is this catalog itself
	since string // the day from which it holds, where that is known
	price *record.Price
}

// genaiQuote reads the price of genai-prices, which is in dollars a million.
func genaiQuote(m genaiModel) *record.Price { return genaiPrice(m.price) }

func genaiPrice(rates map[string]genaiRate) *record.Price {
	at := func(above int64) *record.Price {
		rate := func(key string) *record.Rate {
			r := rates[key]
			n := r.Base
			for _, t := range r.Tiers {
				if t.Start <= above {
					n = t.Price
				}
			}
			return table.Exact(n.String(), 1)
		}
		return &record.Price{
			Above: above, Input: rate("input_mtok"), Output: rate("output_mtok"), CacheRead: rate("cache_read_mtok"),
			CacheWrite5m: rate("cache_write_mtok"), InputAudio: rate("input_audio_mtok"),
			OutputAudio: rate("output_audio_mtok"), Search: rate("requests_kcount"),
		}
	}
	p := at(0)
	if p.Input == nil {
		return nil
	}
	starts := map[int64]bool{}
	for _, r := range rates {
		for _, t := range r.Tiers {
			starts[t.Start] = true
		}
	}
	table.Chain(p, starts, at)
	return p
}

// settle returns the price on which the sources agree; nil and true where they do not.
func settle(quotes []quote) (p *record.Price, from []int, disputed bool) {
	agree := agreeing(quotes)
	if len(agree) == 0 {
		return nil, nil, len(quotes) > 0
	}
	var prices []*record.Price
	for _, q := range agree {
		if q.from >= 0 {
			from = append(from, q.from)
		}
		prices = append(prices, q.price)
	}
	out := combine(prices)
	out.Over = longPrompts(agree)
	for _, q := range agree {
		if q.from == fromLitellm { // the others have no tiers, and those of another provider are its own
			out.Priority, out.Flex, out.Batch = q.price.Priority, q.price.Flex, q.price.Batch
		}
	}
	return out, from, false
}

// agreeing returns the quotes whose plain rates hold: those of the largest party, or that of a price
// which began after every other source was read.
func agreeing(quotes []quote) []quote {
	parties := map[string][]quote{}
	for _, q := range quotes {
		parties[plain(q.price)] = append(parties[plain(q.price)], q)
	}
	for _, q := range quotes {
		if q.since > "" && newest(q, quotes) {
			return parties[plain(q.price)]
		}
	}
	var best []quote
	tie := false
	for _, party := range parties {
		switch {
		case len(party) > len(best):
			best, tie = party, false
		case len(party) == len(best):
			tie = true
		}
	}
	if tie {
		return nil
	}
	return best
}

// newest reports whether a quote's price began after the sources that say otherwise were read.
func newest(q quote, quotes []quote) bool {
	all := sources()
	for _, o := range quotes {
		if plain(o.price) != plain(q.price) && o.from >= 0 && all[o.from].Date >= q.since {
			return false
		}
	}
	return true
}

// plain names the rates that sources must agree on.
func plain(p *record.Price) string {
	out := record.Rate(0)
	if p.Output != nil {
		out = *p.Output
	}
	return fmt.Sprint(*p.Input, " ", out)
}

// combine makes one price of those that agree on the plain rates. A class on which they differ costs
// what most of them say, or else the most that one of them says, for a budget must hold.
func combine(prices []*record.Price) *record.Price {
	vote := func(of func(*record.Price) *record.Rate) *record.Rate {
		count := map[record.Rate]int{}
		for _, p := range prices {
			if r := of(p); r != nil {
				count[*r]++
			}
		}
		var best *record.Rate
		for r, n := range count {
			if best == nil || n > count[*best] || n == count[*best] && r > *best {
				best = &r
			}
		}
		return best
	}
	return &record.Price{
		Above:        prices[0].Above,
		Input:        vote(func(p *record.Price) *record.Rate { return p.Input }),
		CacheRead:    vote(func(p *record.Price) *record.Rate { return p.CacheRead }),
		CacheWrite5m: vote(func(p *record.Price) *record.Rate { return positive(p.CacheWrite5m) }),
		CacheWrite1h: vote(func(p *record.Price) *record.Rate { return positive(p.CacheWrite1h) }),
		InputAudio:   vote(func(p *record.Price) *record.Rate { return p.InputAudio }),
		InputImage:   vote(func(p *record.Price) *record.Rate { return p.InputImage }),
		Output:       vote(func(p *record.Price) *record.Rate { return p.Output }),
		Reasoning:    vote(func(p *record.Price) *record.Rate { return p.Reasoning }),
		OutputAudio:  vote(func(p *record.Price) *record.Rate { return p.OutputAudio }),
		OutputImage:  vote(func(p *record.Price) *record.Rate { return p.OutputImage }),
		Search:       vote(func(p *record.Price) *record.Rate { return p.Search }),
		Image:        vote(func(p *record.Price) *record.Rate { return p.Image }),
		Character:    vote(func(p *record.Price) *record.Rate { return p.Character }),
		Second:       vote(func(p *record.Price) *record.Rate { return p.Second }),
	}
}

// positive leaves a zero out: that writing to a cache costs nothing means that the vendor does not
// count it apart, not that those tokens are free.
func positive(r *record.Rate) *record.Rate {
	if r != nil && *r == 0 {
		return nil
	}
	return r
}

// longPrompts returns the rates of long prompts. That a source has none says little, for many leave
// them out, unless it says from which day on its flat price holds.
func longPrompts(agree []quote) *record.Price {
	var same []*record.Price
	for _, q := range agree {
		over := q.price.Over
		switch {
		case q.since != "" && over == nil:
			return nil
		case over == nil:
		case len(same) == 0 || same[0].Above == over.Above && plain(same[0]) == plain(over):
			same = append(same, over)
		}
	}
	if len(same) == 0 {
		return nil
	}
	out := combine(same)
	out.Over = same[0].Over
	return out
}
