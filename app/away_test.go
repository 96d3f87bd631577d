//go:build unix

package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/store"
)

// TestCase_K3_ADatabaseThatIsAwayIsNoReasonToRefuse stops PostgreSQL beneath a node and starts it again.
func TestCase_K3_ADatabaseThatIsAwayIsNoReasonToRefuse(t *testing.T) {
	server := testkit.OwnPostgres(t)
	up := testkit.NewUpstream(t, goodStream())
	const admin = "the-key-of-the-admin"
	s := serveNode(t, t.TempDir(), within(server.Database(), "admin_key: "+admin+"\n"+strings.Replace(withKey, "%s", up.URL, 1)))
	call := func(key string, want int) {
		t.Helper()
		if got, body := s.ask(t, http.MethodPost, "/v1/chat/completions", ask, "Authorization", "Bearer "+key); got != want {
			t.Errorf("a call: %d %s, want %d", got, body, want)
		}
	}
	project := `{"name":"p"}`
	call(worldKey, http.StatusOK)
	server.Stop()
	for range 5 {
		call(worldKey, http.StatusOK)
		call("another-key-of-nobody", http.StatusUnauthorized)
	}
	if got, body := s.ask(t, http.MethodPut, "/admin/v1/projects/p", project, "Authorization", "Bearer "+admin, "Content-Type", "application/json"); got != http.StatusServiceUnavailable || !strings.Contains(body, `"status":503`) {
		t.Errorf("a change while the database is away: %d %s, want 503 and a problem", got, body)
	}
	server.Start()
	call(worldKey, http.StatusOK)
	began := time.Now()
	for {
		calls, err := s.store.Calls(t.Context(), store.Filter{})
		if ok := 0; err == nil {
			for i := range calls {
				if calls[i].Outcome == "ok" {
					ok++
				}
			}
			if ok == 7 {
				break
			}
			if ok > 7 {
				t.Fatalf("there are %d records of 7 calls", ok)
			}
		}
		if time.Since(began) > 60*time.Second {
			t.Fatalf("the records have not come: %d, %v", len(calls), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if got, body := s.ask(t, http.MethodPut, "/admin/v1/projects/p", project, "Authorization", "Bearer "+admin, "Content-Type", "application/json"); got != http.StatusCreated && got != http.StatusOK {
		t.Errorf("a change after it is back: %d %s", got, body)
	}
}
