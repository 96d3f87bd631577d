package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/config"
)

// documents yields the path and text of each document.
func documents(t *tree) func(yield func(file, text string) bool) {
	return func(yield func(file, text string) bool) {
		for _, p := range t.paths {
			if path.Ext(p) != ".md" {
				continue
			}
			if text, err := fs.ReadFile(t.fsys, p); err == nil && !yield(p, string(text)) {
				return
			}
		}
	}
}

// block is a fenced piece of code in a document.
type block struct {
	file     string
	language string
	text     string
}

func blocks(t *tree, language string) (out []block) {
	fence := regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	for file, text := range documents(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[1] == language {
				out = append(out, block{file, language, m[2]})
			}
		}
	}
	return out
}

// vocabulary returns what documents may mention: "dialect.Codec", "llm.Opt", "gateway.Call.Payload".
func vocabulary(t *tree) (known map[string]bool, packages map[string]bool) {
	known, packages = map[string]bool{}, map[string]bool{}
	for _, p := range t.packages {
		for _, s := range p.code() {
			name := s.ast.Name.Name
			packages[name] = true
			for _, d := range s.ast.Decls {
				for _, n := range declares(d) {
					known[name+"."+n] = true
				}
			}
		}
	}
	return known, packages
}

// declares returns the names of a declaration, with the fields and methods of types.
func declares(d ast.Decl) (names []string) {
	if f, ok := d.(*ast.FuncDecl); ok {
		if f.Recv == nil {
			return []string{f.Name.Name}
		}
		return []string{receiver(f.Recv.List[0].Type) + "." + f.Name.Name}
	}
	for _, spec := range d.(*ast.GenDecl).Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			for _, n := range s.Names {
				names = append(names, n.Name)
			}
		case *ast.TypeSpec:
			names = append(names, s.Name.Name)
			ast.Inspect(s.Type, func(n ast.Node) bool {
				if f, ok := n.(*ast.Field); ok {
					for _, n := range f.Names {
						names = append(names, s.Name.Name+"."+n.Name)
					}
				}
				return true
			})
		}
	}
	return names
}

func receiver(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// untrue finds names and paths in documents that are not in the tree any more.
func untrue(t *tree) (violations []string) {
	known, packages := vocabulary(t)
	name := regexp.MustCompile("`([a-z]+)((?:\\.[A-Z]\\w*){1,2})(?:\\(\\))?`")
	place := regexp.MustCompile("`([a-z]+(?:/[\\w.-]+)+)/?`")
	for file, text := range documents(t) {
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			if packages[m[1]] && !known[m[1]+m[2]] {
				violations = append(violations, fmt.Sprintf("%s speaks of %s, which is not there", file, m[1]+m[2]))
			}
		}
		for _, m := range place.FindAllStringSubmatch(text, -1) {
			top, _, _ := strings.Cut(m[1], "/")
			info, err := fs.Stat(t.fsys, top)
			if err != nil || !info.IsDir() || strings.Contains(m[1], "NAME") {
				continue
			}
			if _, err := fs.Stat(t.fsys, m[1]); errors.Is(err, fs.ErrNotExist) {
				violations = append(violations, fmt.Sprintf("%s speaks of %s, which is not there", file, m[1]))
			}
		}
	}
	return violations
}

// unformatted finds Go in documents that does not compile as far as that can be seen, or that gofmt
// would write otherwise.
func unformatted(t *tree) (violations []string) {
	for _, b := range blocks(t, "go") {
		if out, err := format.Source([]byte(b.text)); err != nil {
			violations = append(violations, fmt.Sprintf("%s: %v in:\n%s", b.file, err, b.text))
		} else if string(out) != b.text {
			violations = append(violations, fmt.Sprintf("%s: gofmt writes this otherwise:\n%s", b.file, b.text))
		}
		if strings.HasPrefix(b.text, "package ") {
			if _, err := parser.ParseFile(token.NewFileSet(), b.file, b.text, 0); err != nil {
				violations = append(violations, fmt.Sprintf("%s: %v", b.file, err))
			}
		}
	}
	return violations
}

// refused finds configurations in documents that Plenum would not take.
func refused(t *tree) (violations []string) {
	var kinds []config.Kind
	for _, k := range all.Providers() {
		kind := config.Kind{Name: k.Name, BaseURL: k.BaseURL, Traits: k.Traits}
		for _, f := range k.Fields {
			kind.Fields = append(kind.Fields, config.Field{Name: f.Name, Secret: f.Secret, Required: f.Required, Unless: f.Unless, Env: f.Env, Default: f.Default})
		}
		kinds = append(kinds, kind)
	}
	env := config.Env{Lookup: func(string) (string, bool) { return "a-secret-that-is-long-enough", true }}
	for _, b := range blocks(t, "yaml") {
		f, err := config.Parse(b.file, []byte(b.text), env)
		if err == nil {
			_, err = config.Compile(f, config.Options{Kinds: kinds})
		}
		if err != nil {
			violations = append(violations, fmt.Sprintf("%s: %v in:\n%s", b.file, err, b.text))
		}
	}
	return violations
}

func TestDocumentsAreTrue(t *testing.T)                  { holds(t, untrue(house(t))) }
func TestCodeInDocumentsIsFormatted(t *testing.T)        { holds(t, unformatted(house(t))) }
func TestConfigurationsInDocumentsAreTaken(t *testing.T) { holds(t, refused(house(t))) }

func TestDocumentRulesCatch(t *testing.T) {
	tr := planted(t, map[string]string{
		"llm/a.go": "package llm\ntype T struct{ F int }\nfunc (t *T) M() {}\nfunc Of() {}\n",
		"a.md": "`llm.T`, `llm.T.F`, `llm.T.M`, `llm.Of()`, `other.Name` and `llm/a.go`, `xai/grok`; `llm.Gone`, `llm.T.G` and `llm/b.go`.\n" +
			"```go\nfunc f() {\n\treturn\n}\n```\n\n```go\nfunc f() { return\n```\n\n```go\nx :=  1\n```\n\n```yaml\ndata_dir: ./data\n```\n\n```yaml\nlissten: here\n```\n",
	})
	catches(t, untrue(tr), "llm.Gone", "llm.T.G", "llm/b.go")
	catches(t, unformatted(tr), "func f() { return", "x :=  1")
	catches(t, refused(tr), "lissten")
	if got := len(blocks(tr, "go")); got != 3 {
		t.Errorf("found %d blocks of Go", got)
	}
}
