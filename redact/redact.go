// Package redact takes out of a text what nobody should keep: keys, numbers of cards and accounts, addresses of mail,
// numbers of telephones, and what one's own patterns find. What is taken out leaves a word in brackets that says what it was.
//
// All of it is linear in the length of the text, whatever the text is. A text that comes in pieces is redacted as if it
// came at once: what is cut by the border of two pieces is found all the same.
package redact

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// finder finds one kind of thing.
type finder struct {
	name    string
	pattern *regexp.Regexp
	check   func(found string) bool // whether what looks like one is one; nil is always
	word    string
}

// Pattern is a pattern of one's own, in Go's syntax, which has no backtracking.
type Pattern struct {
	Name    string // what stands in its place is [NAME], in capitals
	Pattern string
}

// Kinds are the names of what can be found without a pattern of one's own.
func Kinds() []string { return []string{"keys", "cards", "iban", "email", "phone"} }

// Redactor takes out. Its methods may be called from any number of goroutines.
type Redactor struct{ finders []finder }

// New returns what takes out things of the kinds, and what patterns find. The order of Kinds is that of looking.
func New(kinds []string, own ...Pattern) (*Redactor, error) {
	r := &Redactor{}
	for _, k := range kinds {
		if !slices.Contains(Kinds(), k) {
			return nil, fmt.Errorf("there is nothing of the kind %q to redact; there are %s", k, strings.Join(Kinds(), ", "))
		}
	}
	for _, f := range builtIn() {
		if slices.Contains(kinds, f.name) {
			r.finders = append(r.finders, f)
		}
	}
	for _, p := range own {
		re, err := regexp.Compile(p.Pattern)
		if err != nil {
			return nil, fmt.Errorf("the pattern %s: %w", p.Name, err)
		}
		if re.MatchString("") {
			return nil, fmt.Errorf("the pattern %s matches nothing at all, and so everywhere", p.Name)
		}
		r.finders = append(r.finders, finder{name: p.Name, pattern: re, word: "[" + strings.ToUpper(p.Name) + "]"})
	}
	return r, nil
}

func builtIn() []finder {
	return []finder{
		{"keys", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s]*(?:-----END [A-Z ]*PRIVATE KEY-----)?|\b(?:sk|pk|rk|plenum|xai|gsk|ghp|gho|ghs|glpat|xox[abprs])[-_][A-Za-z0-9_-]{16,}|\bAIza[A-Za-z0-9_-]{35}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{8,}`), nil, "[KEY]"},
		{"cards", regexp.MustCompile(`\b[0-9](?:[ -]?[0-9]){11,18}\b`), luhn, "[CARD]"},
		{"iban", regexp.MustCompile(`\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b`), iban, "[IBAN]"},
		{"email", regexp.MustCompile(`[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b`), nil, "[EMAIL]"},
		{"phone", regexp.MustCompile(`(?:\+|\b00)[1-9][0-9]{0,2}[ ./-]?(?:\(0?[0-9]{1,4}\)[ ./-]?)?[0-9](?:[ ./-]?[0-9]){5,12}\b|\(?\b[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}\b`), nil, "[PHONE]"},
	}
}

// luhn reports whether the digits of a text have the check digit that numbers of cards have.
func luhn(text string) bool {
	sum, n := 0, 0
	for i := len(text) - 1; i >= 0; i-- {
		c := text[i]
		if c < '0' || c > '9' {
			continue
		}
		d := int(c - '0')
		if n++; n%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0 && sum > 0
}

// iban reports whether a text is the number of an account by its check digits (ISO 7064, modulo 97).
func iban(text string) bool {
	text = strings.ReplaceAll(text, " ", "")
	if len(text) < 15 || len(text) > 34 {
		return false
	}
	rest := 0
	for _, c := range text[4:] + text[:4] {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest == 1
}

// found is a place in a text.
type found struct {
	from, to int
	word     string
}

// find returns what is to be taken out of a text, in order. What was found first is not looked at again.
func (r *Redactor) find(text string) []found {
	var all []found
	for i := range r.finders {
		f := &r.finders[i]
		known := slices.Clone(all)
		for _, at := range f.pattern.FindAllStringIndex(text, -1) {
			if !taken(known, at[0], at[1]) && (f.check == nil || f.check(text[at[0]:at[1]])) {
				all = append(all, found{at[0], at[1], f.word})
			}
		}
		slices.SortFunc(all, func(a, b found) int { return a.from - b.from })
	}
	return all
}

// taken reports whether some of a span is in what was found, which is in order.
func taken(known []found, from, to int) bool {
	i, _ := slices.BinarySearchFunc(known, from, func(x found, at int) int {
		if x.to <= at {
			return -1
		}
		return 1
	})
	return i < len(known) && known[i].from < to
}

// Text returns a text without what is to be taken out, and how many things that were.
func (r *Redactor) Text(text string) (string, int) {
	all := r.find(text)
	if len(all) == 0 {
		return text, 0
	}
	return replace(text, all), len(all)
}

func replace(text string, all []found) string {
	var b strings.Builder
	from := 0
	for _, x := range all {
		b.WriteString(text[from:x.from])
		b.WriteString(x.word)
		from = x.to
	}
	b.WriteString(text[from:])
	return b.String()
}

// JSON returns JSON whose texts are redacted, however deep, but for those in members that stay as they are, such as ids and
// types. A text that is itself a JSON object or list is redacted as one. What is no JSON is an error.
func (r *Redactor) JSON(doc []byte, stays func(member string) bool) ([]byte, error) {
	d := json.NewDecoder(strings.NewReader(string(doc)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("redacting JSON: %w", err)
	}
	n := 0
	v = r.value(v, stays, &n)
	if n == 0 {
		return doc, nil
	}
	return json.Marshal(v)
}

func (r *Redactor) value(v any, stays func(string) bool, n *int) any {
	switch x := v.(type) {
	case map[string]any:
		for name, one := range x {
			if _, text := one.(string); !text || !stays(name) {
				x[name] = r.value(one, stays, n)
			}
		}
	case []any:
		for i := range x {
			x[i] = r.value(x[i], stays, n)
		}
	case string:
		if x != "" && (x[0] == '{' || x[0] == '[') {
			if doc, err := r.JSON([]byte(x), stays); err == nil {
				if string(doc) != x {
					*n++
				}
				return string(doc)
			}
		}
		out, found := r.Text(x)
		*n += found
		return out
	}
	return v
}

// Mechanical reports whether a member of what clients and models send holds nothing that people or models say, in whatever
// dialect: an id, a type, a signature. Such members stay as they are.
func Mechanical(member string) bool {
	switch member {
	case "id", "type", "role", "status", "object", "model", "previous", "conversation", "dialect", "path", "call", "signature", "encrypted_content":
		return true
	}
	return strings.HasSuffix(member, "_id")
}
