package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// starter compiles a starter policy on the ground of the one that permits everything.
func starter(t *testing.T, name string) *Set {
	t.Helper()
	texts := []string{"allow-everything", name}
	for i, n := range texts {
		b, err := os.ReadFile(filepath.Join("..", "examples", "policies", n+".cedar"))
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return compiled(t, "allow-everything", texts[0], name, texts[1])
}

func TestStarterPoliciesDoWhatTheySay(t *testing.T) {
	region := func(r string) func(*Request) { return func(q *Request) { q.Offer.Region = r } }
	upstream := func(u string) func(*Request) { return func(q *Request) { q.Offer.Upstream = u } }
	group := func(g string) func(*Request) { return func(q *Request) { q.Who.Groups = []string{g} } }
	at := func(day, hour int) func(*Request) {
		return func(q *Request) { q.Time = time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }
	}
	own := func(op llm.Op) func(*Request) {
		return func(q *Request) { q.Action, q.Op, q.Offer, q.Deployment = Own, op, nil, nil }
	}
	price := func(p plenum.Price) func(*Request) { return func(q *Request) { q.Offer.Price = p } }
	type changes = []func(*Request)
	for name, c := range map[string]struct{ allowed, refused []changes }{
		"only-eu-regions": {
			allowed: []changes{{}, {region("eu-central-1")}, {region("europe-west4")}, {region("eu-west-1"), upstream("eu.claude")}, {own(llm.OpFileCreate)}},
			refused: []changes{{region("")}, {region("us-east-1")}, {region("eu-west-2")}, {region("uksouth")}, {region("eu-west-1"), upstream("global.claude")}, {region("us-east-1"), func(q *Request) { q.Action = Deploy }}},
		},
		"no-preview-in-production": {
			allowed: []changes{{project("production")}, {project("web"), upstream("grok-5-preview")}},
			refused: []changes{{project("production"), upstream("grok-5-preview")}},
		},
		"grok-only-for-research": {
			allowed: []changes{{}, {project("web"), group("evaluators")}, {project("web"), func(q *Request) { q.Offer.Model = "openai/gpt-5" }}},
			refused: []changes{{project("web")}, {project("web"), func(q *Request) { q.Offer.Provider, q.Offer.Connection = "bedrock", "aws" }}},
		},
		"price-ceiling": {
			allowed: []changes{{}, {price(plenum.Price{Known: true, Output: 30_000_000})}, {price(plenum.Price{Known: true})}},
			refused: []changes{{price(plenum.Price{})}, {price(plenum.Price{Known: true, Output: 30_000_001})}},
		},
		"office-hours": {
			allowed: []changes{{group("trainees")}, {at(22, 3)}, {group("trainees"), at(23, 8)}, {group("trainees"), at(27, 17)}},
			refused: []changes{{group("trainees"), at(23, 18)}, {group("trainees"), at(23, 7)}, {group("trainees"), at(22, 12)}, {group("trainees"), func(q *Request) { q.Source = "192.0.2.1" }}, {group("trainees"), func(q *Request) { q.Source = "" }}},
		},
		"guarded-only": {
			allowed: []changes{{project("support")}, {func(q *Request) { q.Deployment.Guardrail = "" }}},
			refused: []changes{{project("support"), func(q *Request) { q.Deployment.Guardrail = "" }}},
		},
		"no-files": {
			allowed: []changes{{project("web")}, {own(llm.OpFileCreate)}, {project("web"), own(llm.OpFileList)}},
			refused: []changes{{project("web"), own(llm.OpFileCreate)}, {project("web"), own(llm.OpBatchCreate)}},
		},
	} {
		s := starter(t, name)
		for _, set := range []struct {
			allowed bool
			of      []changes
		}{{true, c.allowed}, {false, c.refused}} {
			for i, ch := range set.of {
				d := s.Decide(asked(ch...))
				if d.Allowed != set.allowed || !d.Allowed && (d.Rule().Policy != name || d.Rule().Message == "") {
					t.Errorf("%s, call %d that is to be allowed=%v: %+v", name, i, set.allowed, d)
				}
			}
		}
	}
	files, err := filepath.Glob("../examples/policies/*.cedar")
	if err != nil || len(files) != 8 {
		t.Errorf("the starter policies are %v: each has a case here", files)
	}
}

func TestAnExplanationSaysWhyAndWhatWouldChangeIt(t *testing.T) {
	s := compiled(t, "base", allowAll,
		"lab", `forbid (principal, action == Action::"use", resource in Publisher::"xai") unless { principal in Project::"lab" || principal in Group::"evaluators" };`,
		"place", `forbid (principal in Group::"remote", action, resource is Offer) when { resource.region == "swedencentral" && context.hour >= 9 && context.hour < 17 };`,
		"files", `forbid (principal, action, resource is Kept) when { resource.kind == "file" };`)
	tell := func(e *Explanation) string {
		var b strings.Builder
		for _, v := range e.Verdicts {
			b.WriteString(v.Rule.Name + ": ")
			if !v.Applies {
				b.WriteString("not: " + v.Why)
			}
			b.WriteString("\n")
		}
		return b.String() + "- " + strings.Join(e.Changes, "\n- ")
	}
	for _, c := range []struct {
		name string
		r    *Request
		want string
	}{
		{"one thing", asked(), `base: 
lab: 
place: not: principal in Group::"remote"
files: not: resource is Kept
- resource were in another Publisher than "xai"
- principal were in Project::"lab"
- principal were in Group::"evaluators"`},
		{"two things", asked(func(r *Request) { r.Who.Groups = []string{"remote"} }), `base: 
lab: 
place: 
files: not: resource is Kept
- resource were in another Publisher than "xai" and resource.region were something else
- resource were in another Publisher than "xai" and context.hour were 0 to 8
- resource were in another Publisher than "xai" and context.hour were 17 to 23
- principal were in Project::"lab" and resource.region were something else
- principal were in Project::"lab" and context.hour were 0 to 8
- principal were in Project::"lab" and context.hour were 17 to 23
- principal were in Group::"evaluators" and resource.region were something else
- principal were in Group::"evaluators" and context.hour were 0 to 8`},
		{"allowed", asked(project("lab"), func(r *Request) { r.Time = r.Time.Add(8 * time.Hour) }), `base: 
lab: not: unless { principal in Project::"lab" || principal in Group::"evaluators" }
place: not: principal in Group::"remote"
files: not: resource is Kept
- `},
		{"a file", asked(func(r *Request) { r.Action, r.Op, r.Offer, r.Deployment = Own, llm.OpFileGet, nil, nil }), `base: 
lab: not: action == Action::"use"
place: not: principal in Group::"remote"
files: 
- resource.kind were "batch"
- resource.kind were "answer"
- resource.kind were "session"
- resource.kind were "secret"
- resource.kind were "key"`},
	} {
		got := tell(s.Explain(c.r))
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	if e := (*Set)(nil).Explain(asked()); !e.Decision.Allowed || len(e.Verdicts) != 0 {
		t.Errorf("without policies it is %+v", e)
	}
}

// Each thing that an explanation names does turn the decision round, and no explanation decides otherwise than a call.
func TestAnExplanationNeverLies(t *testing.T) {
	s := compiled(t, "base", `permit (principal, action, resource is Offer) when { resource.capabilities.contains("tools") && ["a", "b"].contains(resource.deployment) };`,
		"price", `forbid (principal, action, resource is Offer) unless { resource has price_out && resource.price_out.lessThan(decimal("9.5")) };`,
		"name", `forbid (principal, action, resource) when { principal.name like "test-*" || context.stream || context.dialect == "gemini" };`)
	r := asked(func(r *Request) { r.Deployment.Name = "a" })
	e := s.Explain(r)
	want := []string{`resource.price_out were decimal("9.4999")`}
	if strings.Join(e.Changes, "\n") != strings.Join(want, "\n") {
		t.Errorf("it would be changed by %q, want %q", e.Changes, want)
	}
	if d := s.Decide(r); d.Allowed != e.Decision.Allowed || d.Note != e.Decision.Note {
		t.Errorf("a call is %+v, explained as %+v", d, e.Decision)
	}
	r.Offer.Price.Output = 9_499_900
	e = s.Explain(r)
	if !e.Decision.Allowed || len(e.Changes) == 0 || strings.Contains(strings.Join(e.Changes, "\n"), `"b"`) {
		t.Errorf("as proposed it is %+v, which changes by %q", e.Decision, e.Changes)
	}
}
