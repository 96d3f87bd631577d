package policy

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// only is a Decider by which the targets of some connections may be used.
type only []string

func (o only) Allow(_ *gateway.Call, t *plenum.Target) error {
	for _, c := range o {
		if c == t.Offer.Connection {
			return nil
		}
	}
	if t.Offer.Connection == "plain" {
		return errors.New("an error of which the caller hears nothing")
	}
	return &Refusal{Rule: "not-" + t.Offer.Connection, Message: "ask for " + t.Offer.Connection, Note: "not-" + t.Offer.Connection + "@1 forbids"}
}

// asleep is one that has nothing to decide.
type asleep struct{ only }

func (asleep) Asleep(*gateway.Call) bool { return true }

func call(op llm.Op, connections ...string) *gateway.Call {
	d := &plenum.Deployment{Name: "m"}
	for _, c := range connections {
		d.Targets = append(d.Targets, plenum.Target{Offer: plenum.Offer{ID: c + "/up", Connection: c}})
	}
	return &gateway.Call{Op: op, Deployment: d, Candidates: append([]plenum.Target(nil), d.Targets...), Trail: gateway.NewTrail("1", time.Now())}
}

// run sends a call through the stage and returns which connections are left.
func run(d Decider, c *gateway.Call) (left []string, err error) {
	next := func(_ context.Context, c *gateway.Call, _ gateway.Out) error {
		for _, t := range c.Candidates {
			left = append(left, t.Offer.Connection)
		}
		return nil
	}
	err = New(d).Wrap(next)(context.Background(), c, nil)
	return left, err
}

func TestTargetsThatAreNotAllowedGo(t *testing.T) {
	for _, c := range []struct {
		name   string
		d      Decider
		left   []string
		says   string
		record string
	}{
		{"no decider", nil, []string{"a", "b", "plain"}, "", ""},
		{"a sleeper", asleep{}, []string{"a", "b", "plain"}, "", ""},
		{"one", only{"b"}, []string{"b"}, "", ""},
		{"none", only{}, nil, `the policies "not-a", "not-b" do not allow this key to use "m": ask for a; ask for b`, "not-a@1 forbids"},
	} {
		call := call(llm.OpGenerate, "a", "b", "plain")
		left, err := run(c.d, call)
		if diff := cmp.Diff(c.left, left); diff != "" {
			t.Errorf("%s: left (-want +got):\n%s", c.name, diff)
		}
		if c.says == "" && err == nil {
			continue
		}
		e := llm.AsError(err)
		if e.Message != c.says || e.Kind != llm.Forbidden || e.Code != "policy_denied" || call.Trail.Record.Policy != c.record {
			t.Errorf("%s: %+v, on record %q", c.name, e, call.Trail.Record.Policy)
		}
		if notes := strings.Join(call.Trail.Record.Notes, "\n"); !strings.Contains(notes, "not to a/up: not-a@1 forbids") || !strings.Contains(notes, "hears nothing") {
			t.Errorf("%s: the notes are %s", c.name, notes)
		}
		if strings.Contains(e.Message, "hears nothing") {
			t.Errorf("%s: the caller hears %s", c.name, e.Message)
		}
	}
	if _, err := run(only{}, call(llm.OpGenerate, "plain")); llm.AsError(err).Message != `no policy allows this key to use "m"; use another (GET /v1/models), or ask whoever manages the policies` {
		t.Errorf("where no rule is named: %v", err)
	}
	// A Decider that decides on nothing that callers own lets these calls pass.
	if _, err := run(only{}, call(llm.OpFileList)); err != nil {
		t.Errorf("what callers own: %v", err)
	}
}

func TestWhatMayBeUsedIsListed(t *testing.T) {
	c := call(llm.OpModels, "a", "b")
	if err := Lists(nil)(c, c.Deployment); err != nil {
		t.Errorf("without a decider: %v", err)
	}
	for _, x := range []struct {
		d    Decider
		want string
	}{
		{only{"b"}, ""},
		{asleep{}, ""},
		{only{"x"}, `the policies "not-a", "not-b" do not allow this key to use "m": ask for a; ask for b`},
	} {
		err := Lists(x.d)(c, c.Deployment)
		if x.want == "" && err != nil || x.want != "" && llm.AsError(err).Message != x.want {
			t.Errorf("%v: %v, want %q", x.d, err, x.want)
		}
	}
	if err := Lists(only{})(c, &plenum.Deployment{Name: "empty"}); err != nil {
		t.Errorf("a deployment without targets: %v", err)
	}
}
