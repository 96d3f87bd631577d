package app

import (
	"net/http"
	"os"
	"testing"

	"github.com/plenum-foundry/plenum/internal/bufs"
)

// TestMain runs all tests with buffers that are overwritten when they are given back, so that whoever
// goes on reading one is seen. Callers keep their connections: a hundred at once would open a new one for nearly each
// call otherwise.
func TestMain(m *testing.M) {
	bufs.Poison.Store(true)
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost = t.MaxIdleConns
	}
	os.Exit(m.Run())
}
