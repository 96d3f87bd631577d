package provider

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// ParseBaseURL reads a connection's address. Its errors never repeat the address, which may hold what
// it must not.
func ParseBaseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("base_url must be an address that begins with http:// or https://")
	case u.User != nil:
		return nil, errors.New("base_url must not hold a user or a password; put them under credentials")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, errors.New("base_url must not hold a fragment (#)")
	}
	return u, nil
}

// address is what the paths of operations are joined to.
type address struct {
	root  string // scheme, host and the path without a slash at its end, escaped
	query string
}

// newAddress makes an address of a base URL. Three rules, told in docs/adding-a-provider.md, let what
// people paste mean what they meant; nothing else is added or taken away. The base URL of
//
//   - a bare host gets the path of own, the kind's base URL;
//   - a whole call, as a vendor's examples show it, loses the path of the call;
//   - the part of that path up to its version ("/v1") loses that part, so that it is not said twice.
func newAddress(base *url.URL, own, path string) address {
	at := trimSlash(base.EscapedPath())
	if at == "" {
		at = pathOf(own)
	}
	path, _, _ = strings.Cut(path, "?")
	if rest, ok := cutCall(at, path); ok {
		at = rest
	} else {
		at = strings.TrimSuffix(at, versioned(path))
	}
	return address{root: base.Scheme + "://" + base.Host + at, query: base.RawQuery}
}

// cutCall returns an address without the path of a call at its end, whichever model that names.
func cutCall(at, path string) (string, bool) {
	before, after, named := strings.Cut(path, modelVar)
	if !named {
		return strings.CutSuffix(at, path)
	}
	i := strings.LastIndex(at, before)
	if i < 0 {
		return at, false
	}
	model, ok := strings.CutSuffix(at[i+len(before):], after)
	if !ok || model == "" || strings.Contains(model, "/") {
		return at, false
	}
	return at[:i], true
}

func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return trimSlash(u.EscapedPath())
}

// versioned returns the beginning of a path up to and including its version ("v1", "v1beta"), or "".
func versioned(path string) string {
	end := 0
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		end += 1 + len(segment)
		if len(segment) > 1 && segment[0] == 'v' && strings.Trim(segment[1:2], "0123456789") == "" && strings.Trim(segment[1:], "0123456789abeht") == "" {
			return path[:end]
		}
	}
	return ""
}

// join returns the address of an operation. A query of its own follows that of the base URL.
func (a address) join(path string) string {
	path, query, _ := strings.Cut(path, "?")
	if a.query != "" && query != "" {
		query = "&" + query
	}
	if query = a.query + query; query != "" {
		query = "?" + query
	}
	return a.root + path + query
}

// private reports whether a host is on this machine or on a network of the owner's, as far as its name
// tells. Names are not looked up.
func private(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return true // "localhost", or a name within a cluster
	}
	for _, suffix := range [...]string{".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

func trimSlash(s string) string { return strings.TrimRight(s, "/") }
