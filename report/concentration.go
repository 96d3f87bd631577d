package report

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// Concentration says on whom the spending, the tokens and the calls of a time depend.
type Concentration struct {
	From    string     `json:"from"`
	To      string     `json:"to"`
	Of      []Division `json:"of"`
	Largest *Largest   `json:"largest,omitempty"` // of all shares of vendors and hosts; left out where there was no call
}

// Division divides all that was used among the vendors, the hosts or the models.
type Division struct {
	By    string  `json:"by"` // publisher, provider or model
	Parts []Slice `json:"parts"`
	// The Herfindahl-Hirschman index of each measure: the squares of the shares in percent added up, from nearly 0 for
	// many alike to 10,000 for one alone. Over 2,500 is commonly called highly concentrated.
	CostIndex   int `json:"cost_index"`
	TokensIndex int `json:"tokens_index"`
	CallsIndex  int `json:"calls_index"`
}

// Slice is what one of them has. Shares are from 0 to 1.
type Slice struct {
	Name        string  `json:"name"` // "" where it is not known
	Calls       int64   `json:"calls"`
	Tokens      int64   `json:"tokens"`
	CostUSD     string  `json:"cost_usd"`
	CallsShare  float64 `json:"calls_share"`
	TokensShare float64 `json:"tokens_share"`
	CostShare   float64 `json:"cost_share"`

	cost plenum.Micros
}

// Largest is the largest single dependence.
type Largest struct {
	By      string  `json:"by"`
	Name    string  `json:"name"`
	Measure string  `json:"measure"`
	Share   float64 `json:"share"`
}

// Concentrate divides what was used among vendors, hosts and models. Of the query its time and filter count.
func Concentrate(ctx context.Context, s store.Rollups, q Query, now time.Time) (*Concentration, error) {
	var out Concentration
	for _, by := range []string{"publisher", "provider", "model"} {
		one := q
		one.By, one.Per, one.Top, one.Sort = []string{by}, "", 0, Cost
		one.Measures = []string{Calls, Refused, Tokens, Cost}
		r, err := Run(ctx, s, one, now)
		if err != nil {
			return nil, err
		}
		out.From, out.To = r.From, r.To
		d := divide(by, r)
		out.Of = append(out.Of, d)
		if by != "model" {
			out.larger(&d)
		}
	}
	return &out, nil
}

// tokens is how many there are of all classes, leaving out what is not counted in tokens.
func tokens(t *plenum.Tokens) int64 {
	return t.Input + t.CacheRead + t.CacheWrite5m + t.CacheWrite1h + t.InputAudio + t.InputImage +
		t.Output + t.Reasoning + t.OutputAudio + t.OutputImage
}

func divide(by string, r *Report) Division {
	d := Division{By: by, Parts: []Slice{}}
	var calls, all int64
	var cost plenum.Micros
	for i := range r.Lines {
		l := &r.Lines[i]
		p := Slice{Name: l.By[by], Calls: l.Calls - l.Refused, Tokens: tokens(l.Tokens), CostUSD: l.CostUSD, cost: l.cost}
		if p.Calls == 0 && p.Tokens == 0 && p.cost == 0 {
			continue // refused before anybody was asked
		}
		calls, all, cost = calls+p.Calls, all+p.Tokens, cost+p.cost
		d.Parts = append(d.Parts, p)
	}
	var squares [3]float64
	for i := range d.Parts {
		p := &d.Parts[i]
		p.CallsShare, p.TokensShare, p.CostShare = share(p.Calls, calls), share(p.Tokens, all), share(int64(p.cost), int64(cost))
		for n, s := range []float64{p.CostShare, p.TokensShare, p.CallsShare} {
			squares[n] += s * s
		}
	}
	index := func(square float64) int { return int(math.Round(square * 10_000)) }
	d.CostIndex, d.TokensIndex, d.CallsIndex = index(squares[0]), index(squares[1]), index(squares[2])
	slices.SortStableFunc(d.Parts, func(a, b Slice) int { return cmp.Compare(b.cost, a.cost) })
	return d
}

func share(part, all int64) float64 {
	if all == 0 {
		return 0
	}
	return math.Round(float64(part)/float64(all)*1e6) / 1e6
}

// larger notes a share that is larger than those before it.
func (c *Concentration) larger(d *Division) {
	for i := range d.Parts {
		p := &d.Parts[i]
		for _, m := range []struct {
			name  string
			share float64
		}{{Cost, p.CostShare}, {Tokens, p.TokensShare}, {Calls, p.CallsShare}} {
			if p.Name != "" && m.share > 0 && (c.Largest == nil || m.share > c.Largest.Share) {
				c.Largest = &Largest{d.By, p.Name, m.name, m.share}
			}
		}
	}
}
