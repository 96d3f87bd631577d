package identity

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// claims are what a token says. They are read with care for numbers: large ones stand for identities in some.
type claims map[string]any

func readClaims(text []byte) (claims, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var c claims
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	return c, nil
}

// text returns a claim that is text; "" where it is not there or something else.
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// time returns a claim that is a time, in seconds.
func (c claims) time(name string) (time.Time, bool) {
	n, ok := c[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > math.MaxInt32*100 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

// meant reports whether a token is for one of these.
func (c claims) meant(audiences []string) bool {
	for _, a := range audiences {
		if is(c["aud"], func(s string) bool { return s == a }) {
			return true
		}
	}
	return false
}

// account returns whom the first account of an issuer that the claims fit calls as.
func (c claims) account(issuer *plenum.Issuer) (plenum.Principal, error) {
	for i := range issuer.Accounts {
		a := &issuer.Accounts[i]
		if !c.fit(a.Claims) {
			continue
		}
		who := a.Key.Principal()
		if a.Member == "" {
			return who, nil
		}
		member, err := c.member(a.Member)
		who.Member = member
		return who, err
	}
	return plenum.Principal{}, &llm.Error{
		Kind: llm.Forbidden, Op: "identity", Code: "no_account",
		Message: "this token is good, and its claims fit no account of the issuer " + issuer.Name + " here; whoever runs this Plenum declares those",
	}
}

// longestMember bounds the name of a member, as the configuration does.
const longestMember = 256

// member returns the person whom a claim names. An address of mail that the issuer has not verified names nobody.
func (c claims) member(name string) (string, error) {
	v, _ := c.find(name)
	member, _ := v.(string)
	if member == "" || len(member) > longestMember || strings.ContainsFunc(member, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", refuse("missing_claim", "this token does not say who its holder is: the claim "+name+" is missing")
	}
	if said, ok := c["email_verified"]; ok && name == "email" && !is(said, func(s string) bool { return s == "true" }) {
		return "", refuse("missing_claim", "the issuer of this token has not verified the address in its claim email")
	}
	return member, nil
}

func (c claims) fit(want []plenum.Claim) bool {
	for _, w := range want {
		v, ok := c.find(w.Name)
		if !ok {
			return false
		}
		if s, text := v.(string); text && (w.Name == "scp" || w.Name == "scope") {
			v = words(s) // where OAuth has a list as text
		}
		if !is(v, func(s string) bool { return like(w.Value, s) }) {
			return false
		}
	}
	return len(want) > 0
}

func words(s string) []any {
	var out []any
	for w := range strings.FieldsSeq(s) {
		out = append(out, w)
	}
	return out
}

// find returns a claim of a name, or one within another claim where the name has a / in it. Names of claims have
// slashes themselves at times, so that the longest that is there counts.
func (c claims) find(name string) (any, bool) {
	if v, ok := c[name]; ok {
		return v, true
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '/' {
			continue
		}
		if within, ok := c[name[:i]].(map[string]any); ok {
			return claims(within).find(name[i+1:])
		}
	}
	return nil, false
}

// is reports whether a value, or one of a list, is what is wanted.
func is(v any, want func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return want(v)
	case json.Number:
		return want(v.String())
	case bool:
		if v {
			return want("true")
		}
		return want("false")
	case []any:
		for _, one := range v {
			if _, list := one.([]any); !list && is(one, want) {
				return true
			}
		}
	}
	return false
}

// like reports whether a text fits a pattern, in which one * stands for any run of characters, but not for none at
// all: "*" alone asks that there be something.
func like(pattern, s string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return s == pattern
	}
	return len(s) > len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}
