package dialect

import "github.com/plenum-foundry/plenum/llm"

// SizeOf returns about how many bytes a request will be when it is said, or a little more: an encoder that
// begins with that much room does not copy what it has written to make more.
func SizeOf(r *llm.Request) int {
	n := 512 + len(r.Output.Schema) + sizeOfExtra(r.Extra)
	for i := range r.Messages {
		m := &r.Messages[i]
		n += 64 + len(m.Name) + sizeOfExtra(m.Extra) + sizeOfBlocks(m.Blocks)
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		n += 128 + len(t.Name) + sizeOfText(t.Description) + len(t.Schema) + len(t.Opaque.Raw) + sizeOfExtra(t.Extra)
	}
	return n
}

// sizeOfText allows for one escape in sixteen letters.
func sizeOfText(s string) int { return len(s) + len(s)/16 }

func sizeOfExtra(e llm.Extra) int {
	n := 0
	for i := range e.Fields {
		n += 4 + len(e.Fields[i].Key) + len(e.Fields[i].Raw)
	}
	return n
}

func sizeOfBlocks(blocks []llm.Block) int {
	n := 0
	for _, b := range blocks {
		n += 64
		switch b := b.(type) {
		case llm.Text:
			n += sizeOfText(b.Text) + sizeOfExtra(b.Extra)
		case llm.Refusal:
			n += sizeOfText(b.Text)
		case llm.Thought:
			n += sizeOfText(b.Text) + len(b.Signature) + len(b.Sealed)
		case llm.ToolUse:
			n += 64 + len(b.ID) + len(b.Name) + sizeOfText(b.Args)
		case llm.ToolDone:
			n += 64 + len(b.ID) + sizeOfBlocks(b.Blocks)
		case llm.Media:
			n += 64 + len(b.Data) + len(b.URL) + sizeOfText(b.Text) + sizeOfBlocks(b.Blocks)
		case llm.Opaque:
			n += len(b.Raw)
		}
	}
	return n
}
