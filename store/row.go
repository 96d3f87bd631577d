package store

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/tidwall/gjson"
)

// hour is an hour in microseconds.
const hour = int64(3600e6)

// hourOf returns the hour of a time in Unix microseconds.
func hourOf(us int64) int64 { return us / hour }

// Row is an entry of the ledger with the values that a store finds it again by.
type Row struct {
	Body       string
	Links      []byte // the entry's Prior and Between; see Entry
	Node       string
	Seq        uint64
	Kind       string // of the entry: "" is a call
	Chain      []byte
	ID         string
	Start      int64
	Project    string
	KeyID      string         // of an entry of the audit, its actor
	Deployment string         // of an entry of the audit, its noun
	Outcome    plenum.Outcome // of an entry of the audit, its decision
	Sum        Sum            // of this one call
	Shares     []MixShare     // the same, by what it has to do with
	Charges    []plenum.Charge
}

// RowOf makes the row of an entry. It reads the few members that it needs and no more: decoding whole
// records costs several times as much as storing them.
func RowOf(e *ledger.Entry) Row {
	r := Row{Body: string(e.Body), Node: e.Node, Seq: e.Seq, Chain: e.Chain[:]}
	if e.Kind != ledger.KindCall {
		r.Kind = e.Kind
	}
	r.Links = append(r.Links, e.Prior[:]...)
	for i := range e.Between {
		r.Links = append(r.Links, e.Between[i][:]...)
	}
	if r.Audit() {
		r.readAudit()
	} else {
		r.read()
	}
	return r
}

// Audit reports whether the row is of the audit, and so not of a call.
func (r *Row) Audit() bool { return r.Kind == ledger.KindAudit }

// readAudit fills in what the body of an entry of the audit says.
func (r *Row) readAudit() {
	gjson.Parse(r.Body).ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "actor":
			r.KeyID = v.Str
		case "noun":
			r.Deployment = v.Str
		case "decision":
			r.Outcome = plenum.Outcome(v.Str)
		case "charges":
			r.Charges = chargesOf(v)
		default:
			r.readCommon(name.Str, v)
		}
		return true
	})
}

// readCommon fills in what calls and entries of the audit say alike.
func (r *Row) readCommon(name string, v gjson.Result) {
	switch name {
	case "id":
		r.ID = v.Str
	case "start_us":
		r.Start = v.Int()
	case "project":
		r.Project = v.Str
	}
}

// read fills in what the body says.
func (r *Row) read() {
	priced := false
	r.Sum = Sum{Calls: 1}
	var mix Mix
	var end int64
	var tries []tried
	gjson.Parse(r.Body).ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "key":
			r.KeyID = v.Str
		case "deployment":
			r.Deployment = v.Str
		case "outcome":
			r.Outcome = plenum.Outcome(v.Str)
		case "usage":
			r.Sum.Tokens = tokensOf(v)
		case "cost_micros":
			r.Sum.Cost = plenum.Micros(v.Int())
		case "priced":
			priced = v.Bool()
		case "estimated":
			r.Sum.Estimated = 1
		case "charges":
			r.Charges = chargesOf(v)
		case "end_us":
			end = v.Int()
		case "member":
			mix.Member = text(v)
		case "tags":
			mix.Tags = text(v)
		case "op":
			mix.Op = text(v)
		case "dialect":
			mix.Dialect = text(v)
		case "attempts":
			v.ForEach(func(_, v gjson.Result) bool {
				tries = append(tries, triedOf(v))
				return true
			})
		default:
			r.readCommon(name.Str, v)
		}
		return true
	})
	if !priced && r.Sum.Tokens != (plenum.Tokens{}) {
		r.Sum.Unpriced = 1
	}
	if r.Outcome == plenum.OutcomeError || r.Lost() {
		r.Sum.Errors = 1
	}
	mix.Project, mix.Key, mix.Deployment = cleaned(r.Project), cleaned(r.KeyID), cleaned(r.Deployment)
	r.setShares(mix, end, tries)
}

// chargesOf reads what was spent of accounts.
func chargesOf(list gjson.Result) (out []plenum.Charge) {
	list.ForEach(func(_, v gjson.Result) bool {
		out = append(out, plenum.Charge{Account: v.Get("account").Str, Slot: v.Get("slot").Int(), Amount: v.Get("amount").Int()})
		return true
	})
	return out
}

// tokensOf reads a usage.
func tokensOf(usage gjson.Result) plenum.Tokens {
	var t plenum.Tokens
	usage.ForEach(func(name, v gjson.Result) bool {
		switch n := v.Int(); name.Str {
		case "input":
			t.Input = n
		case "cache_read":
			t.CacheRead = n
		case "cache_write_5m":
			t.CacheWrite5m = n
		case "cache_write_1h":
			t.CacheWrite1h = n
		case "input_audio":
			t.InputAudio = n
		case "input_image":
			t.InputImage = n
		case "output":
			t.Output = n
		case "reasoning":
			t.Reasoning = n
		case "output_audio":
			t.OutputAudio = n
		case "output_image":
			t.OutputImage = n
		case "searches":
			t.Searches = n
		case "images":
			t.Images = n
		case "characters":
			t.Characters = n
		case "seconds":
			t.Seconds = n
		}
		return true
	})
	return t
}

// Lost reports whether the record is an estimate made after a crash.
func (r *Row) Lost() bool { return r.Outcome == plenum.OutcomeLost }

// Entry makes the entry of a row again, from Node, Seq, Kind, Chain, Links and Body.
func (r *Row) Entry() ledger.Entry {
	e := ledger.Entry{Node: r.Node, Seq: r.Seq, Kind: cmp.Or(r.Kind, ledger.KindCall), Body: []byte(r.Body)}
	copy(e.Chain[:], r.Chain)
	links := r.Links[copy(e.Prior[:], r.Links):]
	for len(links) > 0 {
		var s ledger.Sum
		links = links[copy(s[:], links):]
		e.Between = append(e.Between, s)
	}
	return e
}

// Bucket is what usage is kept by.
type Bucket struct {
	Hour       int64 // since 1970
	Project    string
	KeyID      string
	Deployment string
}

// Tally gathers what a batch of calls adds to the usage, and to what was spent of accounts.
type Tally struct {
	usage   map[Bucket]*Sum
	charges map[place]int64
	rolls   rolls
}

// place is where a charge is added up: an account, and a slot of its window.
type place struct {
	account string
	slot    int64
}

// Add counts a call. Entries of the audit are no calls: only what they charge counts.
func (t *Tally) Add(r *Row) {
	if !r.Audit() {
		t.count(r, 1)
		return
	}
	if len(r.Charges) > 0 && t.charges == nil {
		t.usage, t.charges, t.rolls = map[Bucket]*Sum{}, map[place]int64{}, rolls{}
	}
	t.charge(r, 1)
}

// Remove takes a call out again.
func (t *Tally) Remove(r *Row) { t.count(r, -1) }

// count counts a call n times.
func (t *Tally) count(r *Row, n int64) {
	if t.usage == nil {
		t.usage, t.charges, t.rolls = map[Bucket]*Sum{}, map[place]int64{}, rolls{}
	}
	t.rolls.count(r, n)
	b := Bucket{hourOf(r.Start), r.Project, r.KeyID, r.Deployment}
	s := t.usage[b]
	if s == nil {
		s = new(Sum)
		t.usage[b] = s
	}
	s.add(&r.Sum, n)
	t.charge(r, n)
}

// charge adds up what a call or an entry of the audit charged, n times.
func (t *Tally) charge(r *Row, n int64) {
	for _, c := range r.Charges {
		t.charges[place{c.Account, c.Slot}] += n * c.Amount
	}
}

// All ranges over the usage in one order for everybody, so that nodes that write at once do not lock
// each other out.
func (t *Tally) All() iter.Seq2[Bucket, *Sum] {
	buckets := slices.SortedFunc(maps.Keys(t.usage), func(a, b Bucket) int {
		return cmp.Or(cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Project, b.Project),
			cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.Deployment, b.Deployment))
	})
	return func(yield func(Bucket, *Sum) bool) {
		for _, b := range buckets {
			if !yield(b, t.usage[b]) {
				return
			}
		}
	}
}

// Charges returns what was spent of accounts, in one order for everybody.
func (t *Tally) Charges() []plenum.Charge {
	out := make([]plenum.Charge, 0, len(t.charges))
	for p, n := range t.charges {
		out = append(out, plenum.Charge{Account: p.account, Slot: p.slot, Amount: n})
	}
	slices.SortFunc(out, func(a, b plenum.Charge) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Slot, b.Slot))
	})
	return out
}
