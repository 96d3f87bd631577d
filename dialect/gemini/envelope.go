package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// State of another vendor's reasoning travels through a client of this dialect in thoughtSignature, which
// clients send back as it was: in an envelope that names its origin. The field is base64 to every client.
const (
	envelope = "plenum/"
	// envelopeMark is what every envelope begins with once it is in base64.
	envelopeMark = "cGxlbnVt"
)

// openSignature takes what a signature holds out of its envelope, or returns it as a signature of ours.
func openSignature(s string) llm.Thought {
	own := llm.Thought{Signature: s, Origin: Name}
	if s == "" {
		return llm.Thought{}
	}
	if !strings.HasPrefix(s, envelopeMark) {
		return own
	}
	raw, err := base64.StdEncoding.DecodeString(standard(s))
	if err != nil {
		return own
	}
	parts := strings.SplitN(string(raw), "/", 5)
	if len(parts) != 5 || parts[0]+"/" != envelope {
		return own
	}
	t := llm.Thought{Origin: parts[2], Item: parts[3]}
	switch parts[1] {
	case "sealed":
		t.Sealed = parts[4]
	case "signature":
		t.Signature = parts[4]
	default:
		return own
	}
	return t
}

// closeSignature returns what stands in thoughtSignature for the state of a thought.
func closeSignature(t llm.Thought) string {
	kind, state := "signature", t.Signature
	if t.Sealed != "" {
		kind, state = "sealed", t.Sealed
	}
	if state == "" || t.Origin == Name {
		return state
	}
	return base64.StdEncoding.EncodeToString([]byte(envelope + kind + "/" + t.Origin + "/" + t.Item + "/" + state))
}

// standard returns base64 in its standard alphabet, padded.
func standard(s string) string {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	if n := len(s) % 4; n > 0 && !strings.HasSuffix(s, "=") {
		s += "===="[n:]
	}
	return s
}

// dummySignature is what Google documents for calls of tools whose signature is not there, since another
// model made them. Models from Gemini 3 on refuse a call without one.
const dummySignature = "skip_thought_signature_validator"
