package ollama

import (
	"fmt"

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
		return nil, c.bad(err, "the upstream's answer is not valid JSON")
	}
	if v.Kind() != '{' {
		return nil, c.bad(nil, "the upstream's answer is not a JSON object")
	}
	if e := v.Get("error"); e.Found() && !e.IsNull() {
		return nil, c.inStream(r.Body)
	}
	var l line
	if err := l.read(v); err != nil {
		return nil, c.bad(err, "the upstream's answer cannot be understood: "+err.Error())
	}
	if !l.message && !l.done {
		return nil, c.bad(nil, "the upstream's answer has no message")
	}
	blocks := l.parts.blocks()
	if len(blocks) == 0 && !l.done {
		return nil, c.bad(nil, "the upstream's answer says nothing, and not that it is done")
	}
	out := &llm.Response{Model: l.model, Created: l.created, Usage: l.usage, Extra: l.extra}
	ch := llm.Choice{Blocks: blocks, Logprobs: l.logprobs}
	if !l.inner.Empty() {
		ch.Message = l.inner
	}
	if l.done {
		ch.Stop = l.stop(len(l.parts.calls) > 0)
	}
	out.Choices = []llm.Choice{ch}
	return out, nil
}

func (c *codec) bad(err error, msg string) *llm.Error {
	return dialect.BadUpstream(c.op("DecodeResponse"), err, msg)
}

// line is one line of a stream, or a whole answer, which looks the same.
type line struct {
	model    string
	created  int64
	message  bool // a message, or a response, was there
	done     bool
	reason   string
	parts    messageParts
	usage    llm.Usage
	counted  bool
	logprobs *llm.Logprobs
	extra    llm.Extra // of the line
	inner    llm.Extra // of its message
	between  bool      // it neither begins nor ends a stream: what frames it was said before
}

func (l *line) read(v wire.Value) error {
	return v.Fields(Name, &l.extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "model":
			if l.between {
				return true, nil
			}
			return m.StrTo(&l.model)
		case "created_at":
			if l.between {
				return true, nil
			}
			l.created, known = decodeTime(m, &l.extra)
			return known, nil
		case "message":
			l.message = true
			return true, m.Fields(Name, &l.inner, func(key []byte, f wire.Value) (bool, error) {
				if string(key) == "role" {
					return f.Is("assistant"), nil
				}
				return l.parts.member(string(key), f, &l.inner)
			})
		case "response":
			l.message = true
			l.parts.content, err = m.Str()
		case "thinking", dialect.Details: // of /api/generate
			return l.parts.member(string(key), m, &l.extra)
		case "done":
			l.done, err = m.Bool()
		case "done_reason":
			return m.StrTo(&l.reason)
		case "prompt_eval_count":
			l.usage.Input, l.counted = m.Count(), true
			l.usage.Reported |= llm.InSide
			return m.Kind() == '0', nil
		case "eval_count":
			l.usage.Output, l.counted = m.Count(), true
			l.usage.Reported |= llm.OutSide
			return m.Kind() == '0', nil
		case "logprobs":
			l.logprobs, known = decodeLogprobs(m)
			return known, nil
		default:
			return false, nil
		}
		return true, err
	})
}

// stop tells why the answer ended. The host says stop of an answer that calls a tool too.
func (l *line) stop(called bool) llm.Stop {
	switch {
	case l.reason == "" || l.reason == "stop" || l.reason == "tool_calls":
		s := llm.Stop{Reason: llm.StopEnd}
		if called {
			s.Reason = llm.StopTool
		}
		if l.reason != "stop" {
			s.Extra.Note(Name, "done_reason: "+l.reason)
		}
		return s
	case l.reason == "length":
		return llm.Stop{Reason: llm.StopLength}
	}
	return llm.Stop{Reason: llm.StopOther, Raw: l.reason} // load, unload
}

// EncodeResponse implements dialect.Server.
func (c *codec) EncodeResponse(_ llm.Payload, res llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	r, ok := res.(*llm.Response)
	if !ok {
		return dialect.Reply{}, nil, dialect.InternalFault(c.op("EncodeResponse"), fmt.Errorf("a %T is no answer of this dialect", res))
	}
	a := answer{generate: c.generate}
	body := a.whole(r, m)
	return dialect.JSONReply(body), a.List(), nil
}

// answer makes the parts of an answer fit to be said here.
type answer struct {
	losses
	generate bool
}

func (a *answer) whole(r *llm.Response, m dialect.Meta) []byte {
	var ch llm.Choice
	for i, x := range r.Choices {
		if i == 0 {
			ch = x
			continue
		}
		a.Add("choices["+itoa(i)+"]", "one answer is given here")
	}
	var t turn
	for i, b := range ch.Blocks {
		a.add(&t, b, "content["+itoa(i)+"]")
	}
	a.extra("", r.Extra)
	a.extra("choices[0]", ch.Extra)
	a.extra("choices[0].message", ch.Message)
	a.tier(r.Tier)
	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("model", m.ModelOr(r.Model))
	o.Str("created_at", timeOf(r.Extra, r.Created, m.Now))
	t.extra = ch.Message
	a.appendMessage(&w, t)
	if ch.Logprobs != nil {
		a.logprobs(&w, *ch.Logprobs)
	}
	a.end(&w, o, ch.Stop, r.Usage)
	if a.generate {
		emptied(&w, r.Extra)
	}
	o.End()
	return w.Buf
}

func (a *answer) tier(tier string) {
	if !dialect.PlainTier(tier) {
		a.Add("service_tier", "")
	}
}

// appendMessage writes what a line says of the answer.
func (a *answer) appendMessage(w *jsonw.Writer, t turn) {
	if !a.generate {
		t.role = llm.Assistant
		w.Key("message")
		t.append(w)
		return
	}
	w.KeyStr("response", t.content)
	if t.thinking != "" {
		w.KeyStr("thinking", t.thinking)
	}
	if len(t.details) > 0 {
		w.Key(dialect.Details)
		dialect.AppendDetails(w, t.details)
	}
}

// add puts a block of an answer into the turn that will be written, or names it.
func (a *answer) add(t *turn, b llm.Block, path string) {
	switch b := b.(type) {
	case llm.Text:
		a.extra(path, b.Extra)
		if b.Signature != "" {
			a.Add(path+".signature", dialect.Foreign)
		}
		for k := range b.Citations {
			a.Add(path+".citations["+itoa(k)+"]", "")
		}
		if len(t.calls) > 0 && b.Text != "" {
			a.Add(path, "a text after a call is said before it")
		}
		t.content += b.Text
	case llm.Refusal:
		a.extra(path, b.Extra)
		a.Add(path+".refusal", "said as text")
		t.content += b.Text
	case llm.Thought:
		a.extra(path, b.Extra)
		t.thinking += b.Text
		if dialect.Signed(b) {
			t.details = append(t.details, b)
		}
	case llm.ToolUse:
		if c, ok := a.call(b, path); ok {
			t.calls = append(t.calls, c)
		}
	case llm.Media:
		if b.Kind == llm.Image && b.Data != "" && !a.generate {
			a.extra(path, b.Extra)
			t.images = append(t.images, b.Data)
			return
		}
		a.Add(path, string(b.Kind)+" in an answer")
	case llm.Opaque:
		a.Add(path, b.Type+" "+dialect.Foreign)
	default:
		a.Add(path, "")
	}
}

// call makes a call one whose arguments are an object. A call that was cut off is none.
func (a *answer) call(b llm.ToolUse, path string) (llm.ToolUse, bool) {
	if a.generate {
		a.Add(path, "/api/generate calls no tools")
		return b, false
	}
	if b.Extra.Dialect == Name {
		return b, true
	}
	a.extra(path, b.Extra)
	if b.Signature != "" {
		a.Add(path+".signature", dialect.Foreign)
	}
	switch {
	case b.Args == "":
		b.Args = "{}"
	case b.Kind == llm.ToolCustom:
		a.Add(path, "a free-text tool's input is said as an object")
		var w jsonw.Writer
		w.Open('{')
		w.KeyStr("input", b.Args)
		w.Close('}')
		b.Args = w.String()
	case !splice.IsObject(b.Args):
		a.Add(path+".arguments", "a call that was cut off cannot be said")
		return b, false
	}
	return b, true
}

// end writes why the answer ended and what it consumed.
func (a *answer) end(w *jsonw.Writer, o wire.Object, s llm.Stop, u llm.Usage) {
	if s.Reason == llm.StopUnset {
		w.KeyBool("done", false)
	} else {
		w.KeyBool("done", true)
		word, said := a.reason(s)
		if said {
			o.Str("done_reason", word)
		}
	}
	a.extra("usage", u.Extra)
	a.AddUsage(Name, u)
	if u.In() > 0 || u.Reported&llm.InSide != 0 {
		w.KeyInt("prompt_eval_count", u.In())
	}
	if u.Out() > 0 || u.Reported&llm.OutSide != 0 {
		w.KeyInt("eval_count", u.Out())
	}
}

// reason returns the word for why an answer ended, and whether one is said.
func (a *answer) reason(s llm.Stop) (string, bool) {
	if s.Extra.Noted(Name, "done_reason: ") {
		return "", false
	}
	if s.Extra.Noted(Name, "done_reason: tool_calls") {
		return "tool_calls", true
	}
	a.extra("", s.Extra)
	switch s.Reason {
	case llm.StopLength, llm.StopContext:
		return "length", true
	case llm.StopFilter, llm.StopRefusal, llm.StopPause, llm.StopError:
		a.Add("finish_reason", string(s.Reason)+" is said as stop")
	case llm.StopSequence:
		if s.Sequence != "" {
			a.Add("stop_sequence", "")
		}
	case llm.StopOther:
		if s.Raw == "load" || s.Raw == "unload" {
			return s.Raw, true
		}
		if s.Raw != "" {
			a.Add("finish_reason", s.Raw+" is said as stop")
		}
	}
	return "stop", true
}

// Gist implements dialect.Client.
func (c *codec) Gist(body []byte) dialect.Gist {
	keys := [...]string{"model", "prompt_eval_count", "eval_count", "done_reason", "message", "response", "thinking", "done"}
	var found [len(keys)]splice.Member
	if _, err := splice.Scan(body, splice.MaxDepth, keys[:], found[:]); err != nil {
		return dialect.Gist{}
	}
	at := func(i int) wire.Value { return wire.At(body, found[i].Value) }
	g := dialect.Gist{Model: at(0).Text()}
	if at(1).Kind() == '0' {
		g.Usage.Input = at(1).Count()
		g.Usage.Reported |= llm.InSide
	}
	if at(2).Kind() == '0' {
		g.Usage.Output = at(2).Count()
		g.Usage.Reported |= llm.OutSide
	}
	m := at(4)
	calls := m.Get("tool_calls")
	g.Text = m.Get("content").Bytes() + m.Get("thinking").Bytes() + at(5).Bytes() + at(6).Bytes() + len(calls.JSON())
	if done, _ := at(7).Bool(); done {
		g.Stop = (&line{reason: at(3).Text()}).stop(calls.Len() > 0).Reason
	}
	return g
}
