package openai

import (
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

func (e *encoder) blockStart(c *choiceEncoder, v llm.BlockStart) {
	b := &blockEncoder{block: v.Block, from: c.chars, call: -1}
	c.blocks[v.Index] = b
	last := c.thought
	c.thought = nil
	switch k := v.Block.(type) {
	case llm.Text:
		e.extra(choicePath(c.index)+".message.content", k.Extra)
		if k.Signature != "" {
			e.Add(choicePath(c.index)+".message.content.signature", dialect.Foreign)
		}
		b.cites = k.Citations
		if c.calls > 0 && k.Extra.Dialect != Name {
			e.Add(choicePath(c.index)+".message.content", "text after a tool call is said before it")
		}
		e.text(c, b, k.Text)
	case llm.Refusal:
		e.text(c, b, k.Text)
	case llm.Thought:
		if last != nil {
			e.detail(c, last, nil)
		}
		e.thoughtDelta(c, b, llm.ThoughtDelta{Text: k.Text, Signature: k.Signature, Sealed: k.Sealed})
	case llm.ToolUse:
		e.extra(choicePath(c.index)+".message.tool_calls", k.Extra)
		e.call(c, b, k)
	default:
		e.Add(choicePath(c.index)+".message.content["+itoa(v.Index)+"]", blockWord(k)+" cannot be said in an answer here")
	}
}

func (e *encoder) text(c *choiceEncoder, b *blockEncoder, s string) {
	if s == "" {
		return
	}
	key := "content"
	switch b.block.(type) {
	case llm.Refusal:
		key = "refusal"
	case llm.Text:
		c.chars += utf8.RuneCountInString(s)
	}
	b.filled = true
	e.chunk(c, func(w *jsonw.Writer) { w.KeyStr(key, s) }, nil)
}

func (e *encoder) thoughtDelta(c *choiceEncoder, b *blockEncoder, v llm.ThoughtDelta) {
	b.text.WriteString(v.Text)
	b.signature.WriteString(v.Signature)
	b.sealed.WriteString(v.Sealed)
	if v.Text != "" {
		e.chunk(c, func(w *jsonw.Writer) { w.KeyStr(fieldThought, v.Text) }, nil)
	}
}

// call says that a call begins.
func (e *encoder) call(c *choiceEncoder, b *blockEncoder, u llm.ToolUse) {
	b.call = c.calls
	c.calls++
	b.filled = u.Args != "" || u.Kind == llm.ToolCustom
	if !b.filled {
		c.bare = append(c.bare, b)
	}
	u.Name = e.names.Back(u.Name)
	if u.ID == "" {
		u.ID = "call_" + e.meta.CallID + "_" + itoa(c.index) + "_" + itoa(b.call)
	}
	e.chunk(c, func(w *jsonw.Writer) {
		w.KeyOpen("tool_calls", '[')
		w.Open('{')
		w.KeyInt("index", int64(b.call))
		w.KeyStr("id", u.ID)
		key, args := "function", "arguments"
		if u.Kind == llm.ToolCustom {
			key, args = "custom", "input"
		}
		w.KeyStr("type", key)
		w.KeyOpen(key, '{')
		w.KeyStr("name", u.Name)
		w.KeyStr(args, u.Args)
		w.Close('}')
		wire.AppendFields(w, u.Extra.In(Name))
		if u.Signature != "" {
			w.KeyRaw(signatureMember, signatureJSON(u.Signature))
			b.signed = true
		}
		w.Close('}')
		w.Close(']')
	}, nil)
}

// sign says the signature of a call that was not known when it began.
func (e *encoder) sign(c *choiceEncoder, b *blockEncoder, u llm.ToolUse) {
	if u.Signature == "" || b.signed || b.call < 0 {
		return
	}
	b.signed = true
	e.chunk(c, func(w *jsonw.Writer) {
		w.KeyOpen("tool_calls", '[')
		w.Open('{')
		w.KeyInt("index", int64(b.call))
		w.KeyRaw(signatureMember, signatureJSON(u.Signature))
		w.Close('}')
		w.Close(']')
	}, nil)
}

func (e *encoder) args(c *choiceEncoder, b *blockEncoder, s string) {
	if s == "" {
		return
	}
	u, _ := b.block.(llm.ToolUse)
	if b.call < 0 {
		e.call(c, b, u)
	}
	b.filled = true
	e.chunk(c, func(w *jsonw.Writer) {
		w.KeyOpen("tool_calls", '[')
		w.Open('{')
		w.KeyInt("index", int64(b.call))
		if u.Kind == llm.ToolCustom {
			w.KeyOpen("custom", '{')
			w.KeyStr("input", s)
		} else {
			w.KeyOpen("function", '{')
			w.KeyStr("arguments", s)
		}
		w.Close('}')
		w.Close('}')
		w.Close(']')
	}, nil)
}

// blockEnd says what a block ends with: what its final form holds and no delta said, its citations, the
// seal of reasoning.
func (e *encoder) blockEnd(c *choiceEncoder, v llm.BlockEnd) {
	b := c.blocks[v.Index]
	if b == nil {
		if v.Block == nil {
			return
		}
		e.blockStart(c, llm.BlockStart(v))
		b = c.blocks[v.Index]
	}
	switch k := v.Block.(type) {
	case llm.Text:
		if !b.filled {
			e.text(c, b, k.Text)
		}
		if len(b.cites) == 0 {
			b.cites = k.Citations
		}
	case llm.Refusal:
		if !b.filled {
			e.text(c, b, k.Text)
		}
	case llm.ToolUse:
		if !b.filled {
			e.args(c, b, k.Args)
		}
		e.sign(c, b, k)
	}
	switch b.block.(type) {
	case llm.Text:
		e.cite(c, b)
	case llm.Thought:
		e.endThought(c, b, v.Block)
	}
}

// cite says the citations of a block of text, with the span of the text that they support.
func (e *encoder) cite(c *choiceEncoder, b *blockEncoder) {
	var cites []llm.Citation
	for _, x := range b.cites {
		if !citable(x) {
			e.Add(choicePath(c.index)+".message.content.citations", "only pages on the web can be cited")
			continue
		}
		if x.Opaque.Raw != "" && x.Opaque.Dialect != Name {
			e.Add(choicePath(c.index)+".message.content.citations", cited)
		}
		cites = append(cites, spanned(x, b.from, c.chars))
	}
	b.cites = nil
	if len(cites) > 0 {
		e.chunk(c, func(w *jsonw.Writer) { appendAnnotations(w, cites) }, nil)
	}
}

// endThought says once more, whole, reasoning that is signed or sealed. What is not waits: another block
// of reasoning right behind would run into it.
func (e *encoder) endThought(c *choiceEncoder, b *blockEncoder, final llm.Block) {
	t, _ := final.(llm.Thought)
	if b.signature.Len()+b.sealed.Len() > 0 || t.Signature != "" || t.Sealed != "" {
		e.detail(c, b, final)
		return
	}
	if b.text.Len() > 0 {
		c.thought = b
	}
}

func (e *encoder) detail(c *choiceEncoder, b *blockEncoder, final llm.Block) {
	t, _ := b.block.(llm.Thought)
	t.Text, t.Signature, t.Sealed = b.text.String(), b.signature.String(), b.sealed.String()
	if f, ok := final.(llm.Thought); ok {
		t = f
	}
	e.extra(choicePath(c.index)+".message."+fieldDetails, t.Extra)
	e.chunk(c, func(w *jsonw.Writer) {
		w.KeyOpen(fieldDetails, '[')
		appendDetail(w, t, c.details)
		w.Close(']')
	}, nil)
	c.details++
}
