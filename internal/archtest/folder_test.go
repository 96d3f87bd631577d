package archtest

import (
	"fmt"
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sections are the headings of a stage's README, in their order, as in a manual page.
var sections = []string{"Name", "Description", "Configuration", "Trail and metrics", "Examples"}

// stages finds stages without a manual page, and pages without their sections.
func stages(t *tree) (violations []string) {
	for _, p := range t.packages {
		name, ok := strings.CutPrefix(p.dir, "stage/")
		if !ok || strings.Contains(name, "/") {
			continue
		}
		file := p.dir + "/README.md"
		text, err := fs.ReadFile(t.fsys, file)
		if err != nil {
			violations = append(violations, p.dir+" has no README.md")
			continue
		}
		if got := headings(string(text)); !slices.Equal(got, sections) {
			violations = append(violations, fmt.Sprintf("%s has the sections %q, not %q", file, got, sections))
		}
		if want := fmt.Sprintf("# %s\n\n## Name\n\n*%s* - ", name, name); !strings.HasPrefix(string(text), want) {
			violations = append(violations, fmt.Sprintf("%s does not begin with %q", file, want))
		}
	}
	return violations
}

func headings(text string) (out []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			out = append(out, h)
		}
	}
	return out
}

// providers finds kinds without a fixture, without the conformance test, or missing in the registry.
func providers(t *tree) (violations []string) {
	registered := registry(t)
	for _, p := range t.packages {
		name, ok := strings.CutPrefix(p.dir, "provider/")
		if !ok || strings.Contains(name, "/") || withinAny(p.dir, forTests) {
			continue
		}
		kinds := kindsOf(p)
		if len(kinds) == 0 {
			violations = append(violations, p.dir+" has no Kind")
		}
		for _, k := range kinds {
			if !runsConformance(p, k) {
				violations = append(violations, fmt.Sprintf("%s: no test calls providertest.Run(t, %s.%s)", p.dir, name, k))
			}
			if !slices.Contains(registered, p.dir+"."+k) {
				violations = append(violations, fmt.Sprintf("%s.%s is not in all/all.go", p.dir, k))
			}
		}
		fixtures := below(t, p.dir+"/testdata", ".txtar")
		if len(fixtures) < len(kinds) {
			violations = append(violations, fmt.Sprintf("%s has %d kinds and %d fixtures (testdata/NAME.txtar)", p.dir, len(kinds), len(fixtures)))
		}
		for _, f := range fixtures {
			text, err := fs.ReadFile(t.fsys, f)
			if first, _, _ := strings.Cut(string(text), "\n"); err != nil || !strings.HasPrefix(first, "recorded: ") && !strings.HasPrefix(first, "from-spec: ") {
				violations = append(violations, f+" does not say on its first line whether it is recorded or from-spec")
			}
		}
	}
	return violations
}

// kindsOf returns the exported variables of a provider's folder, all of which are kinds.
func kindsOf(p *pkg) (names []string) {
	for _, s := range p.code() {
		for _, v := range variables(s.ast) {
			if ast.IsExported(v.name) {
				names = append(names, v.name)
			}
		}
	}
	return names
}

func runsConformance(p *pkg, kind string) bool {
	found := false
	for _, s := range p.tests() {
		ast.Inspect(s.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if ok && dotted(c.Fun) == "providertest.Run" && len(c.Args) == 2 {
				arg := dotted(c.Args[1])
				found = found || arg == kind || strings.HasSuffix(arg, "."+kind)
			}
			return true
		})
	}
	return found
}

// registry returns what all/ selects of each package: "provider/groq.Kind", "dialect/openai.Dialect".
func registry(t *tree) (names []string) {
	for _, p := range t.packages {
		if p.dir != "all" {
			continue
		}
		for _, s := range p.code() {
			ast.Inspect(s.ast, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if dir := imported(s, dotted(sel.X)); dir != "" {
						names = append(names, dir+"."+sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
	return names
}

// below returns the files under a folder whose names end so.
func below(t *tree, dir, ext string) (out []string) {
	for _, p := range t.paths {
		if strings.HasPrefix(p, dir+"/") && path.Ext(p) == ext {
			out = append(out, p)
		}
	}
	return out
}

// dialects finds dialects that are not registered, that are not laid out like the others, or whose
// decoders are not fuzzed.
func dialects(t *tree) (violations []string) {
	registered := registry(t)
	for _, p := range t.packages {
		name, ok := strings.CutPrefix(p.dir, "dialect/")
		if !ok || strings.Contains(name, "/") || withinAny(p.dir, forTests) {
			continue
		}
		if !slices.Contains(registered, p.dir+".Dialect") {
			violations = append(violations, p.dir+".Dialect is not in all/all.go")
		}
		for _, f := range []string{name, "wire", "request", "response", "stream", "errors"} {
			if !slices.Contains(t.paths, p.dir+"/"+f+".go") {
				violations = append(violations, fmt.Sprintf("%s has no %s.go: dialects are laid out alike", p.dir, f))
			}
		}
		for _, f := range []string{"FuzzDecodeRequest", "FuzzDecodeStream", "FuzzDecodeResponse"} {
			if !slices.Contains(functions(p.tests()), f) {
				violations = append(violations, fmt.Sprintf("%s has no %s", p.dir, f))
			}
		}
	}
	return violations
}

func functions(files []source) (names []string) {
	for _, s := range files {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// called finds engines, stages, dialects and providers whose main file is not called like them.
func called(t *tree) (violations []string) {
	for _, p := range t.packages {
		parent, name := path.Split(p.dir)
		if !slices.Contains([]string{"stage/", "dialect/", "provider/", "engine/", "store/"}, parent) {
			continue
		}
		if !slices.Contains(t.paths, p.dir+"/"+name+".go") {
			violations = append(violations, fmt.Sprintf("%s has no %s.go to begin reading with", p.dir, name))
		}
	}
	return violations
}

// pipeline returns the stages in the order in which app/pipeline.go puts them together.
func pipeline(t *tree) (order []string) {
	text, err := fs.ReadFile(t.fsys, "app/pipeline.go")
	if err != nil {
		return nil
	}
	_, chain, _ := strings.Cut(string(text), "gateway.Chain(")
	for _, m := range regexp.MustCompile(`(?m)^\t\t(?:([a-z]+)\.New\(|(attempts),$)`).FindAllStringSubmatch(chain, -1) {
		if m[2] != "" {
			m[1] = "route" // which tests may replace, and so has a variable
		}
		order = append(order, m[1])
	}
	return order
}

func TestEveryStageHasAManualPage(t *testing.T)  { holds(t, stages(house(t))) }
func TestEveryProviderIsProved(t *testing.T)     { holds(t, providers(house(t))) }
func TestDialectsAreLaidOutAlike(t *testing.T)   { holds(t, dialects(house(t))) }
func TestFoldersBeginWithTheirName(t *testing.T) { holds(t, called(house(t))) }

// TestThePipelineIsAsDrawn expects that the order of the stages in the code is the one in the documents,
// and that every stage has its place in it.
func TestThePipelineIsAsDrawn(t *testing.T) {
	tr := house(t)
	order := pipeline(tr)
	for _, p := range tr.packages {
		if name, ok := strings.CutPrefix(p.dir, "stage/"); ok && !slices.Contains(order, name) {
			t.Errorf("stage %s is not in the pipeline %v", name, order)
		}
	}
	at := slices.Index(order, "route")
	if at < 0 {
		t.Fatalf("there is no route in %v", order)
	}
	want := strings.Join(order[:at+1], " → ") + " → { " + strings.Join(order[at+1:], " → ") + " → dispatch }"
	for _, doc := range []string{"README.md", "docs/architecture.md"} {
		text, err := fs.ReadFile(tr.fsys, doc)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not draw the pipeline as it is:\n%s", doc, want)
		}
	}
}

func TestFolderRulesCatch(t *testing.T) {
	page := "# good\n\n## Name\n\n*good* - is.\n\n## Description\n## Configuration\n## Trail and metrics\n## Examples\n"
	catches(t, stages(planted(t, map[string]string{
		"stage/good/good.go": "package good\n", "stage/good/README.md": page,
		"stage/bare/bare.go": "package bare\n",
		"stage/odd/odd.go":   "package odd\n", "stage/odd/README.md": page + "## More\n",
	})), "stage/bare has no README", "stage/odd/README.md has the sections", "stage/odd/README.md does not begin")
	catches(t, providers(planted(t, map[string]string{
		"provider/good/good.go": "package good\nvar Kind = 1\n", "provider/good/testdata/good.txtar": "recorded: really\n",
		"provider/good/good_test.go": "package good_test\nfunc TestKind(t *testing.T) { providertest.Run(t, good.Kind) }\n",
		"provider/bad/bad.go":        "package bad\nvar Kind = 1\n", "provider/bad/testdata/bad.txtar": "made up\n",
		"provider/none/none.go": "package none\nvar A, B = 1, 2\n",
		"all/all.go":            "package all\nimport \"" + module + "/provider/good\"\nimport b \"" + module + "/provider/bad\"\nvar x = f(good.Kind, b.Other)\n",
	})), "provider/bad: no test calls", "provider/bad.Kind is not in all", "bad.txtar does not say",
		"provider/none: no test calls", "provider/none.A is not in all", "provider/none has 2 kinds and 0 fixtures",
		"provider/none: no test calls", "provider/none.B is not in all")
	catches(t, called(planted(t, map[string]string{
		"stage/a/a.go": "package a\n", "stage/b/c.go": "package b\n", "llm/x.go": "package llm\n",
	})), "stage/b has no b.go")
	catches(t, dialects(planted(t, map[string]string{
		"dialect/a/a.go": "package a\n", "dialect/a/wire.go": "package a\n", "dialect/a/request.go": "package a\n",
		"dialect/a/response.go": "package a\n", "dialect/a/errors.go": "package a\n",
		"dialect/a/fuzz_test.go": "package a\nfunc FuzzDecodeRequest(f *testing.F) {}\nfunc FuzzDecodeStream(f *testing.F) {}\n",
	})), "dialect/a.Dialect is not in all", "no stream.go", "no FuzzDecodeResponse")
}

func TestPipelineReadsTheOrder(t *testing.T) {
	tr := planted(t, map[string]string{"app/pipeline.go": "package app\nfunc f() {\n\tgateway.Chain(d,\n\t\taudit.New(m.L,\n\t\t\tx),\n\t\tattempts,\n\t\tmeter.New(),\n\t)\n}\n"})
	if got, want := pipeline(tr), []string{"audit", "route", "meter"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
