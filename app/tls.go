package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/plenum-foundry/plenum/config"
)

// lookEvery is how often it is looked whether the files of a certificate have changed: at a handshake, and no oftener.
const lookEvery = time.Second

// certificates are the server's certificate and those that clients' must come from, read again when their files change.
// What cannot be read changes nothing: the ones before stay, and the log says why.
type certificates struct {
	conf *config.TLS
	acme *acmeAuthority // nil where there are files
	log  *slog.Logger

	mu     sync.Mutex
	config *tls.Config
	looked time.Time
	stamp  string // of the files that config was read from
}

// openCertificates reads the files of a configuration.
func openCertificates(conf *config.TLS, a *acmeAuthority, log *slog.Logger) (*certificates, error) {
	c := &certificates{conf: conf, acme: a, log: log}
	stamp := c.stamped()
	read, err := c.read()
	if err != nil {
		return nil, err
	}
	c.config, c.stamp, c.looked = read, stamp, time.Now()
	return c, nil
}

// server is a server's configuration that asks for the present one at every handshake.
func (c *certificates) server() *tls.Config {
	out := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.present(time.Now()), nil },
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c.acme != nil {
				return c.acme.certificate(h)
			}
			return &c.present(time.Now()).Certificates[0], nil
		},
	}
	if c.acme != nil {
		return withChallenges(out, c.acme)
	}
	return out
}

// present returns the configuration of now.
func (c *certificates) present(now time.Time) *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < lookEvery {
		return c.config
	}
	c.looked = now
	stamp := c.stamped()
	if stamp == c.stamp {
		return c.config
	}
	read, err := c.read()
	if err != nil {
		c.log.Error("the changed certificate was not taken over; the one in force stays", "err", err)
		return c.config
	}
	c.config, c.stamp = read, stamp
	c.log.Info("certificate taken over", "file", c.conf.Cert)
	return c.config
}

// stamped tells one state of the files from another.
func (c *certificates) stamped() string {
	out := ""
	for _, path := range []string{c.conf.Cert, c.conf.Key, c.conf.ClientCA} {
		if info, err := os.Stat(path); err == nil {
			out += fmt.Sprintf("%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
	}
	return out
}

func (c *certificates) read() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if c.acme != nil {
		t.GetCertificate = c.acme.certificate
	} else {
		pair, err := tls.LoadX509KeyPair(c.conf.Cert, c.conf.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if c.conf.ClientCA == "" {
		return t, nil
	}
	var err error
	if t.ClientCAs, err = rootsIn(c.conf.ClientCA); err != nil {
		return nil, fmt.Errorf("reading tls.client_ca: %w", err)
	}
	t.ClientAuth = tls.RequireAndVerifyClientCert
	if c.conf.ClientAuth == "optional" {
		t.ClientAuth = tls.VerifyClientCertIfGiven
	}
	// Not VerifyPeerCertificate, which a resumed session passes by.
	t.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 || len(c.conf.Clients) == 0 {
			return nil
		}
		for _, n := range namesOf(s.PeerCertificates[0]) {
			if slices.Contains(c.conf.Clients, n) {
				return nil
			}
		}
		return errors.New("the client's certificate has none of the names in tls.clients")
	}
	return t, nil
}

// namesOf returns what a certificate says its holder is called: URIs, addresses of mail, hosts, the common name.
func namesOf(c *x509.Certificate) []string {
	var out []string
	for _, u := range c.URIs {
		out = append(out, u.String())
	}
	out = append(append(out, c.EmailAddresses...), c.DNSNames...)
	if c.Subject.CommonName != "" {
		out = append(out, c.Subject.CommonName)
	}
	return out
}

// certified returns the identity of the certificate that a request's client showed and that was verified.
func certified(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return ""
	}
	names := namesOf(r.TLS.PeerCertificates[0])
	if len(names) == 0 {
		return r.TLS.PeerCertificates[0].Subject.String()
	}
	return names[0]
}
