package catalog

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// Fault is what is wrong with one fact.
type Fault struct {
	Item   string // the entry that it is in, as the text names it: "xai/grok-4.3"
	Field  string // "price.input"; "" where it is the whole entry
	Detail string
}

// Error tells the fault.
func (f Fault) Error() string {
	if f.Field == "" {
		return f.Item + ": " + f.Detail
	}
	return f.Item + ": " + f.Field + " " + f.Detail
}

// Faults are all that is wrong with a set of facts.
type Faults []Fault

// Error tells them one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// The bounds of what is ever charged, in dollars for a million tokens. A rate beyond the first is the rate of a million
// taken for that of a token or a thousand, or a mistake in the decimal point; one below the second is a rate of a
// token taken for that of a million.
const (
	dearest  Rate = 1000 * 1e6
	cheapest Rate = 100
)

// Check reports what is impossible about an offer: prices that nobody charges, days that are none, periods of prices
// that overlap.
func Check(o *Offer) Faults {
	c := checker{item: o.ID}
	if o.Host != "" {
		c.item = o.Host + " " + o.ID
	}
	if o.ID == "" || len(o.ID) > 256 || strings.ContainsFunc(o.ID, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		c.fail("id", "is empty, longer than 256 characters or holds control characters")
	}
	if o.Context < 0 || o.Output < 0 {
		c.fail("context", "is a limit of less than nothing")
	}
	if o.Price != nil {
		c.price("price", o.Price, 0)
		c.periods(o)
	}
	for i := range o.Past {
		c.price(fmt.Sprintf("past[%d]", i), &o.Past[i], 0)
	}
	if l := o.Life; l != nil {
		c.day("lifecycle.available", l.Available)
		c.day("lifecycle.deprecated", l.Deprecated)
		c.day("lifecycle.retires", l.Retires)
		if l.Deprecated != "" && l.Retires != "" && l.Retires < l.Deprecated {
			c.fail("lifecycle.retires", "is before it is deprecated")
		}
		if l.Stage != "" && !regexp.MustCompile(`^(preview|ga|legacy|deprecated|retired)$`).MatchString(string(l.Stage)) {
			c.fail("lifecycle.stage", "is none of preview, ga, legacy, deprecated, retired")
		}
	}
	return c.faults
}

type checker struct {
	item   string
	faults Faults
}

func (c *checker) fail(field, format string, args ...any) {
	c.faults = append(c.faults, Fault{c.item, field, fmt.Sprintf(format, args...)})
}

// deepest bounds how many steps the prices of long prompts have.
const deepest = 16

func (c *checker) price(at string, p *Price, depth int) {
	if p == nil {
		return
	}
	if depth > deepest {
		c.fail(at, "has more than %d steps of longer prompts", deepest)
		return
	}
	for _, r := range rates(p) {
		c.rate(at+"."+r.name, r.rate, r.tokens)
	}
	c.day(at+".since", p.Since)
	c.day(at+".until", p.Until)
	if p.Since != "" && p.Until != "" && p.Until <= p.Since {
		c.fail(at+".until", "is not after since")
	}
	if p.Over != nil && p.Over.Above <= p.Above {
		c.fail(at+".over.above", "is not more than what it is over")
	}
	if p.Hours != nil {
		if p.Hours.From < 0 || p.Hours.From >= 1440 || p.Hours.To < 0 || p.Hours.To > 1440 || p.Hours.Price == nil {
			c.fail(at+".hours", "are no minutes of the day, or have no price")
		}
		c.price(at+".hours.price", p.Hours.Price, depth+1)
	}
	for _, q := range p.Pictures {
		c.rate(at+".pictures", &q.Rate, false)
	}
	c.price(at+".over", p.Over, depth+1)
	c.price(at+".priority", p.Priority, depth+1)
	c.price(at+".flex", p.Flex, depth+1)
	c.price(at+".batch", p.Batch, depth+1)
}

func (c *checker) rate(at string, r *Rate, tokens bool) {
	switch {
	case r == nil:
	case *r < 0:
		c.fail(at, "is less than nothing")
	case tokens && *r > dearest:
		c.fail(at, "is %s dollars for a million, which nobody charges: it is to be for a million tokens here, and %s for one", inDollars(*r), "what LiteLLM's table has is")
	case tokens && *r > 0 && *r < cheapest:
		c.fail(at, "is %s dollars for a million, which nobody charges: a price of one token was taken for that of a million", inDollars(*r))
	case *r > 1e6*dearest:
		c.fail(at, "is %s dollars, which nobody charges", inDollars(*r))
	}
}

// periods reports prices of one offer that would hold at the same time.
func (c *checker) periods(o *Offer) {
	next := o.Price
	for i := range o.Past {
		p := &o.Past[i]
		switch {
		case p.Until == "":
			c.fail(fmt.Sprintf("past[%d].until", i), "is missing: until when did it hold?")
		case next.Since == "":
			c.fail(fmt.Sprintf("past[%d]", i), "held before a price of which it is not said since when it holds")
		case p.Until > next.Since:
			c.fail(fmt.Sprintf("past[%d].until", i), "is %s, and the next price holds since %s: they overlap", p.Until, next.Since)
		}
		next = p
	}
}

func (c *checker) day(at, day string) {
	if day == "" {
		return
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		c.fail(at, "is %q, and no day such as 2026-03-09", clip(day))
	}
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

func inDollars(r Rate) string {
	b, _ := r.MarshalJSON() // it cannot fail
	return string(b)
}

// named is a rate with what it is called.
type named struct {
	name   string
	rate   *Rate
	tokens bool // it is for a million tokens
}

// rates returns all rates of a price by their names.
func rates(p *record.Price) []named {
	return []named{
		{"input", p.Input, true},
		{"output", p.Output, true},
		{"cache_read", p.CacheRead, true},
		{"cache_write_5m", p.CacheWrite5m, true},
		{"cache_write_1h", p.CacheWrite1h, true},
		{"input_audio", p.InputAudio, true},
		{"input_image", p.InputImage, true},
		{"reasoning", p.Reasoning, true},
		{"output_audio", p.OutputAudio, true},
		{"output_image", p.OutputImage, true},
		{"search_thousand", p.Search, false},
		{"image_thousand", p.Image, false},
		{"character", p.Character, false},
		{"second_thousand", p.Second, false},
	}
}
