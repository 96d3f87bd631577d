package app

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// acmeAuthority gets certificates by ACME (RFC 8555) and renews them when two thirds of their life are over, or 30 days are
// left. The account's key and the certificates are sealed in the store, so that all nodes have the same ones, and each can
// answer what the authority asks of another.
type acmeAuthority struct {
	conf    *config.ACME
	manager *autocert.Manager
	http    http.Handler // of the address for http-01; nil where there is none
	log     *slog.Logger
}

// shelved is where certificates are kept. It is what autocert calls a cache.
type shelved struct{ n *Node }

var _ autocert.Cache = shelved{}

// shelvedAs is the name of a setting.
func shelvedAs(name string) string { return "acme/" + name }

// Get returns what is kept under a name.
func (s shelved) Get(ctx context.Context, name string) ([]byte, error) {
	b, err := s.n.store.Setting(ctx, shelvedAs(name))
	if errors.Is(err, store.ErrNotFound) || err == nil && len(b) == 0 {
		return nil, autocert.ErrCacheMiss
	}
	if err != nil {
		return nil, err
	}
	text, err := s.n.safe.open(string(b))
	if err != nil {
		return nil, fmt.Errorf("opening what is kept of certificates: %w", err)
	}
	return []byte(text), nil
}

// Put keeps something.
func (s shelved) Put(ctx context.Context, name string, what []byte) error {
	text, err := s.n.safe.vault.SealText(string(what))
	if err != nil {
		return err
	}
	return s.n.store.SetSetting(ctx, shelvedAs(name), []byte(text))
}

// Delete keeps it no more.
func (s shelved) Delete(ctx context.Context, name string) error {
	return s.n.store.SetSetting(ctx, shelvedAs(name), nil)
}

// newAuthority returns the authority of a configuration.
func (n *Node) newAuthority(conf *config.ACME) (*acmeAuthority, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if conf.CA != "" {
		roots, err := rootsIn(conf.CA)
		if err != nil {
			return nil, fmt.Errorf("reading tls.acme.ca: %w", err)
		}
		transport.TLSClientConfig.RootCAs = roots
	}
	a := &acmeAuthority{conf: conf, log: n.log, manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, // the configuration is refused where its owner does not
		Cache:  shelved{n}, HostPolicy: only(conf.Domains), Email: conf.Email,
		Client: &acme.Client{DirectoryURL: conf.Directory, HTTPClient: &http.Client{Transport: transport, Timeout: 2 * time.Minute}, UserAgent: "plenum"},
	}}
	if conf.HTTP != "" {
		a.http = a.manager.HTTPHandler(nil) // which lets it be tried as well
	}
	if conf.EABKey != "" {
		key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(conf.EABSecret.Reveal(), "="))
		if err != nil {
			return nil, errors.New("tls.acme.eab_hmac is not base64url")
		}
		a.manager.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: conf.EABKey, Key: key}
	}
	return a, nil
}

// only lets names pass that are declared; what comes by http has a port behind it where that is not 80.
func only(domains []string) autocert.HostPolicy {
	declared := autocert.HostWhitelist(domains...)
	return func(ctx context.Context, host string) error {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		return declared(ctx, host)
	}
}

// challenges reports whether it is the authority that shakes hands (tls-alpn-01, RFC 8737): it shows no certificate, whatever
// clients must.
func challenges(h *tls.ClientHelloInfo) bool {
	return len(h.SupportedProtos) == 1 && h.SupportedProtos[0] == acme.ALPNProto
}

// certificate returns the one that a client is to be shown.
func (a *acmeAuthority) certificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if h.ServerName == "" {
		named := *h
		named.ServerName = a.conf.Domains[0]
		h = &named
	}
	return a.manager.GetCertificate(h)
}

// The times of looking after certificates.
const (
	acmeFirst = time.Minute // before it is tried again; autocert itself remembers a failure for as long
	acmeMost  = time.Hour
)

// run gets the certificates before anybody asks for one, and tells of those that are not renewed.
func (a *acmeAuthority) run(ctx context.Context) error {
	told := map[string]time.Time{}
	for wait := acmeFirst; ; {
		next, good := acmeMost, true
		for _, d := range a.conf.Domains {
			// What a client of today says of itself: it takes ECDSA.
			c, err := a.manager.GetCertificate(&tls.ClientHelloInfo{
				ServerName: d, SupportedVersions: []uint16{tls.VersionTLS13}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_AES_128_GCM_SHA256},
				SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256},
			})
			if err != nil {
				a.log.Error("no certificate from the authority", "domain", d, "directory", a.conf.Directory, "err", err)
				good = false
				continue
			}
			life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)
			left := time.Until(c.Leaf.NotAfter)
			next = min(next, max(life/10, time.Second))
			switch {
			case left < min(life/4, 14*24*time.Hour):
				a.log.Error("the certificate was not renewed, and ends", "domain", d, "at", c.Leaf.NotAfter, "directory", a.conf.Directory)
			case !told[d].Equal(c.Leaf.NotAfter):
				told[d] = c.Leaf.NotAfter
				a.log.Info("certificate from the authority", "domain", d, "until", c.Leaf.NotAfter, "directory", a.conf.Directory)
			}
		}
		if good {
			wait = acmeFirst
		} else {
			next = wait
			wait = min(2*wait, acmeMost)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(next):
		}
	}
}

// listenHTTP listens where the authority asks by http-01, and returns what answers it there, and sends everybody else on
// to https.
func (a *acmeAuthority) listenHTTP() (func(context.Context) error, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", a.conf.HTTP)
	if err != nil {
		return nil, fmt.Errorf("listening at tls.acme.http: %w", err)
	}
	srv := &http.Server{Handler: a.http, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	return func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
		defer stop()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, nil
}

// withChallenges is a server's configuration that the authority can ask as well.
func withChallenges(t *tls.Config, a *acmeAuthority) *tls.Config {
	out := t.Clone()
	out.NextProtos = append(slices.Clone(t.NextProtos), acme.ALPNProto)
	plain := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acme.ALPNProto}, GetCertificate: a.certificate}
	others := t.GetConfigForClient
	out.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if challenges(h) {
			return plain, nil
		}
		return others(h)
	}
	return out
}
