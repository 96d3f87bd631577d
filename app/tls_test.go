package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/config"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	pair := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	a.pool = x509.NewCertPool()
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(c *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	c.SerialNumber, c.NotBefore, c.NotAfter = serial, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) server(name string) tls.Certificate {
	return a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

func (a *authority) client(name string) tls.Certificate {
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// put writes a certificate and its key where the configuration looks for them.
func put(t *testing.T, conf *config.TLS, pair tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string]*pem.Block{conf.Key: {Type: "PRIVATE KEY", Bytes: key}, conf.Cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// secured serves over TLS, and says who the client is by its certificate.
func secured(t *testing.T, conf *config.TLS) (addr string, c *certificates) {
	t.Helper()
	c, err := openCertificates(conf, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		TLSConfig: c.server(), ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto+" "+certified(r)) }),
	}
	go func() { _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String(), c
}

// greet asks a server, and returns what it says and what its certificate is called.
func greet(addr string, t *tls.Config) (said, server string, err error) {
	c := http.Client{Transport: &http.Transport{TLSClientConfig: t, ForceAttemptHTTP2: true, DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := c.Get("https://" + addr)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), resp.TLS.PeerCertificates[0].Subject.CommonName, err
}

func TestACertificateIsReadAgainWhenItsFilesChange(t *testing.T) {
	dir, a := t.TempDir(), newAuthority(t)
	conf := &config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	put(t, conf, a.server("first"))
	addr, c := secured(t, conf)
	ask := func(want string) {
		t.Helper()
		said, server, err := greet(addr, &tls.Config{RootCAs: a.pool})
		if err != nil || server != want || said != "HTTP/2.0 " {
			t.Errorf("%q under %q, %v; want %q", said, server, err, want)
		}
	}
	again := func() { // the files are looked at once a second
		c.mu.Lock()
		c.looked = time.Time{}
		c.mu.Unlock()
	}
	ask("first")
	put(t, conf, a.server("the second"))
	again()
	ask("the second")
	if err := os.WriteFile(conf.Key, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	again()
	ask("the second")
	put(t, conf, a.server("the third one"))
	again()
	ask("the third one")
	if _, err := openCertificates(&config.TLS{Cert: conf.Cert, Key: filepath.Join(dir, "none")}, nil, nil); err == nil {
		t.Error("a server begins without a key")
	}
}

func TestClientsShowCertificates(t *testing.T) {
	dir, a, other := t.TempDir(), newAuthority(t), newAuthority(t)
	conf := &config.TLS{
		Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ClientCA: filepath.Join(dir, "ca.pem"),
		ClientAuth: "required", Clients: []string{"app.example.com"},
	}
	put(t, conf, a.server("server"))
	if err := os.WriteFile(conf.ClientCA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, _ := secured(t, conf)
	open := *conf
	open.ClientAuth, open.Clients = "optional", nil
	lax, _ := secured(t, &open)
	for _, c := range []struct {
		name        string
		show        []tls.Certificate
		want, laxly string // what is said; "" is turned away
	}{
		{"none", nil, "", "HTTP/2.0 "},
		{"the right one", []tls.Certificate{a.client("app.example.com")}, "HTTP/2.0 app.example.com", "HTTP/2.0 app.example.com"},
		{"another name", []tls.Certificate{a.client("else.example.com")}, "", "HTTP/2.0 else.example.com"},
		{"another authority", []tls.Certificate{other.client("app.example.com")}, "", ""},
		{"not for clients", []tls.Certificate{a.server("app.example.com")}, "", ""},
	} {
		for at, want := range map[string]string{addr: c.want, lax: c.laxly} {
			shown := c.show
			conf := &tls.Config{RootCAs: a.pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if len(shown) == 0 {
					return &tls.Certificate{}, nil
				}
				return &shown[0], nil // whatever the server asks for
			}}
			said, _, err := greet(at, conf)
			if said != want || (err == nil) != (want != "") {
				t.Errorf("%s: %q, %v; want %q", c.name, said, err, want)
			}
		}
	}
}
