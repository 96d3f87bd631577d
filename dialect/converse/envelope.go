package converse

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// Opaque state of reasoning has no name of its maker on this wire. Signatures in reasoningText are Claude's,
// which are good on every host of Claude. State of any other vendor, on its way through a client of this
// dialect and back, goes in an envelope that names it.
const envelope = "plenum/"

// openSignature returns whose a signature is, and the signature.
func openSignature(s string) (origin, signature string) {
	if rest, ok := strings.CutPrefix(s, envelope); ok {
		if origin, signature, ok = strings.Cut(rest, "/"); ok {
			return origin, signature
		}
	}
	return claude, s
}

// closeSignature puts a signature into an envelope, if it needs one.
func closeSignature(t llm.Thought) string {
	if t.Signature == "" || t.Origin == "" || t.Origin == claude || t.Origin == Name {
		return t.Signature
	}
	return envelope + t.Origin + "/" + t.Signature
}

// sealed reads redactedContent, which is base64 of whatever its maker made: of text that is base64 itself
// in the case of Claude's.
func sealed(raw string) llm.Thought {
	t := llm.Thought{Sealed: raw, Origin: Name, Extra: home()}
	text, err := base64.StdEncoding.DecodeString(raw)
	if err != nil || base64.StdEncoding.EncodeToString(text) != raw {
		return t
	}
	inner := string(text)
	if rest, ok := strings.CutPrefix(inner, envelope); ok {
		if origin, data, ok := strings.Cut(rest, "/"); ok {
			t.Origin, t.Item, _ = strings.Cut(origin, ":")
			if item, err := url.PathUnescape(t.Item); err == nil {
				t.Item = item
			}
			t.Sealed = data
		}
		return t
	}
	if len(inner) >= 24 && inner[0] == 'E' && isBase64(inner) {
		t.Origin, t.Sealed = claude, inner
	}
	return t
}

func isBase64(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '=' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// redacted returns what stands in redactedContent for sealed reasoning.
func redacted(t llm.Thought) string {
	switch t.Origin {
	case Name:
		return t.Sealed
	case claude:
		return base64.StdEncoding.EncodeToString([]byte(t.Sealed))
	}
	maker := t.Origin
	if t.Item != "" {
		maker += ":" + url.PathEscape(t.Item) // which its maker wants to see again
	}
	return base64.StdEncoding.EncodeToString([]byte(envelope + maker + "/" + t.Sealed))
}
