package config

import (
	"maps"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Issuer is somebody who vouches for callers by signed tokens, as it is declared.
type Issuer struct {
	Name       string    `conf:"name" required:"yes" doc:"What it is called in records and messages."`
	Issuer     string    `conf:"issuer" required:"yes" doc:"Its address, to the letter as its tokens have it in iss."`
	Audiences  []string  `conf:"audiences" required:"yes" doc:"Whom its tokens must be meant for: one of these must be in aud."`
	Algorithms []string  `conf:"algorithms" doc:"The signatures that are taken; left out RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA. Others cannot be given."`
	KeysURL    string    `conf:"jwks_url" doc:"Where its public keys are; left out, its discovery document says it."`
	CA         string    `conf:"ca" doc:"File with the certificates, in PEM, to trust instead of the system's when its keys are read."`
	TokenFile  string    `conf:"token_file" doc:"File with a bearer token to read its keys with, as Kubernetes wants."`
	Accounts   []Account `conf:"accounts" required:"yes" doc:"Whom its tokens stand for. The first whose claims all fit counts; a token that fits none is refused."`
}

// Account is a service account: whom tokens with certain claims stand for.
type Account struct {
	Name        string            `conf:"name" required:"yes" doc:"What it is called in records and budgets, where the name of a key stands."`
	Project     string            `conf:"project" default:"default" doc:"The project that its calls belong to."`
	Claims      map[string]string `conf:"claims" required:"yes" doc:"The claims that a token must make, each with its value. One * in a value stands for any run of characters; of a list one member must fit; / leads into a claim that has claims of its own."`
	Groups      []string          `conf:"groups" doc:"The groups that it belongs to, for policies."`
	Member      string            `conf:"member" doc:"The person that it belongs to."`
	MemberClaim string            `conf:"member_claim" doc:"The claim that names the person, such as email, instead of member. Tokens without it are refused."`
}

// signatures are those that an issuer's tokens may have. Signatures by a shared secret are none of them: the keys of
// an issuer are public.
func signatures() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// issuers checks and compiles those who vouch for callers.
func (c *compiler) issuers() {
	c.snap.issuers = make(map[string]*plenum.Issuer, len(c.file.Issuers))
	names := map[string]bool{}
	for i := range c.file.Issuers {
		is, path := &c.file.Issuers[i], index("issuers", i)
		c.named(is.Name, path, names[is.Name], "issuer")
		names[is.Name] = true
		c.address(is.Issuer, path+".issuer")
		if is.KeysURL != "" {
			c.address(is.KeysURL, path+".jwks_url")
		}
		if c.snap.issuers[is.Issuer] != nil {
			c.fail(path+".issuer", "is the address of another issuer as well")
		}
		if len(is.Audiences) == 0 || slices.Contains(is.Audiences, "") {
			c.fail(path+".audiences", "must name at least one, and none may be empty: else tokens count that were made for others")
		}
		out := &plenum.Issuer{
			Name: is.Name, URL: is.Issuer, Audiences: is.Audiences, Algorithms: is.Algorithms,
			Source: plenum.KeySource{Issuer: is.Issuer, KeysURL: is.KeysURL, CA: is.CA, TokenFile: is.TokenFile},
		}
		for j, a := range is.Algorithms {
			if !slices.Contains(signatures(), a) {
				c.fail(index(path+".algorithms", j), "%q is no signature that an issuer's token may have%s (known: %s)", clip(a), suggest(a, signatures()), strings.Join(signatures(), ", "))
			}
		}
		if len(out.Algorithms) == 0 {
			out.Algorithms = signatures()
		}
		c.accounts(is, out, path)
		c.snap.issuers[is.Issuer] = out
	}
}

// accounts checks and compiles whom an issuer's tokens stand for.
func (c *compiler) accounts(is *Issuer, out *plenum.Issuer, path string) {
	if len(is.Accounts) == 0 {
		c.fail(path+".accounts", "is empty, so that no token of this issuer would be taken")
	}
	names := map[string]bool{}
	for i := range is.Accounts {
		a, here := &is.Accounts[i], index(path+".accounts", i)
		c.named(a.Name, here, names[a.Name], "account")
		names[a.Name] = true
		if len(a.Claims) == 0 {
			c.fail(here+".claims", "is empty: anybody whom the issuer knows would be taken; if that is meant, write {sub: \"*\"}")
		}
		if a.Member != "" && a.MemberClaim != "" {
			c.fail(here+".member_claim", "cannot be given beside member")
		}
		account := plenum.Account{
			Key: plenum.Key{
				ID: "token:" + is.Name + "/" + a.Name, Name: a.Name, Project: a.Project, Member: a.Member, Groups: a.Groups,
				Declared: c.origin(here),
			},
			Member: a.MemberClaim,
		}
		for _, name := range slices.Sorted(maps.Keys(a.Claims)) {
			value := a.Claims[name]
			if name == "" || value == "" || strings.Count(value, "*") > 1 {
				c.fail(join(here+".claims", name), "must have a name and a value, and at most one * in that")
			}
			account.Claims = append(account.Claims, plenum.Claim{Name: name, Value: value})
		}
		out.Accounts = append(out.Accounts, account)
	}
}

// address checks where an issuer is: keys that come in clear text over a network are anybody's.
func (c *compiler) address(s, path string) {
	if fault := urlFault(s); fault != "" {
		c.fail(path, "%s", fault)
		return
	}
	if !plenum.SafeURL(s) {
		c.fail(path, "must begin with https://: over a network, anybody could put their own keys in place of the issuer's")
	}
}

// Issuer returns who has an address, as tokens have it in iss.
func (s *Snapshot) Issuer(iss string) (*plenum.Issuer, bool) {
	is, ok := s.issuers[iss]
	return is, ok
}

// Issuers returns all who vouch for callers.
func (s *Snapshot) Issuers() []*plenum.Issuer {
	return slices.Collect(maps.Values(s.issuers))
}
