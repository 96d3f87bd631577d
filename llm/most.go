package llm

import "strings"

// Figures of what a vendor may count beyond the bytes of a request, each more than any is known to.
const (
	mostPerCall    = 1024  // the vendor's own words that tell a model of its tools
	mostPerMessage = 16    // what stands between messages
	mostPerImage   = 50000 // a large image, by the model that counts the most for it
)

// MostRead returns the most input tokens that a vendor can count of a request that was said in so many bytes: no
// tokenizer makes more tokens than bytes. It is false where the request names what is not in it, so that its bytes tell
// nothing: files and images by address, documents in pages.
func MostRead(r *Request, bytes int) (n int64, bounded bool) {
	n = int64(bytes) + mostPerCall + mostPerMessage*int64(len(r.Messages)+len(r.Tools))
	for i := range r.Messages {
		if !mostBlocks(r.Messages[i].Blocks, &n) {
			return n, false
		}
	}
	return n, true
}

func mostBlocks(blocks []Block, n *int64) bool {
	for _, b := range blocks {
		switch b := b.(type) {
		case Media:
			if !mostMedia(&b, n) {
				return false
			}
		case ToolDone:
			if !mostBlocks(b.Blocks, n) {
				return false
			}
		case Opaque:
			// What has no word here may be anything; of the kinds that are known, those that stand for something
			// else say so.
			if raw := b.Raw; strings.Contains(raw, "reference") || strings.Contains(raw, "file") || strings.Contains(raw, "://") {
				return false
			}
		}
	}
	return true
}

func mostMedia(m *Media, n *int64) bool {
	if m.URL != "" || m.FileID != "" {
		return false
	}
	switch m.Kind {
	case Image:
		*n += mostPerImage
		return true
	case Audio:
		return true // a second of sound is more bytes than tokens
	case Document, File:
		return m.Data == "" && mostBlocks(m.Blocks, n)
	case Video:
	}
	return false
}

// Hosted reports whether a request lets the vendor run tools: what those read and write nobody can tell before.
func Hosted(r *Request) bool {
	for i := range r.Tools {
		if r.Tools[i].Kind == ToolHosted {
			return true
		}
	}
	return false
}
