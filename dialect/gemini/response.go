package gemini

import (
	"fmt"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes of how an answer was said.
const (
	noteNoIndex     = "no index"
	noteNoContent   = "no content"
	noteNoUsage     = "no usageMetadata"
	noteNoCandidate = "no candidates"
	noteCandidates  = "candidates: []"
	noteHome        = "said here"
)

// DecodeResponse implements dialect.Client.
func (c *codec) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not valid JSON")
	}
	if v.Kind() == '[' && c.op == llm.OpGenerate {
		return c.decodeList(r.Body)
	}
	if v.Kind() != '{' {
		return nil, dialect.BadUpstream(op, nil, "the upstream's answer is not a JSON object")
	}
	if e := v.Get("error"); e.Kind() == '{' {
		return nil, inStream(r.Body)
	}
	var res llm.Result
	if c.op == llm.OpCountTokens {
		res, err = decodeTokens(v)
	} else {
		res, err = decodeResponse(v)
	}
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer cannot be understood: "+err.Error())
	}
	return res, nil
}

// decodeTokens reads a count. Other figures beside it stay as they stand.
func decodeTokens(v wire.Value) (*llm.TokenCount, error) {
	var n llm.TokenCount
	err := fields(v, &n.Extra, func(key string, m wire.Value) (known bool, err error) {
		if key != "totalTokens" {
			return false, nil
		}
		n.Input, err = m.Int()
		return true, err
	})
	if !v.Get("totalTokens").Found() && err == nil {
		err = wire.Bad("totalTokens", "a whole number")
	}
	return &n, err
}

func decodeResponse(v wire.Value) (*llm.Response, error) {
	r := &llm.Response{}
	r.Extra.Note(Name, noteHome)
	found, listed := false, false
	var feedback wire.Value
	err := fields(v, &r.Extra, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "candidates":
			if m.Kind() != '[' {
				return false, nil
			}
			found, listed = m.Len() > 0, true
			return true, m.Elems(func(i int, el wire.Value) error {
				c, err := decodeCandidate(el, i)
				r.Choices = append(r.Choices, c)
				return err
			})
		case "usageMetadata":
			if m.Kind() != '{' {
				return false, nil
			}
			r.Usage = decodeUsage(m)
			r.Tier = takeTier(&r.Usage)
			return true, nil
		case "modelVersion":
			return m.StrTo(&r.Model)
		case "responseId":
			return m.StrTo(&r.ID)
		case "createTime":
			return readTime(m, &r.Created, &r.Extra), nil
		case "promptFeedback":
			feedback = m
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if !v.Get("usageMetadata").Found() && !v.Get("usage_metadata").Found() {
		r.Extra.Note(Name, noteNoUsage)
	}
	r.Usage.Searches = searches(v.Get("candidates"))
	if !found {
		if blocked(feedback).Reason != llm.StopFilter {
			return nil, wire.Bad("candidates", "a list of answers, or promptFeedback.blockReason why there is none")
		}
		r.Choices = []llm.Choice{{Stop: blocked(feedback), Extra: home()}}
		note := noteNoCandidate
		if listed {
			note = noteCandidates
		}
		r.Choices[0].Extra.Note(Name, note)
	}
	nameCalls(r)
	return r, nil
}

// takeTier takes the tier that an answer was given at out of its usage, where it stands.
func takeTier(u *llm.Usage) string {
	raw, rest := wire.Take(u.Extra, Name, "serviceTier")
	word := wire.Raw(raw).Text()
	if word == "" {
		return ""
	}
	u.Extra = rest
	u.Extra.Note(Name, noteWas+"serviceTier "+raw)
	return word
}

// readTime reads when an answer was made. How it was written is noted.
func readTime(v wire.Value, to *int64, x *llm.Extra) bool {
	at, err := time.Parse(time.RFC3339Nano, v.Text())
	if err != nil {
		return false
	}
	*to = at.Unix()
	wasWritten(x, "createTime", v)
	return true
}

// blocked tells why a prompt was not answered.
func blocked(feedback wire.Value) llm.Stop {
	reason := feedback.Get("blockReason").Text()
	if reason == "" {
		reason = feedback.Get("block_reason").Text()
	}
	if reason == "" {
		return llm.Stop{Reason: llm.StopOther, Extra: home()}
	}
	return llm.Stop{Reason: llm.StopFilter, Raw: reason, Extra: home()}
}

// searches counts the web searches that an answer's grounding tells of.
func searches(candidates wire.Value) int64 {
	var n int64
	if candidates.Kind() != '[' {
		return 0
	}
	_ = candidates.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
		n += int64(el.Get("groundingMetadata", "webSearchQueries").Len())
		return nil
	})
	return n
}

// nameCalls gives calls without an id one, the same for the same answer and call, and has their signatures
// carried beside them.
func nameCalls(r *llm.Response) {
	for i := range r.Choices {
		c := &r.Choices[i]
		var out []llm.Block
		n := 0
		for _, b := range c.Blocks {
			if u, ok := b.(llm.ToolUse); ok {
				u = nameCall(u, r.ID, c.Index, n)
				n++
				if t, ok := carrier(u); ok {
					u.Signature, u.Origin = "", ""
					out = append(out, t)
				}
				b = u
			}
			out = append(out, b)
		}
		c.Blocks = out
	}
}

func nameCall(u llm.ToolUse, answer string, choice, n int) llm.ToolUse {
	if u.ID == "" {
		u.ID = callID("answer", answer, itoa(choice), itoa(n), u.Name, u.Args)
		u.Extra.Note(Name, "functionCall."+noteNoID)
	}
	return u
}

func decodeCandidate(v wire.Value, i int) (llm.Choice, error) {
	c := llm.Choice{Index: i}
	c.Extra.Note(Name, noteHome)
	indexed, content := false, false
	err := fields(v, &c.Extra, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "index":
			n, err := m.Int()
			c.Index, indexed = int(n), true
			return true, err
		case "content":
			if m.Kind() != '{' {
				return false, nil
			}
			content = true
			c.Blocks, err = answerBlocks(m, &c.Message)
			return true, err
		case "finishReason":
			c.Stop = decodeStop(m)
			return true, nil
		case "logprobsResult":
			c.Logprobs = decodeLogprobs(m)
			return c.Logprobs != nil, nil
		}
		return false, nil
	})
	if !indexed {
		c.Extra.Note(Name, noteNoIndex)
	}
	if !content {
		c.Extra.Note(Name, noteNoContent)
	}
	if c.Message.Empty() {
		c.Message = llm.Extra{}
	}
	settleStop(&c.Stop, c.Blocks)
	cite(c.Blocks, citationsOf(v, textOf(c.Blocks)))
	return c, err
}

// answerBlocks reads the parts of an answer. One that is not as it should be is carried as it stands: an
// answer was paid for, and is not thrown away for a detail.
func answerBlocks(v wire.Value, x *llm.Extra) ([]llm.Block, error) {
	var out []llm.Block
	roled, parts := false, false
	err := fields(v, x, func(key string, m wire.Value) (known bool, err error) {
		switch key {
		case "role":
			roled = true
			return m.Is("model"), nil
		case "parts":
			if m.Kind() != '[' {
				return false, nil
			}
			parts = true
			return true, m.Elems(func(_ int, el wire.Value) error {
				out = append(out, answerBlock(el))
				return nil
			})
		}
		return false, nil
	})
	if !roled {
		x.Note(Name, noteNoRole)
	}
	if !parts {
		x.Note(Name, noteNoParts)
	}
	return out, err
}

func answerBlock(v wire.Value) llm.Block {
	b, err := decodePart(v)
	if err != nil {
		return opaque("", v)
	}
	if _, ok := b.(llm.ToolDone); ok { // the model answers no calls
		return opaque(partResponse, v)
	}
	return b
}

// finishWords are the reasons to finish, by their numbers.
func finishWords() []string {
	return []string{
		"FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST",
		"PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY",
	}
}

// decodeStop reads why an answer ended, by its name or its number.
func decodeStop(v wire.Value) llm.Stop {
	s := llm.Stop{Extra: home()}
	word := v.Text()
	if n, err := v.Int(); err == nil {
		if words := finishWords(); n >= 0 && int(n) < len(words) {
			word = words[n]
		}
		wasWritten(&s.Extra, "finishReason", v)
	}
	s.Reason = stopReason(word)
	if word != "STOP" && word != "MAX_TOKENS" {
		s.Raw = word
	}
	return s
}

func stopReason(word string) llm.StopReason {
	switch word {
	case "STOP":
		return llm.StopEnd
	case "MAX_TOKENS":
		return llm.StopLength
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
		"IMAGE_RECITATION", "MODEL_ARMOR", "JAILBREAK":
		return llm.StopFilter
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE",
		"MISSING_THOUGHT_SIGNATURE":
		return llm.StopError
	case "", "FINISH_REASON_UNSPECIFIED":
		return llm.StopUnset
	}
	return llm.StopOther
}

// settleStop says of an answer that ends with calls that it does: the API says STOP of these too.
func settleStop(s *llm.Stop, blocks []llm.Block) {
	if s.Reason != llm.StopEnd {
		return
	}
	for _, b := range blocks {
		if _, ok := b.(llm.ToolUse); ok {
			s.Reason = llm.StopTool
		}
	}
}

// stopWord says why an answer ended.
func stopWord(s llm.Stop) string {
	if s.Extra.Dialect == Name && s.Raw != "" {
		return s.Raw
	}
	switch s.Reason {
	case llm.StopLength, llm.StopContext:
		return "MAX_TOKENS"
	case llm.StopFilter, llm.StopRefusal:
		return "SAFETY"
	case llm.StopError:
		if s.Extra.Dialect != Name {
			return "OTHER"
		}
	case llm.StopOther:
		return "OTHER"
	}
	return "STOP"
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
	o := begin(&w, n.Extra)
	o.int("totalTokens", n.Input)
	o.End()
	return w.Buf
}

func encodeResponse(req *llm.Request, r *llm.Response, m dialect.Meta, l *losses) []byte {
	a := answer{losses: l, names: dialect.NewToolNames(req), callID: m.CallID}
	l.extra("", r.Extra)
	l.extra("usage", r.Usage.Extra)
	l.usage(r.Usage)
	home := r.Extra.Dialect == Name
	var w jsonw.Writer
	o := begin(&w, r.Extra)
	if !silent(r.Choices) {
		o.key("candidates")
		w.Open('[')
		for _, c := range r.Choices {
			a.candidate(&w, c)
		}
		w.Close(']')
	} else if len(r.Choices) == 1 && r.Choices[0].Extra.Noted(Name, noteCandidates) {
		w.KeyRaw("candidates", "[]")
	}
	if !home || !r.Extra.Noted(Name, noteNoUsage) && o.free("usageMetadata") {
		o.key("usageMetadata")
		appendUsage(&w, a.withTier(r.Usage, r.Tier))
	}
	if home {
		o.optStr("modelVersion", r.Model)
	} else {
		o.optStr("modelVersion", m.ModelOr(r.Model))
	}
	if r.Created != 0 && home {
		o.was("createTime")
	}
	if id := or(r.ID, m.CallID); !home || r.ID != "" {
		o.optStr("responseId", id)
	}
	o.End()
	return w.Buf
}

func or(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// silent reports whether an answer is the one choice that stands for none.
func silent(choices []llm.Choice) bool {
	return len(choices) == 0 ||
		len(choices) == 1 && (choices[0].Extra.Noted(Name, noteNoCandidate) || choices[0].Extra.Noted(Name, noteCandidates))
}

// answer makes the parts of an answer fit to be said here.
type answer struct {
	*losses
	names   dialect.ToolNames
	callID  string
	refused bool // the model said a refusal
}

// withTier puts the tier that an answer was given at into its usage, where it stands here.
func (a *answer) withTier(u llm.Usage, tier string) llm.Usage {
	switch {
	case tier == "":
		return u
	case u.Extra.Dialect != Name:
		if tier != "default" && tier != "standard" {
			a.Add("service_tier", "")
		}
	default:
		for _, f := range u.Extra.Fields {
			if raw, ok := strings.CutPrefix(f.Key, noteWas+"serviceTier "); ok && f.Raw == "" {
				x := llm.Extra{Dialect: Name, Fields: append([]llm.Field(nil), u.Extra.Fields...)}
				x.Add(Name, "serviceTier", raw)
				u.Extra = x
				return u
			}
		}
	}
	return u
}

func choicePath(i int) string { return "choices[" + itoa(i) + "]" }

func (a *answer) candidate(w *jsonw.Writer, c llm.Choice) {
	path := choicePath(c.Index)
	home := c.Extra.Dialect == Name
	a.extra(path, c.Extra)
	a.extra(path+".message", c.Message)
	var blocks []llm.Block
	for i, b := range bringHome(c.Blocks) {
		if b, ok := a.fit(b, path+".message.content["+itoa(i)+"]"); ok {
			blocks = append(blocks, b)
		}
	}
	o := begin(w, c.Extra)
	if !c.Extra.Noted(Name, noteNoContent) && o.free("content") {
		o.key("content")
		appendContent(w, blocks, c.Message)
	}
	a.finish(o, c.Stop)
	if !c.Extra.Noted(Name, noteNoIndex) {
		o.int("index", int64(c.Index))
	}
	if !home {
		a.ground(w, c.Blocks)
	}
	if c.Logprobs != nil && o.free("logprobsResult") {
		o.key("logprobsResult")
		a.logprobs(w, *c.Logprobs)
	}
	o.End()
}

func appendContent(w *jsonw.Writer, blocks []llm.Block, x llm.Extra) {
	o := begin(w, x)
	if !x.Noted(Name, noteNoParts) {
		o.key("parts")
		appendParts(w, blocks)
	}
	if !x.Noted(Name, noteNoRole) {
		o.str("role", "model")
	}
	o.End()
}

// finish says why an answer ended, and names what cannot be said of it.
func (a *answer) finish(o object, s llm.Stop) {
	a.extra("", s.Extra)
	switch {
	case s.Reason == llm.StopUnset && s.Raw == "":
		return
	case s.Extra.Dialect == Name:
		in := object{o.Object, o.w, s.Extra.Fields}
		if in.was("finishReason") {
			return
		}
	case s.Reason == llm.StopRefusal, a.refused && (s.Reason == llm.StopEnd || s.Reason == llm.StopFilter):
		a.Add("stop_reason", "a refusal is said as SAFETY")
		s.Reason = llm.StopRefusal
	case s.Reason == llm.StopPause:
		a.Add("stop_reason", "a turn to be continued is said as the end of the turn")
	case s.Reason == llm.StopError && stopWord(s) == "OTHER":
		a.Add("finish_reason", "an error is said as OTHER")
	case s.Sequence != "":
		a.Add("stop_sequence", "")
	}
	o.str("finishReason", stopWord(s))
}

// fit returns a block of an answer as it can be said, or false for one that cannot.
func (a *answer) fit(b llm.Block, path string) (llm.Block, bool) {
	if u, ok := b.(llm.ToolUse); ok {
		return a.fitCall(u, path), true
	}
	if dialect.SaidIn(Name, b) {
		return b, true
	}
	switch b := b.(type) {
	case llm.Thought:
		a.extra(path, b.Extra)
		b.Extra = llm.Extra{}
		return b, !b.Empty()
	case llm.Refusal:
		a.refused = true
		a.extra(path, b.Extra)
		a.Add(path+".refusal", "said as text")
		return llm.Text{Text: b.Text}, b.Text != ""
	case llm.Text:
		a.extra(path, b.Extra)
		return llm.Text{Text: b.Text}, b.Text != ""
	case llm.Media:
		a.extra(path, b.Extra)
		if b.Data != "" {
			return llm.Media{Kind: b.Kind, Data: b.Data, MIME: mimeOf(b, b.Name)}, true
		}
		a.Add(path, string(b.Kind)+" without its data")
	case llm.Opaque:
		a.Add(path, strings.TrimSpace(b.Type+" "+dialect.Foreign))
	case llm.ToolDone:
		a.Add(path, "a result of a tool in an answer")
	}
	return nil, false
}

func (a *answer) fitCall(b llm.ToolUse, path string) llm.Block {
	b.Name = a.names.Back(b.Name)
	if b.Extra.Dialect != Name || !splice.IsObject(b.Args) {
		if b.Signature != "" && b.Origin != Name {
			a.Add(path+".signature", dialect.Foreign)
			b.Signature = ""
		}
		b = a.fitArgs(b, path)
		if b.Extra.Dialect != Name {
			b.Extra = llm.Extra{}
		}
	}
	return b
}

// Gist implements dialect.Client.
func (c *codec) Gist(body []byte) dialect.Gist {
	var found [5]splice.Member
	keys := [...]string{"candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback"}
	if _, err := splice.Scan(body, splice.MaxDepth, keys[:], found[:]); err != nil || c.op != llm.OpGenerate {
		return dialect.Gist{}
	}
	at := func(i int) wire.Value { return wire.At(body, found[i].Value) }
	g := dialect.Gist{Model: at(2).Text(), ID: at(3).Text()}
	if found[1].Found() {
		g.Usage = decodeUsage(at(1))
		g.Tier = takeTier(&g.Usage)
	}
	candidates := at(0)
	g.Usage.Searches = searches(candidates)
	first := candidates.Get("0")
	if !first.Found() {
		if s := blocked(at(4)); s.Reason == llm.StopFilter { // else it is no answer
			g.Stop = s.Reason
		}
		return g
	}
	s := decodeStop(first.Get("finishReason"))
	parts := first.Get("content", "parts")
	if parts.Kind() == '[' {
		_ = parts.Elems(func(_ int, p wire.Value) error { // the visit has no error to give
			g.Text += partSize(p)
			if s.Reason == llm.StopEnd && p.Get(partCall).Found() {
				s.Reason = llm.StopTool
			}
			return nil
		})
	}
	g.Stop = s.Reason
	return g
}

// partSize counts the bytes of an answer in a part.
func partSize(p wire.Value) int {
	return p.Get(partText).Bytes() + len(p.Get(partCall, "args").JSON()) + p.Get("executableCode", "code").Bytes()
}
