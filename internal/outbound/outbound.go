// Package outbound decides which addresses a call may go out to. It looks at the address that is dialled, after names
// were resolved, so that neither a name that resolves to another address at the second look, nor a redirect, nor another
// way of writing an address gets around it.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Network is what may be reached.
type Network string

// The networks. Each has the ones before it.
const (
	Public  Network = "public"  // addresses of the internet
	Private Network = "private" // also private and loopback ones
	Any     Network = "any"     // also link-local ones, where clouds keep the credentials of their machines
)

// ErrRefused says that an address may not be reached; it comes wrapped.
var ErrRefused = errors.New("the address may not be reached")

// Of returns the least network that has an address.
func Of(a netip.Addr) Network {
	a = a.Unmap().WithZone("")
	switch {
	case !a.IsValid(), metadata(a), a.IsLinkLocalUnicast(), a.IsLinkLocalMulticast(), a.IsMulticast(), a.IsInterfaceLocalMulticast():
		return Any
	case a.IsLoopback(), a.IsPrivate(), a.IsUnspecified():
		return Private
	}
	if inner, ok := embedded(a); ok {
		return Of(inner)
	}
	for _, p := range special() {
		if p.Contains(a) {
			return Private
		}
	}
	return Public
}

// metadata reports whether clouds answer there with their machines' credentials, outside of the link-local range.
func metadata(a netip.Addr) bool {
	switch a.String() {
	case "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192":
		return true
	}
	return false
}

// embedded returns the IPv4 address that an IPv6 address stands for at a translator: NAT64, 6to4, the compatible form.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return a, false
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return a, false
}

// special are ranges that are not of the internet (RFC 6890 and its registries).
func special() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
		"fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// Named reports whether a host, as an address of the web has it, says by itself that it is not on the internet: an address
// that is not, or a name that only a local network knows.
func Named(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return Of(a) != Public
	}
	if numeric(host) {
		return false // an address in another way of writing: whoever means it writes it plainly
	}
	if !strings.Contains(host, ".") {
		return host != ""
	}
	for _, end := range [...]string{".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".test", ".svc"} {
		if strings.HasSuffix(host, end) {
			return host != "metadata.google.internal"
		}
	}
	return false
}

// numeric reports whether some resolvers take a host for an address: 2130706433, 0x7f.1, 017700000001.
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

// Allows reports whether an address is within the network.
func (n Network) Allows(a netip.Addr) bool {
	switch Of(a) {
	case Public:
		return true
	case Private:
		return n == Private || n == Any
	case Any:
	}
	return n == Any
}

// control is a [net.Dialer]'s: it sees the address that is about to be dialled.
func (n Network) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s is no address", ErrRefused, address)
	}
	if n.Allows(ap.Addr()) {
		return nil
	}
	kind, wants := "is not of the internet", Private
	if Of(ap.Addr()) == Any {
		kind, wants = "is link-local, where clouds keep credentials", Any
	}
	return fmt.Errorf("%w: %s %s; `network: %s` of the connection allows it", ErrRefused, ap.Addr(), kind, wants)
}

// Dialer returns a dialer that reaches the network alone.
func (n Network) Dialer(patience time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: patience, KeepAlive: 30 * time.Second, ControlContext: n.control}
}

// Route is how calls leave: straight, through a dialer that reaches a network alone, or by the proxy of the environment.
// A proxy is where whoever runs Plenum put it, so that it may stand anywhere; what lies behind it, it decides itself, but
// that addresses which are refused by their name alone are not asked of it.
type Route struct {
	network  Network
	identity bool // where clouds answer with the identity of their machines is reached by those who name it
	straight,
	toProxy *net.Dialer
	proxies sync.Map // host:port
}

// Leave returns a route.
func (n Network) Leave(patience time.Duration) *Route {
	return &Route{network: n, straight: n.Dialer(patience), toProxy: Any.Dialer(patience)}
}

// Identity returns a route for those who ask a cloud for the identity of the machine: it reaches private networks, and
// besides them the link-local addresses where clouds keep such credentials, but only for a request that names one plainly.
// Neither a redirect nor a name that resolves to one leads there, and no proxy is asked for one.
func Identity(patience time.Duration) *Route {
	r := Private.Leave(patience)
	r.identity = true
	return r
}

// cloud reports whether a host says plainly that it is where clouds keep credentials.
func cloud(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(strings.TrimSuffix(host, "."), "metadata.google.internal")
	}
	return Of(a) == Any && !a.Unmap().IsMulticast()
}

// Proxy is for [net/http.Transport], which asks it before each request, those of redirects too.
func (r *Route) Proxy(q *http.Request) (*url.URL, error) {
	if host := q.URL.Hostname(); r.network != Any && cloud(host) {
		if !r.identity || q.Response != nil {
			return nil, fmt.Errorf("%w: %s is where clouds keep credentials; `network: %s` of the connection allows it", ErrRefused, host, Any)
		}
		return nil, nil
	}
	u, err := http.ProxyFromEnvironment(q)
	if u == nil || err != nil {
		return u, err
	}
	if host := q.URL.Hostname(); r.network == Public && (Named(host) || numeric(host)) {
		if a, err := netip.ParseAddr(host); err != nil || !r.network.Allows(a) {
			return nil, fmt.Errorf("%w: %s is not of the internet; `network: private` of the connection allows it", ErrRefused, host)
		}
	}
	r.proxies.Store(place(u), true)
	return u, nil
}

// place returns where a proxy listens.
func place(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// DialContext dials.
func (r *Route) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if _, ok := r.proxies.Load(addr); ok {
		return r.toProxy.DialContext(ctx, network, addr)
	}
	if host, _, err := net.SplitHostPort(addr); r.identity && err == nil && cloud(host) {
		return r.toProxy.DialContext(ctx, network, addr) // it reaches any address; Proxy saw who asks
	}
	return r.straight.DialContext(ctx, network, addr)
}

// Client returns an HTTP client that reaches the network alone, whatever it is redirected to.
func (n Network) Client(patience time.Duration) *http.Client {
	return n.Leave(patience).Client(patience)
}

// Client returns an HTTP client that leaves by the route.
func (r *Route) Client(patience time.Duration) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		Proxy: r.Proxy, DialContext: r.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: patience, IdleConnTimeout: 90 * time.Second,
	}}
}
