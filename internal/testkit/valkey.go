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
	return startValkey(t, valkeyProgram(t)).Address
}

// valkeyProgram returns the server's program.
func valkeyProgram(t testing.TB) string {
	t.Helper()
	program := ""
	for _, name := range []string{"valkey-server", "redis-server"} {
		if p, err := exec.LookPath(name); err == nil && program == "" {
			program = p
		}
	}
	if program == "" {
		Lacks(t, "no Valkey here: install the package redis-server or valkey-server, or set PLENUM_TEST_VALKEY to an address")
	}
	return program
}

// ValkeyServer is a Valkey or Redis of a test's own, which can be taken away. It keeps on disk what it is told before it says so.
type ValkeyServer struct {
	Address string

	t            testing.TB
	program, dir string
	cmd          *exec.Cmd
	log          *strings.Builder
}

// OwnValkey starts a server that no other test uses.
func OwnValkey(t testing.TB) *ValkeyServer {
	t.Helper()
	return startValkey(t, valkeyProgram(t), "--appendonly", "yes", "--appendfsync", "always")
}

func startValkey(t testing.TB, program string, args ...string) *ValkeyServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "plenum-valkey-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &ValkeyServer{Address: "unix://" + filepath.Join(dir, "s"), t: t, program: program, dir: dir}
	s.Start(args...)
	t.Cleanup(s.Kill)
	return s
}

// Start starts it, without arguments with nothing known and nothing kept.
func (s *ValkeyServer) Start(args ...string) {
	s.t.Helper()
	if len(args) == 0 {
		args = []string{"--appendonly", "no"}
	}
	s.log = &strings.Builder{}
	socket := strings.TrimPrefix(s.Address, "unix://")
	_ = os.Remove(socket)
	s.cmd = exec.CommandContext(context.WithoutCancel(s.t.Context()), s.program, append([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--dir", s.dir}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for range 3000 {
		if _, err := os.Stat(socket); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("the server does not start:\n%s", s.log)
}

// Restart starts it after Kill with what it kept.
func (s *ValkeyServer) Restart() { s.Start("--appendonly", "yes", "--appendfsync", "always") }

// Kill ends it at once.
func (s *ValkeyServer) Kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}
