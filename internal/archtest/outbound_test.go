package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// callers are the packages that may make HTTP clients of their own besides internal/outbound, and why.
var callers = map[string]string{
	"app":             "the command line asks a server that its user named, and doctor tries what the file says",
	"app/chat":        "the command line asks a server that its user named",
	"bench":           "a test bed asks itself",
	"engine/llamacpp": "the engine that was started here, by loopback and no proxy",
	"engine/ollama":   "the engine on this machine, by no proxy",
	"gateway":         "its transports dial by a route of internal/outbound",
	"identity":        "its transport dials by a route of internal/outbound, with an issuer's own certificates",
	"signin":          "its transport dials by a route of internal/outbound, with a provider's own certificates",
}

// clients finds HTTP clients and transports that are made where the addresses they reach are not guarded.
func clients(t *tree) (violations []string) {
	for _, p := range t.packages {
		if callers[p.dir] != "" || p.dir == "internal/outbound" || within(p.dir, "internal/testkit/...") || within(p.dir, "test/...") {
			continue
		}
		for _, s := range p.code() {
			ast.Inspect(s.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if made, isLit := n.(*ast.CompositeLit); isLit {
					sel, ok = made.Type.(*ast.SelectorExpr)
					ok = ok && (sel.Sel.Name == "Client" || sel.Sel.Name == "Transport")
				} else if ok {
					ok = slices.Contains([]string{"DefaultClient", "DefaultTransport", "Get", "Post", "PostForm", "Head"}, sel.Sel.Name)
				}
				if !ok {
					return true
				}
				if of, isName := sel.X.(*ast.Ident); isName && of.Name == "http" {
					violations = append(violations, fmt.Sprintf("%s uses http.%s: clients come from internal/outbound, which guards where they go", s.path, sel.Sel.Name))
				}
				return true
			})
		}
	}
	return violations
}

func TestClientsAreMadeWhereAddressesAreGuarded(t *testing.T) {
	for _, v := range clients(house(t)) {
		t.Error(v)
	}
	found := clients(planted(t, map[string]string{
		"alert/a.go":      "package alert\nimport \"net/http\"\nvar c = &http.Client{}\nvar t = http.DefaultTransport\n",
		"alert/a_test.go": "package alert\nimport \"net/http\"\nvar d = http.DefaultClient\n",
		"app/a.go":        "package app\nimport \"net/http\"\nvar c = http.Client{}\n",
	}))
	if len(found) != 2 || !strings.Contains(found[0], "http.Client") || !strings.Contains(found[1], "http.DefaultTransport") {
		t.Errorf("found %q", found)
	}
}
