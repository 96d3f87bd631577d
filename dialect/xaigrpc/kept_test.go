package xaigrpc

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// keptAsk is a request with two messages that goes on from another and is to be stored.
func keptAsk() []byte {
	var m message
	for _, text := range []string{"One.", "Two."} {
		m.sub(1, func(m *message) {
			m.sub(1, func(m *message) { m.text(1, text) })
			m.num(2, 1)
		})
	}
	m.text(2, "m")
	m.text(22, "resp_1")
	m.num(23, 1)
	m.b = append(m.b, 0xf8, 0x3f, 1) // a field that nobody knows
	return m.b
}

// TestWhatIsRecalledIsTheWholeConversation, and what is unknown of a request stays.
func TestWhatIsRecalledIsTheWholeConversation(t *testing.T) {
	c, body := &codec{}, keptAsk()
	ref, err := c.Refers(dialect.Inbound{Body: body}, dialect.Head{})
	if err != nil || ref.Previous != "resp_1" || ref.Unstored || ref.Background {
		t.Fatalf("%+v, %v", ref, err)
	}
	items, err := c.Items(body, "call")
	if err != nil || len(items) != 2 || items[0].ID == items[1].ID {
		t.Fatalf("%v, %v", items, err)
	}
	own, err := c.Recall(dialect.Inbound{Body: body}, dialect.Head{}, dialect.Recalled{Unstored: true})
	if err != nil || bytes.Contains(own, []byte("resp_1")) || !bytes.HasSuffix(own, []byte{0xf8, 0x3f, 1}) {
		t.Fatalf("%x, %v", own, err)
	}
	if ref, err = c.Refers(dialect.Inbound{Body: own}, dialect.Head{}); err != nil || !ref.Unstored || !ref.Empty() {
		t.Errorf("%+v, %v", ref, err)
	}
	all, err := c.Recall(dialect.Inbound{Body: body}, dialect.Head{}, dialect.Recalled{Before: items})
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Items(all, "call")
	if err != nil || len(again) != 4 || again[0].JSON != again[2].JSON || again[1].JSON != again[3].JSON {
		t.Errorf("%v, %v", again, err)
	}
}

// TestAnAnswerIsGoneOnFromAsItWasSaid: its message in a later request means what the answer did.
func TestAnAnswerIsGoneOnFromAsItWasSaid(t *testing.T) {
	c := &codec{}
	blocks := []llm.Block{
		llm.Thought{Text: "Look.", Sealed: "sealed", Origin: Name},
		llm.Text{Text: "A cat."},
		llm.ToolUse{Kind: llm.ToolFunction, ID: "call_1", Name: "look", Args: `{"at":1}`},
	}
	r := &llm.Response{ID: "x1", Model: "m", Choices: []llm.Choice{
		{Blocks: blocks, Stop: llm.Stop{Reason: llm.StopTool}},
		{Index: 1, Blocks: []llm.Block{llm.Text{Text: "another"}}, Stop: llm.Stop{Reason: llm.StopEnd}},
	}}
	reply, _, err := c.EncodeResponse(nil, r, dialect.Meta{CallID: "c", Kept: &dialect.Kept{}})
	if err != nil {
		t.Fatal(err)
	}
	said, ok := c.Said(reply.Body)
	if !ok || said.ID != "resp_c" || said.Status != dialect.StateCompleted || len(said.Items) != 1 {
		t.Fatalf("%+v", said)
	}
	body, err := c.Recall(dialect.Inbound{Body: keptAsk()}, dialect.Head{}, dialect.Recalled{Before: said.Items})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.DecodeRequest(dialect.Inbound{Body: body})
	if err != nil {
		t.Fatal(err)
	}
	got := p.(*llm.Request).Messages[0]
	call, _ := got.Blocks[len(got.Blocks)-1].(llm.ToolUse)
	call.Extra = llm.Extra{} // its type and its status
	got.Blocks[len(got.Blocks)-1] = call
	if d := cmp.Diff(blocks, got.Blocks); got.Role != llm.Assistant || d != "" {
		t.Errorf("%s (-want +got):\n%s", got.Role, d)
	}
}

// FuzzKept: nothing that is kept, or asked about it, makes it fall over, and what it takes it gives back.
func FuzzKept(f *testing.F) {
	f.Add(keptAsk())
	f.Add([]byte{0x0a, 0x01, 'x', 0x12, 0x00})
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, in := &codec{}, dialect.Inbound{Body: b, Path: pathDeferred}
		_, _ = c.Refers(in, dialect.Head{})
		_, _ = c.Asks(in)
		for _, status := range []string{dialect.StateQueued, dialect.StateFailed, dialect.StateCompleted} {
			_, _ = c.Show(dialect.Asking{Item: pathDeferred}, status, b)
		}
		if said, ok := c.Said(b); ok && said.ID == "" {
			t.Error("an answer without an id is said")
		}
		items, err := c.Items(b, "call")
		if err != nil {
			return
		}
		body, err := c.Recall(in, dialect.Head{}, dialect.Recalled{Before: items})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.Items(body, "call"); err != nil || len(again) != 2*len(items) {
			t.Errorf("%d items became %d, %v", len(items), len(again), err)
		}
	})
}
