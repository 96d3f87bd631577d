//go:build unix

package postgres_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/ledger"
)

// spending are entries of calls that each spent one of some accounts.
func spending(t *testing.T, node string, from, n int, accounts ...string) []ledger.Entry {
	t.Helper()
	var out []ledger.Entry
	for i := range n {
		r := plenum.Record{ID: fmt.Sprintf("%s-%d", node, from+i), Start: 1795377600123456, Outcome: plenum.OutcomeOK, Project: "lab", Cost: 1, Priced: true}
		for _, a := range accounts {
			r.Charges = append(r.Charges, plenum.Charge{Account: a, Slot: 1000, Amount: 1})
		}
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ledger.Entry{Node: node, Seq: uint64(from + i), Chain: sha256.Sum256(body), Body: body})
	}
	return out
}

// TestCase_E8_NothingThatWasSpentIsLostToADeadlock has the server end transactions as it does for a deadlock, and then has many
// nodes add to the same accounts in different orders.
func TestCase_E8_NothingThatWasSpentIsLostToADeadlock(t *testing.T) {
	server := testkit.Postgres(t)
	address := server.Database()
	db := open(t, address)
	server.SQL(address, `CREATE SEQUENCE victims;
		CREATE FUNCTION victim() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('victims') <= 3 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER victim BEFORE INSERT ON charges FOR EACH ROW EXECUTE FUNCTION victim();`)
	if err := db.Append(t.Context(), spending(t, "first", 1, 2, "a", "b")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			accounts := []string{"a", "b", "c"}
			if i%2 == 1 {
				accounts = []string{"c", "b", "a"}
			}
			for k := range 20 {
				if err := db.Append(t.Context(), spending(t, fmt.Sprint("node", i), 1+k*3, 3, accounts...)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := db.Charges(t.Context(), 0)
	if want := "[{a 1000 482} {b 1000 482} {c 1000 480}]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
}
