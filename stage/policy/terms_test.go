package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/llm"
)

// under returns a snapshot in which the project lab has accepted terms.
func under(t *testing.T, accepted string) *config.Snapshot {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte(`
terms: [{name: acme/1, url: "https://acme.example/terms"}, {name: acme/2, text: More.}]
acceptances: [{name: "lab:`+accepted+`", project: lab, terms: `+accepted+`}]
`), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := config.Compile(f, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTermsAreAcceptedBeforeUse(t *testing.T) {
	s := under(t, "acme/1")
	for _, c := range []struct {
		name, project string
		terms         []string
		left          []string
		says          string
	}{
		{"none are asked for", "other", []string{"", ""}, []string{"a", "b"}, ""},
		{"accepted", "lab", []string{"acme/1", ""}, []string{"a", "b"}, ""},
		{"another project has accepted", "other", []string{"acme/1", ""}, []string{"b"}, ""},
		{"the version before was accepted", "lab", []string{"acme/2", "acme/2"}, nil, `the project "lab" must accept the terms "acme/2" before it uses "m"; a developer of the project does that with: plenum terms accept acme/2 --project lab`},
		{"with an address", "other", []string{"acme/1", "acme/2"}, nil, `the project "other" must accept the terms "acme/1" (https://acme.example/terms) before`},
	} {
		call := call(llm.OpGenerate, "a", "b")
		call.Config, call.Caller.Project = s, c.project
		for i := range call.Candidates {
			call.Candidates[i].Offer.Terms = c.terms[i]
		}
		left, err := run(nil, call)
		if diff := cmp.Diff(c.left, left); diff != "" {
			t.Errorf("%s: left (-want +got):\n%s", c.name, diff)
		}
		if c.says == "" && err == nil {
			continue
		}
		if e := llm.AsError(err); e.Kind != llm.Forbidden || e.Code != "terms_not_accepted" || !strings.HasPrefix(e.Message, c.says) {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}
