package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/policy"
	"github.com/plenum-foundry/plenum/store"
)

// past are records as a store gives them, the latest first.
type past struct {
	store.Records
	list  []plenum.Record
	pages int
}

func (p *past) Calls(_ context.Context, f store.Filter) ([]plenum.Record, error) {
	p.pages++
	var out []plenum.Record
	for _, r := range p.list {
		if len(out) < f.Max() && (f.To == 0 || r.Start < f.To) && r.Start >= f.From {
			out = append(out, r)
		}
	}
	return out, nil
}

func TestEveryCallOnRecordIsJudgedOnce(t *testing.T) {
	const calls = 2500
	p := &past{}
	for i := range calls {
		p.list = append(p.list, plenum.Record{ID: fmt.Sprint(i), Start: int64(10_000 - i/7)}) // seven at each moment
	}
	seen := map[string]int{}
	if err := each(t.Context(), p, store.Filter{}, func(r *plenum.Record) { seen[r.ID]++ }); err != nil {
		t.Fatal(err)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("call %s is judged %d times", id, n)
		}
	}
	if len(seen) != calls || p.pages > 4 {
		t.Errorf("%d calls were judged, in %d pages", len(seen), p.pages)
	}
	// More calls of one microsecond than a page holds come to an end too.
	for i := range p.list {
		p.list[i].Start = 5
	}
	n := 0
	if err := each(t.Context(), p, store.Filter{}, func(*plenum.Record) { n++ }); err != nil || n != 1000 {
		t.Errorf("%d calls of one moment, %v", n, err)
	}
}

func TestCallsOnRecordAreJudgedByThePoliciesOfNow(t *testing.T) {
	f, err := config.Parse("test.yaml", []byte(fmt.Sprintf(manyTargets, "http://127.0.0.1:9", "http://127.0.0.1:9")+`
keys: [{name: dev, project: lab, secret: `+worldKey+`}]
`), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	c := &court{parts: Parts{Providers: all.Providers()}}
	c.compiler = forNobody(c.parts)
	if c.snapshot, err = c.compiler.compile(f, nil, nil); err != nil {
		t.Fatal(err)
	}
	c.set, _ = c.snapshot.Policies.(*policy.Set)
	tr := &trial{court: c, out: retrial{Policies: c.set.Version()}, groups: map[refused]*refused{}, decided: map[string]bool{}}
	call := func(id, deployment, target string, more ...func(*plenum.Record)) *plenum.Record {
		r := &plenum.Record{
			ID: id, Start: time.Now().UnixMicro(), Op: llm.OpGenerate, KeyID: "declared:dev", Project: "lab", Asked: deployment, Deployment: deployment, Target: target,
			Outcome: plenum.OutcomeOK, Cost: 5, Attempts: []plenum.Attempt{{Target: target, Provider: "openai-compatible", Upstream: target[strings.Index(target, "/")+1:]}},
		}
		for _, m := range more {
			m(r)
		}
		return r
	}
	for _, r := range []*plenum.Record{
		call("1", "m", "eu/up"),
		call("2", "m", "us/up"), // would go to the other
		call("3", "far", "us/up-2"),
		call("4", "far", "us/up-2"),
		call("5", "gone", "us/up-9"),
		call("6", "gone", "eu/up-9"),
		call("7", "vectors", "us/up-3", func(r *plenum.Record) { r.Op = llm.OpEmbed }),
		call("8", "far", "us/up-2", func(r *plenum.Record) { r.Outcome = plenum.OutcomeRefused }),
		call("9", "", "/", func(r *plenum.Record) { r.Op, r.Attempts = llm.OpFileCreate, nil }),
		call("10", "", "/", func(r *plenum.Record) { r.Op, r.Attempts = llm.OpModels, nil }),
		call("11", "m", "us/up", func(r *plenum.Record) { r.KeyID = "" }),
	} {
		tr.judge(r)
	}
	var b strings.Builder
	if err := tr.show(&b, &output{format: "table"}, "7d"); err != nil {
		t.Fatal(err)
	}
	if want := "Of 8 calls of the last 7d the policies @" + c.set.Version() + " would refuse 3, and send 1 elsewhere. 1 were refused anyway."; !strings.Contains(b.String(), want) {
		t.Errorf("it says\n%s", b.String())
	}
	var got []refused
	for _, g := range tr.out.Groups {
		got = append(got, *g)
	}
	want := []refused{
		{"only-eu", "refused", "far", "dev", "lab", 2, 10, "3"},
		{"only-eu", "refused", "gone", "dev", "lab", 1, 5, "5"},
		{"only-eu", "moved", "m", "dev", "lab", 1, 5, "2"},
	}
	if diff := cmp.Diff(want, got); diff != "" || tr.out.Gone != 2 || !slices.Equal(tr.out.Idle, nil) {
		t.Errorf("groups (-want +got):\n%s\ngone %d, idle %v", diff, tr.out.Gone, tr.out.Idle)
	}
}
