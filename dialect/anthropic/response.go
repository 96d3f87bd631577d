package anthropic

import (
	"fmt"
	"net/http"
	"slices"

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
		return nil, badUpstream(err, "the upstream's answer is not valid JSON")
	}
	if v.Kind() != '{' {
		return nil, badUpstream(nil, "the upstream's answer is not a JSON object")
	}
	if v.Get("type").Text() == "error" {
		return nil, inStream(r.Body)
	}
	var res llm.Result
	if c.op == llm.OpCountTokens {
		res, err = decodeCount(v)
	} else {
		res, err = decodeResponse(v)
	}
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer cannot be understood: "+err.Error())
	}
	return res, nil
}

func decodeCount(v wire.Value) (*llm.TokenCount, error) {
	var n llm.TokenCount
	counted := false
	err := v.Fields(Name, &n.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		if string(key) != "input_tokens" {
			return false, nil
		}
		n.Input, err = m.Int()
		counted = true
		return true, err
	})
	if err == nil && !counted {
		err = wire.Bad("input_tokens", "a whole number")
	}
	return &n, err
}

func decodeResponse(v wire.Value) (*llm.Response, error) {
	r := &llm.Response{}
	c := llm.Choice{Stop: llm.Stop{Extra: llm.Extra{Dialect: Name}}}
	known := false
	err := v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "type", "role":
			return m.Text() == "message" || m.Text() == "assistant", nil
		case "content":
			known = true
			return true, m.Elems(func(_ int, el wire.Value) error {
				c.Blocks = append(c.Blocks, answerBlock(el))
				return nil
			})
		}
		return decodeAnswerMember(r, &c.Stop, key, m)
	})
	if err == nil && !known {
		err = wire.Bad("content", "a list of blocks")
	}
	if err == nil && len(c.Blocks) == 0 && c.Stop.Reason == llm.StopUnset {
		err = wire.Bad("content", "what the model said, or stop_reason why it said nothing")
	}
	r.Extra = dropNull(r.Extra, "stop_reason", "stop_sequence")
	r.Choices = []llm.Choice{c}
	return r, err
}

// dropNull forgets members that were null and are always said, as null where there is nothing.
func dropNull(e llm.Extra, keys ...string) llm.Extra {
	out := llm.Extra{Dialect: e.Dialect}
	for _, f := range e.Fields {
		if f.Raw != "null" || !slices.Contains(keys, f.Key) {
			out.Fields = append(out.Fields, f)
		}
	}
	if out.Empty() {
		return llm.Extra{}
	}
	return out
}

// decodeAnswerMember reads the members that an answer and the message of a stream's start have.
func decodeAnswerMember(r *llm.Response, s *llm.Stop, key []byte, m wire.Value) (known bool, err error) {
	switch string(key) {
	case "id":
		r.ID, err = m.Str()
	case "model":
		r.Model, err = m.Str()
	case "usage":
		r.Usage, r.Tier, err = decodeUsage(m)
	default:
		return decodeStop(s, key, m)
	}
	return true, err
}

// decodeStop reads a member that tells why an answer ended.
func decodeStop(s *llm.Stop, key []byte, m wire.Value) (known bool, err error) {
	switch string(key) {
	case "stop_reason":
		var word string
		if word, err = m.Str(); err == nil {
			s.Reason, s.Raw = stopReason(word)
		}
	case "stop_sequence":
		s.Sequence, err = m.Str()
	case "stop_details":
		s.Extra.Dialect = Name
		s.Extra.Add(Name, "stop_details", m.JSON())
	default:
		return false, nil
	}
	return true, err
}

// answerBlock reads a block of an answer. One that is not as it should be is carried as it stands: an
// answer was paid for, and is not thrown away for a detail.
func answerBlock(v wire.Value) llm.Block {
	b, err := decodeBlock(v, 1)
	if err != nil {
		return opaque(v.Get("type").Text(), v)
	}
	return b
}

// stopReason returns a stop reason of the dialect as a reason, and raw where it is not one known here.
func stopReason(word string) (reason llm.StopReason, raw string) {
	switch word {
	case "end_turn":
		return llm.StopEnd, ""
	case "max_tokens":
		return llm.StopLength, ""
	case "stop_sequence":
		return llm.StopSequence, ""
	case "tool_use":
		return llm.StopTool, ""
	case "pause_turn":
		return llm.StopPause, ""
	case "refusal":
		return llm.StopRefusal, ""
	case "model_context_window_exceeded":
		return llm.StopContext, ""
	}
	return llm.StopOther, word
}

// stopWord says why an answer ended. called tells whether a tool of the caller's was called: an agent
// goes on only where the reason says so, whatever the upstream said.
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
	case llm.StopPause:
		return "pause_turn"
	case llm.StopContext:
		return "model_context_window_exceeded"
	case llm.StopRefusal, llm.StopFilter:
		return "refusal"
	case llm.StopSequence:
		return "stop_sequence"
	case llm.StopUnset:
		return ""
	}
	switch {
	case called:
		return "tool_use"
	case refused:
		return "refusal"
	}
	return "end_turn"
}

// EncodeResponse implements dialect.Server.
func (c *codec) EncodeResponse(p llm.Payload, res llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	var l losses
	var body []byte
	switch r := res.(type) {
	case *llm.TokenCount:
		body = encodeCount(r, &l)
	case *llm.Response:
		body = encodeResponse(dialect.RequestOf(p), r, m, &l)
	default:
		return dialect.Reply{}, nil, internal("EncodeResponse", fmt.Errorf("a %T is no answer of this dialect", res))
	}
	h := http.Header{"Content-Type": {"application/json"}}
	return dialect.Reply{Status: http.StatusOK, Header: h, Body: body}, l.List(), nil
}

func encodeCount(n *llm.TokenCount, l *losses) []byte {
	l.extra("", n.Extra)
	var w jsonw.Writer
	o := wire.Begin(&w, n.Extra.In(Name))
	o.Int("input_tokens", n.Input)
	o.End()
	return w.Buf
}

func encodeResponse(req *llm.Request, r *llm.Response, m dialect.Meta, l *losses) []byte {
	a := answer{losses: l, names: dialect.NewToolNames(req), meta: m}
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

	var w jsonw.Writer
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("id", a.id(r.ID))
	o.Str("type", "message")
	o.Str("role", "assistant")
	o.Str("model", a.meta.ModelOr(r.Model))
	w.Key("content")
	appendBlocks(&w, blocks)
	a.stop(&w, c.Stop)
	if o.Free("usage") {
		w.Key("usage")
		l.extra("usage", r.Usage.Extra)
		l.usage(r.Usage)
		appendUsage(&w, r.Usage, l.tier(r.Tier))
	}
	o.End()
	return w.Buf
}

// tier says the tier that an answer was given at, in this dialect's words.
func (l *losses) tier(tier string) string {
	switch {
	case tier == "" || isTier(tier):
		return tier
	case tier == "default":
		return "standard"
	case dialect.PlainTier(tier):
		return ""
	}
	l.Add("service_tier", tier+" is not a tier here")
	return ""
}

// isTier reports whether an answer of the vendor's may be given at a tier.
func isTier(tier string) bool {
	switch tier {
	case "standard", "priority", "batch":
		return true
	}
	return false
}

// answer makes the parts of an answer fit to be said here.
type answer struct {
	*losses
	names   dialect.ToolNames
	meta    dialect.Meta
	calls   int  // tools of the caller's that were called
	refused bool // the model said a refusal
}

func (a *answer) id(id string) string {
	if id != "" {
		return id
	}
	return "msg_" + a.meta.CallID
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
		if b, ok := a.fit(b, "content["+itoa(i)+"]"); ok {
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
		return a.fitThought(b, path), home || b.Text != "" || b.Origin != ""
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
func (a *answer) callName(n int) string { return "toolu_" + fitID(a.meta.CallID) + "_" + itoa(n) }

// fitThought says another vendor's reasoning. What only that vendor can read goes in an envelope, to come back
// in the next turn.
func (a *answer) fitThought(b llm.Thought, path string) llm.Thought {
	a.extra(path, b.Extra)
	if b.Origin == Name || b.Extra.Dialect == Name {
		return b
	}
	switch {
	case b.Origin == "" && dialect.Signed(b):
		a.Add(path+".signature", dialect.Foreign)
	case b.Sealed != "" && b.Text == "":
		return llm.Thought{Sealed: dialect.Enclose(b)}
	case dialect.Signed(b):
		return llm.Thought{Text: b.Text, Signature: dialect.Enclose(b)}
	}
	return llm.Thought{Text: b.Text}
}

// stop writes why the answer ended.
func (a *answer) stop(w *jsonw.Writer, s llm.Stop) {
	a.extra("", s.Extra)
	kept := s.Extra.In(Name)
	word := stopWord(s, a.calls > 0, a.refused)
	if s.Reason == llm.StopFilter {
		a.Add("stop_reason", "a host's filter is said as a refusal")
	}
	if s.Reason == llm.StopError {
		a.Add("finish_reason", "an error is said as the end of the turn")
	}
	if s.Reason == llm.StopOther && s.Raw != word && s.Raw != "" {
		a.Add("finish_reason", s.Raw+" is said as the end of the turn")
	}
	if word == "" {
		w.KeyNull("stop_reason")
	} else {
		w.KeyStr("stop_reason", word)
	}
	if !slices.ContainsFunc(kept, func(f llm.Field) bool { return f.Key == "stop_sequence" }) {
		if s.Sequence != "" || word == "stop_sequence" {
			w.KeyStr("stop_sequence", s.Sequence)
		} else {
			w.KeyNull("stop_sequence")
		}
	}
	for _, f := range kept {
		w.KeyRaw(f.Key, f.Raw)
	}
}

// Gist implements dialect.Client.
func (c *codec) Gist(body []byte) dialect.Gist {
	var g dialect.Gist
	if c.op != llm.OpGenerate {
		return g
	}
	doc, ok := c.docs.Get().(*wire.Doc)
	if !ok {
		doc = new(wire.Doc)
	}
	defer c.docs.Put(doc)
	v, err := doc.Read(body)
	if err != nil {
		return g
	}
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "id":
			g.ID = m.Text()
		case "model":
			g.Model = m.Text()
		case "usage":
			// A usage object that cannot be read is one that was not reported.
			g.Usage, g.Tier, _ = decodeUsage(m)
		case "stop_reason":
			if word := m.Text(); word != "" {
				g.Stop, _ = stopReason(word)
			}
		case "content":
			g.Text = answerSize(m)
		}
		return nil
	})
	return g
}

// answerSize counts the bytes of the texts of an answer.
func answerSize(content wire.Value) int {
	n := 0
	if content.Kind() != '[' {
		return 0
	}
	_ = content.Elems(func(_ int, b wire.Value) error {
		if b.Kind() == '{' {
			t := answerText(b)
			if n += t.Bytes(); t.Kind() == '{' {
				n += t.Span().End - t.Span().Start
			}
		}
		return nil
	})
	return n
}
