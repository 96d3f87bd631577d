package testkit

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program that a test needs; without it the test is skipped, as [Lacks] has it.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Lacks(t, "no "+name+" on the PATH")
	}
	return path
}

// Lacks skips a test for want of something that the machine does not have. Where all tests must run, which CI=true
// says, it fails.
func Lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s, and CI=true says that every test runs", what)
	}
	t.Skip(what)
}
