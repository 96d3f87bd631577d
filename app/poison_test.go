package app

import (
	"os"
	"testing"

	"github.com/plenum-foundry/plenum/internal/bufs"
)

// TestMain runs all tests with buffers that are overwritten when they are given back, so that whoever
// goes on reading one is seen.
func TestMain(m *testing.M) {
	bufs.Poison.Store(true)
	os.Exit(m.Run())
}
