package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// shortestSecret is the least length of a key that people choose themselves.
const shortestSecret = 16

// keys enters the keys of the store, the declared ones and the administrator's. They are found by the
// MAC of their secret; the secret itself is not kept in the index.
func (c *compiler) keys() {
	for i := range c.opt.Keys {
		if k := &c.opt.Keys[i]; len(k.MAC) == 32 {
			c.snap.keys[[32]byte(k.MAC)] = k
			if len(k.Before) == 32 {
				c.snap.keys[[32]byte(k.Before)] = k
			}
		}
	}
	if c.opt.MAC == nil {
		return
	}
	paths := map[[32]byte]string{}
	if !c.file.AdminKey.Empty() {
		c.enter(c.file.AdminKey, "admin_key", paths, plenum.Key{ID: "admin", Name: "admin", Admin: true})
	}
	named := map[string]bool{}
	for i := range c.file.Keys {
		k := &c.file.Keys[i]
		if fault := nameFault(k.Name, false); fault != "" {
			c.fail(at("keys", i, "name"), "%q %s", clip(k.Name), fault)
		} else if named[k.Name] {
			c.fail(at("keys", i, "name"), "%q is the name of another key as well", k.Name)
		}
		named[k.Name] = true
		key := plenum.Key{ID: "declared:" + k.Name, Name: k.Name, Project: k.Project, Member: k.Member, Groups: k.Groups}
		if !k.Expires.IsZero() {
			key.Expires = k.Expires.UnixMilli()
		}
		key.Scope = c.keyScope(&k.Scope, at("keys", i, "scope"))
		c.enter(k.Secret, at("keys", i, "secret"), paths, key)
	}
}

// keyScope compiles what a declared key is good for.
func (c *compiler) keyScope(s *KeyScope, path string) *plenum.Scope {
	out, faults := NewScope(s)
	for _, f := range faults {
		c.fail(path+"."+f.Path, "%s", f.Message)
	}
	if out.Empty() {
		return nil
	}
	return out
}

// NewScope compiles a scope; the paths of its faults begin with the scope's members.
func NewScope(s *KeyScope) (*plenum.Scope, []Problem) {
	out := &plenum.Scope{Deployments: s.Deployments, Operations: s.Operations, ReadOnly: s.ReadOnly, SCIM: s.SCIM}
	var faults []Problem
	fail := func(list string, i int, format string, args ...any) {
		faults = append(faults, Problem{Path: index(list, i), Message: fmt.Sprintf(format, args...)})
	}
	for i, d := range s.Deployments {
		if fault := nameFault(d, true); fault != "" {
			fail("deployments", i, "%q %s", clip(d), fault)
		}
	}
	for i, op := range s.Operations {
		known := make([]string, 0, 32)
		for _, o := range llm.Operations() {
			known = append(known, string(o))
		}
		if !slices.Contains(known, op) {
			fail("operations", i, "%q is no operation%s; there are %s", clip(op), suggest(op, known), strings.Join(known, ", "))
		}
	}
	for i, text := range s.Networks {
		n, err := netip.ParsePrefix(text)
		if ip, bare := netip.ParseAddr(text); err != nil && bare == nil {
			n, err = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
		if err != nil {
			fail("networks", i, "%q is no network such as 10.0.0.0/8 or 2001:db8::/32", clip(text))
			continue
		}
		out.Networks = append(out.Networks, n.Masked())
	}
	return out, faults
}

// enter checks a secret and puts its key into the index.
func (c *compiler) enter(s plenum.Secret, path string, paths map[[32]byte]string, k plenum.Key) {
	v := s.Reveal()
	switch {
	case len(v) < shortestSecret:
		c.fail(path, "is shorter than %d characters", shortestSecret)
		return
	case len(v) > 512:
		c.fail(path, "is longer than 512 characters")
		return
	case strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		c.fail(path, "may hold only printable ASCII without spaces, for it travels in a header")
		return
	}
	mac := c.opt.MAC(s)
	if other, ok := paths[mac]; ok {
		c.fail(path, "is the same secret as %s", other)
		return
	}
	paths[mac] = path
	k.MAC, k.Declared = mac[:], c.file.source.name
	k.Prefix = v[:min(len(v)/4, 14)]
	c.snap.keys[mac] = &k
}
