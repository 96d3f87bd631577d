package archtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hosts are those of package registries. The project names packages and versions; where they come from
// is for whoever builds it to configure. They are put together here so that this file does not hold them.
func hosts() []string {
	return []string{
		"pypi." + "org", "pythonhosted." + "org", "proxy.golang." + "org", "sum.golang." + "org", "npmjs." + "org",
		"npmjs." + "com", "deb.debian." + "org", "archive.ubuntu." + "com", "conda." + "anaconda",
	}
}

// mentions finds words that have no business in the project: hosts of package registries and places
// that exist on somebody's machine alone.
func mentions(t *tree) (violations []string) {
	machine := regexp.MustCompile(`(?:^|[\s"'` + "`" + `(=:])(/(?:work|home/[a-z]+|Users/[A-Za-z]+)/[\w./-]+)`)
	beside := regexp.MustCompile(`\.\./` + `shared/\w*`)
	for _, p := range t.paths {
		text, err := fs.ReadFile(t.fsys, p)
		if err != nil || bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			continue // it is not a text
		}
		for _, h := range hosts() {
			if bytes.Contains(text, []byte(h)) {
				violations = append(violations, fmt.Sprintf("%s names %s, a registry's host", p, h))
			}
		}
		if m := machine.FindSubmatch(text); m != nil {
			violations = append(violations, fmt.Sprintf("%s names %s, a place on somebody's machine", p, m[1]))
		}
		for _, m := range beside.FindAll(text, -1) {
			if string(m) != "../shared/corpus" {
				violations = append(violations, fmt.Sprintf("%s names %s, which is not the project's", p, m))
			}
		}
	}
	return violations
}

// links finds links in documents that lead nowhere.
func links(t *tree) (violations []string) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, p := range t.paths {
		if path.Ext(p) != ".md" {
			continue
		}
		text, err := fs.ReadFile(t.fsys, p)
		if err != nil {
			return append(violations, err.Error())
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(string(m[1]), "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			at := path.Join(path.Dir(p), target)
			if target == "" {
				at = p
			}
			if info, err := fs.Stat(t.fsys, at); err != nil || strings.HasPrefix(at, "..") {
				violations = append(violations, fmt.Sprintf("%s links to %s, which is not there", p, m[1]))
			} else if anchor != "" && !info.IsDir() && !slices.Contains(anchors(t, at), anchor) {
				violations = append(violations, fmt.Sprintf("%s links to %s: there is no such heading", p, m[1]))
			}
		}
	}
	return violations
}

// anchors returns what the headings of a document are linked by.
func anchors(t *tree, file string) (out []string) {
	text, err := fs.ReadFile(t.fsys, file)
	if err != nil {
		return nil
	}
	odd := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.SplitSeq(string(text), "\n") {
		if h := strings.TrimLeft(line, "#"); len(h) < len(line) && strings.HasPrefix(h, " ") {
			out = append(out, strings.ReplaceAll(odd.ReplaceAllString(strings.ToLower(strings.TrimSpace(h)), ""), " ", "-"))
		}
	}
	return out
}

func TestTheProjectSpeaksOfItselfAlone(t *testing.T) { holds(t, mentions(house(t))) }
func TestLinksLeadSomewhere(t *testing.T)            { holds(t, links(house(t))) }

func TestWordRulesCatch(t *testing.T) {
	catches(t, mentions(planted(t, map[string]string{
		"a.md": "from https://" + hosts()[0] + "/simple", "b.go": "package b\nvar _ = \"/wo" + "rk/main\"\n", "c.md": "../shar" + "ed/design/x.md",
		"d.md": "../shared/corpus and http://127.0.0.1/worker", "e.bin": "\x00" + hosts()[1],
	})), "a.md names", "b.go names", "c.md names")
	catches(t, links(planted(t, map[string]string{
		"a.md": "[b](docs/b.md) [x](https://x.example/y) [top](#the-top) [gone](gone.md) [none](docs/b.md#none)\n# The top!\n", "docs/b.md": "[a](../a.md) [out](../../out.md)\n",
	})), "gone.md", "docs/b.md#none", "../../out.md")
}
