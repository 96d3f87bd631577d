package responses

import (
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// speaker says the parts of an answer to the caller that sent a request, streamed or whole.
type speaker struct {
	losses
	req   *llm.Request // may be nil
	meta  dialect.Meta
	names dialect.ToolNames
	forms map[string]form // of calls that are not said as those of functions
	ids   int             // made so far
	calls int
	spoke bool // a refusal was said
}

func newSpeaker(p llm.Payload, m dialect.Meta) speaker {
	req := dialect.RequestOf(p)
	return speaker{req: req, meta: m, names: dialect.NewToolNames(req), forms: forms(req)}
}

// newID makes an id for an item that came without one.
func (s *speaker) newID(prefix string) string {
	s.ids++
	return prefix + "_" + s.meta.CallID + "_" + itoa(s.ids-1)
}

// item is an item of an answer.
type item struct {
	kind   string
	id     string
	head   string // the members by which a message item of this dialect's is known
	rest   []llm.Field
	status string
	blocks []llm.Block
	client *clientTool // of a call of a tool that the client runs
}

// States of an item, and of an answer.
const (
	completed  = "completed"
	incomplete = "incomplete"
	inProgress = "in_progress"
)

const (
	kindMessage   = "message"
	kindCall      = "function_call"
	kindCustom    = "custom_tool_call"
	kindReasoning = "reasoning"
	kindImage     = "image_generation_call"
	kindOpaque    = "" // as it stands
)

// itemFor returns the item that a block begins, without its content, or false for a block that cannot be
// said.
func (s *speaker) itemFor(b llm.Block, path string) (*item, bool) {
	switch b := b.(type) {
	case llm.Text, llm.Refusal:
		it := &item{kind: kindMessage, status: completed}
		it.head, it.rest, _ = headOf(b)
		if it.id = wire.Raw(it.head).Get("id").Text(); it.id == "" {
			it.id = s.newID("msg")
		}
		return it, true
	case llm.ToolUse:
		it := &item{kind: kindCall, id: b.Item, status: completed}
		prefix := "fc"
		switch f := s.forms[s.names.Back(b.Name)]; {
		case b.Kind == llm.ToolCustom || f.custom:
			it.kind, prefix = kindCustom, "ctc"
		case f.client != nil && b.Extra.Dialect != Name:
			it.kind, it.client, prefix = f.client.call, f.client, f.client.prefix
		}
		if it.id == "" && b.Extra.Dialect != Name {
			it.id = s.newID(prefix)
		}
		return it, true
	case llm.Thought:
		it := &item{kind: kindReasoning, id: b.Item}
		if it.id == "" && b.Extra.Dialect != Name {
			it.id = s.newID("rs")
		}
		return it, true
	case llm.Opaque:
		if b.Dialect == Name {
			return &item{kind: kindOpaque, id: wire.Raw(b.Raw).Get("id").Text()}, true
		}
		s.Add(path, strings.TrimSpace(b.Type+" "+dialect.Foreign))
	case llm.Media:
		if b.Kind == llm.Image && b.Data != "" {
			return &item{kind: kindImage, id: s.newID("ig"), status: completed}, true
		}
		s.Add(path, string(b.Kind)+" cannot be said in an answer here")
	case llm.ToolDone:
		s.Add(path, "a tool's result cannot be said in an answer here")
	}
	return nil, false
}

// joins reports whether a block goes into the message item before it.
func joins(it *item, b llm.Block) bool {
	if it == nil || it.kind != kindMessage {
		return false
	}
	if o, ok := b.(llm.Opaque); ok {
		return o.Dialect == Name && partOf(o)
	}
	switch b.(type) {
	case llm.Text, llm.Refusal:
		_, _, begins := headOf(b)
		return !begins
	}
	return false
}

// fitText makes a text of an answer one that can be said here; logprobs is what is known of its tokens.
func (s *speaker) fitText(b llm.Text, path string, logprobs []llm.Logprob) llm.Text {
	if b.Extra.Dialect == Name {
		if _, ok := told(b.Extra, "type"); ok {
			return b
		}
	}
	s.extra(path, b.Extra)
	out := llm.Text{Text: b.Text, Extra: named()}
	for _, c := range b.Citations {
		if c.Opaque.Dialect != Name && c.URL == "" {
			s.Add(path+".citations", "only pages on the web can be cited")
			continue
		}
		if c.Opaque.Raw != "" && c.Opaque.Dialect != Name {
			s.Add(path+".citations", "told by the page and the span of the answer")
		}
		if c.Opaque.Dialect != Name && (c.Kind != llm.CiteURL || c.End <= c.Start) {
			c.Start, c.End = 0, utf8.RuneCountInString(b.Text)
		}
		out.Citations = append(out.Citations, c)
	}
	tell(&out.Extra, "type", quote(outputText))
	if len(out.Citations) == 0 {
		tell(&out.Extra, "annotations", "[]")
	}
	s.AddLogprobs(Name, "choices[0].logprobs", &llm.Logprobs{Content: logprobs})
	var w jsonw.Writer
	appendLogprobs(&w, logprobs)
	tell(&out.Extra, "logprobs", w.String())
	return out
}

// fitCall makes a call of an answer one that can be said here.
func (s *speaker) fitCall(b llm.ToolUse, path string) llm.ToolUse {
	s.extra(path, b.Extra)
	b.Name = s.names.Back(b.Name)
	if b.ID == "" && b.Extra.Dialect != Name {
		b.ID = "call_" + s.meta.CallID + "_" + itoa(s.calls)
	}
	s.calls++
	f := s.forms[b.Name]
	if f.custom && b.Kind != llm.ToolCustom {
		b.Kind, b.Args = llm.ToolCustom, unwrapInput(b.Args)
	}
	if b.Extra.Dialect == Name {
		return b
	}
	b.Extra = llm.Extra{}
	if f.space != "" {
		tell(&b.Extra, "namespace", quote(f.space))
	}
	if f.client != nil && path != "" && !isObject(b.Args) {
		s.Add(path+".arguments", "no object, as those of "+b.Name+" must be")
	}
	return b
}

// carrier returns what brings a signature of a call or of a text home: a reasoning item that holds nothing
// else.
func (s *speaker) carrier(b llm.Block) (llm.Thought, bool) {
	var e envelope
	switch b := b.(type) {
	case llm.ToolUse:
		e = envelope{origin: b.Origin, signature: b.Signature, call: b.ID}
	case llm.Text:
		e = envelope{origin: b.Origin, signature: b.Signature, text: true}
	}
	if e.signature == "" {
		return llm.Thought{}, false
	}
	return llm.Thought{Item: s.newID("rs"), Origin: Name, Sealed: e.seal()}, true
}

// appendItem writes an item whose blocks are whole.
func (it *item) append(w *jsonw.Writer) {
	if it.client != nil {
		b, _ := it.blocks[0].(llm.ToolUse)
		it.client.append(w, it.id, it.status, b)
		return
	}
	switch it.kind {
	case kindMessage:
		it.appendMessage(w)
	case kindReasoning:
		b, _ := it.blocks[0].(llm.Thought)
		if b.Extra.Dialect != Name {
			b.Extra = llm.Extra{}
		}
		appendReasoning(w, b, it.id, sealedOf(b))
	case kindCall, kindCustom:
		b, _ := it.blocks[0].(llm.ToolUse)
		b.Item = it.id
		if _, ok := told(b.Extra, "status"); !ok && b.Extra.Dialect != Name && it.kind == kindCall {
			tell(&b.Extra, "status", quote(it.status))
		}
		appendCall(w, b)
	case kindImage:
		b, _ := it.blocks[0].(llm.Media)
		w.Open('{')
		w.KeyStr("id", it.id)
		w.KeyStr("type", kindImage)
		w.KeyStr("status", it.status)
		w.KeyStr("result", b.Data)
		w.Close('}')
	default:
		b, _ := it.blocks[0].(llm.Opaque)
		w.Raw(b.Raw)
	}
}

func (it *item) appendMessage(w *jsonw.Writer) {
	blocks := it.blocks
	o := wire.Begin(w, it.rest)
	plain := false
	if it.head == "" {
		w.KeyStr("id", it.id)
		w.KeyStr("type", kindMessage)
		w.KeyStr("status", it.status)
		w.KeyStr("role", string(llm.Assistant))
	} else {
		_ = wire.Raw(it.head).Members(func(key []byte, m wire.Value) error {
			if plain = plain || string(key) == "content"; string(key) != "content" {
				w.KeyRaw(string(key), m.JSON())
			}
			return nil
		})
	}
	if len(blocks) > 0 && extraOf(blocks[0]).Noted(Name, noteEmpty) {
		blocks = blocks[1:]
	}
	if t, ok := onlyText(blocks); ok && plain {
		w.KeyStr("content", t)
	} else {
		w.KeyOpen("content", '[')
		for _, b := range blocks {
			appendPart(w, b, outputText)
		}
		w.Close(']')
	}
	o.End()
}

// appendLogprobs writes the log probabilities of the tokens of a text.
func appendLogprobs(w *jsonw.Writer, list []llm.Logprob) {
	w.Open('[')
	for _, p := range list {
		w.Open('{')
		appendLogprob(w, p)
		w.KeyOpen("top_logprobs", '[')
		for _, t := range p.Top {
			w.Open('{')
			appendLogprob(w, t)
			w.Close('}')
		}
		w.Close(']')
		w.Close('}')
	}
	w.Close(']')
}

func appendLogprob(w *jsonw.Writer, p llm.Logprob) {
	w.KeyStr("token", p.Token)
	w.KeyOpen("bytes", '[')
	for _, b := range p.Bytes {
		w.Int(int64(b))
	}
	w.Close(']')
	w.KeyRaw("logprob", p.Value)
}

// decodeLogprobs reads the log probabilities of the tokens of a text.
func decodeLogprobs(v wire.Value) []llm.Logprob {
	var out []llm.Logprob
	if v.Kind() != '[' {
		return nil
	}
	_ = v.Elems(func(_ int, el wire.Value) error {
		p := llm.Logprob{Token: el.Get("token").Text(), Value: el.Get("logprob").JSON(), Top: decodeLogprobs(el.Get("top_logprobs"))}
		if b := el.Get("bytes"); b.Kind() == '[' {
			p.Bytes = []int{}
			_ = b.Elems(func(_ int, n wire.Value) error { p.Bytes = append(p.Bytes, int(n.Count())); return nil })
		}
		out = append(out, p)
		return nil
	})
	return out
}
