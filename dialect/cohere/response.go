package cohere

import (
	"fmt"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeResponse implements dialect.Client.
func (c *codec) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not valid JSON")
	}
	if v.Kind() != '{' {
		return nil, dialect.BadUpstream(op, nil, "the upstream's answer is not a JSON object")
	}
	if m := v.Get("message"); m.Kind() != '{' {
		if m.Kind() == '"' || v.Get("error").Found() {
			return nil, inStream(r.Body)
		}
		return nil, dialect.BadUpstream(op, nil, "the upstream's answer has no message")
	}
	out := &llm.Response{}
	ch := llm.Choice{}
	var p messageParts
	err = v.Fields(Name, &out.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			return m.StrTo(&out.ID)
		case "message":
			return true, p.answer(m, &ch.Message)
		case "finish_reason":
			ch.Stop = decodeStop(m.Text())
			return m.Kind() == '"', nil
		case "usage":
			out.Usage = decodeUsage(m)
			return m.Kind() == '{', nil
		case "logprobs":
			ch.Logprobs, known = decodeLogprobs(m)
			return known, nil
		}
		return false, nil
	})
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer cannot be understood: "+err.Error())
	}
	ch.Blocks, ch.Message, out.Extra = p.blocks(), zero(ch.Message), zero(out.Extra)
	if len(ch.Blocks) == 0 && !v.Get("finish_reason").Found() {
		return nil, dialect.BadUpstream(op, nil, "the upstream's answer says nothing, and not why")
	}
	out.Choices = []llm.Choice{ch}
	return out, nil
}

// answer reads the message of an answer.
func (p *messageParts) answer(v wire.Value, e *llm.Extra) error {
	return v.Fields(Name, e, func(key []byte, m wire.Value) (bool, error) {
		if string(key) == "role" {
			return m.Is("assistant"), nil
		}
		return p.member(string(key), m, e)
	})
}

// decodeStop returns a word for why an answer ended as a reason.
func decodeStop(word string) llm.Stop {
	switch word {
	case "COMPLETE":
		return llm.Stop{Reason: llm.StopEnd}
	case "MAX_TOKENS":
		return llm.Stop{Reason: llm.StopLength}
	case "STOP_SEQUENCE":
		return llm.Stop{Reason: llm.StopSequence}
	case "TOOL_CALL":
		return llm.Stop{Reason: llm.StopTool}
	case "ERROR", "TIMEOUT":
		return llm.Stop{Reason: llm.StopError, Raw: word}
	case "ERROR_TOXIC":
		return llm.Stop{Reason: llm.StopFilter, Raw: word}
	case "ERROR_LIMIT":
		return llm.Stop{Reason: llm.StopContext, Raw: word}
	}
	return llm.Stop{Reason: llm.StopOther, Raw: word}
}

// EncodeResponse implements dialect.Server.
func (c *codec) EncodeResponse(p llm.Payload, res llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	r, ok := res.(*llm.Response)
	if !ok {
		return dialect.Reply{}, nil, dialect.InternalFault(op, fmt.Errorf("a %T is no answer of this dialect", res))
	}
	req, _ := p.(*llm.Request)
	a := answer{names: dialect.NewToolNames(req), callID: m.CallID}
	body := a.whole(r)
	return dialect.JSONReply(body), a.List(), nil
}

// answer makes the parts of an answer fit to be said here.
type answer struct {
	losses
	names  dialect.ToolNames
	callID string
	calls  int // tools that were called
}

func (a *answer) whole(r *llm.Response) []byte {
	var ch llm.Choice
	for i, x := range r.Choices {
		if i == 0 {
			ch = x
			continue
		}
		a.Add("choices["+itoa(i)+"]", "one answer is given here")
	}
	var s said
	for i, b := range ch.Blocks {
		path := "content[" + itoa(i) + "]"
		b, ok := a.fit(b, path)
		if !ok {
			continue
		}
		if t, text := b.(llm.Text); text && len(s.calls) > 0 && t.Text != "" {
			a.Add(path, "a text after a call is said before it")
		}
		s.add(b)
	}
	a.extra("", r.Extra)
	a.extra("choices[0]", ch.Extra)
	a.extra("choices[0].message", ch.Message)
	a.tier(r.Tier)
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("id", a.id(r.ID))
	w.Key("message")
	m := wire.Begin(&w, ch.Message.In(Name))
	m.Str("role", "assistant")
	s.append(&w, m, false)
	emptied(&w, ch.Message)
	m.End()
	if word := a.reason(ch.Stop); word != "" {
		o.Str("finish_reason", word)
	}
	a.extraUsage(r.Usage)
	if !r.Usage.Zero() || r.Usage.Extra.Dialect == Name {
		a.AddUsage(Name, r.Usage, llm.ClassCacheRead, llm.ClassReasoning, llm.ClassSearch)
		w.Key("usage")
		appendUsage(&w, r.Usage)
	}
	if ch.Logprobs != nil {
		a.logprobs(&w, *ch.Logprobs)
	}
	o.End()
	return w.Buf
}

// extraUsage names what is not said of usage, which both versions tell in the same words.
func (a *answer) extraUsage(u llm.Usage) {
	if u.Extra.Dialect != Name {
		a.AddExtra("usage", u.Extra)
	}
}

func (a *answer) tier(tier string) {
	if !dialect.PlainTier(tier) {
		a.Add("service_tier", "")
	}
}

func (a *answer) id(id string) string {
	if id != "" {
		return id
	}
	return a.callID
}

// fit returns a block of an answer as it can be said, or false for one that cannot.
func (a *answer) fit(b llm.Block, path string) (llm.Block, bool) {
	switch b := b.(type) {
	case llm.Text:
		a.extra(path, b.Extra)
		if b.Signature != "" {
			a.Add(path+".signature", dialect.Foreign)
		}
		for i, c := range b.Citations {
			a.cite(c, b.Text, path+".citations["+itoa(i)+"]")
		}
		return b, b.Text != "" || b.Extra.Dialect == Name || len(b.Citations) > 0
	case llm.Refusal:
		a.extra(path, b.Extra)
		a.Add(path+".refusal", "said as text")
		return llm.Text{Text: b.Text}, b.Text != ""
	case llm.Thought:
		a.extra(path, b.Extra)
		return b, !b.Empty() || b.Extra.Dialect == Name
	case llm.ToolUse:
		return a.call(b, path), true
	case llm.Opaque:
		if b.Dialect != Name {
			a.Add(path, b.Type+" "+dialect.Foreign)
		}
		return b, b.Dialect == Name
	case llm.Media:
		if b.Extra.Dialect == Name {
			return b, true
		}
		a.Add(path, string(b.Kind)+" in an answer")
		return nil, false
	}
	a.Add(path, "")
	return nil, false
}

// cite names what is lost of a citation: where it stands in the document.
func (a *answer) cite(c llm.Citation, text, path string) {
	if c.Opaque.Dialect == FirstName {
		return // both versions cite alike
	}
	if c.Opaque.Dialect != Name && !strings.Contains(text, c.Quote) {
		a.Add(path, "the words of its source are not said")
	}
	if c.Opaque.Dialect != Name && c.Kind != llm.CiteURL {
		a.Add(path, "its place in the document is not said")
	}
}

func (a *answer) call(b llm.ToolUse, path string) llm.ToolUse {
	b.Name = a.names.Back(b.Name)
	if b.ID == "" && b.Extra.Dialect != Name {
		b.ID = "call_" + a.callID + "_" + itoa(a.calls)
	}
	a.calls++
	if b.Extra.Dialect == Name {
		return b
	}
	a.extra(path, b.Extra)
	if b.Signature != "" {
		a.Add(path+".signature", dialect.Foreign)
	}
	b.Args = fitArgs(&a.losses, b, path)
	return b
}

// reason returns the word for why an answer ended. An agent goes on only where that says so, whatever the
// upstream said.
func (a *answer) reason(s llm.Stop) string {
	a.extra("", s.Extra)
	switch s.Reason {
	case llm.StopUnset:
		return ""
	case llm.StopLength:
		return "MAX_TOKENS"
	case llm.StopContext:
		if s.Raw == "ERROR_LIMIT" {
			return s.Raw
		}
		return "MAX_TOKENS"
	case llm.StopError:
		if s.Raw == "TIMEOUT" {
			return s.Raw
		}
		return "ERROR"
	case llm.StopTool:
		if a.calls > 0 {
			return "TOOL_CALL"
		}
	case llm.StopSequence:
		if s.Sequence != "" {
			a.Add("stop_sequence", "")
		}
		return "STOP_SEQUENCE"
	case llm.StopFilter:
		if s.Raw == "ERROR_TOXIC" {
			return s.Raw
		}
		a.Add("finish_reason", string(s.Reason)+" is said as COMPLETE")
	case llm.StopOther:
		if s.Raw != "" {
			a.Add("finish_reason", s.Raw+" is said as COMPLETE")
		}
	case llm.StopRefusal, llm.StopPause:
		a.Add("finish_reason", string(s.Reason)+" is said as COMPLETE")
	}
	if a.calls > 0 {
		return "TOOL_CALL"
	}
	return "COMPLETE"
}

// decodeLogprobs reads the log probabilities of an answer. A chunk of text may be of several tokens: then what
// the chunk holds besides the first is kept.
func decodeLogprobs(v wire.Value) (*llm.Logprobs, bool) { return dialect.LogprobList(v, decodeLogprob) }

func decodeLogprob(v wire.Value) (llm.Logprob, error) {
	var p llm.Logprob
	err := v.Fields(Name, &p.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "text":
			p.Token, err = m.Str()
			return true, err
		case "logprobs":
			if first := m.Get("0"); first.Kind() == '0' {
				p.Value = first.JSON()
			}
			return m.Len() == 1 && p.Value != "", nil
		}
		return false, nil
	})
	return p, err
}

func (a *answer) logprobs(w *jsonw.Writer, l llm.Logprobs) {
	if len(l.Refusal) > 0 {
		a.Add("logprobs.refusal", "")
	}
	a.extra("logprobs", l.Extra)
	if len(l.Content) == 0 {
		return
	}
	w.KeyOpen("logprobs", '[')
	for _, p := range l.Content {
		a.logprob(w, p)
	}
	w.Close(']')
}

func (a *answer) logprob(w *jsonw.Writer, p llm.Logprob) {
	a.extra("logprobs.content", p.Extra)
	if len(p.Top) > 0 {
		a.Add("logprobs.content.top_logprobs", "")
	}
	o := wire.Begin(w, p.Extra.In(Name))
	o.Str("text", p.Token)
	if p.Extra.Dialect != Name {
		o.Raw("token_ids", "[]")
	}
	if p.Value != "" {
		o.Raw("logprobs", "["+p.Value+"]")
	}
	o.End()
}

// Gist implements dialect.Client.
func (c *codec) Gist(body []byte) dialect.Gist {
	keys := [...]string{"id", "usage", "finish_reason", "message"}
	var found [len(keys)]splice.Member
	if _, err := splice.Scan(body, splice.MaxDepth, keys[:], found[:]); err != nil {
		return dialect.Gist{}
	}
	at := func(i int) wire.Value { return wire.At(body, found[i].Value) }
	g := dialect.Gist{ID: at(0).Text(), Usage: decodeUsage(at(1)), Stop: decodeStop(at(2).Text()).Reason}
	if at(2).Text() == "" {
		g.Stop = llm.StopUnset
	}
	m := at(3)
	if m.Kind() == '{' {
		for _, key := range [...]string{"content", "tool_calls", "tool_plan"} {
			if f := m.Get(key); f.Kind() != '[' || f.Len() > 0 {
				g.Text += len(f.JSON())
			}
		}
	}
	return g
}
