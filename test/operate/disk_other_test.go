//go:build unix && !linux

package operate

import "testing"

type (
	fileLimit struct{}
	smallDisk struct{}
)

// fullDisk needs what Linux has.
func fullDisk(t *testing.T, _ string, _ any) {
	t.Skip("limits of another process can be set on Linux alone")
}
