package matrix

import (
	"slices"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// state is what a vendor gives to be handed back in the next turn, and that only it can read.
type state struct {
	name   string
	origin string // the dialect of the vendor
	blocks []llm.Block
	marks  []string // what of it must reach the vendor again
}

func states() []state {
	call := llm.ToolUse{Kind: llm.ToolFunction, ID: "call_1", Name: "weather", Args: `{"city":"Paris"}`}
	signed := call
	signed.Signature, signed.Origin = "c3RhdGUtb2YtZ2VtaW5p", "gemini"
	return []state{
		{"signed thinking", "anthropic", []llm.Block{llm.Thought{Text: "I look.", Signature: "c3RhdGUtb2YtY2xhdWRl", Origin: "anthropic"}, call}, []string{"c3RhdGUtb2YtY2xhdWRl"}},
		{"a signature alone", "anthropic", []llm.Block{llm.Thought{Signature: "c3RhdGUtb2YtY2xhdWRl", Origin: "anthropic"}, call}, []string{"c3RhdGUtb2YtY2xhdWRl"}},
		{"redacted thinking", "anthropic", []llm.Block{llm.Thought{Sealed: "EmwKAhgBEgy3c2VhbGVkLWJ5LWNsYXVkZQ==", Origin: "anthropic"}, call}, []string{"EmwKAhgBEgy3c2VhbGVkLWJ5LWNsYXVkZQ=="}},
		{"encrypted reasoning", "responses", []llm.Block{llm.Thought{Sealed: "gAAAAAsealedbyopenai", Item: "rs_1", Origin: "responses"}, call}, []string{"gAAAAAsealedbyopenai", "rs_1"}},
		{"a thought signature", "gemini", []llm.Block{signed}, []string{"c3RhdGUtb2YtZ2VtaW5p"}},
	}
}

// conversation is one with a place for what the model said, and a result of its call.
func conversation() *llm.Request {
	return &llm.Request{
		Model: "m", MaxOut: llm.Some(4000), Thinking: &llm.Thinking{Mode: llm.ThinkOn, Effort: "low"},
		Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "weather", Schema: `{"type":"object","properties":{"city":{"type":"string"}}}`}},
		Messages: []llm.Message{
			{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "The weather in Paris?"}}},
			{Role: llm.Assistant, Blocks: []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "call_1", Name: "weather", Args: `{"city":"Paris"}`}}},
			{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: "call_1", Name: "weather", Blocks: []llm.Block{llm.Text{Text: "20 degrees"}}, Plain: true}}},
		},
	}
}

// home is the state of a conversation after a client of a dialect has sent it back as it came, whole or streamed, of a
// vendor that streamed or did not.
func home(t *testing.T, s sides.Side, st state, fromStream, stream bool) *llm.Request {
	t.Helper()
	x := &cell{c: &caller{side: s}, v: &vendor{side: s}, model: "anthropic.claude-x"}
	codec, vars := s.Route(s.Path(x.name(), false))
	shape := dialect.Shape{Offer: &plenum.Offer{Upstream: x.name(), Traits: plenum.Traits{DefaultMaxOut: 4000}}}
	out, _, err := codec.EncodeRequest(conversation(), shape)
	if err != nil {
		t.Fatal(err)
	}
	answer := &llm.Response{ID: "r1", Model: "m", Created: 1, Choices: []llm.Choice{{Blocks: st.blocks, Stop: llm.Stop{Reason: llm.StopTool}}}}
	for _, origin := range sides.All() {
		if origin.Name == st.origin { // as its dialect brings it
			answer = told(t, origin, answer, fromStream)
		}
	}
	if stream {
		answer = told(t, s, answer, true)
	}
	body, err := x.echo(out.Body, nil, conversation(), answer)
	if err != nil {
		t.Fatal(err)
	}
	p, err := codec.DecodeRequest(dialect.Inbound{Method: "POST", Path: s.Path(x.name(), false), Vars: vars, Header: out.Header, Body: body})
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return p.(*llm.Request)
}

// told is an answer as it is heard in a dialect.
func told(t *testing.T, s sides.Side, answer *llm.Response, stream bool) *llm.Response {
	t.Helper()
	codec, _ := s.Codec("anthropic.claude-x", stream)
	if !stream {
		r, _, err := codec.EncodeResponse(conversation(), answer, dialect.Meta{CallID: "c", Now: 1})
		if err != nil {
			t.Fatal(err)
		}
		res, err := codec.DecodeResponse(r)
		if err != nil {
			t.Fatal(err)
		}
		return res.(*llm.Response)
	}
	var events []llm.Event
	for ev := range llm.Replay(answer) {
		events = append(events, ev)
	}
	req := conversation()
	req.Stream = true
	wire, err := dialecttest.Encode(codec.NewEncoder(req, dialect.Meta{CallID: "c", Now: 1}), events, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := dialecttest.Decode(codec, s.Frames(wire), dialect.Want{})
	if err := said.Fault(); err != nil {
		t.Fatalf("%v: %s", err, wire)
	}
	return said.Fold()
}

// What a vendor gave to be handed back reaches it again through a client of any dialect, also when another vendor
// has answered in between; and it reaches no other vendor that would refuse it, which is said.
func TestStateOfVendorsThroughClientsOfEveryDialect(t *testing.T) {
	for _, st := range states() {
		for _, c := range sides.All() {
			t.Run(st.name+" through "+c.Name, func(t *testing.T) {
				for i := range 8 {
					elsewhere, fromStream, stream := i&1 > 0, i&2 > 0, i&4 > 0
					r := home(t, c, st, fromStream, stream)
					if elsewhere {
						r.Messages = append(r.Messages,
							llm.Message{Role: llm.Assistant, Blocks: []llm.Block{llm.Text{Text: "It is 20 degrees."}}},
							llm.Message{Role: llm.User, Blocks: []llm.Block{llm.Text{Text: "And in Lyon?"}}})
					}
					for _, v := range sides.All() {
						checkState(t, st, c, v, r, elsewhere)
					}
				}
			})
		}
	}
}

func checkState(t *testing.T, st state, c, v sides.Side, r *llm.Request, elsewhere bool) {
	t.Helper()
	if v.Name == "converse" && (st.origin == "anthropic" || c.Name == v.Name) {
		return // Claude is there as well; and within a dialect it is the bytes that are edited
	}
	codec, _ := v.Route(v.Path("m", false))
	out, losses, err := codec.EncodeRequest(r, dialect.Shape{Offer: &plenum.Offer{Upstream: "gemini-3-pro", Traits: plenum.Traits{DefaultMaxOut: 4000}}})
	if err != nil {
		t.Errorf("to %s (elsewhere: %t): %v", v.Name, elsewhere, err)
		return
	}
	for _, mark := range st.marks {
		there := strings.Contains(string(out.Body), mark)
		switch {
		case v.Name == st.origin && !there:
			t.Errorf("%q does not come home (elsewhere: %t): %s (lost: %v)", mark, elsewhere, out.Body, losses)
		case v.Name != st.origin && there && refuses(v):
			t.Errorf("%q reaches %s: %s", mark, v.Name, out.Body)
		}
	}
	if v.Name != st.origin && refuses(v) && len(losses)+len(out.Changed) == 0 {
		t.Errorf("nothing is said of what %s does not get: %s", v.Name, out.Body)
	}
}

// refuses reports whether a vendor refuses state that is not its own. Those that have a place for any reasoning take
// what they are given, and make nothing of it.
func refuses(v sides.Side) bool {
	return slices.Contains([]string{"anthropic", "responses", "gemini", "converse"}, v.Name)
}
