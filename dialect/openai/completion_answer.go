package openai

import (
	"fmt"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// completionObject is what an answer calls itself, streamed or not.
const completionObject = "text_completion"

// DecodeResponse implements dialect.Client.
func (c *completions) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer is not valid JSON")
	}
	if v.Kind() != '{' {
		return nil, badUpstream(nil, "the upstream's answer is not a JSON object")
	}
	if v.Get("choices").Len() <= 0 {
		if v.Get("choices").Kind() != '[' && hasError(v) {
			return nil, inStream(r.Body)
		}
		return nil, badUpstream(nil, "the upstream's answer has no choices")
	}
	var h completionHead
	out := &llm.Response{}
	err = v.Fields(CompletionsName, &out.Extra, func(key []byte, m wire.Value) (bool, error) {
		if string(key) != "choices" {
			return h.member(string(key), m)
		}
		return true, m.Elems(func(_ int, el wire.Value) error {
			p, err := decodePiece(el)
			ch := llm.Choice{Index: p.index, Stop: p.stop, Logprobs: p.logprobs, Extra: p.extra}
			if p.text != "" {
				ch.Blocks = []llm.Block{llm.Text{Text: p.text}}
			}
			out.Choices = append(out.Choices, ch)
			return err
		})
	})
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer cannot be understood: "+err.Error())
	}
	if out.Extra.Empty() {
		out.Extra = llm.Extra{}
	}
	out.ID, out.Model, out.Created, out.Usage = h.id, h.model, h.created, h.usage
	return out, nil
}

// completionHead is what an answer and each of its chunks begin with.
type completionHead struct {
	id, model string
	created   int64
	usage     llm.Usage
	counted   bool
}

func (h *completionHead) member(key string, m wire.Value) (known bool, err error) {
	switch key {
	case "id":
		return m.StrTo(&h.id)
	case "model":
		return m.StrTo(&h.model)
	case "object":
		return m.Is(completionObject), nil
	case "created":
		h.created, err = m.Int()
		return h.created != 0, err
	case "usage":
		h.usage, h.counted = decodeUsage(m), m.Kind() == '{'
		return h.counted, nil
	}
	return false, nil
}

// piece is a choice of an answer, or what a chunk adds to one.
type piece struct {
	index    int
	text     string
	word     string
	stop     llm.Stop
	logprobs *llm.Logprobs
	extra    llm.Extra
}

func decodePiece(v wire.Value) (piece, error) {
	var p piece
	finish := wire.Value{}
	err := v.Fields(CompletionsName, &p.extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "index":
			p.index = int(m.Count())
		case "text":
			p.text, err = m.Str()
		case "finish_reason":
			finish = m
		case "logprobs":
			p.logprobs, known = decodeOffsets(m)
			return known, nil
		default:
			return false, nil
		}
		return true, err
	})
	// Nulls are what is always said where there is nothing.
	var kept llm.Extra
	for _, f := range p.extra.Fields {
		if f.Raw != "null" || f.Key != "logprobs" && f.Key != "finish_reason" {
			kept.Add(CompletionsName, f.Key, f.Raw)
		}
	}
	p.extra, p.word = kept, finish.Text()
	if p.word != "" {
		p.stop = decodeStop(p.word, false)
	}
	return p, err
}

// decodeOffsets reads log probabilities, which stand in lists side by side.
func decodeOffsets(v wire.Value) (*llm.Logprobs, bool) {
	if v.Kind() != '{' || v.Get("tokens").Kind() != '[' {
		return nil, false
	}
	out := &llm.Logprobs{}
	err := v.Fields(CompletionsName, &out.Extra, func(key []byte, _ wire.Value) (bool, error) {
		switch string(key) {
		case "tokens", "token_logprobs", "top_logprobs", "text_offset":
			return true, nil
		}
		return false, nil
	})
	if err == nil {
		err = v.Get("tokens").Elems(func(i int, el wire.Value) error {
			p, err := decodeOffset(v, i, el)
			out.Content = append(out.Content, p)
			return err
		})
	}
	for _, key := range [...]string{"token_logprobs", "top_logprobs", "text_offset"} {
		if !v.Get(key).Found() {
			out.Extra.Note(CompletionsName, key)
		}
	}
	if out.Extra.Empty() {
		out.Extra = llm.Extra{}
	}
	return out, err == nil
}

func decodeOffset(v wire.Value, i int, token wire.Value) (llm.Logprob, error) {
	s, err := token.Str()
	p := llm.Logprob{Token: s, Value: v.Get("token_logprobs", itoa(i)).JSON()}
	if at := v.Get("text_offset", itoa(i)); at.Found() {
		p.Extra.Note(CompletionsName, "text_offset: "+at.JSON())
	}
	top := v.Get("top_logprobs", itoa(i))
	if top.Kind() != '{' {
		return p, err
	}
	p.Top = []llm.Logprob{}
	if err := top.Members(func(key []byte, m wire.Value) error {
		p.Top = append(p.Top, llm.Logprob{Token: string(key), Value: m.JSON()})
		return nil
	}); err != nil {
		return p, err
	}
	return p, err
}

// EncodeResponse implements dialect.Server.
func (c *completions) EncodeResponse(p llm.Payload, res llm.Result, meta dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	r, ok := res.(*llm.Response)
	if !ok || r == nil {
		return dialect.Reply{}, nil, internal("EncodeResponse", fmt.Errorf("cannot say a %T", res))
	}
	a := completionAnswer{echo: echoOf(p, r.Extra)}
	a.extra("", r.Extra)
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(CompletionsName))
	o.Str("id", completionID(r.ID, meta))
	o.Str("object", completionObject)
	o.Int("created", createdAt(r.Created, meta))
	o.Str("model", meta.ModelOr(r.Model))
	w.KeyOpen("choices", '[')
	for _, ch := range r.Choices {
		a.choice(&w, ch)
	}
	w.Close(']')
	if !r.Usage.Zero() {
		a.usage(&w, r.Usage)
	}
	o.End()
	return dialect.JSONReply(w.Buf), a.List(), nil
}

func completionID(id string, m dialect.Meta) string {
	if id == "" {
		return "cmpl-" + m.CallID
	}
	return id
}

// echoOf returns the prompt where the caller wants it back in front of an answer, and the upstream, being
// of another dialect, did not give it back.
func echoOf(p llm.Payload, answer llm.Extra) string {
	r, ok := p.(*llm.Request)
	if !ok || r == nil || answer.Dialect == CompletionsName || !r.Extra.Noted(CompletionsName, noteEcho) {
		return ""
	}
	return dialect.Transcript(r.Messages)
}

// completionAnswer says answers of every dialect as texts.
type completionAnswer struct {
	losses
	echo string
}

// extra names what only another dialect can say.
func (a *completionAnswer) extra(path string, e llm.Extra) {
	if e.Dialect != CompletionsName {
		a.AddExtra(path, e)
	}
}

func (a *completionAnswer) usage(w *jsonw.Writer, u llm.Usage) {
	if u.Extra.Dialect != Name {
		a.AddExtra("usage", u.Extra)
	}
	w.Key("usage")
	appendUsage(w, u)
}

func (a *completionAnswer) choice(w *jsonw.Writer, c llm.Choice) {
	path := choicePath(c.Index)
	text := a.echo
	for i, b := range c.Blocks {
		text += a.text(b, path+".message.content["+itoa(i)+"]")
	}
	a.extra(path, c.Extra)
	a.extra(path+".message", c.Message)
	a.stop(c.Stop, path)
	a.piece(w, c.Index, text, c.Logprobs, stopWord(c.Stop, false), c.Extra)
}

// text returns what a block of an answer says, or names it.
func (a *completionAnswer) text(b llm.Block, path string) string {
	switch b := b.(type) {
	case llm.Text:
		for i := range b.Citations {
			a.Add(path+".citations["+itoa(i)+"]", "")
		}
		return b.Text
	case llm.Refusal:
		return b.Text
	case llm.Thought:
		if !b.Empty() {
			a.Add(path, "a completion has no reasoning")
		}
	case llm.ToolUse:
		a.Add(path, "a completion calls no tools")
	case llm.Opaque:
		a.Add(path, b.Type+" "+dialect.Foreign)
	default:
		a.Add(path, "a completion is only text")
	}
	return ""
}

// piece writes a choice.
func (a *completionAnswer) piece(w *jsonw.Writer, index int, text string, l *llm.Logprobs, word string, extra llm.Extra) {
	o := wire.Begin(w, extra.In(CompletionsName))
	o.Str("text", text)
	o.Int("index", int64(index))
	if o.Free("logprobs") {
		w.Key("logprobs")
		if l == nil || len(l.Content) == 0 {
			w.Null()
		} else {
			a.offsets(w, l)
		}
	}
	if o.Free("finish_reason") {
		w.KeyStrOrNull("finish_reason", word)
	}
	o.End()
}

// offsets writes log probabilities as lists side by side.
func (a *completionAnswer) offsets(w *jsonw.Writer, l *llm.Logprobs) {
	if len(l.Refusal) > 0 {
		a.Add("logprobs.refusal", "")
	}
	a.extra("logprobs", l.Extra)
	o := wire.Begin(w, l.Extra.In(CompletionsName))
	list := func(key string, each func(p llm.Logprob)) {
		if o.Free(key) {
			w.KeyOpen(key, '[')
			for _, p := range l.Content {
				each(p)
			}
			w.Close(']')
		}
	}
	list("tokens", func(p llm.Logprob) { w.Str(p.Token) })
	list("token_logprobs", func(p llm.Logprob) { w.Raw(p.Value) })
	list("top_logprobs", func(p llm.Logprob) {
		if p.Top == nil {
			w.Null()
			return
		}
		w.Open('{')
		for _, t := range p.Top {
			w.KeyRaw(t.Token, t.Value)
		}
		w.Close('}')
	})
	at := 0
	list("text_offset", func(p llm.Logprob) {
		raw := ""
		for _, f := range p.Extra.In(CompletionsName) {
			if len(f.Key) > len("text_offset: ") {
				raw = f.Key[len("text_offset: "):]
			}
		}
		if raw == "" {
			raw = itoa(at)
		}
		w.Raw(raw)
		at += len([]rune(p.Token))
	})
	o.End()
}

// Gist implements dialect.Client.
func (c *completions) Gist(body []byte) dialect.Gist {
	v := wire.Whole(body)
	g := dialect.Gist{ID: v.Get("id").Text(), Model: v.Get("model").Text(), Usage: decodeUsage(v.Get("usage"))}
	choices := v.Get("choices")
	for i := range choices.Len() {
		x := choices.Get(itoa(i))
		g.Text += x.Get("text").Bytes()
		if word := x.Get("finish_reason").Text(); i == 0 && word != "" {
			g.Stop = decodeStop(word, false).Reason
		}
	}
	return g
}
