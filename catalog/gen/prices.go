package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// quote is one source's price of an offer.
type quote struct {
	from  int    // the source's number; less than 0 is this catalog itself
	since string // the day from which it holds, where that is known
	price *record.Price
}

// devQuote reads the price of models.dev, which is in dollars a million.
func devQuote(m devModel) *record.Price {
	p := devRates(m.Cost)
	if p == nil {
		return nil
	}
	tiers, _ := m.Cost["tiers"].([]map[string]any)
	for _, tier := range tiers {
		size, _ := tier["tier"].(map[string]any)
		above, _ := size["size"].(int64)
		if over := devRates(tier); over != nil && above > 0 {
			over.Above = above
			p.Over = over
		}
	}
	return p
}

func devRates(cost map[string]any) *record.Price {
	rate := func(key string) *record.Rate {
		switch v := cost[key].(type) {
		case int64:
			return exact(strconv.FormatInt(v, 10), 1)
		case float64:
			return exact(strconv.FormatFloat(v, 'f', -1, 64), 1)
		}
		return nil
	}
	if rate("input") == nil {
		return nil
	}
	return &record.Price{
		Input: rate("input"), Output: rate("output"), CacheRead: rate("cache_read"),
		CacheWrite5m: rate("cache_write"), Reasoning: rate("reasoning"),
		InputAudio: rate("input_audio"), OutputAudio: rate("output_audio"),
	}
}

// genaiQuote reads the price of genai-prices, which is in dollars a million.
func genaiQuote(m genaiModel) *record.Price {
	at := func(above int64) *record.Price {
		rate := func(key string) *record.Rate {
			r := m.price[key]
			n := r.Base
			for _, t := range r.Tiers {
				if t.Start <= above {
					n = t.Price
				}
			}
			return exact(n.String(), 1)
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
	for _, r := range m.price {
		for _, t := range r.Tiers {
			starts[t.Start] = true
		}
	}
	chain(p, starts, at)
	return p
}

// chain hangs the prices of ever longer prompts one onto another.
func chain(p *record.Price, starts map[int64]bool, at func(int64) *record.Price) {
	for _, s := range slices.Sorted(maps.Keys(starts)) {
		p.Over = at(s)
		p = p.Over
	}
}

// litellmQuote reads the price of LiteLLM's table, which is in dollars a token.
func litellmQuote(m litellmModel) *record.Price {
	if m == nil {
		return nil
	}
	p := m.rates(0, "")
	if p.Input == nil && p.Image != nil {
		p.Input = new(record.Rate) // nothing is charged for the words
	}
	if p.Input == nil {
		return nil
	}
	p.Search = searchRate(m)
	chain(p, thresholds(m), func(above int64) *record.Price { return m.rates(above, "") })
	p.Priority, p.Flex, p.Batch = m.tier("_priority"), m.tier("_flex"), m.tier("_batches")
	return p
}

// rates reads the rates of prompts of more than so many tokens at a service tier.
func (m litellmModel) rates(above int64, tier string) *record.Price {
	suffix := tier
	if above > 0 {
		suffix = fmt.Sprintf("_above_%dk_tokens%s", above/1000, tier)
	}
	p := &record.Price{
		Above: above,
		Input: m.rate("input_cost_per_token" + suffix), Output: m.rate("output_cost_per_token" + suffix),
		CacheRead:    m.rate("cache_read_input_token_cost" + suffix),
		CacheWrite5m: m.rate("cache_creation_input_token_cost" + suffix),
		CacheWrite1h: m.rate("cache_creation_input_token_cost_above_1hr" + suffix),
		InputAudio:   m.rate("input_cost_per_audio_token" + suffix),
		InputImage:   m.rate("input_cost_per_image_token" + suffix),
		Reasoning:    m.rate("output_cost_per_reasoning_token" + suffix),
		OutputAudio:  m.rate("output_cost_per_audio_token" + suffix),
		OutputImage:  m.rate("output_cost_per_image_token" + suffix),
	}
	if suffix == "" && p.OutputImage == nil && m.text("mode") == "image_generation" {
		p.Image = m.picture()
	}
	return p
}

// tier reads the rates of a service tier; nil where there are none. Where the table leaves a side of them out it
// is as dear as at the standard tier.
func (m litellmModel) tier(suffix string) *record.Price {
	p := m.rates(0, suffix)
	if p.Input == nil || p.Output == nil {
		return nil
	}
	long := map[int64]bool{}
	for above := range thresholds(m) {
		if over := m.rates(above, suffix); over.Input != nil && over.Output != nil {
			long[above] = true
		}
	}
	chain(p, long, func(above int64) *record.Price { return m.rates(above, suffix) })
	return p
}

// thresholds returns the lengths of prompt from which LiteLLM's table has other rates.
func thresholds(m litellmModel) map[int64]bool {
	re := regexp.MustCompile(`^input_cost_per_token_above_(\d+)k_tokens$`)
	out := map[int64]bool{}
	for key := range m {
		if found := re.FindStringSubmatch(key); found != nil && m.rate(key) != nil {
			n, err := strconv.ParseInt(found[1], 10, 32)
			if err == nil {
				out[n*1000] = true
			}
		}
	}
	return out
}

// searchRate returns what a thousand searches cost where that does not depend on how much is read of
// what they find.
func searchRate(m litellmModel) *record.Rate {
	var sizes struct {
		Low    rawNumber `json:"search_context_size_low"`
		Medium rawNumber `json:"search_context_size_medium"`
		High   rawNumber `json:"search_context_size_high"`
	}
	if !decodes(m["search_context_cost_per_query"], &sizes) || sizes.Low != sizes.Medium || sizes.Low != sizes.High {
		return nil
	}
	return exact(string(sizes.Low), 1000)
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
