package converse

import (
	"fmt"
	"strconv"

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
	var res llm.Result
	if c.op == llm.OpCountTokens {
		res, err = decodeTokens(v)
	} else {
		res, err = decodeResponse(v)
	}
	if err != nil {
		if msg := v.Get("message"); msg.Kind() == '"' {
			return nil, inStream("", r.Body)
		}
		return nil, dialect.BadUpstream(op, err, "the upstream's answer cannot be understood: "+err.Error())
	}
	return res, nil
}

func decodeTokens(v wire.Value) (*llm.TokenCount, error) {
	var n llm.TokenCount
	counted := false
	err := v.Fields(Name, &n.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		if string(key) != "inputTokens" {
			return false, nil
		}
		counted = true
		n.Input, err = m.Int()
		return true, err
	})
	if err == nil && !counted {
		err = wire.Bad("inputTokens", "a whole number")
	}
	return &n, err
}

func decodeResponse(v wire.Value) (*llm.Response, error) {
	r := &llm.Response{Extra: home()}
	c := llm.Choice{Stop: llm.Stop{Extra: home()}}
	known := false
	err := v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "output":
			message := m.Get("message", "content")
			if message.Kind() != '[' {
				return false, nil
			}
			known = true
			c.Blocks = answerBlocks(message)
			return true, nil
		case "stopReason":
			c.Stop.Reason, c.Stop.Raw = stopReason(m.Text())
			return true, nil
		case "usage":
			r.Usage = decodeUsage(m)
			return m.Kind() == '{', nil
		case "serviceTier":
			return decodeTier(&r.Tier, m), nil
		}
		return false, nil
	})
	if err == nil && !known {
		err = wire.Bad("output.message.content", "a list of blocks")
	}
	if err == nil && len(c.Blocks) == 0 && c.Stop.Reason == llm.StopUnset {
		err = wire.Bad("output.message.content", "what the model said, or stopReason why it said nothing")
	}
	r.Choices = []llm.Choice{c}
	if r.Extra.Empty() {
		r.Extra = llm.Extra{}
	}
	return r, err
}

func decodeTier(to *string, v wire.Value) bool {
	key, tier, ok := only(v)
	if !ok || key != "type" {
		return false
	}
	*to = tier.Text()
	return *to != ""
}

// answerBlocks reads the blocks of an answer. One that is not as it should be is carried as it stands: an
// answer was paid for, and is not thrown away for a detail.
func answerBlocks(v wire.Value) []llm.Block {
	var out []llm.Block
	_ = v.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
		b, err := decodeBlock(el, llm.Assistant)
		if err != nil {
			b = opaque("", el)
		}
		out = append(out, b)
		return nil
	})
	return out
}

// stopReason returns a stop reason of the dialect as a reason, and raw where that alone does not bring it
// back.
func stopReason(word string) (reason llm.StopReason, raw string) {
	switch word {
	case "end_turn":
		return llm.StopEnd, ""
	case "tool_use":
		return llm.StopTool, ""
	case "max_tokens":
		return llm.StopLength, ""
	case "stop_sequence":
		return llm.StopSequence, ""
	case "content_filtered":
		return llm.StopFilter, ""
	case "guardrail_intervened":
		return llm.StopFilter, word
	case "model_context_window_exceeded":
		return llm.StopContext, ""
	case "malformed_model_output", "malformed_tool_use":
		return llm.StopError, word
	case "refusal":
		return llm.StopRefusal, word
	case "":
		return llm.StopUnset, ""
	}
	return llm.StopOther, word
}

// stopWord says why an answer ended. called tells whether a tool of the caller's was called: an agent goes
// on only where the reason says so, whatever the upstream said.
func stopWord(s llm.Stop, called, refused bool) string {
	if s.Extra.Dialect == Name {
		switch {
		case s.Raw != "":
			return s.Raw
		case s.Reason == llm.StopEnd:
			return "end_turn"
		case s.Reason == llm.StopTool:
			return "tool_use"
		}
	}
	switch s.Reason {
	case llm.StopLength:
		return "max_tokens"
	case llm.StopContext:
		return "model_context_window_exceeded"
	case llm.StopRefusal, llm.StopFilter:
		return "content_filtered"
	case llm.StopSequence:
		return "stop_sequence"
	}
	switch {
	case called:
		return "tool_use"
	case refused:
		return "content_filtered"
	}
	return "end_turn"
}

// EncodeResponse implements dialect.Server.
func (c *codec) EncodeResponse(p llm.Payload, res llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	var l losses
	var body []byte
	switch r := res.(type) {
	case *llm.TokenCount:
		body = encodeTokens(r, &l)
	case *llm.Response:
		body = encodeResponse(dialect.RequestOf(p), r, m, &l)
	default:
		return dialect.Reply{}, nil, dialect.InternalFault(op+".EncodeResponse", fmt.Errorf("a %T is no answer of this dialect", res))
	}
	return dialect.JSONReply(body), l.List(), nil
}

func encodeTokens(n *llm.TokenCount, l *losses) []byte {
	l.extra("", n.Extra)
	var w jsonw.Writer
	o := wire.Begin(&w, n.Extra.In(Name))
	o.Int("inputTokens", n.Input)
	o.End()
	return w.Buf
}

func encodeResponse(req *llm.Request, r *llm.Response, m dialect.Meta, l *losses) []byte {
	a := answer{losses: l, names: dialect.NewToolNames(req), callID: m.CallID}
	var c llm.Choice
	for i, x := range r.Choices {
		if i == 0 {
			c = x
			continue
		}
		l.Add("choices["+itoa(i)+"]", "one answer is given here")
	}
	blocks := a.fitAll(c.Blocks)
	a.nameChoice(c.Extra, c.Message, c.Logprobs)
	l.extra("", r.Extra)
	l.extra("usage", r.Usage.Extra)

	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	if o.Free("output") {
		w.KeyOpen("output", '{')
		w.KeyOpen("message", '{')
		w.KeyStr("role", "assistant")
		w.Key("content")
		appendBlocks(&w, blocks)
		w.Close('}')
		w.Close('}')
	}
	word, more := a.stop(c.Stop)
	if c.Stop.Reason != llm.StopUnset || c.Stop.Extra.Dialect != Name {
		w.KeyStr("stopReason", word)
	}
	if more != "" {
		o.Raw("additionalModelResponseFields", more)
	}
	if (c.Stop.Extra.Dialect != Name || r.Usage.Extra.Dialect == Name) && o.Free("usage") {
		a.AddUsage(Name, r.Usage, llm.ClassCacheRead, llm.ClassCacheWrite5m, llm.ClassCacheWrite1h)
		w.Key("usage")
		appendUsage(&w, r.Usage)
	}
	if c.Stop.Extra.Dialect != Name {
		o.Raw("metrics", latency(m))
	}
	if tier := l.tier(r.Tier); tier != "" {
		o.Raw("serviceTier", `{"type":`+strconv.Quote(tier)+`}`)
	}
	o.End()
	return w.Buf
}

// tier says the tier that an answer was given at, in this dialect's words.
func (l *losses) tier(tier string) string {
	switch tier {
	case "", "default", "priority", "flex", "reserved":
		return tier
	case "standard":
		return "default"
	}
	if dialect.PlainTier(tier) {
		return ""
	}
	l.Add("service_tier", tier+" is not a tier here")
	return ""
}

// answer makes the parts of an answer fit to be said here.
type answer struct {
	*losses
	names   dialect.ToolNames
	callID  string
	calls   int  // tools of the caller's that were called
	refused bool // the model said a refusal
}

func (a *answer) nameChoice(choice, message llm.Extra, lp *llm.Logprobs) {
	a.extra("choices[0]", choice)
	a.extra("choices[0].message", message)
	if lp != nil {
		a.Add("choices[0].logprobs", "")
	}
}

func (a *answer) fitAll(blocks []llm.Block) []llm.Block {
	var out []llm.Block
	for i, b := range blocks {
		b, ok := a.fit(b, "content["+itoa(i)+"]")
		if t, thought := b.(llm.Thought); thought && t.Sealed != "" && t.Text != "" {
			// Sealed reasoning is never in one block with reasoning that is read.
			out = append(out, llm.Thought{Text: t.Text})
			t.Text = ""
			b = t
		}
		if ok {
			out = append(out, b)
		}
	}
	return out
}

// fit returns a block of an answer as it can be said, or false for one that cannot.
func (a *answer) fit(b llm.Block, path string) (llm.Block, bool) {
	home := dialect.SaidIn(Name, b)
	switch b := b.(type) {
	case llm.ToolUse:
		return a.fitCall(b, path), true
	case llm.Thought:
		a.extra(path, b.Extra)
		return b, home || !b.Empty()
	case llm.Refusal:
		a.refused = true
		a.extra(path, b.Extra)
		return llm.Text{Text: b.Text}, b.Text != ""
	case llm.Text:
		if home {
			return b, true
		}
		b = a.fitText(b, path)
		return b, b.Text != "" || len(b.Citations) > 0
	case llm.Opaque:
		if !home {
			a.Add(path, b.Type+" "+dialect.Foreign)
		}
		return b, home
	case llm.Media:
		if home {
			return b, true
		}
		if b.Kind == llm.Image && b.Data != "" && formatOf(b) != "" {
			a.extra(path, b.Extra)
			return b, true
		}
		a.Add(path, string(b.Kind)+" in an answer")
	case llm.ToolDone:
		return b, home
	}
	return nil, false
}

func (a *answer) fitCall(b llm.ToolUse, path string) llm.Block {
	b.Name = a.names.Back(b.Name)
	if b.ID == "" {
		b.ID = a.callName(a.calls)
	}
	a.calls++
	if b.Extra.Dialect != Name || !splice.IsObject(b.Args) {
		return a.fitArgs(b, path)
	}
	return b
}

// callName makes an id for a tool call that came without one: the same for the same call and place.
func (a *answer) callName(n int) string { return "tooluse_" + fitID(a.callID) + "_" + itoa(n) }

// stop returns the word for why the answer ended, and the field in which Claude on Bedrock tells which
// sequence was met.
func (a *answer) stop(s llm.Stop) (word, more string) {
	a.extra("", s.Extra)
	if s.Reason == llm.StopRefusal || a.refused {
		a.Add("stop_reason", "a refusal is said as content_filtered")
	}
	switch s.Reason {
	case llm.StopPause:
		a.Add("stop_reason", "a turn to be continued is said as the end of the turn")
	case llm.StopError:
		if s.Extra.Dialect != Name {
			a.Add("finish_reason", "an error is said as the end of the turn")
		}
	case llm.StopOther:
		if s.Extra.Dialect != Name && s.Raw != "" && s.Raw != stopWord(s, a.calls > 0, a.refused) {
			a.Add("finish_reason", s.Raw+" is said as the end of the turn")
		}
	}
	if s.Sequence != "" {
		var w jsonw.Writer
		w.Open('{')
		w.KeyStr("stop_sequence", s.Sequence)
		w.Close('}')
		more = w.String()
	}
	return stopWord(s, a.calls > 0, a.refused), more
}

// Gist implements dialect.Client.
func (c *codec) Gist(body []byte) dialect.Gist {
	var found [4]splice.Member
	keys := [...]string{"usage", "stopReason", "output", "serviceTier"}
	if _, err := splice.Scan(body, splice.MaxDepth, keys[:], found[:]); err != nil || c.op != llm.OpGenerate {
		return dialect.Gist{}
	}
	at := func(i int) wire.Value { return wire.At(body, found[i].Value) }
	var g dialect.Gist
	if found[0].Found() {
		g.Usage = decodeUsage(at(0))
	}
	g.Stop, _ = stopReason(at(1).Text())
	g.Text = answerSize(at(2).Get("message", "content"))
	if found[3].Found() {
		decodeTier(&g.Tier, at(3))
	}
	return g
}

// answerSize counts the bytes of the texts of an answer.
func answerSize(content wire.Value) int {
	n := 0
	if content.Kind() != '[' {
		return 0
	}
	_ = content.Elems(func(_ int, b wire.Value) error { // the visit has no error to give
		key, in, _ := only(b)
		switch key {
		case "text":
			n += in.Bytes()
		case "toolUse":
			if at := in.Get("input").Span(); at.Found() {
				n += at.End - at.Start
			}
		case "reasoningContent":
			n += in.Get("reasoningText", "text").Bytes()
		case "citationsContent":
			n += in.Get("content", "0", "text").Bytes()
		}
		return nil
	})
	return n
}
