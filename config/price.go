package config

import (
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// over puts a declared price into one that is not known yet. A class that is left out costs what the
// plain class of its side does, so that nothing passes for free by oversight.
func (p *Price) over(out *plenum.Price) {
	if p == nil {
		return
	}
	base := TierPrice{Input: p.Input, Output: p.Output, CacheRead: p.CacheRead, CacheWrite5m: p.CacheWrite5m, CacheWrite1h: p.CacheWrite1h}
	*out = *base.price()
	in, written := out.Input, out.Output
	out.InputAudio, out.InputImage = rateOr(p.InputAudio, in), rateOr(p.InputImage, in)
	out.Reasoning = rateOr(p.Reasoning, written)
	out.OutputAudio, out.OutputImage = rateOr(p.OutputAudio, written), rateOr(p.OutputImage, written)
	p.units(out)
	if p.Long != nil {
		out.Above, out.Over = int64(p.Long.Above), p.more(&p.Long.Price)
	}
	tiers := plenum.Tiers{Priority: p.more(p.Priority), Flex: p.more(p.Flex), Batch: p.more(p.Batch)}
	if tiers != (plenum.Tiers{}) {
		out.Tiers = &tiers
	}
	if h := p.Hours; h != nil {
		from, _ := minuteOf(h.From) // checked before
		to, _ := minuteOf(h.To)
		out.Hours = &plenum.Hours{From: from, To: to, Price: p.more(&h.Price)}
	}
	if len(p.Pictures) > 0 {
		out.Pictures = &plenum.Pictures{}
		for _, l := range p.Pictures {
			out.Pictures.List = append(out.Pictures.List, plenum.Picture{Quality: l.Quality, Size: l.Size, Rate: rateOr(l.Rate, 0)})
		}
	}
}

// units enters what is not counted in tokens.
func (p *Price) units(out *plenum.Price) {
	out.Search, out.Image = rateOr(p.Search, 0), rateOr(p.Image, 0)
	out.Character, out.Second = rateOr(p.Character, 0), rateOr(p.Second, 0)
}

// more returns the price on other terms, which charge for other units than tokens what the standard ones do.
func (p *Price) more(t *TierPrice) *plenum.Price {
	if t == nil {
		return nil
	}
	out := t.price()
	p.units(out)
	return out
}

// price returns the whole price of tokens.
func (t *TierPrice) price() *plenum.Price {
	in, written := rateOr(t.Input, 0), rateOr(t.Output, 0)
	short := rateOr(t.CacheWrite5m, in)
	return &plenum.Price{
		Known: true, Source: "configuration",
		Input: in, CacheRead: rateOr(t.CacheRead, in), CacheWrite5m: short, CacheWrite1h: rateOr(t.CacheWrite1h, short),
		InputAudio: in, InputImage: in,
		Output: written, Reasoning: written, OutputAudio: written, OutputImage: written,
	}
}

func rateOr(r *plenum.Rate, otherwise plenum.Rate) plenum.Rate {
	if r != nil {
		return *r
	}
	return otherwise
}

// minuteOf reads a time of the day as a minute of it.
func minuteOf(s string) (int, error) {
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err
}
