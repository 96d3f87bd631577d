package plenum

import (
	"strings"
	"testing"
)

func TestParseTags(t *testing.T) {
	for said, want := range map[string]string{
		"":                               "",
		"team=search":                    "team=search",
		" team = search , env=prod,":     "env=prod,team=search",
		"cost-center=R&D 7, a.b/c_d=x/y": "a.b/c_d=x/y,cost-center=R&D 7",
	} {
		if got, err := ParseTags(said); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", said, got, err, want)
		}
	}
	for _, said := range []string{
		"team", "team=", "=search", "team=a,team=b", "te am=x", "team=é", "team=a=b", "team=" + strings.Repeat("x", LongestTagged+1),
		strings.Repeat("x", LongestTag+1) + "=y", "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1",
	} {
		if got, err := ParseTags(said); err == nil {
			t.Errorf("%q is taken as %q", said, got)
		}
	}
	if got := Tag("env=prod,team=search", "team") + Tag("env=prod", "team") + Tag("", "team"); got != "search" {
		t.Errorf("the tags are %q", got)
	}
}
