package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/test/sides"
)

// The marks between which the table stands in a page.
const (
	tableBegins = "<!-- made by go run ./bench -pairs -page docs/performance.md -->\n"
	tableEnds   = "<!-- end of what is made -->\n"
)

// mostAcross is the goal: a crossing costs at most so many times what staying costs.
const mostAcross = 2.0

// ratio is what a crossing costs, as a ratio to the same call within the caller's dialect: the median of the rounds.
func (p *pairs) ratio(sh pairShape, from, to sides.Side) float64 {
	own := p.cpu[[3]string{sh.name, from.Name, from.Name}]
	var rs []float64
	for i, x := range p.cpu[[3]string{sh.name, from.Name, to.Name}] {
		if i < len(own) && own[i] > 0 {
			rs = append(rs, x/own[i])
		}
	}
	return median(rs)
}

// table writes what was measured: for each kind of call a table of callers and vendors.
func (p *pairs) table(o options, began time.Time) string {
	var b strings.Builder
	b.WriteString(tableBegins)
	fmt.Fprintf(&b, "%d rounds of %v for each pair, %d threads, %s, %s; %d answers, %d of them wrong.\n",
		p.plan.rounds, p.plan.each, runtime.GOMAXPROCS(0), runtime.Version(), began.Format(time.DateOnly), p.asked, p.wrong)
	for _, sh := range p.shapes {
		if !listed(o.only, sh.name) {
			continue
		}
		p.rows(&b, sh)
	}
	b.WriteString(tableEnds)
	return b.String()
}

func (p *pairs) rows(b *strings.Builder, sh pairShape) {
	fmt.Fprintf(b, "\n**%s.**\n\n| caller, vendor |", sh.title)
	for _, to := range p.sides {
		fmt.Fprintf(b, " %s |", to.Title)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", len(p.sides)))
	var above []string
	for _, from := range p.sides {
		fmt.Fprintf(b, "| %s |", from.Title)
		for _, to := range p.sides {
			if from.Name == to.Name {
				fmt.Fprintf(b, " *%s µs* |", figure(median(p.cpu[[3]string{sh.name, from.Name, to.Name}])))
				continue
			}
			r := p.ratio(sh, from, to)
			fmt.Fprintf(b, " %.2f |", r)
			if r > mostAcross {
				above = append(above, fmt.Sprintf("%s to %s", from.Title, to.Title))
			}
		}
		b.WriteString("\n")
	}
	switch n := len(p.sides) * (len(p.sides) - 1); len(above) {
	case 0:
		fmt.Fprintf(b, "\nAll %d pairs are within the goal of %.0f.\n", n, mostAcross)
	default:
		fmt.Fprintf(b, "\nAbove the goal of %.0f are %d of %d pairs: %s.\n", mostAcross, len(above), n, strings.Join(above, ", "))
	}
}

// figure writes microseconds with as many digits as they are worth.
func figure(us float64) string {
	if us < 10 {
		return fmt.Sprintf("%.1f", us)
	}
	return fmt.Sprintf("%.0f", us)
}

// insert puts the table into a page, where the last one stood.
func insert(page, table string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !found || !ends {
		return fmt.Errorf("%s has no place for the table: %s", page, tableBegins)
	}
	return os.WriteFile(page, []byte(before+table+after), 0o644)
}
