package plenum

import (
	"net"
	"net/url"
)

// Issuer vouches for callers by tokens that it signs: an identity provider, or the cluster that a workload runs in.
type Issuer struct {
	Name       string
	URL        string // what its tokens say in iss, to the letter
	Audiences  []string
	Algorithms []string // those that its signatures may have
	Source     KeySource
	Accounts   []Account
}

// KeySource is where an issuer's public keys are read.
type KeySource struct {
	Issuer    string // whose discovery document says where, if KeysURL does not
	KeysURL   string
	CA        string // file of the certificates to trust instead of the system's
	TokenFile string // file with the bearer token that reading takes
}

// Account is whom an issuer's tokens stand for that make certain claims.
type Account struct {
	Key    Key // has no secret: what the account is called, and its project
	Claims []Claim
	Member string // the claim that names the member; "" where none does
}

// Claim is a claim that a token must make: a value, in which one * stands for any run of characters. Of a claim that
// is a list one member must fit.
type Claim struct{ Name, Value string }

// SafeURL reports whether what is read from an address cannot be changed on the way: it is of HTTPS, or of this machine.
func SafeURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
