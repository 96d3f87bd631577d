package archtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A case is a fault that some gateway has had, and a test named TestCase_A1_WhatMustHold shows that
// Plenum does not. The letters are themes; each has so many cases.
var themes = []struct {
	letter string
	about  string
	count  int
}{
	{"A", "streamed tool calls", 15},
	{"B", "framing and life of streams", 14},
	{"C", "thinking, signatures", 9},
	{"D", "usage and cost", 14},
	{"E", "budgets and limits", 11},
	{"F", "schemas, parameters, content", 18},
	{"G", "caches", 5},
	{"H", "guardrails", 6},
	{"I", "secrets and access", 11},
	{"J", "routing, retry, failover", 10},
	{"K", "memory, long runs", 4},
	{"L", "concurrency", 4},
}

// cases returns, for each case, the tests that are named after it, as package and name.
func cases(t *tree) (found map[string][]string, violations []string) {
	meant := regexp.MustCompile(`^TestCase(_|[A-Z][0-9])`)
	name := regexp.MustCompile(`^TestCase_([A-Z])([0-9]+)_[A-Z]\w*$`)
	found = map[string][]string{}
	for _, p := range t.packages {
		for _, f := range functions(p.tests()) {
			if !meant.MatchString(f) {
				continue
			}
			m := name.FindStringSubmatch(f)
			if m == nil || !known(m[1], m[2]) {
				violations = append(violations, fmt.Sprintf("%s: %s is not named TestCase_, a case, _ and what must hold", p.dir, f))
				continue
			}
			found[m[1]+m[2]] = append(found[m[1]+m[2]], p.dir+"."+f)
		}
	}
	return found, violations
}

func known(letter, number string) bool {
	for _, th := range themes {
		for n := 1; n <= th.count && th.letter == letter; n++ {
			if number == fmt.Sprint(n) {
				return true
			}
		}
	}
	return false
}

// TestCasesAreCounted prints which cases are covered. `make cases` shows it.
func TestCasesAreCounted(t *testing.T) {
	found, violations := cases(house(t))
	holds(t, violations)
	all, covered := 0, 0
	for _, th := range themes {
		var missing []string
		for n := 1; n <= th.count; n++ {
			if id := fmt.Sprint(th.letter, n); len(found[id]) == 0 {
				missing = append(missing, id)
			}
		}
		all, covered = all+th.count, covered+th.count-len(missing)
		t.Logf("%s  %-28s  %2d of %2d  open: %s", th.letter, th.about, th.count-len(missing), th.count, strings.Join(missing, " "))
	}
	t.Logf("%d of %d cases have a test that is named after them", covered, all)
	if covered == 0 {
		t.Error("no case has a test")
	}
}

func TestCasesCatch(t *testing.T) {
	found, violations := cases(planted(t, map[string]string{
		"a/a_test.go": "package a\nfunc TestCase_A1_Holds(t *testing.T) {}\nfunc TestCase_A99_Unknown(t *testing.T) {}\nfunc TestCaseB2(t *testing.T) {}\nfunc TestOther(t *testing.T) {}\n",
		"b/b_test.go": "package b\nfunc TestCase_A1_HoldsToo(t *testing.T) {}\nfunc TestCase_L4_Holds(t *testing.T) {}\n",
	}))
	catches(t, violations, "TestCase_A99", "TestCaseB2")
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, []string{"A1", "L4"}) || len(found["A1"]) != 2 {
		t.Errorf("got %v", found)
	}
}
