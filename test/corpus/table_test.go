package corpus

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/test/sides"
)

// row is what became of a vendor's recordings.
type row struct {
	calls, requests, answers, streams, errors, equal int
	to                                               map[string]*tally
}

// tally counts what became of recordings in one dialect.
type tally struct{ crossed, lossy, refused int }

// table gathers what is written down.
type table struct {
	rows                          map[string]*row
	reasons                       map[string]int
	others                        map[string]map[string]int // by operation and vendor
	calls, pairs, lossy, refusals int
	silent                        []string
}

func (m *table) row(vendor string) *row {
	if m.rows == nil {
		m.rows, m.reasons = map[string]*row{}, map[string]int{}
	}
	if m.rows[vendor] == nil {
		m.rows[vendor] = &row{to: map[string]*tally{}}
	}
	return m.rows[vendor]
}

// recorded counts a call, and whether it was said again as it was.
func (m *table) recorded(x *exchange, s said) {
	r := m.row(x.vendor)
	m.calls++
	r.calls++
	if x.asked {
		r.requests++
	}
	switch {
	case x.status != http.StatusOK:
		r.errors++
	case x.streamed:
		r.streams++
	case len(x.reply.Body) > 0:
		r.answers++
	}
	if len(s.silent) == 0 {
		r.equal++
	}
	m.faults(x, "itself", s)
}

// crossed counts a call in another dialect.
func (m *table) crossed(x *exchange, to sides.Side, s said) {
	r := m.row(x.vendor)
	t := r.to[to.Name]
	if t == nil {
		t = &tally{}
		r.to[to.Name] = t
	}
	switch {
	case s.refuse != "":
		t.refused++
		m.refusals++
		m.reasons[to.Title+": "+s.refuse]++
	case s.parts > 0:
		t.crossed++
		m.pairs++
		if len(s.losses) > 0 {
			t.lossy++
			m.lossy++
		}
	}
	m.faults(x, to.Name, s)
}

func (m *table) faults(x *exchange, to string, s said) {
	for _, w := range s.silent {
		m.silent = append(m.silent, fmt.Sprintf("%s, %s as %s: %s", x.name, x.side.Name, to, w))
	}
}

// page writes what became of the recordings.
func (m *table) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Recorded traffic

What vendors really answered, taken through every dialect. The page is made by the test in `+"`test/corpus`"+` (`+"`make corpus`"+`), never
by hand. The recordings are no part of the project; `+"`PLENUM_CORPUS`"+` names the directory that holds them.

Each call is read in its own dialect and said there again; then its request is said in each of the other dialects and read
there as a vendor would, and its answer as a caller would, whole and streamed, and said at home again. What the decoded call
holds must be in what is read of the other side's bytes, or be named as a loss; a stream must tell what the whole answer tells
and lose what it loses. Beside what people and models say this is every option of a request, every class of usage, every
reason to stop, what seals reasoning, log probabilities, and every member that Plenum has no word for.

**%d calls of %d vendors; %d times said in another dialect, %d of them with losses that are named; %d refused; %d lost in
silence.**

What only frames an answer does not count: its id and time and the model's name, which dialects make up or leave out; the name of a
schema, and that it is strict; the standard tier; that nobody shall think where a model cannot be told not to; the place
of a citation in the text. In whose field or in how many pieces a thing is said does not count either.

## What was recorded

| | calls | requests | answers | streams | errors | said again as they were |
|---|---|---|---|---|---|---|
`, m.calls, len(m.rows), m.pairs, m.lossy, m.refusals, len(m.silent))
	for _, v := range slices.Sorted(maps.Keys(m.rows)) {
		r := m.rows[v]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d |\n", v, r.calls, r.requests, r.answers, r.streams, r.errors, r.equal)
	}
	m.across(&b)
	m.rest(&b)
	return b.String()
}

// across writes how many calls of a vendor were said in each dialect.
func (m *table) across(b *strings.Builder) {
	b.WriteString(`
## In other dialects

How many of a vendor's calls were said in a dialect, in brackets how many of them with losses that are named, behind a stroke how
many were refused. An empty field: all of the vendor's calls are of that dialect.

| |`)
	rule := "|---|"
	for _, s := range sides.All() {
		fmt.Fprintf(b, " %s |", s.Title)
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n")
	for _, v := range slices.Sorted(maps.Keys(m.rows)) {
		fmt.Fprintf(b, "| %s |", v)
		for _, s := range sides.All() {
			fmt.Fprintf(b, " %s |", m.rows[v].to[s.Name])
		}
		b.WriteString("\n")
	}
}

// String writes a tally as one field of the table.
func (t *tally) String() string {
	if t == nil {
		return ""
	}
	s := fmt.Sprintf("%d (%d)", t.crossed, t.lossy)
	if t.refused > 0 {
		s += fmt.Sprintf(" / %d", t.refused)
	}
	return s
}

// rest writes why calls were refused, and what was recorded that does not cross.
func (m *table) rest(b *strings.Builder) {
	if len(m.reasons) > 0 {
		b.WriteString("\n## Why calls were refused\n\n")
		for _, why := range slices.Sorted(maps.Keys(m.reasons)) {
			fmt.Fprintf(b, "- %s (%d)\n", why, m.reasons[why])
		}
	}
	b.WriteString("\n## What else was recorded\n\nThese are no calls for an answer, and are said in one dialect or pass as they are: ")
	var list []string
	for _, op := range slices.Sorted(maps.Keys(m.others)) {
		n := 0
		for _, k := range m.others[op] {
			n += k
		}
		list = append(list, fmt.Sprintf("%s %d", op, n))
	}
	b.WriteString(strings.Join(list, ", ") + ".\n")
}

// check writes the page, or compares it with the one that is there, if that was made of as many recordings.
func (m *table) check(t *testing.T) {
	t.Helper()
	file := filepath.Join("..", "..", "docs", "corpus.md")
	page := m.page()
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(have), fmt.Sprintf("**%d calls of %d vendors;", m.calls, len(m.rows))) {
		t.Log("docs/corpus.md was made of other recordings")
		return
	}
	if string(have) != page {
		t.Error("docs/corpus.md is not what the test found: write it anew with make corpus, and look at what changed")
	}
}
