package process

import "testing"

// A program that watches nothing and has no shell beside it is still killed by the kernel.
func TestKernelKillsTheDeafChild(t *testing.T) {
	killParentOf(t, "deaf")
}
