// Package storetest says, as tests, what a store must do. The test file of a new one is a call of Run.
package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

// Open opens an empty store. Called again within one test, it opens the same store once more.
type Open func(t *testing.T) store.Store

// Run tests a store. Each test is given an Open of its own.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"keys":                        keys,
		"a key is created once":       keyTwice,
		"a key is revoked once":       revoke,
		"a key is rotated":            rotate,
		"keys are used":               uses,
		"resources":                   resources,
		"imported tables":             tables,
		"transcripts":                 transcripts,
		"resources changed at once":   resourcesAtOnce,
		"settings":                    settings,
		"settings at once":            settingsAtOnce,
		"objects":                     objects,
		"listing objects":             listObjects,
		"one takes an object over":    takeOver,
		"contents":                    contents,
		"lines of batches":            lines,
		"opening again keeps it all":  reopen,
		"records":                     records,
		"listing calls":               listing,
		"usage":                       usage,
		"usage by the hour":           hours,
		"what accounts spent":         charges,
		"sums by everything":          rolled,
		"sums made anew":              rebuilt,
		"tags without end":            manyTags,
		"sums added while packed":     addedWhilePacked,
		"entries sent again":          again,
		"a call counts once":          once,
		"what happened beats a guess": lostThenReal,
		"a diverged copy":             diverged,
		"strange text":                strange,
		"writers at once":             writers,
		"the chain":                   chain,
		"the audit":                   audits,
		"the audit sent again":        auditsAgain,
		"nothing on an error":         cancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// journal writes records through a real ledger into stores.
type journal struct {
	t *testing.T
	l *ledger.Ledger
}

// newJournal opens a ledger of a new node.
func newJournal(t *testing.T) *journal {
	t.Helper()
	l, err := ledger.Open(filepath.Join(t.TempDir(), "journal"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &journal{t, l}
}

// end writes down ended calls, each with its begin, and has them stored.
func (j *journal) end(s ledger.Sink, rs ...plenum.Record) {
	j.t.Helper()
	for i := range rs {
		if err := j.l.Begin(ledger.BeginOf(&rs[i])); err != nil {
			j.t.Fatal(err)
		}
		if err := j.l.End(&rs[i]); err != nil {
			j.t.Fatal(err)
		}
	}
	if err := j.l.Drain(j.t.Context(), s); err != nil {
		j.t.Fatal(err)
	}
}

// caught is a Sink that keeps what passes through it.
type caught []ledger.Entry

// Append keeps entries.
func (c *caught) Append(_ context.Context, entries []ledger.Entry) error {
	for _, e := range entries {
		e.Body = append([]byte(nil), e.Body...)
		*c = append(*c, e)
	}
	return nil
}

// ok is a call that went well.
func ok(id string, start int64) plenum.Record {
	return plenum.Record{
		ID: id, Start: start, End: start + 1000, Project: "p", KeyID: "k", Deployment: "d", Status: 200,
		Outcome: plenum.OutcomeOK, Usage: plenum.Tokens{Input: 10, Output: 5}, Cost: 7, Priced: true,
	}
}

// key makes a key.
func key(id string, created int64) plenum.Key {
	mac := sha256.Sum256([]byte(id))
	return plenum.Key{
		ID: id, Name: "name of " + id, Project: "p", Member: "m", Prefix: "pk-" + id, MAC: mac[:], Created: created,
	}
}

// total returns the one sum of all calls.
func total(t *testing.T, s store.Store) store.Sum {
	t.Helper()
	us, err := s.Usage(t.Context(), store.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if len(us) != 1 {
		t.Fatalf("a sum by nothing has %d parts", len(us))
	}
	sameRolled(t, s, us[0].Sum)
	return us[0].Sum
}

// mustAppend stores entries.
func mustAppend(t *testing.T, s store.Store, entries []ledger.Entry) {
	t.Helper()
	if err := s.Append(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

// someID makes up an id.
func someID() string { return fmt.Sprintf("call_%016x", rand.Uint64()) }
