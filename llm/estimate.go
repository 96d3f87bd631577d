package llm

// bytesPerToken is about how many bytes of English or code make a token. Estimates only stand in for
// figures that a vendor did not report, and are marked as estimates wherever they are kept.
const bytesPerToken = 4

// EstimateText returns about how many tokens a text of n bytes is; never 0 for a text that is not empty.
func EstimateText(n int) int64 {
	if n <= 0 {
		return 0
	}
	return int64((n + bytesPerToken - 1) / bytesPerToken)
}

// imageTokens is about what an image costs to read where its size is not known.
const imageTokens = 1000

// EstimateRequest returns about how many input tokens a request is: its text by length, a few tokens
// for the frame of each message and tool, a flat figure for each image.
func EstimateRequest(r *Request) int64 {
	if r == nil {
		return 0
	}
	var n int64 = 3
	for _, m := range r.Messages {
		n += 4 + estimateBlocks(m.Blocks)
	}
	for _, t := range r.Tools {
		n += 8 + EstimateText(len(t.Name)+len(t.Description)+len(t.Schema)+len(t.Opaque.Raw))
	}
	return n + EstimateText(len(r.Output.Schema))
}

func estimateBlocks(blocks []Block) int64 {
	var n int64
	for _, b := range blocks {
		switch b := b.(type) {
		case Text:
			n += EstimateText(len(b.Text))
		case Refusal:
			n += EstimateText(len(b.Text))
		case Thought:
			n += EstimateText(len(b.Text))
		case ToolUse:
			n += 4 + EstimateText(len(b.Name)+len(b.Args))
		case ToolDone:
			n += 4 + estimateBlocks(b.Blocks)
		case Media:
			n += estimateMedia(b)
		case Opaque:
			n += EstimateText(len(b.Raw))
		}
	}
	return n
}

func estimateMedia(m Media) int64 {
	if m.Kind == Image {
		return imageTokens
	}
	// Base64 holds three bytes in four; a page of a document reads as far fewer tokens than its bytes.
	return EstimateText(len(m.Text)+len(m.Data)*3/4/10) + estimateBlocks(m.Blocks)
}
