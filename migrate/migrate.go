// Package migrate reads what another gateway knows, and says it as a declaration: deployments and connections, projects,
// members, budgets and limits, and the hashes of its keys, so that these stay good. What has no counterpart is in the report,
// never left out in silence.
package migrate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fate is what became of something.
type Fate string

// The fates.
const (
	Carried   Fate = "carried"
	Different Fate = "carried differently"
	Missing   Fate = "no counterpart"
	LeftOut   Fate = "left out" // it is not in force there either
)

// Line is what became of one thing.
type Line struct {
	What string `json:"what"` // where it stood: router_settings.fallbacks, key sk-...abcd
	Fate Fate   `json:"fate"`
	Note string `json:"note,omitempty"` // how, or why not and what to do
}

// Key is a key that is known by its hash.
type Key struct {
	Name        string     `json:"name"`
	Project     string     `json:"project"`
	Member      string     `json:"member,omitempty"`
	Expires     *time.Time `json:"expires,omitempty"`
	SHA256      string     `json:"sha256"`
	Prefix      string     `json:"prefix,omitempty"`
	Deployments []string   `json:"deployments,omitempty"` // all if empty
}

// Result is what was read.
type Result struct {
	Lists  map[string][]map[string]any // items by the list that they stand in
	Keys   []Key
	Spent  []Spent
	Report []Line
}

// Spent is what was spent of a budget, in the window of now.
type Spent struct {
	Budget string
	USD    string // such as 12.34
}

// spent notes what was spent of a budget.
func (r *Result) spent(budget string, usd float64) {
	r.Spent = append(r.Spent, Spent{budget, strconv.FormatFloat(usd, 'f', 6, 64)})
}

// add adds an item to a list; one of a name that is there already is left alone.
func (r *Result) add(list string, item map[string]any) {
	for _, x := range r.Lists[list] {
		if x["name"] == item["name"] {
			return
		}
	}
	if r.Lists == nil {
		r.Lists = map[string][]map[string]any{}
	}
	r.Lists[list] = append(r.Lists[list], item)
}

func (r *Result) find(list, name string) map[string]any {
	for _, x := range r.Lists[list] {
		if x["name"] == name {
			return x
		}
	}
	return nil
}

func (r *Result) note(what string, f Fate, format string, args ...any) {
	r.Report = append(r.Report, Line{what, f, fmt.Sprintf(format, args...)})
}

// Declaration returns the items as JSON, as plenum apply takes them.
func (r *Result) Declaration() ([]byte, error) { return json.Marshal(r.Lists) }

// Sorted returns the report: what has no counterpart first.
func (r *Result) Sorted() []Line {
	rank := map[Fate]int{Missing: 0, Different: 1, LeftOut: 2, Carried: 3}
	out := slices.Clone(r.Report)
	slices.SortStableFunc(out, func(a, b Line) int {
		return cmp.Or(cmp.Compare(rank[a.Fate], rank[b.Fate]), strings.Compare(a.What, b.What))
	})
	return out
}

// name makes a name of a text: what names may not hold becomes a dash.
func name(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:/-", r) {
			b.WriteRune(r)
		} else if !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "-")
	return out[:min(len(out), 200)]
}

// The parts of a document that was JSON or YAML.
func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func list(v any) []any            { l, _ := v.([]any); return l }
func text(v any) string           { s, _ := v.(string); return s }

func texts(v any) []string {
	var out []string
	for _, x := range list(v) {
		if s := text(x); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case string:
		var f float64
		if _, err := fmt.Sscanf(n, "%g", &f); err == nil {
			return f, true
		}
	}
	return 0, false
}
