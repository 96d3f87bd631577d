package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

const allowAll = "permit (principal, action, resource);"

// compiled compiles policies that are given as name, text, name, text.
func compiled(t testing.TB, texts ...string) *Set {
	t.Helper()
	var list []Source
	for i := 0; i < len(texts); i += 2 {
		list = append(list, Source{texts[i], texts[i+1]})
	}
	s, faults := Compile(list, func(o *plenum.Offer, _ time.Time) Known {
		if strings.Contains(o.Upstream, "preview") {
			return Known{Lifecycle: "preview", License: "proprietary"}
		}
		return Known{Lifecycle: "ga", License: "Apache-2.0"}
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return s
}

// asked is a call of the key laptop, which a test changes.
func asked(change ...func(*Request)) *Request {
	r := &Request{
		Action: Use, Op: llm.OpGenerate, Dialect: "openai", Source: "10.1.2.3", Time: time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC),
		Who:        &plenum.Principal{KeyID: "key_1", KeyName: "laptop", Project: "research", Member: "ada@example.com", Groups: []string{"staff"}},
		Deployment: &plenum.Deployment{Name: "grok", Model: "xai/grok-4", Guardrail: "strict"},
		Offer: &plenum.Offer{
			ID: "eu/grok-4", Connection: "eu", Provider: "azure", Model: "xai/grok-4", Upstream: "grok-4", Region: "swedencentral", Context: 256000,
			Price:  plenum.Price{Known: true, Input: 3_000_000, Output: 15_000_000},
			Traits: plenum.Traits{Capabilities: plenum.Capabilities{Tools: plenum.Yes, Images: plenum.No}},
		},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func project(name string) func(*Request) { return func(r *Request) { r.Who.Project = name } }

func TestEveryWordOfTheSchemaCanDecide(t *testing.T) {
	for _, c := range []struct {
		when string // of a forbid that holds for the call
		not  func(*Request)
	}{
		{`principal == Key::"key_1"`, func(r *Request) { r.Who.KeyID = "key_2" }},
		{`principal in Project::"research"`, project("web")},
		{`principal in Member::"ada@example.com"`, func(r *Request) { r.Who.Member = "" }},
		{`principal in Group::"staff"`, func(r *Request) { r.Who.Groups = nil }},
		{`principal.name == "laptop"`, func(r *Request) { r.Who.KeyName = "desk" }},
		{`principal.project == "research"`, project("web")},
		{`principal.member like "*@example.com"`, func(r *Request) { r.Who.Member = "" }},
		{`principal.groups.contains("staff")`, func(r *Request) { r.Who.Groups = []string{"guests"} }},
		{`resource == Offer::"eu/grok-4"`, func(r *Request) { r.Offer.ID = "us/grok-4" }},
		{`resource in Publisher::"xai"`, func(r *Request) { r.Offer.Model = "openai/gpt-5" }},
		{`resource in Model::"xai/grok-4"`, func(r *Request) { r.Offer.Model = "xai/grok-5" }},
		{`resource in Provider::"azure"`, func(r *Request) { r.Offer.Provider = "xai" }},
		{`resource in Connection::"eu"`, func(r *Request) { r.Offer.Connection = "us" }},
		{`resource in Deployment::"grok"`, func(r *Request) { r.Deployment.Name = "other" }},
		{`resource.publisher == "xai"`, func(r *Request) { r.Offer.Model = "openai/gpt-5" }},
		{`resource.model == "xai/grok-4"`, func(r *Request) { r.Offer.Model = "xai/grok-5" }},
		{`resource.provider == "azure"`, func(r *Request) { r.Offer.Provider = "xai" }},
		{`resource.connection == "eu"`, func(r *Request) { r.Offer.Connection = "us" }},
		{`resource.deployment == "grok"`, func(r *Request) { r.Deployment.Name = "other" }},
		{`resource.upstream == "grok-4"`, func(r *Request) { r.Offer.Upstream = "grok-5" }},
		{`resource.region == "swedencentral"`, func(r *Request) { r.Offer.Region = "" }},
		{`resource.license == "Apache-2.0"`, func(r *Request) { r.Offer.Upstream = "grok-5-preview" }},
		{`resource.lifecycle == "ga"`, func(r *Request) { r.Offer.Upstream = "grok-5-preview" }},
		{`resource.guardrail == "strict"`, func(r *Request) { r.Deployment.Guardrail = "" }},
		{`resource.capabilities.contains("tools")`, func(r *Request) { r.Offer.Traits.Capabilities.Tools = plenum.No }},
		{`!resource.capabilities.contains("images")`, func(r *Request) { r.Offer.Traits.Capabilities.Images = plenum.Yes }},
		{`resource has context && resource.context > 128000`, func(r *Request) { r.Offer.Context = 0 }},
		{`resource has price_in && resource.price_in == decimal("3.0")`, func(r *Request) { r.Offer.Price.Known = false }},
		{`resource has price_out && resource.price_out.greaterThanOrEqual(decimal("15.0"))`, func(r *Request) { r.Offer.Price.Output -= 100 }},
		{`context.operation == "generate"`, func(r *Request) { r.Op = llm.OpEmbed }},
		{`context.dialect == "openai"`, func(r *Request) { r.Dialect = "gemini" }},
		{`!context.stream`, func(r *Request) { r.Stream = true }},
		{`context.hour == 12`, func(r *Request) { r.Time = r.Time.Add(time.Hour) }},
		{`context.weekday == "monday"`, func(r *Request) { r.Time = r.Time.Add(24 * time.Hour) }},
		{`context.time < datetime("2026-11-23T12:30:01Z")`, func(r *Request) { r.Time = r.Time.Add(time.Second) }},
		{`context has source && context.source.isInRange(ip("10.0.0.0/8"))`, func(r *Request) { r.Source = "192.0.2.1" }},
		{`context has source`, func(r *Request) { r.Source = "" }},
	} {
		s := compiled(t, "base", allowAll, "no", "forbid (principal, action, resource is Offer) when { "+c.when+" };")
		if d := s.Decide(asked()); d.Allowed || d.Rule().Name != "no" || d.Note != "no@"+s.Version()+" forbids" {
			t.Errorf("%s: it is %+v", c.when, d)
		}
		if d := s.Decide(asked(c.not)); !d.Allowed || d.Rule().Name != "base" {
			t.Errorf("%s otherwise: it is %+v", c.when, d)
		}
	}
}

func TestWhatNothingPermitsIsRefusedAndAForbidWins(t *testing.T) {
	s := compiled(t, "lab", `permit (principal in Project::"research", action == Action::"use", resource in Publisher::"xai");`,
		"night", `forbid (principal, action, resource) when { context.hour < 6 };`)
	for _, c := range []struct {
		name string
		r    *Request
		want string
	}{
		{"the lab", asked(), "lab@" + s.Version() + " permits"},
		{"another project", asked(project("web")), "no policy permits (@" + s.Version() + ")"},
		{"another publisher", asked(func(r *Request) { r.Offer.Model = "openai/gpt-5" }), "no policy permits (@" + s.Version() + ")"},
		{"another action", asked(func(r *Request) { r.Action = Deploy }), "no policy permits (@" + s.Version() + ")"},
		{"at night", asked(func(r *Request) { r.Time = r.Time.Add(12 * time.Hour) }), "night@" + s.Version() + " forbids"},
		{"a file", asked(func(r *Request) { r.Action, r.Op, r.Offer, r.Deployment = Own, llm.OpFileCreate, nil, nil }), "no policy permits (@" + s.Version() + ")"},
	} {
		d := s.Decide(c.r)
		if d.Note != c.want || d.Allowed != strings.HasSuffix(c.want, " permits") {
			t.Errorf("%s: %+v, want %s", c.name, d, c.want)
		}
	}
	if d := (*Set)(nil).Decide(asked()); !d.Allowed {
		t.Error("without policies not everything is allowed")
	}
}

func TestWhatCallersKeepIsDecidedOn(t *testing.T) {
	s := compiled(t, "base", allowAll, "no files", `forbid (principal, action == Action::"own", resource) when { resource.kind == "file" && context.operation == "file.create" };`)
	own := func(op llm.Op) func(*Request) {
		return func(r *Request) { r.Action, r.Op, r.Offer, r.Deployment = Own, op, nil, nil }
	}
	for op, allowed := range map[llm.Op]bool{llm.OpFileCreate: false, llm.OpFileList: true, llm.OpBatchCreate: true, llm.OpKept: true, llm.OpSession: true, llm.OpClientSecret: true} {
		if d := s.Decide(asked(own(op))); d.Allowed != allowed {
			t.Errorf("%s: %+v", op, d)
		}
	}
	for op, kind := range map[llm.Op]string{llm.OpBatchResults: "batch", llm.OpKept: "answer", llm.OpSession: "session", llm.OpClientSecret: "secret"} {
		if got := Kind(op); got != kind {
			t.Errorf("%s is about %q, want %q", op, got, kind)
		}
	}
}

// A forbid that cannot be evaluated must not let pass what it was written to stop, as it does in Cedar itself.
func TestAForbidThatBreaksForbids(t *testing.T) {
	s := compiled(t, "base", allowAll, "sum", `forbid (principal, action, resource is Offer) when { resource has context && resource.context * 9223372036854775807 > 5 };`,
		"more", `permit (principal, action, resource is Offer) when { resource has context && resource.context * 9223372036854775807 > 5 };`)
	d := s.Decide(asked())
	if d.Allowed || d.Rule().Name != "sum" || !strings.Contains(d.Broken, "overflow") {
		t.Errorf("it is %+v", d)
	}
	if d := s.Decide(asked(func(r *Request) { r.Offer.Context = 0 })); !d.Allowed || d.Broken != "" {
		t.Errorf("where it can be evaluated it is %+v", d)
	}
}

func TestFaultsSayWhereAndWhat(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `there is no statement in it, such as permit (principal, action, resource);`},
		{"// later", `there is no statement in it, such as permit (principal, action, resource);`},
		{"permit (principal,\n  action,\n  rsource);", `line 3, column 3 of the policy: is not Cedar: there is "rsource" where "resource" must stand`},
		{"permit (principal, action, resource", `line 1, column 36 of the policy: is not Cedar: it ends where ")" is missing`},
		{"permit (principal, action, resource) when { \"a };", `line 1, column 45 of the policy: is not Cedar: literal not terminated`},
		{"allow (principal, action, resource);", `line 1, column 7 of the policy: is not Cedar: unexpected effect: allow (before "(")`},
		{"permit (principal, action, resource) when { 99999999999999999999 == 1 };", `is not Cedar: strconv.ParseInt: parsing "99999999999999999999": value out of range`},
		{allowAll + "\nforbid (principal, action, resource is Offer)\n  when { resource.regoin == \"eu\" };", `line 3, column 19 of the policy: Offer has no regoin; did you mean "region"?`},
		{"forbid (principal, action, resource) when { resource.region == \"eu\" };", `line 1, column 54 of the policy: what callers keep (action own) has no region: ask for an offer, as in (principal, action, resource is Offer)`},
		{"forbid (principal, action, resource is Offr);", `line 1, column 40 of the policy: there is no Offr here; did you mean "Offer"? (Organization, Project, Member, Group, Key, Publisher, Model, Provider, Connection, Deployment, Offer, Kept)`},
		{"forbid (principal, action == Action::\"uze\", resource);", `line 1, column 38 of the policy: there is no action uze; did you mean "use"? (use, deploy, own)`},
		{"forbid (principal, action, resource is Offer) unless { resource.price_out.lessThan(decimal(\"9.0\")) };", `line 1, column 65 of the policy: resource.price_out is not always there: ask before, as in resource has price_out && resource.price_out ...`},
		{"forbid (principal, action, resource) when { context.houur < 6 };", `line 1, column 53 of the policy: context has no houur; did you mean "hour"?`},
		{"forbid (principal, action, resource) when { context.operation == \"generat\" };", "line 1, column 67 of the policy: generat is none of the values of context.operation; did you mean \"generate\"?"},
		{"forbid (principal, action, resource is Offer) when { [\"GA\", \"ga\"].contains(resource.lifecycle) };", "line 1, column 56 of the policy: GA is none of the values of resource.lifecycle; did you mean \"ga\"? (preview, ga, legacy, deprecated, retired, unknown)"},
		{"forbid (principal, action == Action::\"own\", resource in Publisher::\"xai\");", `line 1, column 1 of the policy: ` + nothingApplies},
		{"forbid (principal, action, resource) when { principal.name == 3 };", `line 1, column 1 of the policy: the types Long and String are not compatible`},
		{"@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);", `line 2, column 1 of the policy: @id("a") is that of another statement as well`},
		{strings.Repeat("/", longest+1), `is longer than 64 KiB; make several of it`},
		{"permit (principal, action, resource) when { " + strings.Repeat("(", 70), `line 1, column 108 of the policy: nests deeper than 64`},
		{"forbid (principal, action, resource);", `no policy permits anything, so that every call would be refused: add permit (principal, action, resource); to one, and forbid what is not to be`},
	} {
		s, faults := Compile([]Source{{"p", c.text}}, nil)
		if s != nil || len(faults) != 1 || faults[0].Error() != c.want {
			t.Errorf("%s\n%v\nwant\n%s", c.text, faults, c.want)
		}
	}
	_, faults := Compile([]Source{{"a", allowAll}, {"b", "permit"}, {"c", "forbid (principal, action, resource is X);"}}, nil)
	if len(faults) != 2 || faults[0].Policy != 1 || faults[1].Policy != 2 {
		t.Errorf("the faults of two policies are %+v", faults)
	}
	if s, faults := Compile(nil, nil); s != nil || faults != nil {
		t.Errorf("no policies are %v, %v", s, faults)
	}
}

func TestRulesAreNamedAfterTheirPolicy(t *testing.T) {
	s := compiled(t, "one", "// why\n"+allowAll+" // the end; really",
		"two", "forbid (principal, action, resource is Offer) when { resource.region == \"a;//\\\";\" };\n\n@id(\"nights\")\n@message(\"come back in the morning\")\nforbid (principal, action, resource) when { context.hour < 6 }; ")
	var got [][]string
	for _, r := range s.Rules() {
		got = append(got, []string{r.Name, r.Policy, r.word(), fmt.Sprint(r.Line), r.Message, r.Text})
	}
	want := [][]string{
		{"one", "one", "permit", "2", "", allowAll},
		{"two#1", "two", "forbid", "1", "", "forbid (principal, action, resource is Offer) when { resource.region == \"a;//\\\";\" };"},
		{"two#nights", "two", "forbid", "3", "come back in the morning", "@id(\"nights\")\n@message(\"come back in the morning\")\nforbid (principal, action, resource) when { context.hour < 6 };"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// What is remembered must never answer another question.
func TestADecisionIsRememberedOnlyForItsOwnCircumstances(t *testing.T) {
	all := compiled(t, "base", allowAll, "a", `forbid (principal, action, resource) when { context.hour == 3 || context.weekday == "friday" || context.stream || context.dialect == "gemini" || context has source && context.source == ip("192.0.2.1") || context.operation == "embed" };`).Fresh()
	otherwise := []func(*Request){
		func(r *Request) { r.Time = r.Time.Add(15 * time.Hour) }, func(r *Request) { r.Time = r.Time.Add(96 * time.Hour) },
		func(r *Request) { r.Stream = true }, func(r *Request) { r.Dialect = "gemini" }, func(r *Request) { r.Source = "192.0.2.1" }, func(r *Request) { r.Op = llm.OpEmbed },
	}
	for range 2 {
		if d := all.Decide(asked()); !d.Allowed {
			t.Fatalf("the call is %+v", d)
		}
		for i, c := range otherwise {
			if d := all.Decide(asked(c)); d.Allowed {
				t.Errorf("the change %d is allowed", i)
			}
		}
	}
	people := compiled(t, "base", `permit (principal in Member::"ada@example.com", action, resource);`).Fresh()
	other := func(r *Request) { r.Who.Member = "eve@example.com" } // whom the same credential may stand for
	for range 2 {
		if !people.Decide(asked()).Allowed || people.Decide(asked(other)).Allowed {
			t.Error("one member is taken for another")
		}
	}
	if first, second := all.Decide(asked()), all.Decide(asked()); first != second {
		t.Error("it is decided twice")
	}
	exact := compiled(t, "base", allowAll, "a", `forbid (principal, action, resource) when { context.time > datetime("2026-11-23T12:30:00Z") };`).Fresh()
	if !exact.Decide(asked()).Allowed || exact.Decide(asked(func(r *Request) { r.Time = r.Time.Add(time.Millisecond) })).Allowed {
		t.Error("the time is not looked at each time")
	}
	if first, second := exact.Decide(asked()), exact.Decide(asked()); first == second {
		t.Error("what depends on the time is remembered")
	}
	again := all.Fresh()
	if all.Decide(asked()) == again.Decide(asked()) {
		t.Error("another configuration remembers the decisions of this one")
	}
}

func TestTheVersionTellsPoliciesApart(t *testing.T) {
	a, b := compiled(t, "a", allowAll), compiled(t, "b", allowAll)
	c := compiled(t, "a", allowAll+" ")
	if a.Version() == b.Version() || a.Version() == c.Version() || a.Version() != compiled(t, "a", allowAll).Version() {
		t.Errorf("versions are %s, %s, %s", a.Version(), b.Version(), c.Version())
	}
}

// Nobody is favoured: a world in which everyone has another name is decided on in the same way.
func TestRenamingVendorsChangesNoDecision(t *testing.T) {
	names := []string{"xai", "openai", "anthropic", "google", "meta", "mistral", "azure", "bedrock", "vertex"}
	texts := []string{
		"base", allowAll,
		"lab", `forbid (principal, action, resource in Publisher::"xai") unless { principal in Project::"research" };`,
		"place", `forbid (principal, action, resource is Offer) when { resource.provider == "azure" && resource.model like "openai/*" };`,
		"model", `forbid (principal, action, resource in Model::"anthropic/one") when { context.hour > 20 };`,
	}
	decisions := func(rename func(string) string) string {
		var renamed []string
		for _, s := range texts {
			renamed = append(renamed, rename(s))
		}
		s := compiled(t, renamed...)
		var b strings.Builder
		for _, publisher := range names[:6] {
			for _, provider := range names {
				for _, who := range []string{"research", "web"} {
					for _, hours := range []time.Duration{0, 9} {
						d := s.Decide(asked(project(who), func(r *Request) {
							r.Offer.Model, r.Offer.Provider, r.Offer.ID = rename(publisher)+"/one", rename(provider), rename(publisher+"-"+provider)
							r.Time = r.Time.Add(hours * time.Hour)
						}))
						fmt.Fprintln(&b, d.Allowed, len(d.By), d.Rule().Name)
					}
				}
			}
		}
		return b.String()
	}
	as := decisions(func(s string) string { return s })
	for shift := 1; shift < len(names); shift++ {
		rename := func(s string) string {
			return regexp.MustCompile(strings.Join(names, "|")).ReplaceAllStringFunc(s, func(n string) string { return "vendor-" + names[(slices.Index(names, n)+shift)%len(names)] })
		}
		if diff := cmp.Diff(as, decisions(rename)); diff != "" {
			t.Errorf("renamed by %d they decide otherwise:\n%s", shift, diff)
		}
	}
	if !strings.Contains(as, "false") || !strings.Contains(as, "true") {
		t.Error("these policies decide nothing")
	}
}

// A policy may name every operation, and none that there is not.
func TestEveryOperationIsKnown(t *testing.T) {
	files, err := filepath.Glob("../llm/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var want []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)Op +Op = "(.*)"|Op\w+ +Op = "(.*?)"`).FindAllStringSubmatch(string(text), -1) {
			if op := m[1] + m[2]; op != string(llm.OpModels) {
				want = append(want, op)
			}
		}
	}
	got := Operations()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-llm +here):\n%s", diff)
	}
}

func BenchmarkDecideOfTenPolicies(b *testing.B) {
	texts := []string{"base", allowAll}
	for i := range 9 {
		texts = append(texts, fmt.Sprint("p", i), fmt.Sprintf(`forbid (principal in Project::"p%d", action, resource is Offer) unless { ["eu", "sweden%d"].contains(resource.region) && resource.lifecycle != "preview" };`, i, i))
	}
	run := func(b *testing.B, s *Set) {
		r := asked()
		b.ReportAllocs()
		for b.Loop() {
			if !s.Decide(r).Allowed {
				b.Fatal("refused")
			}
		}
	}
	b.Run("remembered", func(b *testing.B) { run(b, compiled(b, texts...).Fresh()) })
	timed := append(slices.Clone(texts[:len(texts)-2]), "time", `forbid (principal, action, resource) when { context.time < datetime("2020-01-01") };`)
	b.Run("each time anew", func(b *testing.B) { run(b, compiled(b, timed...).Fresh()) })
	b.Run("none", func(b *testing.B) { run(b, nil) })
}

// A decision that is remembered costs no memory.
func TestARememberedDecisionAllocatesNothing(t *testing.T) {
	s, r := compiled(t, "base", allowAll, "night", `forbid (principal, action, resource) when { context.hour < 6 };`).Fresh(), asked()
	if n := testing.AllocsPerRun(100, func() { s.Decide(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestADecisionThatIsRememberedSeesTheDay(t *testing.T) {
	list := []Source{{"base", allowAll}, {"old", `forbid (principal, action, resource is Offer) when { resource.lifecycle == "retired" };`}, {"dear", `forbid (principal, action, resource is Offer) when { resource has price_in && resource.price_in.greaterThan(decimal("3.0")) };`}}
	retires := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	s, faults := Compile(list, func(_ *plenum.Offer, at time.Time) Known {
		if at.Before(retires) {
			return Known{Lifecycle: "deprecated"}
		}
		return Known{Lifecycle: "retired"}
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s = s.Fresh()
	at := func(day time.Time) *Request { return asked(func(r *Request) { r.Time = day }) }
	for range 2 { // the second time what was remembered answers
		if d := s.Decide(at(retires.Add(-time.Second))); !d.Allowed {
			t.Errorf("on the last day: %+v", d)
		}
		if d := s.Decide(at(retires)); d.Allowed {
			t.Error("on the day of its retirement it is still used")
		}
	}
	// So it is with a price that begins on a day.
	rises := retires.AddDate(0, 0, -2)
	dearer := func(day time.Time) *Request {
		r := at(day)
		old := r.Offer.Price
		r.Offer.ID, r.Offer.Price.Input, r.Offer.Price.Since, r.Offer.Price.Before = "eu/dearer", 4_000_000, rises.Unix(), &old
		return r
	}
	if d := s.Decide(dearer(rises.Add(-time.Second))); !d.Allowed {
		t.Errorf("before its price rises: %+v", d)
	}
	if d := s.Decide(dearer(rises)); d.Allowed {
		t.Error("from the day on which it is too dear it is still used")
	}
}
