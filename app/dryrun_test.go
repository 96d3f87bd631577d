package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/policy"
)

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
	tr := &trial{court: c, out: admin.Retrial{Policies: c.set.Version()}, groups: map[admin.Refused]int{}, decided: map[string]bool{}}
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
	if err := (&output{format: "table"}).showRetrial(&b, tr.end(), "7d"); err != nil {
		t.Fatal(err)
	}
	if want := "Of 8 calls of the last 7d the policies @" + c.set.Version() + " would refuse 3, and send 1 elsewhere. 1 were refused anyway."; !strings.Contains(b.String(), want) {
		t.Errorf("it says\n%s", b.String())
	}
	got := tr.out.Groups
	want := []admin.Refused{
		{Rule: "only-eu", What: "refused", Deployment: "far", Key: "dev", Project: "lab", Calls: 2, Cost: 10, Last: "3"},
		{Rule: "only-eu", What: "refused", Deployment: "gone", Key: "dev", Project: "lab", Calls: 1, Cost: 5, Last: "5"},
		{Rule: "only-eu", What: "moved", Deployment: "m", Key: "dev", Project: "lab", Calls: 1, Cost: 5, Last: "2"},
	}
	if diff := cmp.Diff(want, got); diff != "" || tr.out.Gone != 2 || !slices.Equal(tr.out.Idle, nil) {
		t.Errorf("groups (-want +got):\n%s\ngone %d, idle %v", diff, tr.out.Gone, tr.out.Idle)
	}
}
