package config

import (
	"crypto/tls"
	"encoding/base64"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/outbound"
)

// server checks what concerns the process as a whole.
func (c *compiler) server() {
	f := c.file
	if fault := listenFault(f.Listen); fault != "" {
		c.fail("listen", "%q %s", clip(f.Listen), fault)
	}
	if f.TLS != nil {
		c.tls(f.TLS)
	}
	c.scheme("database", f.Database, "postgres", "postgresql")
	c.scheme("valkey", f.Valkey, "redis", "rediss", "valkey", "valkeys", "unix")
	for i := range f.Ledger.Anchors {
		c.anchor(&f.Ledger.Anchors[i], index("ledger.anchors", i))
	}
	if f.MaxInFlight < f.MaxBody {
		c.fail("max_in_flight", "%s is less than max_body, %s", f.MaxInFlight, f.MaxBody)
	}
	if f.MaxDecompressed < f.MaxBody {
		c.fail("max_decompressed", "%s is less than max_body, %s", f.MaxDecompressed, f.MaxBody)
	}
}

func (c *compiler) tls(t *TLS) {
	switch {
	case t.ClientCA == "" && len(t.Clients) > 0:
		c.fail("tls.clients", "needs client_ca")
	case t.ACME != nil:
		c.acme(t)
	case t.Cert == "" || t.Key == "":
		c.fail("tls", "needs both cert and key, or acme")
	default:
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			c.fail("tls.cert", "cannot be used with the key: %s", strings.TrimPrefix(err.Error(), "tls: "))
		}
	}
}

func (c *compiler) acme(t *TLS) {
	a := t.ACME
	if t.Cert != "" || t.Key != "" {
		c.fail("tls.acme", "stands in the place of cert and key: give one or the other")
	}
	if !a.AcceptTerms {
		c.fail("tls.acme.accept_terms", "must be true: read the terms of service of the authority, and accept them")
	}
	if (a.EABKey == "") != a.EABSecret.Empty() {
		c.fail("tls.acme.eab_key", "goes with eab_hmac: the authority gives you both")
	}
	if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(a.EABSecret.Reveal(), "=")); err != nil {
		c.fail("tls.acme.eab_hmac", "is not base64url")
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		c.fail("tls.acme.directory", "%q is not an address that begins with https://", a.Directory)
	}
	for i, d := range a.Domains {
		if net.ParseIP(d) != nil || strings.ContainsAny(d, "*/: ") || !strings.Contains(strings.Trim(d, "."), ".") {
			c.fail(index("tls.acme.domains", i), "%q is not the full name of a host; certificates for addresses and wildcards are made elsewhere: give cert and key", d)
		}
	}
	if _, _, err := net.SplitHostPort(a.HTTP); a.HTTP != "" && err != nil {
		c.fail("tls.acme.http", "%q must be host:port, such as :80", a.HTTP)
	}
}

// anchor checks that a place for the record's head says where it is.
func (c *compiler) anchor(a *Anchor, path string) {
	needs := map[string]string{"file": "path", "git": "path", "rfc3161": "url", "log": "url"}
	for name, value := range map[string]string{"path": a.Path, "url": a.URL} {
		if needs[a.Kind] == name && value == "" {
			c.fail(path, "needs %s, for its kind is %s", name, a.Kind)
		}
	}
	if a.URL == "" {
		return
	}
	if u, err := url.Parse(a.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		c.fail(path+".url", "must be an address that begins with https:// or http://")
	}
}

// listenFault says what is wrong with an address to serve on, or nothing.
func listenFault(s string) string {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "must be host:port, such as 127.0.0.1:8080"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "must end in a port from 0 to 65535"
	} else if strconv.FormatUint(n, 10) != port {
		return "must end in a plain port number"
	}
	if strings.ContainsAny(host, " /@?#") {
		return "must be host:port, without a scheme or a path"
	}
	return ""
}

// scheme checks that an address with a password in it is one of the right kind, without repeating it.
func (c *compiler) scheme(path string, s plenum.Secret, schemes ...string) {
	if s.Empty() {
		return
	}
	u, err := url.Parse(s.Reveal())
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" && u.Path == "" {
		c.fail(path, "must be an address that begins with %s://", schemes[0])
	}
}

func (c *compiler) connections() {
	for i := range c.file.Connections {
		conn, path := &c.file.Connections[i], index("connections", i)
		if fault := nameFault(conn.Name, false); fault != "" {
			c.fail(path+".name", "%q %s", clip(conn.Name), fault)
		}
		if _, ok := c.snap.connections[conn.Name]; ok {
			c.fail(path+".name", "%q is the name of another connection as well", conn.Name)
			continue
		}
		// It is entered even where it has faults, so that targets which name it are not faulted too.
		made := &Connected{Connection: *conn}
		c.snap.connections[conn.Name] = made
		before := len(c.problems)
		c.connection(&made.Connection, path)
		if len(c.problems) == before && c.opt.Connect != nil {
			handle, err := c.opt.Connect(&made.Connection)
			if err != nil {
				c.fail(path, "%v", err)
			}
			made.Handle = handle
		}
	}
}

// connection checks one connection against its provider's kind and fills in what that leaves out.
func (c *compiler) connection(conn *Connection, path string) {
	c.headers(conn, path)
	c.knownTerms(conn.Terms, path)
	kind, ok := c.kinds[conn.Provider]
	if !ok {
		known := slices.Sorted(maps.Keys(c.kinds))
		c.fail(path+".provider", "there is no provider %q%s (known: %s)", clip(conn.Provider),
			suggest(conn.Provider, known), strings.Join(known, ", "))
		return
	}
	if conn.BaseURL == "" {
		conn.BaseURL = kind.BaseURL
	}
	if conn.BaseURL == "" && kind.finds() {
		// The provider knows its address by the other settings.
	} else if conn.BaseURL == "" {
		c.fail(path, "base_url is missing: the provider %s has no address of its own", kind.Name)
	} else if fault := urlFault(conn.BaseURL); fault != "" {
		c.fail(path+".base_url", "%s", fault)
	}
	conn.BaseURL = strings.TrimRight(conn.BaseURL, "/")
	if conn.Network == "auto" || conn.Network == "" {
		conn.Network = c.network(conn, path)
	}
	conn.Settings, conn.Credentials = maps.Clone(conn.Settings), maps.Clone(conn.Credentials)
	c.unknown(conn, kind, path)
	for _, f := range kind.Fields {
		c.providerField(conn, f, path)
	}
}

// network returns what a connection may reach that does not say it. An owner who writes a local address into their file
// means it; what came through the management API says so in words.
func (c *compiler) network(conn *Connection, path string) string {
	u, err := url.Parse(conn.BaseURL)
	if err == nil && c.origin(path) != "" && outbound.Named(u.Hostname()) {
		return string(outbound.Private)
	}
	return string(outbound.Public)
}

// finds reports whether a kind of provider tells the address of a place by its other settings: a region, say.
func (k *Kind) finds() bool {
	return slices.ContainsFunc(k.Fields, func(f Field) bool { return f.Name == "base_url" && !f.Required })
}

// excused reports whether a field that is required is not, for what else was given.
func (f *Field) excused(conn *Connection) bool {
	return slices.ContainsFunc(f.Unless, func(other string) bool {
		return conn.Settings[other] != "" || !conn.Credentials[other].Empty()
	})
}

// urlFault says what is wrong with a base URL, or nothing. It never repeats the URL, which may hold
// what it must not.
func urlFault(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return "must be an address that begins with http:// or https://"
	case u.User != nil:
		return "must not hold a user or a password; put them under credentials"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return "must not hold a query (?) or a fragment (#)"
	}
	if p := u.Port(); p != "" {
		if _, err := strconv.ParseUint(p, 10, 16); err != nil {
			return "must have a port from 0 to 65535"
		}
	}
	return ""
}

// unknown reports settings and credentials that the provider does not have.
func (c *compiler) unknown(conn *Connection, kind *Kind, path string) {
	settings, credentials := names(fieldsOf(valueOf(conn).Type())), []string(nil)
	for _, f := range kind.Fields {
		if f.Secret {
			credentials = append(credentials, f.Name)
		} else if !slices.Contains(settings, f.Name) {
			settings = append(settings, f.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(conn.Settings)) {
		here := join(path, name)
		switch {
		case slices.Contains(credentials, name):
			c.fail(here, "is a credential: write it under credentials")
		case !slices.Contains(settings, name):
			c.fail(here, "unknown field%s (known here: %s)", suggest(name, settings), strings.Join(settings, ", "))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(conn.Credentials)) {
		if !slices.Contains(credentials, name) {
			c.fail(join(path+".credentials", name), "the provider %s has no such credential%s (known: %s)", kind.Name,
				suggest(name, credentials), strings.Join(credentials, ", "))
		}
	}
}

// providerField fills in one field's default and reports it if it is required and missing.
func (c *compiler) providerField(conn *Connection, f Field, path string) {
	if f.Secret {
		if conn.Credentials[f.Name].Empty() && f.Required && !f.excused(conn) {
			c.fail(path, "credentials.%s is missing%s", f.Name, fromEnv(f))
		}
		return
	}
	switch f.Name {
	case "base_url":
		return // judged above
	case "region":
		if conn.Region != "" {
			c.set(conn, f.Name, conn.Region)
		}
	}
	if conn.Settings[f.Name] == "" && f.Default != "" {
		c.set(conn, f.Name, f.Default)
	}
	if conn.Settings[f.Name] == "" && f.Required && !f.excused(conn) {
		c.fail(path, "%s is missing%s", f.Name, fromEnv(f))
	}
}

func (c *compiler) set(conn *Connection, name, value string) {
	if conn.Settings == nil {
		conn.Settings = map[string]string{}
	}
	conn.Settings[name] = value
}

// fromEnv shows how to take a field from the environment.
func fromEnv(f Field) string {
	if len(f.Env) == 0 {
		return ""
	}
	return "; it can be taken from the environment: \"${env:" + f.Env[0] + "}\""
}

// headers checks that a connection's own headers can be sent, and do not take over what the transport
// itself decides.
func (c *compiler) headers(conn *Connection, path string) {
	ours := []string{
		"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection",
		"te", "trailer", "upgrade", "accept-encoding",
	}
	for _, name := range slices.Sorted(maps.Keys(conn.Headers)) {
		here := join(path+".headers", name)
		switch {
		case !isToken(name):
			c.fail(here, "is not the name of a header")
		case slices.Contains(ours, strings.ToLower(name)):
			c.fail(here, "is set by Plenum itself")
		case strings.ContainsFunc(conn.Headers[name].Reveal(), isControl):
			c.fail(here, "holds control characters or a line break")
		}
	}
}

func isToken(s string) bool {
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return false
		}
	}
	return s != ""
}

func (c *compiler) deploymentNames() []string {
	var out []string
	for i := range c.file.Deployments {
		out = append(out, c.file.Deployments[i].Name)
	}
	return out
}
