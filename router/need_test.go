package router

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

func target(id string, c plenum.Capabilities) plenum.Target {
	return plenum.Target{Offer: plenum.Offer{ID: id, Traits: plenum.Traits{Capabilities: c}}}
}

func TestNeedsAreReadFromTheRequest(t *testing.T) {
	say := func(bs ...llm.Block) []llm.Message { return []llm.Message{{Role: llm.User, Blocks: bs}} }
	for name, c := range map[string]struct {
		r    llm.Request
		want []Capability
	}{
		"text alone":                  {llm.Request{Messages: say(llm.Text{Text: "hi"}), Stream: true}, nil},
		"tools and a schema":          {llm.Request{Tools: []llm.Tool{{Name: "f"}}, Output: llm.Format{Kind: llm.FormatSchema}}, []Capability{Tools, Schema}},
		"a picture":                   {llm.Request{Messages: say(llm.Media{Kind: llm.Image})}, []Capability{Images}},
		"a picture from a tool":       {llm.Request{Messages: say(llm.ToolDone{Blocks: []llm.Block{llm.Media{Kind: llm.Image}}})}, []Capability{Images}},
		"a document, and one as text": {llm.Request{Messages: say(llm.Media{Kind: llm.Document, Data: "x"}, llm.Media{Kind: llm.Document, Text: "x"})}, []Capability{Documents}},
		"a document that is text":     {llm.Request{Messages: say(llm.Media{Kind: llm.Document, Text: "x"})}, nil},
		"sound":                       {llm.Request{Messages: say(llm.Media{Kind: llm.Audio})}, []Capability{Audio}},
	} {
		if diff := cmp.Diff(c.want, Needs(&c.r)); diff != "" {
			t.Errorf("%s: want (-) and got (+):\n%s", name, diff)
		}
	}
}

func TestTargetsThatCannotServeArePassedOver(t *testing.T) {
	all := []plenum.Target{
		target("a/blind", plenum.Capabilities{Images: plenum.No, Tools: plenum.No}),
		target("b/sees", plenum.Capabilities{Images: plenum.Yes}),
		target("c/unknown", plenum.Capabilities{}),
	}
	fit, passed := Fit(all, []Capability{Tools, Images})
	if len(fit) != 2 || fit[0].Offer.ID != "b/sees" || fit[1].Offer.ID != "c/unknown" {
		t.Errorf("fit: %v", fit)
	}
	if diff := cmp.Diff([]string{"a/blind cannot call tools and cannot read images"}, passed); diff != "" {
		t.Error(diff)
	}
	if !Differ(all) || Differ(all[:1]) || Differ(all[1:]) {
		t.Error("targets differ when one cannot what another may")
	}
}
