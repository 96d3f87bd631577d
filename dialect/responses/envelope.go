package responses

import (
	"encoding/base64"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// envelopeMark is what the encrypted_content of a reasoning item begins with that holds another vendor's
// state: what follows is an object, in base64.
const envelopeMark = "plenum1."

// envelope is state of another vendor on its way through the caller.
type envelope struct {
	origin, signature, sealed string
	call                      string // the id of the call that a signature belongs to, where it is one's
	text                      bool   // the signature belongs to the text before
}

// seal puts an envelope into words.
func (e envelope) seal() string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("origin", e.origin)
	optMember(&w, "signature", e.signature)
	optMember(&w, "sealed", e.sealed)
	optMember(&w, "call", e.call)
	if e.text {
		w.KeyBool("text", true)
	}
	w.Close('}')
	return envelopeMark + base64.RawURLEncoding.EncodeToString(w.Buf)
}

// unseal reads an envelope.
func unseal(s string) (envelope, bool) {
	s, ok := strings.CutPrefix(s, envelopeMark)
	if !ok {
		return envelope{}, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return envelope{}, false
	}
	v := wire.Whole(raw)
	e := envelope{
		origin: v.Get("origin").Text(), signature: v.Get("signature").Text(), sealed: v.Get("sealed").Text(),
		call: v.Get("call").Text(),
	}
	e.text, _ = v.Get("text").Bool()
	return e, v.Kind() == '{'
}

// open takes what a reasoning item holds out of its envelope.
func open(b *llm.Thought) {
	e, ok := unseal(b.Sealed)
	if !ok || e.call != "" || e.text {
		return
	}
	b.Origin, b.Signature, b.Sealed = e.origin, e.signature, e.sealed
}

// sealedOf returns the encrypted_content of a reasoning item.
func sealedOf(b llm.Thought) string {
	switch {
	case b.Signature == "" && (b.Sealed == "" || b.Origin == Name):
		return b.Sealed
	default:
		return envelope{origin: b.Origin, signature: b.Signature, sealed: b.Sealed}.seal()
	}
}

// bringHome gives signatures that travelled beside calls and texts back to these, and returns the blocks
// without what carried them.
func bringHome(blocks []llm.Block) []llm.Block {
	out := blocks[:0:0]
	var carried []envelope
	for _, b := range blocks {
		t, ok := b.(llm.Thought)
		e, sealed := unseal(t.Sealed)
		switch {
		case !ok || !sealed:
			out = append(out, b)
		case e.text:
			signText(out, e)
		default:
			carried = append(carried, e)
		}
	}
	for _, e := range carried {
		for i, b := range out {
			if u, ok := b.(llm.ToolUse); ok && u.ID == e.call {
				u.Signature, u.Origin = e.signature, e.origin
				out[i] = u
			}
		}
	}
	return out
}

func signText(blocks []llm.Block, e envelope) {
	for i := len(blocks) - 1; i >= 0; i-- {
		if t, ok := blocks[i].(llm.Text); ok {
			t.Signature, t.Origin = e.signature, e.origin
			blocks[i] = t
			return
		}
	}
}
