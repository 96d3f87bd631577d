package testkit

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Valkey starts a Valkey or Redis on a socket of its own, which ends with the test, and
// returns its address; or the address in PLENUM_TEST_VALKEY.
func Valkey(t testing.TB) string {
	t.Helper()
	if address := os.Getenv("PLENUM_TEST_VALKEY"); address != "" {
		return address
	}
	program := ""
	for _, name := range []string{"valkey-server", "redis-server"} {
		if p, err := exec.LookPath(name); err == nil && program == "" {
			program = p
		}
	}
	if program == "" {
		Lacks(t, "no Valkey here: install the package redis-server or valkey-server, or set PLENUM_TEST_VALKEY to an address")
	}
	dir, err := os.MkdirTemp("", "plenum-valkey-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	var log strings.Builder
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 3000 {
		if _, err := os.Stat(socket); err == nil {
			return "unix://" + socket
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the server does not start:\n%s", log.String())
	return ""
}
