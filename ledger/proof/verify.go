package proof

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/ledger/anchor"
)

// Fault is what is wrong with an export at a place.
type Fault string

// The faults.
const (
	Changed   Fault = "changed"   // an entry is not what was written
	Removed   Fault = "removed"   // entries are missing in the middle, or at the beginning
	Inserted  Fault = "inserted"  // an entry does not belong there
	Reordered Fault = "reordered" // entries are not in the order in which they were written
	Truncated Fault = "truncated" // the end is missing
	Unproven  Fault = "unproven"  // an anchor does not prove what it says
)

// Finding is one fault.
type Finding struct {
	Fault Fault  `json:"fault"`
	Node  string `json:"node,omitempty"`
	Seq   uint64 `json:"seq,omitempty"`  // of the entry
	Line  int    `json:"line,omitempty"` // of the export
	Why   string `json:"why"`
}

// Report is what Verify found.
type Report struct {
	Entries  int           `json:"entries"`
	Calls    int           `json:"calls"`
	Audits   int           `json:"audits"`
	Heads    []ledger.Head `json:"heads"`
	Anchors  int           `json:"anchors"`            // that hold
	Stamped  *time.Time    `json:"stamped,omitempty"`  // the latest word of a time-stamping authority that holds
	Anchored []ledger.Head `json:"anchored,omitempty"` // the latest of each node that an anchor proves
	Findings []Finding     `json:"findings"`
}

// Options are what an export is held against.
type Options struct {
	Anchors []anchor.Anchored // kept outside
	Roots   *x509.CertPool    // of time-stamping authorities; nil takes any
}

// place is what is remembered of an entry.
type place struct {
	seq, before  uint64
	prior, chain ledger.Sum
	line         int
	takes        bool // it says that its node goes on where another was
	broken       bool // it is not what its own chain says
}

// verifier reads an export.
type verifier struct {
	Report
	nodes   map[string][]place
	order   []string
	anchors []anchor.Anchored
	closing *closing
	opts    Options
}

// Verify reads an export and proves it. An error is of reading alone: what is wrong with the ledger is in the findings.
func Verify(r io.Reader, o Options) (Report, error) {
	v := &verifier{nodes: map[string][]place{}, anchors: slices.Clone(o.Anchors), opts: o, Report: Report{Findings: []Finding{}}}
	if err := v.read(r); err != nil {
		return v.Report, err
	}
	for _, n := range v.order {
		v.node(n)
	}
	v.end()
	for i := range v.anchors {
		v.anchor(&v.anchors[i])
	}
	slices.SortStableFunc(v.Anchored, func(a, b ledger.Head) int { return cmp.Compare(a.Node, b.Node) })
	return v.Report, nil
}

func (v *verifier) find(f Fault, node string, p *place, why string, args ...any) {
	v.Findings = append(v.Findings, Finding{Fault: f, Node: node, Seq: p.seq, Line: p.line, Why: fmt.Sprintf(why, args...)})
}

func (v *verifier) read(r io.Reader) error {
	lines := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		b, err := lines.ReadBytes('\n')
		whole := err == nil
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the export: %w", err)
		}
		if b = bytes.TrimSuffix(b, []byte("\n")); len(b) > 0 {
			if err := v.line(n, b, whole); err != nil {
				return err
			}
		}
		if !whole {
			return nil
		}
	}
}

func (v *verifier) line(n int, b []byte, whole bool) error {
	if n == 1 {
		var o opening
		if err := json.Unmarshal(b, &o); err != nil || o.Version != version {
			return fmt.Errorf("this is no export of a ledger, or one of another version: it does not begin with plenum_ledger %d", version)
		}
		return nil
	}
	if bytes.HasPrefix(b, []byte(`{"end":`)) {
		v.closing = new(closing)
		if err := json.Unmarshal(b, v.closing); err != nil {
			v.closing = nil
		}
		return nil
	}
	var e row
	if err := json.Unmarshal(b, &e); err != nil || e.Node == "" {
		fault, why := Changed, "line %d is no entry"
		if !whole {
			fault, why = Truncated, "the export ends in the middle of line %d"
		}
		v.find(fault, "", &place{line: n}, why, n)
		return nil
	}
	v.entry(n, &e)
	return nil
}

func (v *verifier) entry(n int, r *row) {
	e := ledger.Entry{Node: r.Node, Seq: r.Seq, Kind: r.Kind, Prior: r.Prior, Between: r.Between, Chain: r.Chain, Body: r.Body}
	p := place{seq: e.Seq, before: e.Before(), prior: e.Prior, chain: e.Chain, line: n}
	v.Entries++
	if e.Kind == ledger.KindAudit {
		v.Audits++
	} else {
		v.Calls++
	}
	if p.broken = !e.Verify() || e.Seq <= uint64(len(e.Between)); p.broken {
		v.find(Changed, e.Node, &p, "entry %d of node %s is not what its chain says was written", e.Seq, e.Node)
	} else if e.Kind == ledger.KindAudit {
		v.audit(&p, &e)
	}
	known, seen := v.nodes[e.Node]
	if !seen {
		v.order = append(v.order, e.Node)
	} else if last := &known[len(known)-1]; e.Seq < last.seq {
		v.find(Reordered, e.Node, &p, "entry %d of node %s stands after entry %d", e.Seq, e.Node, last.seq)
	}
	v.nodes[e.Node] = append(known, p)
}

// audit reads what entries of the audit say of the ledger itself.
func (v *verifier) audit(p *place, e *ledger.Entry) {
	a, err := e.Audit()
	if err != nil || a.Noun != "ledger" {
		return
	}
	switch a.Action {
	case ledger.ActionTakeOver:
		p.takes = true
	case ledger.ActionAnchor:
		var kept anchor.Anchored
		if a.Decision == ledger.Allowed && json.Unmarshal(a.After, &kept) == nil && kept.Kind == anchor.KindStamp {
			v.anchors = append(v.anchors, kept) // of the others an entry proves no more than the chain does
		}
	}
}

// node walks the chain of one node.
func (v *verifier) node(name string) {
	all := v.nodes[name]
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(a.seq, b.seq) })
	all = v.strangers(name, all)
	v.nodes[name] = all
	for i := range all {
		p := &all[i]
		if i == 0 {
			if p.before != 0 && !p.takes {
				v.find(Removed, name, p, "the chain of node %s begins with entry %d, which follows line %d: what was before is missing", name, p.seq, p.before)
			}
			continue
		}
		q := &all[i-1]
		switch {
		case p.prior == q.chain && p.before == q.seq:
		case p.before > q.seq:
			v.find(Removed, name, p, "entries of node %s are missing between %d and %d", name, q.seq, p.seq)
		case q.broken || p.broken: // it is told already
		default:
			v.find(Changed, name, q, "entry %d of node %s is not the one that entry %d follows", q.seq, name, p.seq)
		}
	}
	if last := len(all) - 1; last >= 0 {
		v.Heads = append(v.Heads, ledger.Head{Node: name, Seq: all[last].seq, Chain: all[last].chain})
	}
}

// strangers takes out, and tells, entries that are there twice, or in a place that another has to which the next one
// links: what is left should be one chain.
func (v *verifier) strangers(name string, all []place) []place {
	follows := map[ledger.Sum]bool{} // chains that some entry follows
	for i := range all {
		follows[all[i].prior] = true
	}
	out := all[:0:0]
	for i := range all {
		p := all[i]
		if len(out) == 0 {
			out = append(out, p)
			continue
		}
		q := &out[len(out)-1]
		switch {
		case p.seq == q.seq && p.chain == q.chain:
			v.find(Inserted, name, &p, "entry %d of node %s is there twice", p.seq, name)
		case p.before >= q.seq: // after it, however far
			out = append(out, p)
		case follows[p.chain] && !follows[q.chain]: // the one before is the stranger
			v.find(Inserted, name, q, "entry %d of node %s does not belong to its chain", q.seq, name)
			*q = p
		case follows[q.chain] && p.prior == q.chain: // its place is wrong, and what it follows is right
			out = append(out, p)
		default:
			v.find(Inserted, name, &p, "entry %d of node %s does not belong to its chain", p.seq, name)
		}
	}
	return out
}

// end holds the export against what its last line says.
func (v *verifier) end() {
	if v.closing == nil {
		v.find(Truncated, "", &place{}, "the export has no end: lines are missing")
		return
	}
	if n := v.closing.Count; n > v.Entries {
		v.find(Removed, "", &place{}, "the export says that it has %d entries, and has %d", n, v.Entries)
	}
	for _, h := range v.closing.Heads {
		v.holds(&h, "the export's last line")
	}
}

// holds reports whether a head is in the chain of its node, and tells where it is not.
func (v *verifier) holds(h *ledger.Head, who string) bool {
	all := v.nodes[h.Node]
	i, found := slices.BinarySearchFunc(all, h.Seq, func(p place, seq uint64) int { return cmp.Compare(p.seq, seq) })
	switch {
	case found && all[i].chain == h.Chain:
		return true
	case len(all) == 0 || h.Seq > all[len(all)-1].seq:
		v.find(Truncated, h.Node, &place{seq: h.Seq}, "%s knows entry %d of node %s, which is not here: the end is missing", who, h.Seq, h.Node)
	case !found:
		v.find(Removed, h.Node, &place{seq: h.Seq}, "%s knows entry %d of node %s, which is not here", who, h.Seq, h.Node)
	default:
		v.find(Changed, h.Node, &all[i], "%s knows entry %d of node %s as another one: something up to there was changed, and the chain made anew", who, h.Seq, h.Node)
	}
	return false
}

// anchor holds the export against an anchor.
func (v *verifier) anchor(a *anchor.Anchored) {
	who := fmt.Sprintf("an anchor (%s) of %s", a.Kind, time.UnixMicro(a.Time).UTC().Format(time.RFC3339))
	if a.Kind == anchor.KindStamp {
		at, err := a.Stamped(v.opts.Roots)
		if err != nil {
			v.find(Unproven, a.Node, &place{seq: a.Seq}, "%s: %v", who, err)
			return
		}
		who = "a time-stamp of " + at.UTC().Format(time.RFC3339)
		if at = at.UTC(); v.Stamped == nil || at.After(*v.Stamped) {
			v.Stamped = &at
		}
	}
	if !v.holds(&a.Head, who) {
		return
	}
	v.Anchors++
	for i := range v.Anchored {
		if h := &v.Anchored[i]; h.Node == a.Node {
			if a.Seq > h.Seq {
				*h = a.Head
			}
			return
		}
	}
	v.Anchored = append(v.Anchored, a.Head)
}
