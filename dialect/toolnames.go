package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// narrowest is the length of a tool's name that every vendor takes.
const narrowest = 64

// ToolNames maps tool names that a vendor refuses to names that it takes, and back.
//
// Callers name tools as they like ("files.read", names of hundreds of letters); vendors take letters,
// digits, _ and - up to some length. The name sent instead depends on the name alone, so that a history
// and its tools agree without remembering anything. The way back needs the request: whoever speaks the
// answer to the caller has it.
//
// The zero ToolNames fits names and gives every name back as it is.
type ToolNames struct{ back map[string]string }

// NewToolNames returns the mapping for the tools of a request, which may be nil.
func NewToolNames(r *llm.Request) ToolNames {
	var n ToolNames
	if r == nil {
		return n
	}
	for _, t := range r.Tools {
		n.learn(t.Name)
	}
	for _, m := range r.Messages {
		for _, b := range m.Blocks {
			if t, ok := b.(llm.ToolUse); ok {
				n.learn(t.Name)
			}
		}
	}
	return n
}

func (n *ToolNames) learn(name string) {
	if name == "" || fits(name, narrowest) {
		return
	}
	if n.back == nil {
		n.back = make(map[string]string)
	}
	n.back[narrow(name)] = name
}

// Fit returns the name to send to a vendor that takes names of at most most letters: the name itself
// where it fits. An empty name stays empty.
func (ToolNames) Fit(name string, most int) string {
	if name == "" || fits(name, most) {
		return name
	}
	return narrow(name)
}

// Back returns what the caller calls the tool that the vendor knows by this name.
func (n ToolNames) Back(name string) string {
	if was, ok := n.back[name]; ok {
		return was
	}
	return name
}

func fits(name string, most int) bool {
	if len(name) > most {
		return false
	}
	for i := range len(name) {
		if !plain(name[i]) {
			return false
		}
	}
	return true
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// narrow keeps what a model reads in a name and adds a mark of the whole, so that two names that look
// alike when narrowed stay apart.
func narrow(name string) string {
	sum := sha256.Sum256([]byte(name))
	mark := "_" + hex.EncodeToString(sum[:4])
	var b strings.Builder
	for _, r := range name {
		if b.Len() == narrowest-len(mark) {
			break
		}
		if r < 0x80 && plain(byte(r)) {
			b.WriteByte(byte(r))
		} else {
			b.WriteByte('_')
		}
	}
	return b.String() + mark
}
