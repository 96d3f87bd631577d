package storetest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

// audits holds that entries of the audit are kept in the chain of the calls, found again, and counted nowhere.
func audits(t *testing.T, open Open) {
	s := open(t)
	j := newJournal(t)
	j.end(s, ok("a", 1000))
	var want []ledger.Audit
	for i := range 120 {
		a := ledger.Audit{
			ID: fmt.Sprintf("aud_%03d", i), Time: int64(1000 + i), Actor: fmt.Sprint("member:m", i%2), From: "10.0.0.1:5",
			Certificate: "CN=ann", Action: "change", Noun: fmt.Sprint("n", i%3), Name: "x\x00y", Project: fmt.Sprint("p", i%5), Organization: fmt.Sprint("o", i%7),
			Decision: ledger.Allowed, Policy: "v1", Config: "c1", Before: json.RawMessage(`{"a":1}`), After: json.RawMessage(`{"a":"\u2028é"}`),
		}
		if i%4 == 0 {
			a.Decision, a.Reason, a.Status = ledger.Refused, "' OR 1=1 --", 403
		}
		want = append(want, a)
		if err := j.l.Audit(a); err != nil {
			t.Fatal(err)
		}
	}
	j.end(s, ok("b", 2000))
	if got := total(t, s); got.Calls != 2 || got.Cost != 14 {
		t.Errorf("the usage is %+v, want that of two calls", got)
	}
	if got := ids(t, s, store.Filter{}); len(got) != 2 {
		t.Errorf("calls are %v, want two", got)
	}
	all, err := s.Audits(t.Context(), store.AuditFilter{Limit: 1000})
	if err != nil || len(all) != len(want) {
		t.Fatalf("%d entries, %v; want %d", len(all), err, len(want))
	}
	if diff := cmp.Diff(want[119], all[0]); diff != "" {
		t.Errorf("the last entry (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		f    store.AuditFilter
		want []string
	}{
		{store.AuditFilter{Limit: 2}, []string{"aud_119", "aud_118"}},
		{store.AuditFilter{From: 1003, To: 1005}, []string{"aud_004", "aud_003"}},
		{store.AuditFilter{Project: "p1", Actor: "member:m1", Noun: "n1", To: 1070}, []string{"aud_061", "aud_031", "aud_001"}},
		{store.AuditFilter{Decision: ledger.Refused, Limit: 2}, []string{"aud_116", "aud_112"}},
		{store.AuditFilter{Before: 1003, BeforeID: "aud_003", Limit: 2}, []string{"aud_002", "aud_001"}},
		{store.AuditFilter{Organization: "o3", Noun: "n1", Limit: 2}, []string{"aud_115", "aud_094"}},
		{store.AuditFilter{Organization: "' OR 1=1 --"}, nil},
		{store.AuditFilter{Actor: "nobody"}, nil},
	} {
		as, err := s.Audits(t.Context(), c.f)
		var got []string
		for i := range as {
			got = append(got, as[i].ID)
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v (-want +got):\n%s", c.f, err, diff)
		}
	}
	p, err := store.Verify(t.Context(), s)
	if err != nil || p.Entries != 122 || len(p.Changed)+len(p.Gaps) > 0 {
		t.Errorf("the proof is %+v, %v; want 122 entries", p, err)
	}
}

// auditsAgain holds that entries of the audit that are sent again are kept once.
func auditsAgain(t *testing.T, open Open) {
	s := open(t)
	var c caught
	j := newJournal(t)
	if err := j.l.Audit(ledger.Audit{Actor: "a", Action: "x", Charges: []plenum.Charge{{Account: "b", Slot: 0, Amount: 7}}}); err != nil {
		t.Fatal(err)
	}
	j.end(&c, []plenum.Record{ok("1", 1)}...)
	mustAppend(t, s, c)
	mustAppend(t, s, c[:1])
	mustAppend(t, s, c)
	if as, err := s.Audits(t.Context(), store.AuditFilter{}); err != nil || len(as) != 1 || as[0].ID == "" || as[0].Time == 0 || as[0].Decision != ledger.Allowed {
		t.Errorf("the audit is %+v, %v; want one entry, filled in", as, err)
	}
	if got := total(t, s); got.Calls != 1 {
		t.Errorf("the usage is %+v, want one call", got)
	}
	if cs, err := s.Charges(t.Context(), 0); err != nil || len(cs) != 1 || cs[0] != (plenum.Charge{Account: "b", Amount: 7}) {
		t.Errorf("what it charged is %+v, %v; want it once", cs, err)
	}
}
