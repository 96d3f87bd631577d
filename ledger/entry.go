package ledger

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// Begin is what is known of a call when the first byte of its answer is about to go out. It is kept
// small: its one use is to settle the call should the node die before the end is written.
type Begin struct {
	ID         string `json:"id"`
	Parent     string `json:"parent,omitempty"`
	Start      int64  `json:"start_us"` // Unix microseconds
	Op         llm.Op `json:"op,omitempty"`
	Dialect    string `json:"dialect,omitempty"`
	KeyID      string `json:"key,omitempty"`
	Project    string `json:"project,omitempty"`
	Deployment string `json:"deployment,omitempty"`
	Target     string `json:"target,omitempty"`
	Stream     bool   `json:"stream,omitempty"`
	// Held is what budgets hold for the call so far, and Charges of which accounts.
	Held    plenum.Micros   `json:"held_micros,omitempty"`
	Charges []plenum.Charge `json:"charges,omitempty"`
}

// BeginOf takes from a record what a Begin keeps.
func BeginOf(r *plenum.Record) Begin {
	return Begin{
		ID: r.ID, Parent: r.Parent, Start: r.Start, Op: r.Op, Dialect: r.Dialect, KeyID: r.KeyID,
		Project: r.Project, Deployment: r.Deployment, Target: r.Target, Stream: r.Stream,
		Held: r.Held, Charges: r.HeldOf,
	}
}

// Lost is the record of a call that was begun and never ended: what is known of it, marked as an
// estimate. What was held for it when it began is taken for what it cost, and charged. It is the default for Options.Settle.
func Lost(b Begin) plenum.Record {
	return plenum.Record{
		ID: b.ID, Parent: b.Parent, Start: b.Start, Op: b.Op, Dialect: b.Dialect, KeyID: b.KeyID,
		Project: b.Project, Deployment: b.Deployment, Target: b.Target, Stream: b.Stream,
		Outcome: plenum.OutcomeLost, ErrorKind: llm.Internal,
		Error: "the node stopped before the call ended", Estimated: true,
		Cost: b.Held, Priced: b.Held > 0, Charges: b.Charges,
	}
}

// Sum is a SHA-256.
type Sum [32]byte

// String returns the sum in hexadecimal.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// The kinds of entries.
const (
	KindCall  = string(kindEnd)   // the end of a call: its body is a [plenum.Record]
	KindAudit = string(kindAudit) // its body is an [Audit]
)

// MarshalText implements [encoding.TextMarshaler].
func (s Sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Sum) UnmarshalText(b []byte) error {
	if len(b) != 2*len(s) {
		return errors.New("a sum has 64 hexadecimal digits")
	}
	_, err := hex.Decode(s[:], b)
	return err
}

// Entry is the end of one call, or an entry of the audit, on its way to the Sink, with what is needed to prove later
// that neither it nor any entry before it was changed.
//
// The chain is per node. Chain covers Prior (the Chain of the entry before), the sums of the lines
// between the two that are not entries (begins, heads of segments), and Body; see Verify.
type Entry struct {
	Node    string
	Seq     uint64
	Kind    string // KindCall if empty
	Prior   Sum
	Between []Sum
	Chain   Sum
	Body    []byte // the record's JSON as it was written; valid only until Append returns
}

// Record decodes the entry's body.
func (e *Entry) Record() (plenum.Record, error) {
	var r plenum.Record
	if err := json.Unmarshal(e.Body, &r); err != nil {
		return r, fmt.Errorf("decoding entry %d of node %s: %w", e.Seq, e.Node, err)
	}
	return r, nil
}

// Audit decodes the body of an entry of the audit.
func (e *Entry) Audit() (Audit, error) {
	var a Audit
	if err := json.Unmarshal(e.Body, &a); err != nil {
		return a, fmt.Errorf("decoding entry %d of node %s: %w", e.Seq, e.Node, err)
	}
	return a, nil
}

// Before returns the seq of the entry that this one follows: every line between them has its sum in Between. It is 0 for
// the first of a chain.
func (e *Entry) Before() uint64 { return e.Seq - uint64(len(e.Between)) - 1 }

// Verify reports whether the entry's body and place are what its Chain says. That it follows the entry
// before it is the caller's to see: its Prior is that entry's Chain.
func (e *Entry) Verify() bool { return e.Sum() == e.Chain }

// Sum returns what the entry's Chain should be.
func (e *Entry) Sum() Sum {
	chain := e.Prior
	for _, s := range e.Between {
		chain = link(chain, s)
	}
	k := kind(e.Kind)
	if k == "" {
		k = kindEnd
	}
	head := appendHead(nil, e.Seq, k)
	return link(chain, sumOf(head, e.Body))
}

// Sink is where entries are kept once they left the journal. Append stores all of them or none, in
// order; entries that it has already (the same Node, Seq and Chain) it leaves as they are, because after
// a crash some are sent again. It must not hold on to the slice or the bodies.
type Sink interface {
	Append(ctx context.Context, entries []Entry) error
}
