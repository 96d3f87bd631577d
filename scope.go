package plenum

import (
	"net/netip"
	"slices"
	"strings"
)

// Scope bounds what a key is good for, on top of what policies let its caller do. A list that is empty bounds
// nothing.
type Scope struct {
	Deployments []string       `json:"deployments,omitempty"` // names of deployments; * stands for any run of characters
	Operations  []string       `json:"operations,omitempty"`  // such as generate and embed
	Networks    []netip.Prefix `json:"networks,omitempty"`    // where calls may come from
	ReadOnly    bool           `json:"read_only,omitempty"`   // of the management API: look, and change nothing
	SCIM        bool           `json:"scim,omitempty"`        // not of the management API itself, but of /scim/v2, for a directory
}

// Empty reports whether nothing is bounded.
func (s *Scope) Empty() bool {
	return s == nil || len(s.Deployments) == 0 && len(s.Operations) == 0 && len(s.Networks) == 0 && !s.ReadOnly && !s.SCIM
}

// Deployment reports whether a deployment is within the scope.
func (s *Scope) Deployment(name string) bool {
	return s == nil || len(s.Deployments) == 0 || slices.ContainsFunc(s.Deployments, func(p string) bool { return fits(p, name) })
}

// Operation reports whether an operation is within the scope.
func (s *Scope) Operation(name string) bool {
	return s == nil || len(s.Operations) == 0 || slices.Contains(s.Operations, name)
}

// Network reports whether calls may come from an address, with its port or without.
func (s *Scope) Network(from string) bool {
	if s == nil || len(s.Networks) == 0 {
		return true
	}
	var ip netip.Addr
	if at, err := netip.ParseAddrPort(from); err == nil {
		ip = at.Addr()
	} else if ip, err = netip.ParseAddr(from); err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(s.Networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// fits reports whether a name is one that a pattern with * stands for.
func fits(pattern, name string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, first) {
		return false
	}
	name = name[len(first):]
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, last)
}
