package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/store"
)

// Foundry is the node that the desk is at.
type Foundry interface {
	// Snapshot returns the configuration in force.
	Snapshot() *config.Snapshot
	// Check reports what is wrong with a set of items as a whole, beside what the file in force declares.
	Check(items []config.Item) error
	// Left tells of items that are kept and not in force, and why.
	Left() config.Problems
	// Take takes over what the store has now.
	Take(ctx context.Context) error
	// Seal keeps a secret in the store.
	Seal(plain string) (string, error)
	// Kinds are the providers that there are, and Connect makes a connection, which whoever asked for it closes.
	Kinds() []config.Kind
	Connect(c *config.Connection) (*gateway.Connection, error)
	// Intend writes down that the desk is about to do something, and gives it its ID; where that fails it must not be done.
	Intend(a *Act) error
	// Acted writes down in the audit what came of it.
	Acted(a Act)
}

// Act is what the desk did by itself, or at somebody's request.
type Act struct {
	ID     string // that Intend gave
	Who    string
	Action string // such as "list_card"
	Card   string
	Reason string
	Failed bool // nothing came of it
	Before []byte
	After  []byte
}

// Desk is the vendor desk.
type Desk struct {
	foundry  Foundry
	store    store.Store
	pipeline gateway.Handler
	chat     *dialect.Dialect
	clock    clock.Clock
	log      *slog.Logger
	node     string
	turns    turns
	deciding sync.Mutex // what becomes of a card is said one card after the other: versions of a model stand beside each other
}

// New returns the desk of a node. Models are tried through the pipeline, which keeps no record of that: it is the
// vendor's own expense. Chat is Chat Completions.
func New(f Foundry, s store.Store, pipeline gateway.Handler, chat *dialect.Dialect, node string, c clock.Clock, log *slog.Logger) *Desk {
	return &Desk{foundry: f, store: s, pipeline: pipeline, chat: chat, clock: c, log: log, node: node}
}

// State is what has become of a card.
type State string

// The states of a card.
const (
	Submitted State = "submitted" // it is being tried
	Refused   State = "failed"    // it did not hold to its card, and was never listed
	Listed    State = "listed"    // callers use it
	Unlisted  State = "unlisted"  // it was listed, and is not as its card says any more
	Withdrawn State = "withdrawn" // its publisher took it back
	Delisted  State = "delisted"  // the owner of this Plenum took it out
)

// The errors on which whoever asks may act; they come wrapped.
var (
	ErrUnknown  = errors.New("there is no card of that name")
	ErrConflict = errors.New("it cannot be done as things are")
)

// Entry is a card as the desk has it.
type Entry struct {
	ID        string     `json:"id"` // publisher/model:version
	State     State      `json:"state"`
	Reason    string     `json:"reason,omitempty"` // why it is not listed
	Card      Card       `json:"card"`
	Signed    bool       `json:"signed"`
	By        string     `json:"submitted_by"`
	Submitted time.Time  `json:"submitted"`
	Since     *time.Time `json:"listed_since,omitempty"`
	Failures  int        `json:"failures"` // runs in a row that failed
	Drift     []string   `json:"drift"`    // the checks of the last run that failed
	LastRun   string     `json:"last_run,omitempty"`
	RunAt     *time.Time `json:"last_run_at,omitempty"`
	Running   bool       `json:"running"` // a run is wanted or going on
}

// kept is a card as it is kept: its body is sealed as a whole.
type kept struct {
	Entry
	Credentials map[string]string `json:"credentials,omitempty"`
	Next        map[string]string `json:"next,omitempty"` // credentials that are tried first
	Renewed     bool              `json:"renewed,omitempty"`
	Why         string            `json:"why,omitempty"` // the run that is wanted
}

// The kinds of object that the desk keeps.
const (
	cardKind = "card"
	runKind  = "card_run"
)

// The statuses of a card's object: whether a run is wanted.
const (
	due  = "due"
	idle = "idle"
)

// mostCards bounds how many cards are looked at.
const mostCards = 10_000

func objectID(card string) string { return "card_" + card }

// submission is the card as it is tried next.
func (k *kept) submission() *Submission {
	s := &Submission{Card: k.Card, Credentials: k.Credentials}
	if k.Renewed {
		s.Credentials = k.Next
	}
	return s
}

// Submit takes a card in. It is tried soon, and listed if it holds. Whoever submits must be allowed to for the
// publisher; see Publisher. If dry, nothing is kept.
func (d *Desk) Submit(ctx context.Context, who string, body []byte, dry bool) (*Entry, error) {
	s, err := Read(body)
	if err != nil {
		return nil, err
	}
	if err := d.acceptable(body, s); err != nil {
		return nil, err
	}
	k := &kept{Entry: Entry{
		ID: s.ID(), State: Submitted, Card: s.Card, Signed: s.Signature != "", By: who, Submitted: moment(d.clock.Now()), Drift: []string{}, Running: true,
	}, Credentials: s.Credentials, Why: "submission"}
	all, err := d.cards(ctx, s.Publisher)
	if err != nil {
		return nil, err
	}
	if err := d.room(ctx, s, all); err != nil {
		return nil, err
	}
	if dry {
		return &k.Entry, nil
	}
	if err := d.keep(ctx, k); err != nil {
		return nil, err
	}
	return &k.Entry, nil
}

// keep keeps a card that was submitted: a new one, or one in the place of another that is not listed, or the same
// with other credentials.
func (d *Desk) keep(ctx context.Context, k *kept) error {
	b, err := json.Marshal(k)
	if err != nil {
		return err
	}
	o := store.Object{ID: objectID(k.ID), Kind: cardKind, Label: k.Card.Publisher, Status: due, Created: d.clock.Now().UnixMilli(), Body: b}
	err = d.store.CreateObject(ctx, o)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	return d.update(ctx, k.ID, func(old *kept) error {
		same := sameCard(&old.Card, &k.Card)
		switch {
		case old.State == Listed && !same:
			return fmt.Errorf("%w: %s is listed, and a card that is listed does not change; submit it with another version", ErrConflict, k.ID)
		case old.State == Listed:
			old.Next, old.Renewed, old.Why, old.Running = k.Credentials, true, "submission", true
			k.Entry = old.Entry
			return nil
		case old.State == Delisted:
			return fmt.Errorf("%w: %s was taken out by the owner of this Plenum, who alone puts it back", ErrConflict, k.ID)
		}
		*old = *k
		return nil
	})
}

func sameCard(a, b *Card) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

// acceptable refuses a card that cannot be tried.
func (d *Desk) acceptable(body []byte, s *Submission) error {
	if err := s.check(); err != nil {
		return err
	}
	snap := d.foundry.Snapshot()
	p, ok := snap.Publisher(s.Publisher)
	if !ok {
		return fault("publisher", fmt.Sprintf("there is no publisher %q here", s.Publisher))
	}
	key, err := p.Key()
	if err != nil {
		return err
	}
	if err := signed(body, s.Signature, key); err != nil {
		return fault("signature", err.Error())
	}
	if s.Connection != "" {
		if _, ok := snap.Connection(s.Connection); !ok || !slices.Contains(p.Connections, s.Connection) {
			return fault("connection", fmt.Sprintf("the publisher may not publish at %q", s.Connection))
		}
	}
	if t, ok := snap.Terms(s.terms()); ok && (t.URL != s.Terms.URL || t.Text != s.Terms.Text) {
		return fault("terms.version", fmt.Sprintf("the terms %q say something else here already; terms that change have another version", s.terms()))
	}
	return s.faults(p.Network)
}

// room refuses a card whose names are taken by what the desk has not declared, and one that the configuration as a
// whole has something against.
func (d *Desk) room(ctx context.Context, s *Submission, cards []*kept) error {
	if !slices.ContainsFunc(cards, func(k *kept) bool { return k.ID == s.ID() }) {
		if _, ok := d.foundry.Snapshot().Connection(s.ID()); ok && s.Connection == "" {
			return fault("version", fmt.Sprintf("there is a connection %q already", s.ID()))
		}
	}
	if dep, ok := d.foundry.Snapshot().Deployment(s.Name()); ok && slices.Contains(append(dep.Aliases, dep.Name), s.Name()) {
		if !slices.ContainsFunc(cards, func(k *kept) bool { return k.ID == dep.Name }) {
			return fault("model", fmt.Sprintf("there is a deployment %q already, which is not the desk's", s.Name()))
		}
	}
	all, _, err := d.store.Resources(ctx)
	if err != nil {
		return err
	}
	changes, err := d.placement(append(slices.DeleteFunc(slices.Clone(cards), func(k *kept) bool { return k.ID == s.ID() }),
		&kept{Entry: Entry{ID: s.ID(), State: Listed, Card: s.Card, Submitted: moment(d.clock.Now())}, Credentials: s.Credentials}), s.Name(), all)
	if err != nil {
		return err
	}
	return d.holds(all, changes)
}

// cards returns the cards of a publisher; all of them where it is "".
func (d *Desk) cards(ctx context.Context, publisher string) ([]*kept, error) {
	os, err := d.store.Objects(ctx, store.ObjectFilter{Kind: cardKind, Label: publisher, OldestFirst: true, Limit: mostCards})
	if err != nil {
		return nil, err
	}
	out := make([]*kept, 0, len(os))
	for i := range os {
		k := new(kept)
		if err := json.Unmarshal(os[i].Body, k); err != nil {
			return nil, fmt.Errorf("reading the card %s: %w", os[i].ID, err)
		}
		out = append(out, k)
	}
	return out, nil
}

// Cards returns the cards of a publisher, by their ids; all of them where it is "".
func (d *Desk) Cards(ctx context.Context, publisher string) ([]Entry, error) {
	ks, err := d.cards(ctx, publisher)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(ks))
	for _, k := range ks {
		out = append(out, k.Entry)
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Card returns one card.
func (d *Desk) Card(ctx context.Context, id string) (*Entry, error) {
	k, err := d.card(ctx, id)
	if err != nil {
		return nil, err
	}
	return &k.Entry, nil
}

func (d *Desk) card(ctx context.Context, id string) (*kept, error) {
	o, err := d.store.Object(ctx, objectID(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	k := new(kept)
	return k, json.Unmarshal(o.Body, k)
}

// update changes a card, and says whether a run of it is due.
func (d *Desk) update(ctx context.Context, id string, to func(*kept) error) error {
	_, err := d.store.UpdateObject(ctx, objectID(id), func(o *store.Object) error {
		k := new(kept)
		if err := json.Unmarshal(o.Body, k); err != nil {
			return err
		}
		if err := to(k); err != nil {
			return err
		}
		o.Status = idle
		if k.Running {
			o.Status = due
		}
		var err error
		o.Body, err = json.Marshal(k)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return ErrUnknown
	}
	return err
}

// Ask asks for a run of a card.
func (d *Desk) Ask(ctx context.Context, id string) (*Entry, error) {
	var out Entry
	err := d.update(ctx, id, func(k *kept) error {
		if k.State == Withdrawn || k.State == Delisted {
			return fmt.Errorf("%w: %s is %s", ErrConflict, id, k.State)
		}
		k.Running, k.Why = true, "request"
		out = k.Entry
		return nil
	})
	return &out, err
}

// Withdraw takes a card back for its publisher, or out for the owner: it cannot be called any more on any node.
func (d *Desk) Withdraw(ctx context.Context, id string, owner bool, why string) (*Entry, error) {
	var out Entry
	err := d.update(ctx, id, func(k *kept) error {
		switch {
		case owner:
			k.State = Delisted
		case k.State == Delisted:
			return fmt.Errorf("%w: %s was taken out by the owner of this Plenum", ErrConflict, id)
		default:
			k.State = Withdrawn
		}
		k.Reason, k.Running, k.Since = why, false, nil
		out = k.Entry
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, d.place(ctx, &out.Card)
}

// Restore puts a card back that was taken out or withdrawn: it is tried again.
func (d *Desk) Restore(ctx context.Context, id string, owner bool) (*Entry, error) {
	var out Entry
	err := d.update(ctx, id, func(k *kept) error {
		if k.State == Delisted && !owner {
			return fmt.Errorf("%w: %s was taken out by the owner of this Plenum, who alone puts it back", ErrConflict, id)
		}
		if k.State == Listed {
			return fmt.Errorf("%w: %s is listed", ErrConflict, id)
		}
		k.State, k.Reason, k.Running, k.Why = Submitted, "", true, "request"
		out = k.Entry
		return nil
	})
	return &out, err
}

// Runs returns the reports of a card, the latest first.
func (d *Desk) Runs(ctx context.Context, id string) ([]Run, error) {
	os, err := d.store.Objects(ctx, store.ObjectFilter{Kind: runKind, Label: id, Limit: keptRuns})
	if err != nil {
		return nil, err
	}
	out := make([]Run, 0, len(os))
	for i := range os {
		var r Run
		if err := json.Unmarshal(os[i].Body, &r); err != nil {
			return nil, fmt.Errorf("reading the report %s: %w", os[i].ID, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// Publisher is whose card an id is of.
func Publisher(id string) string {
	p, _, _ := strings.Cut(id, "/")
	return p
}

// PublisherOf reads whose card was submitted.
func PublisherOf(body []byte) (string, error) {
	var s struct {
		Publisher string `json:"publisher"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return "", fault("", "a card is a JSON object")
	}
	return s.Publisher, nil
}

// Items returns what a submitted card would declare, for whoever asks policies about it.
func (d *Desk) Items(body []byte) ([]config.Item, []string, error) {
	s, err := Read(body)
	if err != nil {
		return nil, nil, err
	}
	network := ""
	if p, ok := d.foundry.Snapshot().Publisher(s.Publisher); ok {
		network = p.Network
	}
	return s.items(cmp.Or(network, "public"), nil, d.foundry.Seal), []string{s.ID()}, nil
}
