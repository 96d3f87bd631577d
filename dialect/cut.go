package dialect

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
)

// Cut is a change of a text that may be spread over several strings: the texts of one tool's result, say. Offsets
// are those of the strings laid end to end.
type Cut struct {
	Start, End int
	New        string
}

// Rewrite returns the parts with the changes made. A change over several parts leaves its new text in the
// first.
func Rewrite(parts []string, cuts []Cut) ([]string, error) {
	parts, cuts = slices.Clone(parts), slices.Clone(cuts)
	slices.SortFunc(cuts, func(a, b Cut) int { return b.Start - a.Start })
	limit := 0
	for _, p := range parts {
		limit += len(p)
	}
	for _, c := range cuts {
		if c.Start < 0 || c.End < c.Start || c.End > limit {
			return nil, fmt.Errorf("no text at %d to %d", c.Start, c.End)
		}
		limit = c.Start
		rewriteOne(parts, c)
	}
	return parts, nil
}

func rewriteOne(parts []string, c Cut) {
	at, placed := 0, false
	for i, p := range parts {
		start, end := max(c.Start-at, 0), min(c.End-at, len(p))
		at += len(p)
		// A change that begins right behind a part belongs to the next.
		if start > len(p) || end < 0 || start > end || start == len(p) && c.End > at {
			continue
		}
		fresh := ""
		if !placed {
			fresh, placed = c.New, true
		}
		parts[i] = p[:start] + fresh + p[end:]
	}
}

// RewriteText is Rewrite of one string.
func RewriteText(s string, cuts []Cut) (string, error) {
	parts, err := Rewrite([]string{s}, cuts)
	if err != nil {
		return "", err
	}
	return parts[0], nil
}

// RewriteAt changes in a body the text that stands at some places, laid end to end. Of a value that is no string, a
// tool's arguments, the JSON itself is the text.
func RewriteAt(ed *splice.Edit, at []wire.Value, cuts []Cut) error {
	texts := make([]string, len(at))
	for i, v := range at {
		texts[i] = v.Text()
		if v.Kind() != '"' {
			texts[i] = v.JSON()
		}
	}
	fresh, err := Rewrite(texts, cuts)
	if err != nil {
		return err
	}
	for i, v := range at {
		switch {
		case fresh[i] == texts[i]:
		case v.Kind() == '"':
			ed.SetString(v.Span(), fresh[i])
		case splice.Valid([]byte(fresh[i]), splice.MaxDepth) != nil:
			return errors.New("the arguments are no JSON any more")
		default:
			ed.Set(v.Span(), []byte(fresh[i]))
		}
	}
	return nil
}
