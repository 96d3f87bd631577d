package structured

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

func TestCase_F4_WhatAHostRefusesIsTakenOutOfSchemasAndNotOutOfData(t *testing.T) {
	const schema = `{"type":"object","properties":{"maxItems":{"type":"array","maxItems":3,"minItems":1,"description":"Tags."}},"enum":[{"maxItems":9}]}`
	got, removed := Without(schema, []string{"maxItems", "minItems>1"})
	want := `{"type":"object","properties":{"maxItems":{"type":"array","minItems":1,"description":"Tags. (maxItems: 3)"}},"enum":[{"maxItems":9}]}`
	if got != want {
		t.Errorf("got %s", got)
	}
	if d := cmp.Diff([]string{"properties.maxItems.maxItems"}, removed); d != "" {
		t.Error(d)
	}
	if same, none := Without(schema, []string{"pattern"}); same != schema || none != nil {
		t.Errorf("changed to %s", same)
	}
}

// A tool's input is an object: a schema of something else stands within one, and its references lead where they led.
func TestAnAnswerThatIsNoObjectIsWrapped(t *testing.T) {
	const schema = `{"type":"array","items":{"$ref":"#/$defs/n"},"$defs":{"n":{"type":"integer"}}}`
	r := &llm.Request{Output: llm.Format{Kind: llm.FormatSchema, Schema: schema}}
	o := &plenum.Offer{Traits: plenum.Traits{Capabilities: plenum.Capabilities{Schema: plenum.No}}}
	j, err := Plan(r, Host{Offer: o, Schema: true, JSON: true, Tools: true}, Rules{Way: plenum.StructuredAuto})
	if err != nil {
		t.Fatal(err)
	}
	sent, rewritten := j.Request()
	if !rewritten || len(sent.Tools) != 1 || len(r.Tools) != 0 || sent.Output.Kind != llm.FormatUnset {
		t.Fatalf("sent %+v", sent)
	}
	if _, err := Compile(sent.Tools[0].Schema); err != nil {
		t.Error(err)
	}
	answer := func(args string) (string, error) {
		use := llm.ToolUse{Kind: llm.ToolFunction, ID: "c", Name: "answer", Args: args}
		got, err := j.Read(&llm.Response{Choices: []llm.Choice{{Blocks: []llm.Block{use}, Stop: llm.Stop{Reason: llm.StopTool}}}})
		if err != nil {
			return "", err
		}
		return textOf(got.Choices[0].Blocks), nil
	}
	if text, err := answer(`{"answer":[1,2]}`); err != nil || text != "[1,2]" {
		t.Errorf("%q %v", text, err)
	}
	if _, err := answer(`{"answer":["x"]}`); err == nil {
		t.Error("a wrong answer passed")
	}
}
