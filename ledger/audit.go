package ledger

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Decision is what became of something that somebody wanted to do.
type Decision string

// The decisions.
const (
	Allowed Decision = "allowed"
	Refused Decision = "refused" // by a role, a policy, a check
	Failed  Decision = "failed"  // it was allowed, and did not come about
)

// The actions that the ledger itself writes down, and that its verification reads.
const (
	ActionTakeOver = "take_over" // a node goes on in the journal of another, as after a restored backup
	ActionAnchor   = "anchor"    // the head was put somewhere outside; After has the receipt
)

// Audit is one entry of the audit: what somebody did, or wanted to do and was refused. Calls to models need none:
// their [plenum.Record] says the same of them.
//
// Of ID, Time and Decision the empty ones are filled in by [Ledger.Audit]; Actor and Action are required.
type Audit struct {
	ID          string `json:"id"`
	Time        int64  `json:"start_us"`              // Unix microseconds; what records call it
	Actor       string `json:"actor"`                 // such as member:ann@example.com, admin_key, key:..., plenum
	From        string `json:"remote,omitempty"`      // the address that it came from
	Certificate string `json:"certificate,omitempty"` // the identity of the client's certificate, where it showed one
	Action      string `json:"action"`                // such as create_key
	Noun        string `json:"noun,omitempty"`        // what it was done to, such as keys
	Name        string `json:"name,omitempty"`        // and which
	Project     string `json:"project,omitempty"`     // whose business it is
	// Organization is that of the project, or of what else it was done to, or of who did it.
	Organization string   `json:"organization,omitempty"`
	Decision     Decision `json:"decision"`
	Reason       string   `json:"reason,omitempty"` // why it was refused or failed, or what allowed it
	Status       int      `json:"status,omitempty"` // the HTTP status that was answered
	Policy       string   `json:"policy,omitempty"` // the version of the policies that decided
	Config       string   `json:"config,omitempty"` // the version of the configuration in force before
	// Charges are what it put on the accounts of budgets, where it did.
	Charges []plenum.Charge `json:"charges,omitempty"`
	// Before and After are what was changed, as JSON and without secrets; nil where there was nothing.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// mostShown bounds Before and After each: what is longer is kept as its digest.
const mostShown = 1 << 20

// Audit writes down an entry of the audit, in the same chain as the calls. It returns when the entry has been handed
// to the kernel, as End does, and it is in the store soon after. A change that matters is not told of as done before
// Audit has returned without an error.
func (l *Ledger) Audit(a Audit) error {
	if a.ID == "" {
		a.ID = NewAuditID()
	}
	if a.Time == 0 {
		a.Time = time.Now().UnixMicro()
	}
	if a.Decision == "" {
		a.Decision = Allowed
	}
	a.Before, a.After = shown(a.Before), shown(a.After)
	b, err := json.Marshal(&a)
	if err != nil {
		return fmt.Errorf("writing down %s by %s: %w", a.Action, a.Actor, err)
	}
	return l.line(kindAudit, b)
}

// NewAuditID returns an id for an entry of the audit.
func NewAuditID() string { return "aud_" + strings.ToLower(rand.Text()[:20]) }

// Intend writes down what somebody is about to do, in the chain and before it is done: where that fails it must not be
// done. An entry of the same ID tells what came of it; where the process ends before, the next Open writes one.
func (l *Ledger) Intend(a Audit) error {
	if a.Time == 0 {
		a.Time = time.Now().UnixMicro()
	}
	b, err := json.Marshal(&a)
	if err != nil {
		return fmt.Errorf("writing down that %s will %s: %w", a.Actor, a.Action, err)
	}
	return l.line(kindIntent, b)
}

// line writes one line of the audit.
func (l *Ledger) line(k kind, payload []byte) error {
	l.gather.Lock()
	bt, lead := l.join()
	if bt == nil {
		l.gather.Unlock()
		return ErrClosed
	}
	bt.payload = append(bt.payload, payload...)
	bt.items = append(bt.items, item{kind: k, end: len(bt.payload)})
	l.gather.Unlock()
	return l.finish(bt, lead)
}

// shown returns what is kept of a state: itself, unless it is no JSON or too long.
func shown(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	if len(b) <= mostShown && json.Valid(b) {
		return b
	}
	sum := sha256.Sum256(b)
	return fmt.Appendf(nil, `{"bytes":%d,"sha256":"%s"}`, len(b), hex.EncodeToString(sum[:]))
}
