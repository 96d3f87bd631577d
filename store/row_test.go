package store_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/store"
)

// rowOf makes the row of a record.
func rowOf(t *testing.T, r *plenum.Record) store.Row {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return store.RowOf(&ledger.Entry{Node: "n", Seq: 1, Body: b})
}

func TestARowHasEveryClassOfTokens(t *testing.T) {
	var r plenum.Record
	v := reflect.ValueOf(&r.Usage).Elem()
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(1)<<60 + int64(i))
	}
	row := rowOf(t, &r)
	if diff := cmp.Diff(r.Usage, row.Sum.Tokens); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	columns := strings.Count(store.SumColumns, ",") + 1
	if values := len(row.Sum.Values()); values != columns || columns != 5+v.NumField() {
		t.Errorf("a sum has %d values in %d columns; there are %d classes of tokens", values, columns, v.NumField())
	}
}

func TestARowReadsWhatTheRecordSays(t *testing.T) {
	r := plenum.Record{
		ID: "a\"b", Start: 5, Project: "p\n", KeyID: "k", Deployment: "é\x00", Outcome: plenum.OutcomeLost,
		Cost: 1<<62 + 1, Estimated: true, Usage: plenum.Tokens{Output: 1},
		// The same names further down are not the call's own.
		Attempts: []plenum.Attempt{{N: 1, Cost: 99, Priced: true, Usage: plenum.Tokens{Input: 99}}},
	}
	got := rowOf(t, &r)
	var shares store.Sum
	for _, s := range got.Shares {
		shares.Tokens = shares.Tokens.Add(s.Share.Tokens)
		shares.Cost += s.Share.Cost
		shares.Calls += s.Share.Calls
	}
	if shares.Tokens != r.Usage || shares.Cost != r.Cost || shares.Calls != 1 {
		t.Errorf("the shares add up to %+v", shares)
	}
	got.Shares = nil
	want := store.Row{
		Node: "n", Seq: 1, ID: r.ID, Start: 5, Project: "p\n", KeyID: "k", Deployment: "é\x00", Outcome: "lost",
		Sum:  store.Sum{Calls: 1, Errors: 1, Unpriced: 1, Estimated: 1, Cost: 1<<62 + 1, Tokens: r.Usage},
		Body: got.Body, Links: got.Links, Chain: got.Chain,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

func TestAnEntryComesBackFromItsRow(t *testing.T) {
	want := ledger.Entry{
		Node: "n", Seq: 9, Kind: ledger.KindCall, Prior: ledger.Sum{1}, Between: []ledger.Sum{{2}, {3}}, Chain: ledger.Sum{4}, Body: []byte("{}"),
	}
	row := store.RowOf(&want)
	if diff := cmp.Diff(want, row.Entry()); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

func TestATallyHasOneOrderAndForgetsWhatIsTakenOut(t *testing.T) {
	tally := store.Tally{}
	rows := []store.Row{
		{Start: 2 * 3600e6, Project: "a", Sum: store.Sum{Calls: 1, Cost: 5}},
		{Start: 1, Project: "b", KeyID: "k", Sum: store.Sum{Calls: 1}},
		{Start: 2, Project: "a", KeyID: "z", Sum: store.Sum{Calls: 1}},
		{Start: 3, Project: "b", KeyID: "j", Sum: store.Sum{Calls: 1}},
		{Start: 4, Project: "b", KeyID: "k", Sum: store.Sum{Calls: 1}},
	}
	for i := range rows {
		tally.Add(&rows[i])
	}
	tally.Remove(&rows[0])
	var got []store.Bucket
	var calls []int64
	for b, s := range tally.All() {
		got, calls = append(got, b), append(calls, s.Calls)
	}
	want := []store.Bucket{
		{Project: "a", KeyID: "z"},
		{Project: "b", KeyID: "j"},
		{Project: "b", KeyID: "k"},
		{Hour: 2, Project: "a"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{1, 1, 2, 0}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
