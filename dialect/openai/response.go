package openai

import (
	"fmt"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// noteParts notes that the content of an answer was a list of parts, as Mistral says it.
const noteParts = "content: parts"

const (
	wholeObject = "chat.completion"
	chunkObject = "chat.completion.chunk"
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
	if v.Get("choices").Kind() != '[' && hasError(v) {
		return nil, inStream(r.Body)
	}
	res, err := decodeResponse(v)
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer cannot be understood: "+err.Error())
	}
	if len(res.Choices) == 0 {
		if !promptFiltered(v) {
			return nil, badUpstream(nil, "the upstream's answer has no choices")
		}
		res.Choices = []llm.Choice{{Stop: llm.Stop{Reason: llm.StopFilter}}}
	}
	return res, nil
}

// promptFiltered reports whether Azure says of an answer without choices that a filter held the prompt back. The
// results of a filter that let it pass are no reason for there being no answer.
func promptFiltered(v wire.Value) bool {
	results, held := v.Get("prompt_filter_results"), false
	if results.Kind() != '[' {
		return false
	}
	_ = results.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
		found := el.Get("content_filter_results")
		if found.Kind() != '{' {
			return nil
		}
		return found.Members(func(_ []byte, m wire.Value) error {
			filtered, _ := m.Get("filtered").Bool()
			held = held || filtered
			return nil
		})
	})
	return held
}

// hasError reports whether what has no choices, with status 200, is an error after all: hosts say one in
// several shapes.
func hasError(v wire.Value) bool {
	e := v.Get("error")
	switch {
	case e.Kind() == '{' || e.Kind() == '"', v.Get("object").Is("error"), v.Get("base_resp", "status_code").Count() != 0:
		return true
	case v.Get("choices").Found() || v.Get("id").Found():
		return false
	}
	return v.Get("message").Kind() == '"' || v.Get("detail").Found()
}

func decodeResponse(v wire.Value) (*llm.Response, error) {
	r := &llm.Response{}
	seen := map[string]bool{}
	err := v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		seen[string(key)] = true
		switch string(key) {
		case "id":
			return m.StrTo(&r.ID)
		case "model":
			return m.StrTo(&r.Model)
		case "object":
			return m.Text() == wholeObject, nil
		case "created":
			n, err := m.Int()
			r.Created = n
			return err == nil && n != 0, nil
		case "service_tier":
			known, err = m.StrTo(&r.Tier)
			noteTier(&r.Extra, r.Tier)
			return known, err
		case "usage":
			r.Usage = decodeUsage(m)
			return m.Kind() == '{', nil
		case "choices":
			r.Choices = nil
			return true, m.Elems(func(i int, el wire.Value) error {
				c, err := decodeChoice(i, el)
				r.Choices = append(r.Choices, c)
				return err
			})
		}
		return false, nil
	})
	for _, key := range [...]string{"id", "model", "object", "created", "usage", "choices"} {
		if _, null := r.Extra.Get(key); !seen[key] && !null {
			r.Extra.Note(Name, key)
		}
	}
	if r.Extra.Empty() {
		r.Extra = llm.Extra{}
	}
	return r, err
}

func decodeChoice(i int, v wire.Value) (llm.Choice, error) {
	c := llm.Choice{Index: i}
	var said message
	word, spoke := "", false
	indexed, finished, logged := false, false, false
	err := v.Fields(Name, &c.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "index":
			indexed = true
			var n int64
			n, err = m.Int()
			c.Index = int(n)
		case "message":
			spoke = true
			said, err = readMessage(m)
		case "finish_reason":
			finished = true
			return m.StrTo(&word)
		case "logprobs":
			logged = true
			if m.Kind() != '{' {
				return false, nil
			}
			c.Logprobs, err = decodeLogprobs(m)
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return c, err
	}
	for _, m := range []struct {
		key  string
		said bool
	}{{"index", indexed}, {"finish_reason", finished}, {"logprobs", logged}, {"message", spoke}} {
		if _, null := c.Extra.Get(m.key); !m.said && !null {
			c.Extra.Note(Name, m.key)
		}
	}
	if spoke {
		c.Blocks, c.Message, err = said.answer()
		if err != nil {
			return c, wire.Under(err, "message")
		}
	}
	c.Stop = decodeStop(word, hasCall(c.Blocks))
	return c, nil
}

func hasCall(blocks []llm.Block) bool {
	for _, b := range blocks {
		if _, ok := b.(llm.ToolUse); ok {
			return true
		}
	}
	return false
}

// answer makes the blocks of an answer's message.
func (m *message) answer() ([]llm.Block, llm.Extra, error) {
	var l blockList
	for _, f := range []struct {
		key string
		v   wire.Value
	}{{"name", m.name}, {"tool_call_id", m.callID}} {
		if f.v.Found() {
			m.extra.Add(Name, f.key, f.v.JSON())
		}
	}
	if m.role.Text() != "assistant" {
		if _, null := m.extra.Get("role"); m.role.Found() {
			m.extra.Add(Name, "role", m.role.JSON())
		} else if !null {
			m.extra.Note(Name, "role")
		}
	}
	if _, null := m.extra.Get("refusal"); !m.refusal.Found() && !null {
		m.extra.Note(Name, "refusal")
	}
	if m.content.Kind() == '[' {
		m.extra.Note(Name, noteParts)
	}
	if _, err := m.blocks(&l); err != nil {
		return nil, m.extra, err
	}
	m.annotate(l.blocks)
	return l.blocks, m.extra, nil
}

// annotate puts citations where they belong: on the text.
func (m *message) annotate(blocks []llm.Block) {
	v := m.annotations
	if !v.Found() {
		return
	}
	n := v.Len()
	if v.Kind() == '[' && n == 0 {
		m.extra.Note(Name, noteNoAnnotations)
		return
	}
	for i, b := range blocks {
		t, ok := b.(llm.Text)
		if !ok || v.Kind() != '[' {
			continue
		}
		_ = v.Elems(func(_ int, el wire.Value) error {
			t.Citations = append(t.Citations, decodeCitation(el))
			return nil
		})
		blocks[i] = t
		return
	}
	m.extra.Add(Name, "annotations", v.JSON())
}

// EncodeResponse implements dialect.Server.
func (c *codec) EncodeResponse(p llm.Payload, res llm.Result, meta dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	r, ok := res.(*llm.Response)
	if !ok || r == nil {
		return dialect.Reply{}, nil, internal("EncodeResponse", fmt.Errorf("cannot say a %T", res))
	}
	req, _ := p.(*llm.Request)
	a := answer{names: dialect.NewToolNames(req), meta: meta}
	body := a.encode(r)
	h := http.Header{"Content-Type": {"application/json"}}
	return dialect.Reply{Status: http.StatusOK, Header: h, Body: body}, a.List(), nil
}

// answer says one unstreamed answer.
type answer struct {
	losses
	w     jsonw.Writer
	names dialect.ToolNames
	meta  dialect.Meta
}

func (a *answer) encode(r *llm.Response) []byte {
	a.extra("", r.Extra)
	o := wire.Begin(&a.w, r.Extra.In(Name))
	o.Str("id", answerID(r.ID, a.meta))
	o.Str("object", wholeObject)
	o.Int("created", createdAt(r.Created, a.meta))
	o.Str("model", a.meta.ModelOr(r.Model))
	if o.Free("choices") {
		a.w.KeyOpen("choices", '[')
		for _, c := range r.Choices {
			a.choice(c)
		}
		a.w.Close(']')
	}
	if o.Free("usage") {
		a.extra("usage", r.Usage.Extra)
		a.usage(r.Usage)
		a.w.Key("usage")
		appendUsage(&a.w, r.Usage)
	}
	o.OptStr("service_tier", a.tier(r.Tier, r.Extra.Dialect))
	o.End()
	return a.w.Buf
}

// answerID returns the id of an answer. Clients want one where the upstream gave none.
func answerID(id string, m dialect.Meta) string {
	if id == "" {
		return "chatcmpl-" + m.CallID
	}
	return id
}

func createdAt(t int64, m dialect.Meta) int64 {
	if t == 0 {
		return m.Now
	}
	return t
}

// tier returns a service tier in this dialect's words.
func (l *losses) tier(tier, from string) string {
	switch {
	case from == Name, known(tier):
		return tier
	case tier == "standard":
		return "default"
	case !dialect.PlainTier(tier):
		l.Add("service_tier", tier+" is not a tier here")
	}
	return ""
}

// known reports whether a tier is one of the vendor's own words.
func known(tier string) bool {
	switch tier {
	case "auto", "default", "priority", "flex", "scale", "fast":
		return true
	}
	return false
}

// noteTier notes that a tier is one of some host's of this dialect.
func noteTier(e *llm.Extra, tier string) {
	if tier != "" && !known(tier) {
		e.Note(Name, "service_tier: the host's")
	}
}

func (a *answer) choice(c llm.Choice) {
	path := "choices[" + itoa(c.Index) + "]"
	a.extra(path, c.Extra)
	a.stop(c.Stop, path)
	blocks := c.Blocks
	if c.Message.Dialect != Name {
		blocks = unplaced(blocks)
	}
	s := sortSpeech(blocks)
	o := wire.Begin(&a.w, c.Extra.In(Name))
	o.Int("index", int64(c.Index))
	if o.Free("message") {
		a.w.Key("message")
		if c.Message.Dialect == Name {
			a.home(s, c.Message)
		} else {
			a.extra(path+".message", c.Message)
			a.order(c.Blocks, path+".message")
			a.foreign(s, path+".message", c.Stop.Reason == llm.StopLength)
		}
	}
	if o.Free("logprobs") {
		a.w.Key("logprobs")
		if c.Logprobs != nil {
			a.AddLogprobs(Name, path+".logprobs", c.Logprobs)
			appendLogprobs(&a.w, c.Logprobs)
		} else {
			a.w.Null()
		}
	}
	if word := stopWord(c.Stop, s.called()); word != "" {
		o.Str("finish_reason", word)
	} else {
		o.Raw("finish_reason", "null")
	}
	o.End()
}

// home says a message as it stood in this dialect.
func (a *answer) home(s speech, extra llm.Extra) {
	w := &a.w
	o := wire.Begin(w, extra.In(Name))
	o.Str("role", "assistant")
	s.appendThoughts(w, extra)
	switch {
	case !o.Free("content"):
	case extra.Noted(Name, noteParts):
		w.Key("content")
		appendParts(w, s.parts)
	default:
		w.KeyStr("content", s.text())
	}
	if s.refusal != nil {
		w.KeyStr("refusal", s.refusal.Text)
	}
	if s.called() {
		appendCalls(w, s.calls)
	} else if extra.Noted(Name, noteNoCalls) {
		w.KeyRaw("tool_calls", "[]")
	}
	if len(s.cites) > 0 || extra.Noted(Name, noteNoAnnotations) {
		appendAnnotations(w, s.cites)
	}
	o.End()
}

// foreign says a message that came in another dialect, or was put together of a stream.
func (a *answer) foreign(s speech, path string, cut bool) {
	w := &a.w
	w.Open('{')
	w.KeyStr("role", "assistant")
	text := s.text()
	switch {
	case text != "" || !s.called() && s.refusal == nil:
		w.KeyStr("content", text)
	default:
		w.KeyNull("content")
	}
	if s.refusal != nil {
		w.KeyStr("refusal", s.refusal.Text)
	} else {
		w.KeyNull("refusal")
	}
	s.appendForeign(w, fieldThought)
	for _, b := range s.calls {
		if u, ok := b.(llm.ToolUse); ok {
			a.extra(path+".tool_calls", u.Extra)
		}
	}
	if s.called() {
		appendCalls(w, fitCalls(s.calls, a.names, cut))
	}
	if cites := a.place(s.parts, path); len(cites) > 0 {
		appendAnnotations(w, cites)
	}
	w.Close('}')
}

// unplaced returns blocks in which reasoning does not say which field of another dialect it stood in: such
// fields may have the same names here.
func unplaced(blocks []llm.Block) []llm.Block {
	var out []llm.Block
	for i, b := range blocks {
		t, ok := b.(llm.Thought)
		if !ok || t.Field == "" || t.Extra.Dialect == Name {
			continue
		}
		if out == nil {
			out = slices.Clone(blocks)
		}
		t.Field = ""
		out[i] = t
	}
	if out == nil {
		return blocks
	}
	return out
}

// place names the parts that an answer cannot hold, and returns the citations with the spans of the
// whole text that they support.
func (a *answer) place(parts []llm.Block, path string) []llm.Citation {
	var cites []llm.Citation
	at := 0
	for i, b := range parts {
		t, ok := b.(llm.Text)
		if !ok {
			a.Add(path+".content["+itoa(i)+"]", blockWord(b)+" cannot be said in an answer here")
			continue
		}
		n := utf8.RuneCountInString(t.Text)
		for _, c := range t.Citations {
			if !citable(c) {
				a.Add(path+".content["+itoa(i)+"].citations", "only pages on the web can be cited")
				continue
			}
			if c.Opaque.Raw != "" && c.Opaque.Dialect != Name {
				a.Add(path+".content["+itoa(i)+"].citations", cited)
			}
			cites = append(cites, spanned(c, at, at+n))
		}
		at += n
	}
	return cites
}

// spanned gives a citation that another dialect puts on a block of text the span of that block.
func spanned(c llm.Citation, start, end int) llm.Citation {
	if c.Opaque.Dialect != Name && (c.Kind != llm.CiteURL || c.End <= c.Start) {
		c.Start, c.End = start, end
	}
	return c
}

// order names text that follows a call: here a message's text comes before its calls.
func (l *losses) order(blocks []llm.Block, path string) {
	called := false
	for _, b := range blocks {
		switch b := b.(type) {
		case llm.ToolUse:
			called = true
		case llm.Text:
			l.extra(path+".content", b.Extra)
			if called && b.Text != "" {
				l.Add(path+".content", "text after a tool call is said before it")
			}
			if b.Signature != "" && b.Extra.Dialect != Name {
				l.Add(path+".content.signature", dialect.Foreign)
			}
		case llm.Refusal:
			l.extra(path+".content", b.Extra)
		}
	}
}

// blockWord names a kind of block to people.
func blockWord(b llm.Block) string {
	switch b := b.(type) {
	case llm.Media:
		return string(b.Kind)
	case llm.Opaque:
		return b.Type
	case llm.Thought:
		return "reasoning"
	case llm.ToolDone:
		return "a tool's result"
	}
	return "this"
}

// Gist implements dialect.Client.
func (c *codec) Gist(body []byte) dialect.Gist {
	doc, ok := c.docs.Get().(*wire.Doc)
	if !ok {
		doc = new(wire.Doc)
	}
	defer c.docs.Put(doc)
	var g dialect.Gist
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
			g.Usage = meterUsage(m)
		case "service_tier":
			if !m.Is("default") {
				g.Tier = m.Text()
			}
		case "choices":
			return m.Elems(func(i int, v wire.Value) error {
				g.Text += gistChoice(&g, i, v)
				return nil
			})
		}
		return nil
	})
	return g
}

func gistChoice(g *dialect.Gist, i int, v wire.Value) (text int) {
	if v.Kind() != '{' {
		return 0
	}
	m := v.Get("message")
	if i == 0 {
		called := m.Kind() == '{' && m.Get("tool_calls").Len() > 0
		g.Stop = decodeStop(v.Get("finish_reason").Text(), called).Reason
	}
	if m.Kind() != '{' {
		return 0
	}
	_ = m.Members(func(key []byte, f wire.Value) error {
		switch string(key) {
		case "content", "refusal", fieldThought, fieldReasoning, "tool_calls":
			text += max(f.Bytes(), 0)
			if f.Kind() == '[' {
				text += f.Span().End - f.Span().Start
			}
		}
		return nil
	})
	return text
}
