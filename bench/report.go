package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is the outcome of a run.
type report struct {
	Began   time.Time
	Took    time.Duration
	Machine string
	Results []*result
	Peaks   map[string]float64 // MB over the whole run
	plan    plan
}

// result is the outcome of one scenario.
type result struct {
	Name, Title string
	Goal        float64
	Base        string
	Samples     map[string][]sample // by run, one a round
	order       []string
	kind        kind
}

func (r *report) add(res *result) {
	r.Results = append(r.Results, res)
	res.print(os.Stdout)
}

func (r *report) wrong() (n int64) {
	for _, res := range r.Results {
		for name, xs := range res.Samples {
			if name == bareName {
				continue // it truncates answers now and then; that is known of it
			}
			for _, x := range xs {
				n += x.Wrong
			}
		}
	}
	return n
}

// peak notes the most memory that each target was seen with.
func (r *report) peak() {
	r.Peaks = map[string]float64{}
	for _, res := range r.Results {
		for name, xs := range res.Samples {
			if res.Base == "openai" {
				name = "plenum" // a crossing; its runs are named by the dialects
			}
			for _, x := range xs {
				r.Peaks[name] = max(r.Peaks[name], x.RSS)
			}
		}
	}
}

func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r.Machine = fmt.Sprintf("%s/%s, %d threads, %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version())
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "latest.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s, %d rounds of %v, %s. CPU in microseconds, medians of rounds; ratios are medians of the ratios within a round.\n\n",
		r.Machine, r.plan.rounds, r.plan.each, r.Began.Format(time.DateOnly))
	for _, res := range r.Results {
		res.print(&b)
	}
	fmt.Fprintf(&b, "Most memory in the whole run: %s. Wrong answers: %d. It took %v.\n", peaks(r.Peaks), r.wrong(), r.Took.Round(time.Second))
	fmt.Printf("most memory %s; %d wrong answers; %v\n", peaks(r.Peaks), r.wrong(), r.Took.Round(time.Second))
	return os.WriteFile(filepath.Join(dir, "latest.md"), b.Bytes(), 0o644)
}

func peaks(mb map[string]float64) string {
	var parts []string
	for _, name := range []string{"nginx", "plenum"} {
		if v, ok := mb[name]; ok {
			parts = append(parts, fmt.Sprintf("%s %.0f MB", name, v))
		}
	}
	return strings.Join(parts, ", ")
}

// print writes the scenario as a table in Markdown.
func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "**%s**: %s\n\n", r.Name, r.Title)
	switch r.kind {
	case latency:
		r.latencies(w)
	case memory:
		r.memories(w)
	default:
		r.cpus(w)
	}
	fmt.Fprintln(w)
}

func (r *result) cpus(w io.Writer) {
	unit := "request"
	if r.kind == cpuPerChunk {
		unit = "event"
	}
	fmt.Fprintf(w, "| | CPU µs / %s | ÷ %s | rounds | goal | a second | answers | wrong |\n|---|---|---|---|---|---|---|---|\n", unit, r.Base)
	for _, name := range r.order {
		xs := r.Samples[name]
		ratio, spread, goal := "", "", ""
		if rs := r.ratios(name); len(rs) > 0 && name != r.Base && name != "direct" {
			ratio = fmt.Sprintf("%.2f", median(rs))
			spread = fmt.Sprintf("%.2f-%.2f", slices.Min(rs), slices.Max(rs))
			if name != "anthropic" && name != bareName {
				goal = fmt.Sprintf("%.1f", r.Goal)
			}
		}
		fmt.Fprintf(w, "| %s | %.1f | %s | %s | %s | %.0f | %d | %d |\n", name, median(pick(xs, func(x sample) float64 { return x.CPU })),
			ratio, spread, goal, median(pick(xs, func(x sample) float64 { return x.PerSec })), total(xs, func(x sample) int64 { return x.Requests }),
			total(xs, func(x sample) int64 { return x.Wrong }))
	}
}

func (r *result) latencies(w io.Writer) {
	fmt.Fprint(w, "| | p50 ms | p99 ms | added p50 | added p99 | added p50 ÷ nginx's | answers | wrong |\n|---|---|---|---|---|---|---|---|\n")
	p50 := func(x sample) float64 { return x.P50 }
	p99 := func(x sample) float64 { return x.P99 }
	added := func(name string, f func(sample) float64) float64 {
		var ds []float64
		for i, x := range r.Samples[name] {
			ds = append(ds, f(x)-f(r.Samples["direct"][i]))
		}
		return median(ds)
	}
	for _, name := range r.order {
		xs := r.Samples[name]
		a50, a99, ratio := "", "", ""
		if name != "direct" {
			a50, a99 = fmt.Sprintf("%.2f", added(name, p50)), fmt.Sprintf("%.2f", added(name, p99))
		}
		if name == "plenum" && len(r.Samples["nginx"]) > 0 {
			ratio = fmt.Sprintf("%.2f (goal %.1f)", added(name, p50)/added("nginx", p50), r.Goal)
		}
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %s | %s | %s | %d | %d |\n", name, median(pick(xs, p50)), median(pick(xs, p99)), a50, a99, ratio,
			total(xs, func(x sample) int64 { return x.Requests }), total(xs, func(x sample) int64 { return x.Wrong }))
	}
}

func (r *result) memories(w io.Writer) {
	fmt.Fprint(w, "| | MB, most seen | answers | wrong |\n|---|---|---|---|\n")
	for _, name := range r.order {
		xs := r.Samples[name]
		if name == "direct" {
			continue
		}
		fmt.Fprintf(w, "| %s | %.0f | %d | %d |\n", name, slices.Max(pick(xs, func(x sample) float64 { return x.RSS })),
			total(xs, func(x sample) int64 { return x.Requests }), total(xs, func(x sample) int64 { return x.Wrong }))
	}
}

// ratios are those to the base, round by round. A crossing is compared with staying in the dialect of
// its caller.
func (r *result) ratios(name string) []float64 {
	base := r.Base
	if strings.HasPrefix(name, "anthropic to") {
		base = "anthropic"
	}
	var out []float64
	for i, x := range r.Samples[name] {
		if i < len(r.Samples[base]) && r.Samples[base][i].CPU > 0 {
			out = append(out, x.CPU/r.Samples[base][i].CPU)
		}
	}
	return out
}

func pick(xs []sample, f func(sample) float64) []float64 {
	out := make([]float64, 0, len(xs))
	for _, x := range xs {
		out = append(out, f(x))
	}
	return out
}

func total(xs []sample, f func(sample) int64) (n int64) {
	for _, x := range xs {
		n += f(x)
	}
	return n
}

func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	xs = slices.Sorted(slices.Values(xs))
	n := len(xs)
	if n%2 == 1 {
		return xs[n/2]
	}
	return (xs[n/2-1] + xs[n/2]) / 2
}
