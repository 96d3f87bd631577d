package config

import (
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// shortestSecret is the least length of a key that people choose themselves.
const shortestSecret = 16

// keys enters the keys of the store, the declared ones and the administrator's. They are found by the
// MAC of their secret; the secret itself is not kept in the index.
func (c *compiler) keys() {
	for i := range c.opt.Keys {
		if k := &c.opt.Keys[i]; len(k.MAC) == 32 {
			c.snap.keys[[32]byte(k.MAC)] = k
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
		c.enter(k.Secret, at("keys", i, "secret"), paths, key)
	}
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
