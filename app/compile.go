package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/policy"
	"github.com/plenum-foundry/plenum/provider"
)

// compiler makes snapshots. It keeps the connections of the last one, so that a change of a deployment
// does not throw open connections to a vendor away.
type compiler struct {
	kinds   map[string]provider.Kind
	known   []config.Kind
	catalog *catalog.Catalog
	mac     func(plenum.Secret) [32]byte

	mu       sync.Mutex
	sequence uint64
	built    map[string]built
	judged   []config.Policy // those that were compiled last
	judgedBy *catalog.Catalog
	judges   *policy.Set // what came of them
}

type built struct {
	declared config.Connection
	conn     *gateway.Connection
}

func newCompiler(kinds []provider.Kind, cat *catalog.Catalog, mac func(plenum.Secret) [32]byte) *compiler {
	c := &compiler{kinds: map[string]provider.Kind{}, catalog: cat, mac: mac, built: map[string]built{}}
	for _, k := range kinds {
		c.kinds[k.Name] = k
		c.known = append(c.known, known(k))
	}
	return c
}

// facts returns the catalog that snapshots are compiled with from now on.
func (c *compiler) facts() *catalog.Catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.catalog
}

// learn makes a catalog the one that snapshots are compiled with.
func (c *compiler) learn(cat *catalog.Catalog) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catalog = cat
}

// known tells the configuration what it must know of a provider's kind.
func known(k provider.Kind) config.Kind {
	out := config.Kind{Name: k.Name, BaseURL: k.BaseURL, Traits: k.Traits}
	for _, f := range k.Fields {
		out.Fields = append(out.Fields, config.Field{Name: f.Name, Secret: f.Secret, Required: f.Required, Unless: f.Unless, Env: f.Env, Default: f.Default})
	}
	return out
}

// compile makes a snapshot of a file, of the keys in the store and of what was probed of offers.
func (c *compiler) compile(f *config.File, keys []plenum.Key, probed map[string]plenum.Capabilities) (*config.Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string]built{}
	s, err := config.Compile(f, config.Options{
		Kinds: c.known, Offer: c.catalog.Describe, MAC: c.mac, Keys: keys,
		Probed: func(offer string) plenum.Capabilities { return probed[offer] }, Sequence: c.sequence,
		Connect:  func(d *config.Connection) (any, error) { return c.connect(d, next) },
		Policies: c.policies, Redact: redactor,
	})
	if err != nil {
		return nil, err
	}
	c.sequence++
	for name, b := range c.built {
		if next[name].conn != b.conn {
			b.conn.Close()
		}
	}
	c.built = next
	return s, nil
}

// check reports what would be wrong with a file. The connections that it makes are closed again.
func (c *compiler) check(f *config.File, keys []plenum.Key) (*config.Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string]built{}
	s, err := config.Compile(f, config.Options{
		Kinds: c.known, Offer: c.catalog.Describe, MAC: c.mac, Keys: keys,
		Connect:  func(d *config.Connection) (any, error) { return c.connect(d, next) },
		Policies: c.policies, Redact: redactor,
	})
	for name, b := range next {
		if c.built[name].conn != b.conn {
			b.conn.Close()
		}
	}
	return s, err
}

// connect returns the connection that is there already if nothing about it changed, or makes it.
func (c *compiler) connect(d *config.Connection, next map[string]built) (any, error) {
	if old, ok := c.built[d.Name]; ok && old.declared.Same(d) {
		next[d.Name] = old
		return old.conn, nil
	}
	conn, err := c.open(d)
	if err != nil {
		return nil, err
	}
	next[d.Name] = built{*d, conn}
	return conn, nil
}

// open makes a connection.
func (c *compiler) open(d *config.Connection) (*gateway.Connection, error) {
	k, ok := c.kinds[d.Provider]
	if !ok {
		return nil, fmt.Errorf("there is no provider %q", d.Provider)
	}
	header := http.Header{}
	for name, v := range d.Headers {
		header.Set(name, v.Reveal())
	}
	p, err := k.New(provider.Settings{
		Connection: d.Name, BaseURL: d.BaseURL, Credentials: d.Credentials, Options: d.Settings, Header: header,
	})
	if err != nil {
		return nil, err
	}
	t := provider.Timeouts{Connect: d.Timeouts.Connect, FirstByte: d.Timeouts.FirstByte, Idle: d.Timeouts.Idle, Total: d.Timeouts.Total}
	secure, err := clientTLS(d)
	if err != nil {
		return nil, err
	}
	network := outbound.Network(d.Network)
	return &gateway.Connection{
		Name: d.Name, Kind: d.Provider, Provider: p, Transport: gateway.NewTransport(t, network, secure), Timeouts: t, Network: network, TLS: secure, Secrets: secrets(d),
	}, nil
}

// clientTLS returns whom a connection trusts and who it is; nil where the system's authorities do.
func clientTLS(d *config.Connection) (*tls.Config, error) {
	s := &d.TLS
	if s.CA == "" && s.Cert == "" && s.Key.Empty() && s.ServerName == "" {
		return nil, nil
	}
	if strings.HasPrefix(d.BaseURL, "http://") {
		return nil, errors.New("tls: is for addresses that begin with https://, and base_url does not")
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.ServerName}
	if s.CA != "" {
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM([]byte(s.CA)) {
			return nil, errors.New("tls.ca: has no certificate in PEM; ${file:PATH} takes it from a file")
		}
	}
	switch {
	case s.Cert == "" && s.Key.Empty():
		return out, nil
	case s.Cert == "" || s.Key.Empty():
		return nil, errors.New("tls: a certificate is shown with its key: give cert and key, or neither")
	}
	pair, err := tls.X509KeyPair([]byte(s.Cert), []byte(s.Key.Reveal()))
	if err != nil {
		return nil, errors.New("tls: cert and key are not a certificate and its private key, both in PEM") // the cause may quote the key
	}
	if at := pair.Leaf.NotAfter; time.Now().After(at) {
		return nil, fmt.Errorf("tls.cert: ended on %s; renew it", at.UTC().Format(time.DateOnly))
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// secrets are all values of a connection that nobody may hear.
func secrets(d *config.Connection) []plenum.Secret {
	var out []plenum.Secret
	for _, m := range [...]map[string]plenum.Secret{d.Credentials, d.Headers} {
		for _, v := range m {
			out = append(out, v)
		}
	}
	return out
}
