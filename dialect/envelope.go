package dialect

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Details is the member in which reasoning that is signed or sealed travels through dialects that have no
// word for that, in the shape that OpenRouter made known: a list of texts with their signatures, and of
// sealed data, each with the format of the vendor that made it. A client that sends a message back as it
// was brings them home.
const Details = "reasoning_details"

// formats are the names of the vendors' formats, by dialect.
func formats() [3][2]string {
	return [3][2]string{
		{"anthropic", "anthropic-claude-v1"}, {"responses", "openai-responses-v1"}, {"gemini", "google-gemini-v1"},
	}
}

// AppendDetails writes reasoning as the value of the member Details.
func AppendDetails(w *jsonw.Writer, thoughts []llm.Thought) {
	w.Open('[')
	for i, t := range thoughts {
		w.Open('{')
		if t.Sealed != "" {
			w.KeyStr("type", "reasoning.encrypted")
			w.KeyStr("data", t.Sealed)
		} else {
			w.KeyStr("type", "reasoning.text")
			w.KeyStr("text", t.Text)
		}
		if t.Signature != "" {
			w.KeyStr("signature", t.Signature)
		}
		if t.Item != "" {
			w.KeyStr("id", t.Item)
		}
		format := t.Origin
		for _, f := range formats() {
			if f[0] == t.Origin {
				format = f[1]
			}
		}
		if format != "" {
			w.KeyStr("format", format)
		}
		w.KeyInt("index", int64(i))
		w.Close('}')
	}
	w.Close(']')
}

// ReadDetails reads the value of the member Details. What is no detail is left out.
func ReadDetails(v wire.Value) []llm.Thought {
	var out []llm.Thought
	if v.Kind() != '[' {
		return nil
	}
	// The visit has no error to give.
	_ = v.Elems(func(_ int, el wire.Value) error {
		t := llm.Thought{Text: el.Get("text").Text(), Signature: el.Get("signature").Text(), Sealed: el.Get("data").Text(), Item: el.Get("id").Text()}
		t.Origin = el.Get("format").Text()
		for _, f := range formats() {
			if f[1] == t.Origin {
				t.Origin = f[0]
			}
		}
		if !t.Empty() {
			out = append(out, t)
		}
		return nil
	})
	return out
}

// Signed reports whether a thought has state that only its vendor can read.
func Signed(t llm.Thought) bool { return t.Signature != "" || t.Sealed != "" }

// EnclosedMark is what every envelope of [Enclose] begins with.
const EnclosedMark = "cGxlbnVt"

// Enclose puts the state of a thought of another vendor into one string, with the vendor's name, to travel
// through a client in a field that it sends back as it was. It is base64, as such fields are.
func Enclose(t llm.Thought) string {
	kind, state := "signature", t.Signature
	if t.Sealed != "" {
		kind, state = "sealed", t.Sealed
	}
	return base64.StdEncoding.EncodeToString([]byte("plenum/" + kind + "/" + t.Origin + "/" + url.PathEscape(t.Item) + "/" + state))
}

// Disclose takes a thought's state out of its envelope. It reports false for what is none.
func Disclose(s string) (llm.Thought, bool) {
	if !strings.HasPrefix(s, EnclosedMark) {
		return llm.Thought{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(StandardBase64(s))
	parts := strings.SplitN(string(raw), "/", 5)
	if err != nil || len(parts) != 5 || parts[0] != "plenum" {
		return llm.Thought{}, false
	}
	item, err := url.PathUnescape(parts[3])
	if err != nil {
		return llm.Thought{}, false
	}
	t := llm.Thought{Origin: parts[2], Item: item}
	switch parts[1] {
	case "sealed":
		t.Sealed = parts[4]
	case "signature":
		t.Signature = parts[4]
	default:
		return llm.Thought{}, false
	}
	return t, true
}

// StandardBase64 returns base64 of the alphabet for URLs, or without its padding, as most readers want it.
func StandardBase64(s string) string {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	if n := len(s) % 4; n > 0 && !strings.HasSuffix(s, "=") {
		s += "===="[n:]
	}
	return s
}

// JoinThought returns two neighbouring blocks as one thought, where the first is its text and the second
// what seals it: streams tell the one before the other, and clients send both back as they came.
func JoinThought(a, b llm.Block) (llm.Thought, bool) {
	text, first := a.(llm.Thought)
	seal, second := b.(llm.Thought)
	if !first || !second || Signed(text) || !Signed(seal) || seal.Text != "" {
		return llm.Thought{}, false
	}
	seal.Text = text.Text
	return seal, true
}

// Transcript writes a conversation as one text, for models that only continue a text. Each turn is headed
// by who speaks, and the assistant's turn is left open at the end. One message of a user alone is its text.
func Transcript(messages []llm.Message) string {
	if len(messages) == 1 && messages[0].Role == llm.User {
		return texts(messages[0].Blocks)
	}
	var b strings.Builder
	for _, m := range messages {
		head := "User"
		switch m.Role {
		case llm.Assistant:
			head = "Assistant"
		case llm.System, llm.Developer:
			head = "System"
		case llm.ToolRole:
			head = "Tool"
		}
		b.WriteString(head + ": " + texts(m.Blocks) + "\n\n")
	}
	b.WriteString("Assistant:")
	return b.String()
}

// texts returns the texts of blocks, each on lines of its own.
func texts(blocks []llm.Block) string {
	var parts []string
	for _, b := range blocks {
		switch b := b.(type) {
		case llm.Text:
			parts = append(parts, b.Text)
		case llm.Refusal:
			parts = append(parts, b.Text)
		case llm.ToolUse:
			parts = append(parts, b.Name+"("+b.Args+")")
		case llm.ToolDone:
			parts = append(parts, texts(b.Blocks))
		case llm.Media:
			if b.Text != "" {
				parts = append(parts, b.Text)
			}
		}
	}
	return strings.Join(parts, "\n")
}
