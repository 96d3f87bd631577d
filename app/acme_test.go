//go:build unix

package app

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// lockedBuffer is a log that several write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// certifiedNode is a node whose certificate an authority makes, and what it logs.
func certifiedNode(t *testing.T, dir, port, acme string, log io.Writer) *site {
	t.Helper()
	s := serveAt(t, "127.0.0.1:"+port, dir, acme, slog.New(slog.NewTextHandler(log, nil)))
	s.url = "https://localhost:" + port
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the node says:\n%v", log)
		}
	})
	return s
}

// shown returns the serial of the certificate that is shown, once it is another than one.
func shown(t *testing.T, port, name, but string) (serial, issuer string) {
	t.Helper()
	var last error
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		d := tls.Dialer{Config: &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // it is looked at
		c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if last = err; err != nil {
			continue
		}
		cert := c.(*tls.Conn).ConnectionState().PeerCertificates[0]
		_ = c.Close()
		if s := cert.SerialNumber.String(); s != but {
			return s, cert.Issuer.CommonName
		}
	}
	t.Fatalf("no certificate but %q is shown: %v", but, last)
	return "", ""
}

func TestACertificateComesFromAnAuthority(t *testing.T) {
	for _, way := range []struct {
		name string
		http bool
	}{{"in the handshake", false}, {"at another address", true}} {
		t.Run(way.name, func(t *testing.T) {
			port, plain := testkit.FreePort(t), testkit.FreePort(t)
			tlsPort := port
			if way.http {
				tlsPort = testkit.FreePort(t) // where nobody listens
			}
			a := testkit.Pebble(t, plain, tlsPort, 90*24*time.Hour)
			acme := fmt.Sprintf("tls: {acme: {domains: [plenum.example], directory: %q, ca: %q, accept_terms: true, email: ops@example.com, eab_key: %s, eab_hmac: %q", a.Directory, a.CA, a.EABKey, a.EABSecret)
			if way.http {
				acme += ", http: 127.0.0.1:" + plain
			}
			dir := t.TempDir()
			var log lockedBuffer
			s := certifiedNode(t, dir, port, acme+"}}\n", &log)
			first, issuer := shown(t, port, "plenum.example", "")
			if !strings.Contains(issuer, "Pebble") {
				t.Errorf("it was made by %q", issuer)
			}
			if again, _ := shown(t, port, "", ""); again != first { // whoever names no host
				t.Errorf("another certificate: %s", again)
			}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: "plenum.example", InsecureSkipVerify: true}}} //nolint:gosec // the authority's root is not known
			resp, err := client.Get(s.url + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("readyz: %d", resp.StatusCode)
			}
			stranger := tls.Dialer{Config: &tls.Config{ServerName: "elsewhere.example", InsecureSkipVerify: true}} //nolint:gosec // it is refused
			if c, err := stranger.DialContext(t.Context(), "tcp", "127.0.0.1:"+port); err == nil {
				c.Close()
				t.Error("a name that is not declared is answered")
			}
			// After a restart it is the same: what is kept is sealed, and nothing of it is in the log.
			var kept []byte
			for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // it is shown first, and then kept
				if kept, err = s.store.Setting(t.Context(), shelvedAs("plenum.example")); err == nil {
					break
				}
			}
			if err != nil || bytes.Contains(kept, []byte("PRIVATE KEY")) {
				t.Errorf("what is kept: %.40s, %v", kept, err)
			}
			s.end(t)
			if err := s.Node.Close(); err != nil {
				t.Fatal(err)
			}
			certifiedNode(t, dir, port, acme+"}}\n", &log)
			if again, _ := shown(t, port, "plenum.example", ""); again != first {
				t.Errorf("after a restart it is another: %s", again)
			}
			if text := log.String(); strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, a.EABSecret) {
				t.Errorf("the log has a secret:\n%s", text)
			}
		})
	}
}

func TestACertificateIsRenewedAndAnAuthorityThatIsAwayIsToldOf(t *testing.T) {
	port := testkit.FreePort(t)
	a := testkit.Pebble(t, testkit.FreePort(t), port, 10*time.Second)
	acme := fmt.Sprintf("tls: {acme: {domains: [plenum.example], directory: %q, ca: %q, accept_terms: true, eab_key: %s, eab_hmac: %q}}\n", a.Directory, a.CA, a.EABKey, a.EABSecret)
	var log lockedBuffer
	certifiedNode(t, t.TempDir(), port, acme, &log)
	first, _ := shown(t, port, "plenum.example", "")
	shown(t, port, "plenum.example", first)

	var away lockedBuffer
	other := testkit.FreePort(t)
	certifiedNode(t, t.TempDir(), other, strings.Replace(acme, a.Directory, "https://localhost:1/dir", 1), &away)
	for end := time.Now().Add(time.Minute); !strings.Contains(away.String(), "no certificate from the authority"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing tells of it:\n%s", away.String())
		}
	}
}
