package plenum

import (
	"net/netip"
	"testing"
)

func TestScopeDeployments(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"grok", "grok", true},
		{"grok", "grok-4", false},
		{"*", "", true},
		{"*", "x", true},
		{"grok*", "grok", true},
		{"grok*", "xgrok", false},
		{"*-mini", "gpt-mini", true},
		{"*-mini", "gpt-mini-2", false},
		{"a*b*c", "abc", true},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "ac", false},
		{"ab*ba", "aba", false},
		{"a*a*a", "aa", false},
		{"**", "x", true},
	} {
		s := &Scope{Deployments: []string{c.pattern}}
		if got := s.Deployment(c.name); got != c.want {
			t.Errorf("%q within %q: %v", c.name, c.pattern, got)
		}
	}
	var none *Scope
	if !none.Deployment("x") || !none.Operation("generate") || !none.Network("anything") || !none.Empty() {
		t.Error("no scope bounds something")
	}
}

func TestScopeNetworks(t *testing.T) {
	s := &Scope{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}}
	for from, want := range map[string]bool{
		"10.1.2.3": true, "10.1.2.3:4567": true, "11.1.2.3:80": false, "[::ffff:10.1.2.3]:80": true,
		"[2001:db8::1]:443": true, "2001:db9::1": false, "": false, "unknown": false,
	} {
		if got := s.Network(from); got != want {
			t.Errorf("from %q: %v, want %v", from, got, want)
		}
	}
}
