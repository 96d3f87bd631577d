//go:build unix

package operate

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// drill backs up under load, loses everything and restores it: into a new directory, and a new database where there is one.
func drill(t *testing.T, bin string, pg *testkit.PostgresServer) {
	t.Parallel()
	up := testkit.NewUpstream(t, testkit.JSON(answer))
	up.KeepLast(1)
	database := ""
	if pg != nil {
		database = pg.Database()
	}
	s := newSite(t, bin, up, database, "")
	s.start(t)
	if status, body, err := s.do(t, http.MethodPost, "/admin/v1/connections", adminKey, `{"name":"kept","provider":"openai-compatible","network":"private","base_url":"`+up.URL+`/v1","credentials":{"api_key":"`+credential+`"}}`); err != nil || status != http.StatusCreated {
		t.Fatal(status, body, err)
	}
	_, body, err := s.do(t, http.MethodPost, "/admin/v1/keys", adminKey, `{"name":"laptop"}`)
	if err != nil {
		t.Fatal(err)
	}
	laptop := member(t, body, "secret")
	until(t, func() bool {
		status, _, err := s.do(t, http.MethodPost, "/v1/chat/completions", laptop, ask)
		return err == nil && status == http.StatusOK
	}, func() string { return "the key does not work: " + body })

	c := s.load(t, 8, laptop)
	c.wait(t, 300)
	before := c.answered()
	archive := filepath.Join(s.dir, "copy.tar.gz")
	s.must(t, "backup", archive, "--config", s.conf)
	c.wait(t, 20) // it goes on
	s.kill()
	c.stop()
	holdsNoSecret(t, archive)

	if out, err := s.run(t, "restore", archive, "--config", s.conf); err == nil || !strings.Contains(out, "is not empty") {
		t.Errorf("restored over what is there: %v\n%s", err, out)
	}
	if err := os.RemoveAll(s.data); err != nil { // everything is lost
		t.Fatal(err)
	}
	if pg != nil {
		if out, err := s.run(t, "restore", archive, "--config", s.conf); err == nil || !strings.Contains(out, "the database is not empty") {
			t.Errorf("restored over a database: %v\n%s", err, out)
		}
		s.database = pg.Database()
		s.configure(t)
	}
	out := s.must(t, "restore", archive, "--config", s.conf)
	if !strings.Contains(out, "The ledger verifies") {
		t.Errorf("restore says:\n%s", out)
	}
	s.start(t)
	if status, body, err := s.do(t, http.MethodPost, "/v1/chat/completions", laptop, ask); err != nil || status != http.StatusOK {
		t.Errorf("the key does not work: %d %s %v", status, body, err)
	}
	if status, body, err := s.do(t, http.MethodGet, "/admin/v1/connections/kept", adminKey, ""); err != nil || status != http.StatusOK || !strings.Contains(body, "(kept)") {
		t.Errorf("the declaration is gone: %d %s %v", status, body, err)
	}
	if status, body, err := s.do(t, http.MethodPost, "/admin/v1/deployments", adminKey, `{"name":"n","targets":[{"connection":"kept","upstream_model":"up"}]}`); err != nil || status != http.StatusCreated {
		t.Errorf("%d %s %v", status, body, err)
	}
	until(t, func() bool {
		var status int
		status, body, err = s.do(t, http.MethodPost, "/v1/chat/completions", laptop, strings.Replace(ask, `"m"`, `"n"`, 1))
		return err == nil && status == http.StatusOK
	}, func() string { return "the declared connection does not work: " + body })
	if got := up.Last().Header.Get("Authorization"); got != "Bearer "+credential {
		t.Error("the credential does not open again")
	}
	s.stop(t)
	all := s.prove(t)
	missing := 0
	for _, id := range before {
		if _, ok := all[id]; !ok {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d calls that were answered before the backup are gone", missing, len(before))
	}
	t.Logf("%d calls were answered before the backup, %d are restored, %d missing", len(before), len(all), missing)
}

// holdsNoSecret looks for secrets in an archive.
func holdsNoSecret(t *testing.T, archive string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{credential, masterKey, callerKey, adminKey} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s holds %s", h.Name, secret)
			}
		}
	}
}
