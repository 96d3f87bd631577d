package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/policy"
	"github.com/plenum-foundry/plenum/store"
)

// Exit says who goes away in a drill: a vendor with its models, or a host with all that it serves.
type Exit struct {
	Vendor string // a publisher
	Host   string // a provider or a connection
	store.Filter
	Most int // calls to look at, the latest first
}

// Drill is what would have happened without a vendor or a host.
type Drill struct {
	Without    string `json:"without"`
	From       string `json:"from"` // of the calls that were looked at
	To         string `json:"to"`
	Calls      int    `json:"calls"`
	More       bool   `json:"more"`       // there are more calls in that time than were looked at
	Unaffected int    `json:"unaffected"` // were not answered by those who go
	Moved      int    `json:"moved"`
	Stranded   int    `json:"stranded"`
	// The cost of the calls that would have moved: as it was, and as it would have been. Unpriced are those of which one
	// of the two is not known; they count in neither.
	CostUSD    string   `json:"cost_usd"`
	InsteadUSD string   `json:"instead_usd"`
	Unpriced   int      `json:"unpriced"`
	Ways       []Way    `json:"ways"`
	Unknown    []string `json:"unknown"` // what records cannot tell
}

// Way is where calls of a deployment would have gone; or nowhere, and why.
type Way struct {
	Deployment string `json:"deployment"`
	From       string `json:"from"`
	To         string `json:"to,omitempty"`
	Why        string `json:"why,omitempty"` // nobody would have served them
	Calls      int    `json:"calls"`
	CostUSD    string `json:"cost_usd"`
	InsteadUSD string `json:"instead_usd,omitempty"` // of those whose price is known
	Last       string `json:"last_call"`
}

// notTold are what the records do not say.
func notTold() []string {
	return []string{
		"whether the calls used tools, a schema, images or documents beyond what their usage shows: the content of calls is not on record",
		"how good the other model's answers would have been, and how many tokens it would have taken: those of the call are assumed, and what it read from a cache is priced as if it were not in the other one",
		"whether the others would have had the capacity: their rate limits at that time are not on record",
		"which of several targets a strategy would have chosen: the first that could is taken, in the order of priority (the cheapest where the strategy is cost)",
	}
}

// Declared is what deployments there are, and who callers are.
type Declared interface {
	Deployment(name string) (*plenum.Deployment, bool)
	Caller(p plenum.Principal) plenum.Principal
}

// Rehearse takes the calls of a time and the deployments and policies of now, and says which target would have served
// each if a vendor or a host were not there. A nil set of policies allows everything.
func Rehearse(ctx context.Context, s store.Records, now Declared, set *policy.Set, x Exit) (*Drill, error) {
	if (x.Vendor == "") == (x.Host == "") {
		return nil, mistake("say who goes: a vendor or a host")
	}
	d := &drill{exit: &x, declared: now, set: set, ways: map[Way]*way{}}
	d.out = Drill{Without: x.Vendor + x.Host, Ways: []Way{}, Unknown: notTold()}
	err := store.Each(ctx, s, x.Filter, func(r *plenum.Record) bool {
		if d.out.Calls >= x.Most {
			d.out.More = true
			return false
		}
		d.judge(r)
		return true
	})
	return d.report(), err
}

type drill struct {
	exit     *Exit
	declared Declared
	set      *policy.Set
	out      Drill
	ways     map[Way]*way

	first, last   int64
	cost, instead plenum.Micros
}

// way adds up the calls of a Way.
type way struct {
	calls         int
	cost, instead plenum.Micros
	priced        bool
	last          string
}

// judge says of one call where it would have gone.
func (d *drill) judge(r *plenum.Record) {
	if r.Target == "" {
		return // nobody answered it
	}
	d.out.Calls++
	if d.last == 0 {
		d.last = r.Start
	}
	d.first = r.Start
	dep, known := d.declared.Deployment(r.Deployment)
	if !d.left(r, dep) {
		d.out.Unaffected++
		return
	}
	if !known {
		d.note(r, Way{Why: "the deployment is not declared any more"}, nil)
		return
	}
	offer, why := d.fallback(r, dep)
	if offer == nil {
		d.note(r, Way{Why: why}, nil)
		return
	}
	d.note(r, Way{To: offer.ID}, offer)
}

// left reports whether a call was answered by those who go.
func (d *drill) left(r *plenum.Record, dep *plenum.Deployment) bool {
	i := slices.IndexFunc(r.Attempts, func(a plenum.Attempt) bool { return a.Won })
	if i < 0 {
		return false
	}
	a := &r.Attempts[i]
	o := plenum.Offer{ID: a.Target, Provider: a.Provider, Model: a.Model, Connection: connection(a)}
	if dep != nil && o.Model == "" {
		for t := range dep.Targets {
			if dep.Targets[t].Offer.ID == a.Target {
				o.Model = dep.Targets[t].Offer.Model
			}
		}
	}
	return d.goes(&o)
}

func connection(a *plenum.Attempt) string {
	return strings.TrimSuffix(strings.TrimSuffix(a.Target, a.Upstream), "/")
}

// goes reports whether an offer is of those who go.
func (d *drill) goes(o *plenum.Offer) bool {
	if d.exit.Host != "" {
		return o.Provider == d.exit.Host || o.Connection == d.exit.Host
	}
	publisher, _, _ := strings.Cut(o.Model, "/")
	return publisher == d.exit.Vendor || o.Model == "" && o.Provider == d.exit.Vendor
}

// fallback finds the target that would have served a call, or says why none would.
func (d *drill) fallback(r *plenum.Record, dep *plenum.Deployment) (*plenum.Offer, string) {
	var whys []string
	for _, t := range ordered(dep, r) {
		o := &t.Offer
		if d.goes(o) {
			continue
		}
		why := d.refusal(r, dep, o)
		if why == "" {
			return o, ""
		}
		if why = o.ID + ": " + why; !slices.Contains(whys, why) {
			whys = append(whys, why)
		}
	}
	if len(whys) == 0 {
		return nil, "there is no other target"
	}
	return nil, strings.Join(whys, "; ")
}

// ordered returns the targets in the order in which they are tried.
func ordered(dep *plenum.Deployment, r *plenum.Record) []plenum.Target {
	out := slices.Clone(dep.Targets)
	slices.SortStableFunc(out, func(a, b plenum.Target) int {
		if dep.Strategy == plenum.Cost {
			ca, _ := price(r, &a.Offer)
			cb, _ := price(r, &b.Offer)
			return cmp.Compare(ca, cb)
		}
		return cmp.Compare(a.Priority, b.Priority)
	})
	return out
}

// refusal says why an offer would not have served a call; "" where nothing is known against it.
func (d *drill) refusal(r *plenum.Record, dep *plenum.Deployment, o *plenum.Offer) string {
	u := &r.Usage
	c := &o.Traits.Capabilities
	for _, x := range []struct {
		needed bool
		has    plenum.Tri
		what   string
	}{
		{r.Stream, c.Streaming, "streaming"},
		{u.InputImage > 0, c.Images, "images"},
		{u.InputAudio > 0, c.Audio, "sound"},
	} {
		if x.needed && x.has == plenum.No {
			return "capability: it has no " + x.what
		}
	}
	in := u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite1h + u.InputAudio + u.InputImage
	out := u.Output + u.Reasoning + u.OutputAudio + u.OutputImage
	generates := r.Op == llm.OpGenerate || r.Op == ""
	switch {
	case o.Context > 0 && in+out > int64(o.Context):
		return fmt.Sprintf("context: it takes %d tokens at most", o.Context)
	case generates && o.MaxOutput > 0 && out > int64(o.MaxOutput):
		return fmt.Sprintf("output: it writes %d tokens at most", o.MaxOutput)
	}
	who := d.declared.Caller(plenum.Principal{KeyID: r.KeyID, Project: r.Project, Member: r.Member})
	decision := d.set.Decide(&policy.Request{
		Action: policy.Use, Who: &who, Op: r.Op, Dialect: r.Dialect, Stream: r.Stream, Source: r.Remote,
		Time: time.UnixMicro(r.Start), Deployment: dep, Offer: o,
	})
	if !decision.Allowed {
		if rule := decision.Rule(); rule != nil {
			return "policy: " + rule.Name + " forbids it"
		}
		return "policy: none permits it"
	}
	return ""
}

// price returns what a call's usage costs at an offer on standard terms.
func price(r *plenum.Record, o *plenum.Offer) (plenum.Micros, bool) {
	if !o.Price.Known {
		return 0, false
	}
	u := &r.Usage
	p := o.Price.For(plenum.Terms{At: time.UnixMicro(r.Start)})
	usage := llm.Usage{
		InputAudio: u.InputAudio, InputImage: u.InputImage, Output: u.Output, Reasoning: u.Reasoning, OutputAudio: u.OutputAudio,
		OutputImage: u.OutputImage, Searches: u.Searches, Images: u.Images, Characters: u.Characters, Seconds: u.Seconds,
		// Nothing is in the other's cache, of which nobody knows.
		Input: u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite1h,
	}
	return p.Cost(usage), true
}

// note counts a call with those like it.
func (d *drill) note(r *plenum.Record, key Way, o *plenum.Offer) {
	key.Deployment, key.From = r.Deployment, r.Target
	w := d.ways[key]
	if w == nil {
		w = &way{last: r.ID}
		d.ways[key] = w
	}
	w.calls++
	w.cost += r.Cost
	if o == nil {
		d.out.Stranded++
		return
	}
	d.out.Moved++
	instead, ok := price(r, o)
	if !ok || !r.Priced {
		d.out.Unpriced++
		return
	}
	w.instead += instead
	w.priced = true
	d.cost += r.Cost
	d.instead += instead
}

func (d *drill) report() *Drill {
	out := &d.out
	for key, w := range d.ways {
		key.Calls, key.CostUSD, key.Last = w.calls, w.cost.String(), w.last
		if w.priced {
			key.InsteadUSD = w.instead.String()
		}
		out.Ways = append(out.Ways, key)
	}
	slices.SortFunc(out.Ways, func(a, b Way) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Deployment+a.From+a.To+a.Why, b.Deployment+b.From+b.To+b.Why))
	})
	out.CostUSD, out.InsteadUSD = d.cost.String(), d.instead.String()
	if d.last != 0 {
		out.From, out.To = time.UnixMicro(d.first).UTC().Format(time.RFC3339), time.UnixMicro(d.last).UTC().Format(time.RFC3339)
	}
	return out
}
