package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// module is the path that imports of the project's own packages begin with.
const module = "github.com/plenum-foundry/plenum"

// tree is the project as the rules see it.
type tree struct {
	fsys     fs.FS
	paths    []string // of all files, in order
	packages []*pkg   // by directory, in order
}

// pkg is one directory of Go source.
type pkg struct {
	dir     string // "." is the root
	sources []source
}

// source is one Go file.
type source struct {
	path string
	test bool
	ast  *ast.File
}

// parse reads the Go files among paths. Modules of their own below the root, and testdata, are not the
// project's source.
func parse(fsys fs.FS, paths []string) (*tree, error) {
	slices.Sort(paths)
	t := &tree{fsys: fsys, paths: paths}
	var foreign []string
	for _, p := range paths {
		if path.Base(p) == "go.mod" && path.Dir(p) != "." {
			foreign = append(foreign, path.Dir(p)+"/")
		}
	}
	byDir := map[string]*pkg{}
	set := token.NewFileSet()
	for _, p := range paths {
		if path.Ext(p) != ".go" || slices.Contains(strings.Split(p, "/"), "testdata") || startsWithAny(p, foreign) {
			continue
		}
		text, err := fs.ReadFile(fsys, p)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(set, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		dir := path.Dir(p)
		if byDir[dir] == nil {
			byDir[dir] = &pkg{dir: dir}
			t.packages = append(t.packages, byDir[dir])
		}
		byDir[dir].sources = append(byDir[dir].sources, source{p, strings.HasSuffix(p, "_test.go"), f})
	}
	return t, nil
}

func startsWithAny(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// code returns the package's sources that are no tests.
func (p *pkg) code() []source {
	return slices.DeleteFunc(slices.Clone(p.sources), func(s source) bool { return s.test })
}

// tests returns the package's tests.
func (p *pkg) tests() []source {
	return slices.DeleteFunc(slices.Clone(p.sources), func(s source) bool { return !s.test })
}

// imports yields each import with its name: "" where none is given.
func (s source) imports(yield func(name, path string) bool) {
	for _, i := range s.ast.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		name := ""
		if i.Name != nil {
			name = i.Name.Name
		}
		if !yield(name, p) {
			return
		}
	}
}

// own returns the directory of an import that is the project's, and whether it is.
func own(importPath string) (dir string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// within reports whether a directory fits a pattern: itself, or with /... everything below it too.
func within(dir, pattern string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return dir == base || below && strings.HasPrefix(dir, base+"/")
}

func withinAny(dir string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return within(dir, p) })
}

// house reads the project that this test is part of.
func house(t *testing.T) *tree {
	t.Helper()
	tr, err := whole()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

var whole = sync.OnceValues(func() (*tree, error) {
	const root = "../.."
	paths, err := listed(root)
	if err != nil {
		return nil, err
	}
	if len(paths) < 50 {
		return nil, fmt.Errorf("only %d files are to be seen from %s", len(paths), root)
	}
	return parse(os.DirFS(root), paths)
})

// listed returns the project's files: those that git knows or would take, or where there is no git all
// that do not look like somebody's own.
func listed(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return walked(os.DirFS(root))
	}
	var paths []string
	for p := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if _, err := fs.Stat(os.DirFS(root), p); err == nil { // not one that was just deleted
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

func walked(fsys fs.FS) ([]string, error) {
	var paths []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci" || d.Name() == "node_modules" || p == "data" || p == "bin"):
			return fs.SkipDir
		case !d.IsDir():
			paths = append(paths, p)
		}
		return nil
	})
	return paths, err
}

// planted returns a tree of files given by path and text.
func planted(t *testing.T, files map[string]string) *tree {
	t.Helper()
	fsys := fstest.MapFS{}
	var paths []string
	for p, text := range files {
		fsys[p] = &fstest.MapFile{Data: []byte(text)}
		paths = append(paths, p)
	}
	tr, err := parse(fsys, paths)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// holds reports each violation of a rule as an error.
func holds(t *testing.T, violations []string) {
	t.Helper()
	for _, v := range violations {
		t.Error(v)
	}
}

// catches expects that a rule finds exactly the planted faults, each named by a part of its text.
func catches(t *testing.T, violations []string, faults ...string) {
	t.Helper()
	if len(violations) != len(faults) {
		t.Errorf("found %d faults of %d:\n%s", len(violations), len(faults), strings.Join(violations, "\n"))
	}
	for _, f := range faults {
		if !slices.ContainsFunc(violations, func(v string) bool { return strings.Contains(v, f) }) {
			t.Errorf("did not find %q in:\n%s", f, strings.Join(violations, "\n"))
		}
	}
}

// TestWalkedFindsWhatGitLists expects that both ways of listing see the same source.
func TestWalkedFindsWhatGitLists(t *testing.T) {
	fsys := fstest.MapFS{
		"a/a.go": {}, ".git/config": {}, ".ci/run": {}, "x/node_modules/y.js": {}, "data/plenum.db": {}, "catalog/data/a.json": {},
	}
	got, err := walked(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{".ci/run", "a/a.go", "catalog/data/a.json"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
