package store

import (
	"strings"

	"github.com/plenum-foundry/plenum"
	"github.com/tidwall/gjson"
)

// MixShare is what a call adds to the sums of a mix.
type MixShare struct {
	Mix   Mix
	Share Share
}

// tried is what the rollups need of an attempt.
type tried struct {
	target, provider, upstream, model, region string
	won                                       bool
	tokens                                    plenum.Tokens
	cost                                      plenum.Micros
	costs                                     plenum.Costs
}

func triedOf(v gjson.Result) (t tried) {
	v.ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "target":
			t.target = text(v)
		case "provider":
			t.provider = text(v)
		case "upstream":
			t.upstream = text(v)
		case "model":
			t.model = text(v)
		case "region":
			t.region = text(v)
		case "won":
			t.won = v.Bool()
		case "usage":
			t.tokens = tokensOf(v)
		case "cost_micros":
			t.cost = plenum.Micros(v.Int())
		case "costs":
			t.costs = plenum.Costs(tokensOf(v))
		}
		return true
	})
	return t
}

// text is a string that every database can keep.
func text(v gjson.Result) string { return cleaned(v.Str) }

func cleaned(s string) string { return strings.ReplaceAll(s, "\x00", "\ufffd") }

// setShares divides a call among the mixes that it is summed under. The call itself counts where it ended: at the
// target that answered, or else at the last that was tried. What each attempt consumed counts at that attempt's target.
// What is left of the call's sums stays with the call, so that the parts add up to it whatever the record says.
func (r *Row) setShares(m Mix, end int64, tries []tried) {
	own := Share{Sum: r.Sum}
	switch {
	case r.Outcome == plenum.OutcomeRefused:
		own.Refused = 1
	case end > r.Start:
		own.Took[bucketOf(end-r.Start)] = 1
	}
	ended := len(tries) - 1
	for i := range tries {
		if tries[i].won {
			ended = i
		}
	}
	parts := make([]MixShare, 0, max(1, len(tries)))
	for i := range tries {
		a := &tries[i]
		at := m
		at.Target, at.Provider, at.Upstream, at.Model, at.Region = a.target, a.provider, a.upstream, a.model, a.region
		p := Share{Sum: Sum{Tokens: a.tokens, Cost: a.cost}, Costs: a.costs}
		own.add(&p, -1)
		own.Costs = plenum.Costs{}
		if a.cost != 0 || a.tokens != (plenum.Tokens{}) {
			p.Attempts = 1
		}
		parts = append(parts, MixShare{at, p})
	}
	if ended < 0 {
		parts = append(parts, MixShare{Mix: m})
		ended = 0
	}
	parts[ended].Share.add(&own, 1)
	r.Shares = parts
}

// RowOfRecord makes what the sums need of a call that has no entry in the ledger.
func RowOfRecord(c *plenum.Record) Row {
	r := Row{
		ID: c.ID, Start: c.Start, Project: c.Project, KeyID: c.KeyID, Deployment: c.Deployment, Outcome: c.Outcome,
		Sum: Sum{Calls: 1, Cost: c.Cost, Tokens: c.Usage}, Charges: c.Charges,
	}
	if c.Outcome == plenum.OutcomeError || r.Lost() {
		r.Sum.Errors = 1
	}
	if c.Estimated {
		r.Sum.Estimated = 1
	}
	if !c.Priced && c.Usage != (plenum.Tokens{}) {
		r.Sum.Unpriced = 1
	}
	tries := make([]tried, 0, len(c.Attempts))
	for i := range c.Attempts {
		a := &c.Attempts[i]
		tries = append(tries, tried{a.Target, a.Provider, a.Upstream, a.Model, a.Region, a.Won, a.Usage, a.Cost, a.Costs})
	}
	r.setShares(Mix{
		Project: cleaned(c.Project), Member: cleaned(c.Member), Key: cleaned(c.KeyID), Deployment: cleaned(c.Deployment),
		Op: string(c.Op), Dialect: c.Dialect, Tags: c.Tags,
	}, c.End, tries)
	return r
}
