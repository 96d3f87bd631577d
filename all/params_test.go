package all

import (
	"slices"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// In every dialect a parameter that the target refuses meets the deployment's policy, whether the call came in that
// dialect or in another: strict refuses the call, report leaves the parameter out and says so, drop leaves it out,
// pass sends it.
func TestAParameterThatIsRefusedMeetsThePolicyInEveryDialect(t *testing.T) {
	for _, d := range Dialects() {
		c := d.Codec(llm.OpGenerate)
		if c == nil || d.Name == "invoke" {
			continue // a shell around the others
		}
		for _, way := range []string{"encode", "edit"} {
			for _, policy := range []plenum.ParamPolicy{plenum.ParamStrict, plenum.ParamReport, plenum.ParamDrop, plenum.ParamPass} {
				t.Run(d.Name+" "+way+" "+string(policy), func(t *testing.T) { meets(t, c, way, policy) })
			}
		}
	}
}

func meets(t *testing.T, c dialect.Codec, way string, policy plenum.ParamPolicy) {
	const refused = "temperature"
	r := &llm.Request{
		Model: "m", Temperature: llm.Some(0.25), MaxOut: llm.Some(64),
		Messages: []llm.Message{{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: "Hi."}}}},
	}
	s := dialect.Shape{Offer: &plenum.Offer{Upstream: "m", Traits: plenum.Traits{Refuses: []string{refused}}}, Params: policy}
	out, err := send(t, c, way, r, s)
	if policy == plenum.ParamStrict {
		e := llm.AsError(err)
		if err == nil || e.Kind != llm.Invalid || e.Param != refused {
			t.Fatalf("%v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.DecodeRequest(inbound(out.Body))
	if err != nil {
		t.Fatal(err)
	}
	got := p.(*llm.Request)
	if got.Temperature.Set != (policy == plenum.ParamPass) || !got.MaxOut.Set {
		t.Errorf("sent %+v and %+v", got.Temperature, got.MaxOut)
	}
	named := slices.ContainsFunc(out.Changed, func(s string) bool { return strings.HasPrefix(s, refused+" removed") })
	if named != (policy == plenum.ParamReport) {
		t.Errorf("said to have changed: %q", out.Changed)
	}
}

// send says a request by either way of a codec.
func send(t *testing.T, c dialect.Codec, way string, r *llm.Request, s dialect.Shape) (dialect.Outbound, error) {
	t.Helper()
	if way == "encode" {
		out, _, err := c.EncodeRequest(r, s)
		return out, err
	}
	own, _, err := c.EncodeRequest(r, dialect.Shape{Offer: &plenum.Offer{Upstream: "m"}})
	if err != nil {
		t.Fatal(err)
	}
	in := inbound(own.Body)
	h, err := c.Peek(in, dialect.Bounds{MaxDepth: 100})
	if err != nil {
		t.Fatal(err)
	}
	return c.EditRequest(in, h, s)
}

func inbound(body []byte) dialect.Inbound {
	return dialect.Inbound{Method: "POST", Path: "/models/m:generateContent", Vars: map[string]string{"model": "m"}, Body: body}
}
