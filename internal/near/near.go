// Package near finds the names that someone may have meant who wrote one that does not exist.
package near

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Suggest returns `; did you mean "x"?` if one of the names is near enough, or nothing.
func Suggest(name string, known []string) string {
	if near := Names(name, known, 1); len(near) > 0 {
		return fmt.Sprintf("; did you mean %q?", near[0])
	}
	return ""
}

// Names returns up to n of the known names that someone who wrote name may have meant, best first.
func Names(name string, known []string, n int) []string {
	type hit struct {
		name string
		far  int
	}
	var hits []hit
	want := strings.ToLower(name[:min(len(name), 256)])
	for _, k := range known {
		if far, ok := apart(want, strings.ToLower(k)); ok {
			hits = append(hits, hit{k, far})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, h := range hits[:min(n, len(hits))] {
		out = append(out, h.name)
	}
	return slices.Compact(out)
}

// apart returns how far two names are from each other, and whether that is near. A third of the name
// may be mistyped; a name that begins or ends with the other is near too, though less.
func apart(a, b string) (int, bool) {
	most := max(1, min(len(a), len(b))/3)
	if abs(len(a)-len(b)) <= most {
		if d := distance(a, b); d <= most {
			return d, true
		}
	}
	if len(a) >= 3 && len(b) >= 3 && (strings.Contains(a, b) || strings.Contains(b, a)) {
		return 100 + abs(len(a)-len(b)), true
	}
	return 0, false
}

func abs(n int) int { return max(n, -n) }

// distance is the least number of letters to insert, delete, replace or swap with their neighbour.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
