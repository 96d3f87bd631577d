package matrix

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/test/sides"
)

var update = flag.Bool("update", false, "write docs/matrix.md")

var (
	words = map[kind]string{faithful: "faithful", named: "with a named loss", refused: "refused with the reason", mute: "no word in the caller's dialect", deaf: "no word in the vendor's dialect"}
	signs = map[kind]string{faithful: "●", named: "◐", refused: "○", mute: "–", deaf: "–"}
)

// table is the matrix as it is written down.
type table struct {
	sides    []sides.Side
	features []string
	cells    map[[3]string]outcome // feature, caller, vendor
}

func (m *table) set(feature string, from, to sides.Side, o outcome) {
	if m.cells == nil {
		m.cells = map[[3]string]outcome{}
	}
	if !slices.Contains(m.features, feature) {
		m.features = append(m.features, feature)
	}
	m.cells[[3]string{feature, from.Name, to.Name}] = o
}

var index = regexp.MustCompile(`\[\d+\]`)

// page writes the matrix: a table for each caller's dialect, and below it what is lost.
func (m *table) page() string {
	var b strings.Builder
	count := map[kind]int{}
	for _, o := range m.cells {
		count[o.kind]++
	}
	fmt.Fprintf(&b, `# The matrix

Every dialect that callers speak, against every dialect that vendors speak, feature by feature. The page is made by the tests
in `+"`test/matrix`"+`, which send each cell through the whole gateway twice, streamed and not, and compare what the vendor
understood with what the caller said, and what the caller was answered with what the vendor said. A cell in which something
is lost in silence, or in which a stream and a whole answer differ, fails the tests. So does a request or an answer that is
not as the vendor's own description has it, where that is at hand (`+"`PLENUM_SPECS`"+`), and a member of either that nobody would
miss: each is taken out once, and the other side must understand something else then.

| | | cells |
|---|---|---|
| ● | faithful: all of it arrives | %d |
| ◐ | carried; what has no word on the other side is named in `+"`plenum-lost`"+` | %d |
| ○ | refused, and the error says why | %d |
| – | the caller's dialect, or the vendor's, has no word for it | %d |

%d cells of %d features, between %d dialects. Numbers lead to the losses below each table. Two
losses belong to a vendor's every answer and are not repeated: `+"`metrics` (how long Converse took) and `usage.tokens`"+` (what
Cohere read, besides what it charges for).
`, count[faithful], count[named], count[refused], count[mute]+count[deaf], len(m.cells), len(m.features), len(m.sides))
	for _, from := range m.sides {
		m.section(&b, from)
	}
	return b.String()
}

func (m *table) section(b *strings.Builder, from sides.Side) {
	fmt.Fprintf(b, "\n## Callers of %s\n\n| |", from.Title)
	for _, to := range m.sides {
		fmt.Fprintf(b, " %s |", to.Title)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", len(m.sides)))
	var notes []string
	for _, f := range m.features {
		fmt.Fprintf(b, "| %s |", f)
		for _, to := range m.sides {
			o := m.cells[[3]string{f, from.Name, to.Name}]
			fmt.Fprintf(b, " %s%s |", signs[o.kind], note(&notes, o))
		}
		b.WriteString("\n")
	}
	if len(notes) > 0 {
		b.WriteString("\n")
	}
	for i, n := range notes {
		fmt.Fprintf(b, "%d. %s\n", i+1, n)
	}
}

// note returns the number of the note that says what is lost.
func note(notes *[]string, o outcome) string {
	if o.kind != named && o.kind != refused {
		return ""
	}
	var what []string
	for _, w := range o.why {
		w = "`" + index.ReplaceAllString(w, "") + "`"
		if o.kind == refused {
			w = strings.Trim(w, "`")
		}
		if !slices.Contains(what, w) {
			what = append(what, w)
		}
	}
	n := strings.Join(what, ", ")
	i := slices.Index(*notes, n)
	if i < 0 {
		i = len(*notes)
		*notes = append(*notes, n)
	}
	return fmt.Sprintf(" %d", i+1)
}

// check compares the page with the one that is checked in, or writes it.
func (m *table) check(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "matrix.md")
	page := m.page()
	count := map[kind]int{}
	for _, o := range m.cells {
		count[o.kind]++
	}
	for _, k := range []kind{faithful, named, refused, mute, deaf} {
		t.Logf("%5d %s", count[k], words[k])
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil || string(have) != page {
		t.Errorf("docs/matrix.md is not what the tests found (%v): write it anew with go test ./test/matrix -update, and look at what changed", err)
	}
}
