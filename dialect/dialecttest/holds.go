package dialecttest

import (
	"strings"
	"testing"
)

// Has checks that a text has parts, in this order.
func Has(t *testing.T, out string, parts ...string) {
	t.Helper()
	rest := out
	for _, p := range parts {
		i := strings.Index(rest, p)
		if i < 0 {
			t.Fatalf("no %s, or not in this order, in\n%s", p, out)
		}
		rest = rest[i+len(p):]
	}
}

// HasNot checks that a text has none of the parts.
func HasNot(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(out, p) {
			t.Errorf("%s in\n%s", p, out)
		}
	}
}
