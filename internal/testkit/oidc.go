package testkit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// OIDC starts a real OpenID Connect provider (test/oidc), which ends with the test, and returns its address. It knows the
// client plenum, with the secret the-secret-of-the-client, that may be sent back to the given addresses.
func OIDC(t testing.TB, redirects ...string) string {
	t.Helper()
	node := Program(t, "node")
	dir := oidcServer(t)
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, node, append([]string{"server.mjs"}, redirects...)...)
	cmd.Dir = dir
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hold.Close()
		stop()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the provider does not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// oidcServer installs the provider, pinned, where other runs find it, and returns where that is.
func oidcServer(t testing.TB) string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(root, "test", "oidc")
	sum := sha256.New()
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json", "server.mjs"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
		sum.Write(text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "plenum", "oidc-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "oidc-")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(fresh, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Program(t, "npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = fresh
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("installing the provider: %v\n%s", err, said)
	}
	if err := os.Rename(fresh, dir); err != nil { // another run may have been faster
		_ = os.RemoveAll(fresh)
	}
	return dir
}
