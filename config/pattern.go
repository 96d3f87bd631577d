package config

import (
	"cmp"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// longestName bounds the names of deployments.
const longestName = 256

// pattern is an alias with *, each of which stands for any run of characters, also for none.
type pattern struct {
	text       string
	parts      []string // what stands between the *
	deployment *plenum.Deployment
}

func newPattern(text string, d *plenum.Deployment) pattern {
	return pattern{text: text, parts: strings.Split(text, "*"), deployment: d}
}

// match reports whether a name fits, and what the * stands for where there is one.
func (p *pattern) match(name string) (run string, ok bool) {
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return "", false
	}
	rest := name[len(first) : len(name)-len(last)]
	run = rest
	for _, part := range p.parts[1 : len(p.parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return "", false
		}
		rest = after
	}
	return run, true
}

// literal returns how many characters a pattern says outright.
func (p *pattern) literal() int { return len(p.text) - strings.Count(p.text, "*") }

// rank sorts patterns so that the first that fits is the one meant: the one that says most before its
// first *, then the one that says most at all, then by text so that the order is always the same.
func rank(ps []pattern) {
	slices.SortFunc(ps, func(a, b pattern) int {
		return cmp.Or(
			cmp.Compare(len(b.parts[0]), len(a.parts[0])),
			cmp.Compare(b.literal(), a.literal()),
			cmp.Compare(a.text, b.text),
		)
	})
}

// nameFault says what is wrong with a deployment's name or alias, or nothing.
func nameFault(name string, star bool) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > longestName:
		return "is longer than 256 characters"
	}
	for _, r := range name {
		if !isNameRune(r) && (!star || r != '*') {
			if star {
				return "may hold only letters, digits, . _ : / - and *"
			}
			return "may hold only letters, digits and . _ : / -"
		}
	}
	return ""
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:/-", r)
}
