package plenum

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The bounds of tags.
const (
	MostTags      = 8
	LongestTag    = 40 // of a name
	LongestTagged = 80 // of a value
)

// ParseTags reads what a caller says that a call is for, such as "team=search, env=prod", and returns it in the form
// in which it is kept: in order by name, without spaces. Tags are few and short: reports are summed by them.
func ParseTags(text string) (string, error) {
	tags := map[string]string{}
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		name, value, ok := strings.Cut(one, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || value == "" {
			return "", errors.New("write name=value, several with commas between them")
		}
		if err := goodTag(name, value); err != nil {
			return "", err
		}
		if _, twice := tags[name]; twice {
			return "", fmt.Errorf("the tag %s is given twice", name)
		}
		tags[name] = value
	}
	if len(tags) > MostTags {
		return "", fmt.Errorf("there are more than %d tags", MostTags)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name + "=" + tags[name])
	}
	return b.String(), nil
}

func goodTag(name, value string) error {
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-/", r)
	}
	if name == "" || len(name) > LongestTag || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("a tag's name has up to %d letters, digits, dots, slashes, - and _", LongestTag)
	}
	outside := func(r rune) bool { return r < ' ' || r > '~' }
	if len(value) > LongestTagged || strings.ContainsFunc(value, outside) || strings.Contains(value, "=") {
		return fmt.Errorf("the value of a tag has up to %d characters of ASCII, and no = or comma", LongestTagged)
	}
	return nil
}

// Tag returns the value of one of the tags that ParseTags returned; "" where it is not among them.
func Tag(tags, name string) string {
	for one := range strings.SplitSeq(tags, ",") {
		if k, v, ok := strings.Cut(one, "="); ok && k == name {
			return v
		}
	}
	return ""
}
