package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// comments finds packages without a comment that says what they are, and those with several.
func comments(t *tree) (violations []string) {
	for _, p := range t.packages {
		var with []source
		for _, s := range p.code() {
			if s.ast.Doc != nil {
				with = append(with, s)
			}
		}
		switch {
		case len(p.code()) == 0:
		case len(with) != 1:
			violations = append(violations, fmt.Sprintf("%s has %d package comments, not one", p.dir, len(with)))
		default:
			s := with[0]
			want := "Package " + s.ast.Name.Name + " "
			if s.ast.Name.Name == "main" {
				want = "Command " + path.Base(p.dir) + " "
			}
			if !strings.HasPrefix(s.ast.Doc.Text(), want) {
				violations = append(violations, fmt.Sprintf("%s: the package comment does not begin with %q", s.path, want))
			}
		}
	}
	return violations
}

// names finds files and packages whose name says nothing, or is not written as the others are.
func names(t *tree) (violations []string) {
	lower := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*\.go$`)
	word := regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	empty := []string{"util", "utils", "helper", "helpers", "common", "misc", "shared", "types", "constants", "consts"}
	for _, p := range t.packages {
		for _, s := range p.sources {
			base := path.Base(s.path)
			stem := strings.TrimSuffix(strings.TrimSuffix(base, ".go"), "_test")
			if !lower.MatchString(base) {
				violations = append(violations, s.path+": files are named in small letters, with _ between words")
			}
			if slices.Contains(empty, stem) {
				violations = append(violations, s.path+": the name says nothing: call the file by what it holds")
			}
		}
		name := strings.TrimSuffix(p.sources[0].ast.Name.Name, "_test")
		if !word.MatchString(name) || slices.Contains(empty, name) || name == "models" {
			violations = append(violations, fmt.Sprintf("%s: package %s: one word in small letters that says what it is", p.dir, name))
		}
		if base := path.Base(p.dir); p.dir != "." && name != base && name != "main" {
			violations = append(violations, fmt.Sprintf("%s: package %s is not called like its folder", p.dir, name))
		}
	}
	return violations
}

// inits finds functions that run without being called.
func inits(t *tree) (violations []string) {
	for _, p := range t.packages {
		for _, s := range p.sources {
			for _, d := range s.ast.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					violations = append(violations, s.path+": func init: what is to happen is called by whoever wants it")
				}
			}
		}
	}
	return violations
}

// forTests are the packages that exist for tests and so may import testing.
var forTests = []string{"internal/testkit", "dialect/dialecttest", "provider/providertest", "store/storetest", "budget/budgettest"}

// testsApart finds tests' things in what is shipped.
func testsApart(t *tree) (violations []string) {
	for _, p := range t.packages {
		if withinAny(p.dir, forTests) || place(p.dir) != nil && place(p.dir).level == "beside" {
			continue
		}
		for _, s := range p.code() {
			for _, imp := range s.imports {
				dir, isOwn := own(imp)
				if imp == "testing" || strings.HasPrefix(imp, "testing/") || isOwn && slices.Contains(forTests, dir) {
					violations = append(violations, fmt.Sprintf("%s imports %s, which is for tests", s.path, imp))
				}
			}
		}
	}
	return violations
}

// openers are calls whose value never changes after it was made.
var openers = map[string]bool{"errors.New": true, "regexp.MustCompile": true, "provider.Compat": true}

// state finds package-level variables that could change. What is allowed is a value made once: an
// embedded file, an error to compare with, a regular expression, the Kind of a provider or an engine, and a table
// (a literal) that is not exported. Whatever a variable is, nothing may assign to it or take its address.
// Package bufs is let off: what it keeps is free memory, which nobody can tell from new.
func state(t *tree) (violations []string) {
	kinds := map[string][]string{} // exported variables, by import path
	for _, p := range t.packages {
		row := place(p.dir)
		if row == nil || row.level == "beside" || p.dir == "internal/bufs" {
			continue
		}
		vars := map[string]bool{}
		for _, s := range p.code() {
			for _, v := range variables(s.ast) {
				vars[v.name] = true
				if ast.IsExported(v.name) {
					kinds[p.dir] = append(kinds[p.dir], v.name)
				}
				if !v.constant(p.dir) {
					violations = append(violations, fmt.Sprintf("%s: var %s could change: make it a constant, a function or a field", s.path, v.name))
				}
			}
		}
		for _, s := range p.code() {
			for _, name := range written(s.ast) {
				if vars[name] {
					violations = append(violations, fmt.Sprintf("%s: var %s of the package is changed", s.path, name))
				}
			}
		}
	}
	return append(violations, writtenFromOutside(t, kinds)...)
}

// variable is one that is declared at package level.
type variable struct {
	name     string
	embedded bool
	value    ast.Expr
}

func variables(f *ast.File) (out []variable) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			for i, n := range v.Names {
				if n.Name == "_" {
					continue
				}
				x := variable{name: n.Name, embedded: embeds(g.Doc) || embeds(v.Doc)}
				if i < len(v.Values) {
					x.value = v.Values[i]
				}
				out = append(out, x)
			}
		}
	}
	return out
}

func embeds(c *ast.CommentGroup) bool {
	return c != nil && slices.ContainsFunc(c.List, func(l *ast.Comment) bool { return strings.HasPrefix(l.Text, "//go:embed ") })
}

// constant reports whether the variable is as good as one.
func (v variable) constant(dir string) bool {
	if v.embedded {
		return true
	}
	if v.name == "Kind" && withinAny(dir, []string{"provider/...", "engine/..."}) {
		return true
	}
	switch x := v.value.(type) {
	case *ast.CallExpr:
		return openers[dotted(x.Fun)]
	case *ast.CompositeLit:
		switch x.Type.(type) {
		case *ast.ArrayType, *ast.MapType:
			return !ast.IsExported(v.name)
		}
	}
	return false
}

// dotted returns a name or a selection as it is written, and "" for anything else.
func dotted(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		if left := dotted(x.X); left != "" {
			return left + "." + x.Sel.Name
		}
	}
	return ""
}

// written returns the names that functions of a file assign to, through, or take the address of, but for
// names that the function declares itself.
func written(f *ast.File) (names []string) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		local := declared(fn)
		note := func(e ast.Expr) {
			if n := root(e); n != "" && !local[n] {
				names = append(names, n)
			}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.AssignStmt:
				if x.Tok != token.DEFINE {
					for _, l := range x.Lhs {
						note(l)
					}
				}
			case *ast.IncDecStmt:
				note(x.X)
			case *ast.UnaryExpr:
				if x.Op == token.AND {
					note(x.X)
				}
			case *ast.CallExpr:
				if name := dotted(x.Fun); (name == "delete" || name == "clear" || name == "copy") && len(x.Args) > 0 {
					note(x.Args[0])
				}
			}
			return true
		})
	}
	return names
}

// root returns the name that an expression begins with: x of x.y[z].
func root(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return root(x.X)
	case *ast.IndexExpr:
		return root(x.X)
	case *ast.StarExpr:
		return root(x.X)
	case *ast.ParenExpr:
		return root(x.X)
	}
	return ""
}

// declared returns the names that a function declares anywhere in it.
func declared(fn *ast.FuncDecl) map[string]bool {
	local := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Field:
			for _, n := range x.Names {
				local[n.Name] = true
			}
		case *ast.AssignStmt:
			if x.Tok == token.DEFINE {
				for _, l := range x.Lhs {
					local[root(l)] = true
				}
			}
		case *ast.RangeStmt:
			if x.Tok == token.DEFINE {
				local[root(x.Key)], local[root(x.Value)] = true, true
			}
		case *ast.ValueSpec:
			for _, n := range x.Names {
				local[n.Name] = true
			}
		}
		return true
	})
	return local
}

// writtenFromOutside finds changes of another package's exported variables: groq.Kind.Name = "".
func writtenFromOutside(t *tree, exported map[string][]string) (violations []string) {
	for _, p := range t.packages {
		for _, s := range p.code() {
			ast.Inspect(s.ast, func(n ast.Node) bool {
				a, ok := n.(*ast.AssignStmt)
				if !ok || a.Tok == token.DEFINE {
					return true
				}
				for _, l := range a.Lhs {
					parts := strings.Split(dotted(l), ".")
					if len(parts) > 1 && slices.Contains(exported[imported(s, parts[0])], parts[1]) {
						violations = append(violations, fmt.Sprintf("%s changes %s", s.path, dotted(l)))
					}
				}
				return true
			})
		}
	}
	return violations
}

// imported returns the project's directory that a file knows by a name.
func imported(s source, name string) string {
	for as, imp := range s.imports {
		if dir, ok := own(imp); ok && (as == name || as == "" && path.Base(imp) == name) {
			return dir
		}
	}
	return ""
}

func TestEveryPackageSaysWhatItIs(t *testing.T)    { holds(t, comments(house(t))) }
func TestNamesSaySomething(t *testing.T)           { holds(t, names(house(t))) }
func TestNothingRunsUncalled(t *testing.T)         { holds(t, inits(house(t))) }
func TestWhatIsShippedImportsNoTests(t *testing.T) { holds(t, testsApart(house(t))) }
func TestPackagesHoldNoState(t *testing.T)         { holds(t, state(house(t))) }

func TestPackageRulesCatch(t *testing.T) {
	catches(t, comments(planted(t, map[string]string{
		"a/a.go":          "// Package a is good.\npackage a\n",
		"b/b.go":          "package b\n",
		"c/c.go":          "// It is c.\npackage c\n",
		"d/d.go":          "// Package d one.\npackage d\n",
		"d/e.go":          "// Package d two.\npackage d\n",
		"e/e_test.go":     "package e\n",
		"cmd/f/main.go":   "// Command f works.\npackage main\n",
		"cmd/g/main.go":   "// Package main works.\npackage main\n",
		"t/testdata/x.go": "package x\n",
	})), "b has 0", "c/c.go", "d has 2", "cmd/g/main.go")
	catches(t, names(planted(t, map[string]string{
		"a/utils.go": "package a\n", "a/camelCase.go": "package a\n", "a/good_name.go": "package a\n", "helpers/x.go": "package helpers\n",
		"b/b.go": "package other\n", "c/types_test.go": "package c\n",
	})), "a/utils.go", "a/camelCase.go", "package helpers", "package other", "c/types_test.go")
	catches(t, inits(planted(t, map[string]string{
		"a/a.go": "package a\nfunc init() {}\nfunc (x T) init() {}\ntype T int\n",
	})), "a/a.go: func init")
	catches(t, testsApart(planted(t, map[string]string{
		"llm/a.go": "package llm\nimport \"testing\"\n", "internal/testkit/a.go": "package testkit\nimport \"testing\"\n",
		"app/a.go": "package app\nimport \"" + module + "/internal/testkit\"\n", "app/a_test.go": "package app\nimport \"testing\"\n",
	})), "llm/a.go imports testing", "app/a.go imports "+module+"/internal/testkit")
}

func TestStateCatches(t *testing.T) {
	catches(t, state(planted(t, map[string]string{
		"llm/a.go": `package llm
			var ErrStop = errors.New("stop")
			var pattern = regexp.MustCompile("a")
			var table = map[string]int{"a": 1}
			var list = [...]string{"a"}
			var Exported = []string{"a"}
			var counter int
			var made = build()
			var pointer = &T{}
			var _ I = (*T)(nil)
			func f() { table["b"] = 2; x := list; x[0] = "" }
			func g(list []string) { list[0] = "" }
			func h() { delete(table, "a"); other[0] = 1; ErrStop = nil }
		`,
		"provider/groq/a.go": "package groq\nvar Kind = kind()\n",
		"app/a.go":           "package app\nimport \"" + module + "/provider/groq\"\nfunc f() { groq.Kind.Name = \"x\" }\n",
		"bench/a.go":         "package main\nvar counter int\n",
	})), "var Exported could change", "var counter could change", "var made could change", "var pointer could change",
		"var table of the package is changed", "var table of the package is changed", "var ErrStop of the package is changed", "app/a.go changes groq.Kind.Name")
}
