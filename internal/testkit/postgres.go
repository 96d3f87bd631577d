//go:build unix

package testkit

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PostgresServer is a PostgreSQL that a test may stop and start again.
type PostgresServer struct {
	Address string // of its database postgres

	t         testing.TB
	bin, dir  string
	as        *syscall.SysProcAttr
	cmd       *exec.Cmd
	said      strings.Builder
	elsewhere bool
}

// Postgres starts a PostgreSQL on a socket of its own, which ends with the test; or takes the one of PLENUM_TEST_POSTGRES.
// It listens on no port.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	if address := os.Getenv("PLENUM_TEST_POSTGRES"); address != "" {
		return &PostgresServer{Address: address, t: t, bin: postgresPrograms(), elsewhere: true}
	}
	return OwnPostgres(t)
}

// OwnPostgres starts a PostgreSQL that is the test's alone, for tests that stop it.
func OwnPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	bin := postgresPrograms()
	if bin == "" {
		Lacks(t, "no PostgreSQL here: install the package postgresql, or set PLENUM_TEST_POSTGRES to an address")
	}
	dir, err := os.MkdirTemp("", "plenum-postgres-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &PostgresServer{Address: "postgres://plenum@/postgres?host=" + dir, t: t, bin: bin, dir: dir}
	s.owner()
	if out, err := s.command("initdb", "--auth=trust", "--no-sync", "--username=plenum", "--encoding=UTF8", "--no-locale", "-D", filepath.Join(dir, "data")).CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// postgresPrograms returns the folder of PostgreSQL's programs, or "" where there is none. A folder may have some of them
// alone.
func postgresPrograms() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if p, err := exec.LookPath("initdb"); err == nil {
		found = append(found, p)
	}
	found = slices.DeleteFunc(found, func(p string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(p), "pg_isready"))
		return err != nil
	})
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// owner gives the directory to a user that PostgreSQL will run as: it refuses to be run by root.
func (s *PostgresServer) owner() {
	if os.Getuid() != 0 {
		return
	}
	uid, gid := 65534, 65534
	if u, err := user.Lookup("postgres"); err == nil {
		uid, _ = strconv.Atoi(u.Uid)
		gid, _ = strconv.Atoi(u.Gid)
	}
	if err := os.Chown(s.dir, uid, gid); err != nil {
		s.t.Fatal(err)
	}
	s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// command makes a command of one of its programs.
func (s *PostgresServer) command(name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.WithoutCancel(s.t.Context()), filepath.Join(s.bin, name), args...)
	c.Dir, c.SysProcAttr = s.dir, s.as
	return c
}

// Start starts it, and waits until it answers.
func (s *PostgresServer) Start() {
	s.t.Helper()
	s.cmd = s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-c", "listen_addresses=", "-c", "unix_socket_directories="+s.dir, "-c", "fsync=off")
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for range 1200 {
		if s.command("pg_isready", "-q", "-h", s.dir, "-d", "postgres").Run() == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.Stop()
	s.t.Fatalf("PostgreSQL does not answer:\n%s", s.said.String())
}

// Stop stops it at once: connections to it end.
func (s *PostgresServer) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGINT) // its fast shutdown
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Database makes an empty database for a test, and returns its address.
func (s *PostgresServer) Database() string {
	s.t.Helper()
	name := "plenum_" + strings.ToLower(rand.Text()[:12])
	s.SQL(s.Address, "CREATE DATABASE "+name)
	if s.elsewhere {
		s.t.Cleanup(func() { s.SQL(s.Address, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	}
	u, err := url.Parse(s.Address)
	if err != nil {
		s.t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// SQL runs a statement in the database of an address, and returns what it printed.
func (s *PostgresServer) SQL(address, sql string) string {
	s.t.Helper()
	out, err := s.command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, address).CombinedOutput()
	if err != nil {
		s.t.Fatalf("psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}
