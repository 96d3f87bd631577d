package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/report"
)

// won is a call that an offer answered.
func won(id string, o offer, deployment string, tokens plenum.Tokens) plenum.Record {
	r := plenum.Record{ID: id, Start: now().Add(-1e9).UnixMicro(), End: now().UnixMicro(), Project: "web", KeyID: "k", Op: "generate", Deployment: deployment, Outcome: plenum.OutcomeOK}
	a := attempt(o, 1, tokens)
	a.Won = true
	r.Add(a)
	r.Target = o.target
	return r
}

func TestHowConcentratedItIs(t *testing.T) {
	o := offers()
	refused := plenum.Record{ID: "r", Start: now().UnixMicro(), Outcome: plenum.OutcomeRefused}
	s := keep(t, []plenum.Record{
		won("a", o[0], "d", plenum.Tokens{Input: 1_000_000}), won("b", o[1], "d", plenum.Tokens{Input: 1_000_000}),
		won("c", o[2], "d", plenum.Tokens{Input: 2_000_000}), won("e", o[2], "d", plenum.Tokens{Input: 4_000_000}), refused,
	})
	c, err := report.Concentrate(t.Context(), s, report.Query{}, now())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]any{}
	for _, d := range c.Of {
		got[d.By] = []any{len(d.Parts), d.Parts[0].Name, d.Parts[0].CostUSD, d.Parts[0].CostShare, d.Parts[0].CallsShare, d.CostIndex, d.CallsIndex}
	}
	want := map[string][]any{
		"publisher": {2, "anthropic", "15.000000", 0.75, 0.5, 6250, 5000},
		"provider":  {3, "anthropic", "15.000000", 0.75, 0.5, 5938, 3750},
		"model":     {2, "anthropic/claude-sonnet-4-5", "15.000000", 0.75, 0.5, 6250, 5000},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if l := (report.Largest{By: "publisher", Name: "anthropic", Measure: report.Cost, Share: 0.75}); c.Largest == nil || *c.Largest != l {
		t.Errorf("the largest dependence is %+v", c.Largest)
	}
	none, err := report.Concentrate(t.Context(), keep(t, nil), report.Query{}, now())
	if err != nil || none.Largest != nil || none.Of[0].CostIndex != 0 {
		t.Errorf("of nothing: %+v, %v", none, err)
	}
}

// declared are deployments by name; callers are who they say.
type declared map[string]*plenum.Deployment

func (d declared) Deployment(name string) (*plenum.Deployment, bool) {
	dep, ok := d[name]
	return dep, ok
}

func (d declared) Caller(p plenum.Principal) plenum.Principal { return p }

func TestAVendorGoesAway(t *testing.T) {
	o := offers()
	target := func(o offer, priority int) plenum.Target {
		return plenum.Target{Priority: priority, Offer: plenum.Offer{
			ID: o.target, Provider: o.provider, Connection: strings.TrimSuffix(o.target, "/"+o.upstream), Upstream: o.upstream, Model: o.model,
			Price: plenum.Price{Known: true, Input: 3_000_000, Output: 15_000_000},
		}}
	}
	small, blind, unknown := target(o[3], 2), target(o[4], 1), target(o[2], 3)
	small.Offer.Context = 10_000
	blind.Offer.Traits.Capabilities.Images = plenum.No
	unknown.Offer.Price = plenum.Price{}
	snap := declared(map[string]*plenum.Deployment{
		"many": {Name: "many", Targets: []plenum.Target{target(o[0], 0), target(o[1], 0), small, blind}},
		"one":  {Name: "one", Targets: []plenum.Target{target(o[0], 0), target(o[1], 1)}},
		"dear": {Name: "dear", Targets: []plenum.Target{target(o[0], 0), unknown}},
	})
	s := keep(t, []plenum.Record{
		won("a", o[0], "many", plenum.Tokens{Input: 1000, CacheRead: 1000, Output: 100}),
		won("b", o[1], "many", plenum.Tokens{Input: 1000, InputImage: 100}),
		won("c", o[0], "many", plenum.Tokens{Input: 20_000, InputImage: 1}),
		won("d", o[0], "one", plenum.Tokens{Input: 1000}),
		won("e", o[0], "dear", plenum.Tokens{Input: 1000}),
		won("f", o[0], "gone", plenum.Tokens{Input: 1000}),
		won("g", o[2], "many", plenum.Tokens{Input: 1000}),
		{ID: "h", Start: now().UnixMicro(), Outcome: plenum.OutcomeRefused, Deployment: "many"},
	})
	d, err := report.Rehearse(t.Context(), s, snap, nil, report.Exit{Vendor: "openai", Most: 100})
	if err != nil {
		t.Fatal(err)
	}
	if d.Calls != 7 || d.Moved != 3 || d.Stranded != 3 || d.Unaffected != 1 || d.Unpriced != 1 || d.More || len(d.Unknown) == 0 {
		t.Errorf("%+v", d)
	}
	got := map[string]string{}
	for _, w := range d.Ways {
		got[w.Last] = w.Deployment + " " + w.From + " -> " + w.To + w.Why + " " + w.InsteadUSD
	}
	want := map[string]string{
		"a": "many oai/gpt-4o -> home/qwen 0.007500",
		"b": "many az/our-gpt -> bed/sonnet 0.003000",
		"c": "many oai/gpt-4o -> home/qwen: capability: it has no images; bed/sonnet: context: it takes 10000 tokens at most ",
		"d": "one oai/gpt-4o -> there is no other target ",
		"e": "dear oai/gpt-4o -> claude/sonnet ",
		"f": "gone oai/gpt-4o -> the deployment is not declared any more ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	host, err := report.Rehearse(t.Context(), s, snap, nil, report.Exit{Host: "azure", Most: 100})
	if err != nil || host.Moved != 1 || host.Stranded != 0 || host.Unaffected != 6 {
		t.Errorf("without a host: %+v, %v", host, err)
	}
	few, err := report.Rehearse(t.Context(), s, snap, nil, report.Exit{Host: "azure", Most: 3})
	if err != nil || few.Calls != 3 || !few.More {
		t.Errorf("of a few calls: %+v, %v", few, err)
	}
	if _, err := report.Rehearse(t.Context(), s, snap, nil, report.Exit{Most: 3}); err == nil {
		t.Error("nobody goes, and that is a drill")
	}
}
