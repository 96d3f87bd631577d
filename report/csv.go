package report

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
)

// restName stands for all that is not among the top.
const restName = "(rest)"

// WriteCSV answers a query as a table in text, with the total last. It has as many lines as there are.
func WriteCSV(ctx context.Context, w io.Writer, s store.Rollups, q Query, now time.Time) error {
	return stream(ctx, s, q, now, &csvSink{w: csv.NewWriter(w)})
}

// csvSink writes lines as they come.
type csvSink struct {
	w *csv.Writer
	r *Report
}

func (c *csvSink) begin(r *Report) error {
	c.r = r
	return c.w.Write(r.Head())
}

func (c *csvSink) line(l *Line) error { return c.w.Write(c.r.cells(l)) }

func (c *csvSink) end(l *Line) error {
	total := c.r.cells(l)
	if n := len(c.r.By); n > 0 {
		total[len(total)-len(c.r.figures(l))-n] = "(total)"
	}
	if err := c.w.Write(total); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// WriteJSON answers a query as the JSON of a Report. It has as many lines as there are.
func WriteJSON(ctx context.Context, w io.Writer, s store.Rollups, q Query, now time.Time) error {
	return stream(ctx, s, q, now, &jsonSink{jsonList{w: bufio.NewWriterSize(w, 1<<16)}})
}

// jsonSink writes lines as they come.
type jsonSink struct{ jsonList }

// jsonList is an array of JSON that is written item by item.
type jsonList struct {
	w    *bufio.Writer
	more bool
}

func (l *jsonList) add(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if l.more {
		_, _ = l.w.WriteString(",\n") // an error of it comes again
	}
	l.more = true
	_, err = l.w.Write(b)
	return err
}

func (j *jsonSink) begin(r *Report) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	head, _, ok := bytes.Cut(b, []byte(`"data":`)) // no name has a bare quote in JSON
	if !ok {
		return errors.New("a report has no place for its lines")
	}
	_, err = j.w.Write(append(head, `"data":[`...))
	return err
}

func (j *jsonSink) line(l *Line) error { return j.add(l) }

func (j *jsonSink) end(l *Line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, _ = j.w.WriteString(`],"total":`)
	_, _ = j.w.Write(b)
	_, _ = j.w.WriteString("}\n")
	return j.w.Flush()
}

// Head returns the names of the columns.
func (r *Report) Head() []string {
	var out []string
	if r.Per != "" {
		out = append(out, r.Per)
	}
	out = append(out, r.By...)
	for _, m := range r.Measures {
		switch m {
		case Tokens:
			for class := range (plenum.Tokens{}).Classes() {
				out = append(out, string(class))
			}
		case Cost:
			out = append(out, "cost_usd")
		case Costs:
			for class := range (plenum.Tokens{}).Classes() {
				out = append(out, "cost_usd_"+string(class))
			}
			out = append(out, "cost_usd_"+Unsplit)
		case Latency:
			out = append(out, "p50_ms", "p95_ms")
		default:
			out = append(out, m)
		}
	}
	return out
}

// cells returns what a line has in the columns.
func (r *Report) cells(l *Line) []string {
	var out []string
	if r.Per != "" {
		out = append(out, l.Period)
	}
	for _, name := range r.By {
		v := plain(l.By[name])
		if l.Rest {
			v = restName
		}
		out = append(out, v)
	}
	return append(out, r.figures(l)...)
}

func (r *Report) figures(l *Line) (out []string) {
	num := func(n int64) { out = append(out, strconv.FormatInt(n, 10)) }
	for _, m := range r.Measures {
		switch m {
		case Tokens:
			for _, n := range l.Tokens.Classes() {
				num(n)
			}
		case Cost:
			out = append(out, l.CostUSD)
		case Costs:
			left := int64(l.cost)
			for _, n := range plenum.Tokens(l.costs).Classes() {
				out = append(out, plenum.Micros(n).String())
				left -= n
			}
			out = append(out, plenum.Micros(left).String())
		case Latency:
			num(l.P50MS)
			num(l.P95MS)
		default:
			num(l.Count(m))
		}
	}
	return out
}

// Count returns one of the measures that count something.
func (l *Line) Count(measure string) int64 {
	i := slices.Index([]string{Calls, Errors, Refused, Attempts, Unpriced, Estimated}, measure)
	return []int64{l.Calls, l.Errors, l.Refused, l.Attempts, l.Unpriced, l.Estimated}[i]
}

// plain keeps a spreadsheet from taking a name that a caller made up for a formula.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
