package cohere

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// DecodeResponse implements dialect.Client.
func (c *first) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not valid JSON")
	}
	if v.Kind() != '{' || v.Get("text").Kind() != '"' {
		if v.Get("message").Kind() == '"' {
			return nil, inStream(r.Body)
		}
		return nil, dialect.BadUpstream(op, nil, "the upstream's answer has no text")
	}
	res, err := decodeFirst(v)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer cannot be understood: "+err.Error())
	}
	return res, nil
}

func decodeFirst(v wire.Value) (*llm.Response, error) {
	out := &llm.Response{}
	ch := llm.Choice{}
	text := llm.Text{Extra: firstHome()}
	var calls []llm.Block
	documents := v.Get("documents")
	err := v.Fields(FirstName, &out.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "generation_id":
			return m.StrTo(&out.ID)
		case "response_id":
			out.Extra.Note(FirstName, noteAnswer+m.JSON())
		case "text":
			text.Text, err = m.Str()
		case "chat_history":
			// It repeats what the caller has said.
			out.Extra.Note(FirstName, noteHistory+m.JSON())
		case "tool_calls":
			err = m.Elems(func(i int, el wire.Value) error {
				c, err := decodeFirstCall(el)
				c.ID = "call_" + itoa(i)
				calls = append(calls, c)
				return err
			})
			if len(calls) == 0 && err == nil {
				out.Extra.Note(FirstName, "tool_calls"+noteEmpty)
			}
		case "citations":
			err = m.Elems(func(_ int, el wire.Value) error {
				text.Citations = append(text.Citations, decodeFirstCitation(el, documents))
				return nil
			})
			if len(text.Citations) == 0 && err == nil {
				out.Extra.Note(FirstName, "citations"+noteEmpty)
			}
		case "documents":
			// What is cited tells of it.
			out.Extra.Note(FirstName, noteDocument+m.JSON())
		case "finish_reason":
			ch.Stop = decodeStop(m.Text())
			return m.Kind() == '"', nil
		case "meta":
			out.Usage = decodeUsage(m)
			return m.Kind() == '{', nil
		default:
			return false, nil
		}
		return true, err
	})
	if ch.Stop.Reason == llm.StopEnd && len(calls) > 0 {
		ch.Stop.Reason = llm.StopTool
	}
	ch.Blocks = append([]llm.Block{text}, calls...)
	out.Choices = []llm.Choice{ch}
	return out, err
}

// Notes of answers of the first version.
const (
	noteAnswer  = "response_id: "
	noteHistory = "chat_history: "
)

// decodeFirstCitation reads a citation, and what it cites among the documents of the answer.
func decodeFirstCitation(v, documents wire.Value) llm.Citation {
	c := llm.Citation{
		Quote: v.Get("text").Text(), Source: -1, Start: int(v.Get("start").Count()), End: int(v.Get("end").Count()),
		Opaque: llm.Opaque{Dialect: FirstName, Type: v.Get("type").Text(), Raw: v.JSON()},
	}
	id := v.Get("document_ids", "0").Text()
	if documents.Kind() != '[' || id == "" {
		return c
	}
	_ = documents.Elems(func(_ int, d wire.Value) error {
		if d.Get("id").Text() != id {
			return nil
		}
		c.Title, c.URL = d.Get("title").Text(), d.Get("url").Text()
		if c.URL != "" {
			c.Kind = llm.CiteURL
		}
		return splice.ErrStop
	})
	return c
}

// EncodeResponse implements dialect.Server.
func (c *first) EncodeResponse(p llm.Payload, res llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	r, ok := res.(*llm.Response)
	if !ok {
		return dialect.Reply{}, nil, dialect.InternalFault(op, fmt.Errorf("a %T is no answer of this dialect", res))
	}
	req, _ := p.(*llm.Request)
	a := newFirstAnswer(req, m.CallID)
	var w jsonw.Writer
	a.whole(&w, r)
	return dialect.JSONReply(w.Buf), a.List(), nil
}

// firstAnswer makes the parts of an answer fit to be said in the first version.
type firstAnswer struct {
	answer
	req *llm.Request

	parts     strings.Builder // of the text
	runes     int             // of the parts
	text      string          // the parts, once all are said
	calls     []llm.ToolUse
	citations []string
	documents []string
	sources   map[string]bool // whose documents are told
}

func newFirstAnswer(req *llm.Request, callID string) *firstAnswer {
	a := &firstAnswer{req: req, answer: answer{names: dialect.NewToolNames(req), callID: callID}, sources: map[string]bool{}}
	a.own = FirstName
	return a
}

// whole writes a whole answer.
func (a *firstAnswer) whole(w *jsonw.Writer, r *llm.Response) {
	var ch llm.Choice
	for i, x := range r.Choices {
		if i == 0 {
			ch = x
			continue
		}
		a.Add("choices["+itoa(i)+"]", "one answer is given here")
	}
	for i, b := range ch.Blocks {
		a.add(b, "content["+itoa(i)+"]")
	}
	a.text = a.parts.String()
	a.extra("", r.Extra)
	a.extra("choices[0]", ch.Extra)
	a.extra("choices[0].message", ch.Message)
	a.tier(r.Tier)
	if ch.Logprobs != nil && len(ch.Logprobs.Content)+len(ch.Logprobs.Refusal) > 0 {
		a.Add("logprobs", "")
	}
	home := r.Extra.Dialect == FirstName
	o := wire.Begin(w, r.Extra.In(FirstName))
	a.head(w, r, home)
	w.KeyStr("text", a.text)
	o.OptStr("generation_id", a.id(r.ID))
	a.history(w, r, home)
	if word := a.firstReason(ch.Stop); word != "" {
		o.Str("finish_reason", word)
	}
	a.lists(w, r)
	a.meta(w, r)
	firstEmptied(w, r.Extra)
	o.End()
}

func (a *firstAnswer) head(w *jsonw.Writer, r *llm.Response, home bool) {
	if raw := firstNoted(r.Extra, noteAnswer); raw != "" {
		w.KeyRaw("response_id", raw)
	} else if !home {
		w.KeyStr("response_id", a.id(r.ID))
	}
}

func (a *firstAnswer) lists(w *jsonw.Writer, r *llm.Response) {
	if len(a.calls) > 0 {
		w.KeyOpen("tool_calls", '[')
		for _, c := range a.calls {
			appendFirstCall(w, c)
		}
		w.Close(']')
	}
	appendAll(w, "citations", a.citations)
	if raw := firstNoted(r.Extra, noteDocument); raw != "" {
		w.KeyRaw("documents", raw)
	} else {
		appendAll(w, "documents", a.documents)
	}
}

func (a *firstAnswer) meta(w *jsonw.Writer, r *llm.Response) {
	a.answer.extraUsage(r.Usage)
	if r.Usage.Zero() && r.Usage.Extra.Dialect != Name {
		return
	}
	a.AddUsage(Name, r.Usage, llm.ClassCacheRead, llm.ClassReasoning, llm.ClassSearch)
	w.Key("meta")
	u := r.Usage
	if _, versioned := u.Extra.Get("api_version"); !versioned && r.Extra.Dialect != a.version() {
		// What another version or vendor says of usage has no version in it, which clients look for.
		u.Extra = llm.Extra{Dialect: Name, Fields: append([]llm.Field{{Key: "api_version", Raw: `{"version":"1"}`}}, u.Extra.In(Name)...)}
		if r.Usage.Extra.Dialect != Name {
			u.Extra = llm.Extra{Fields: u.Extra.Fields[:1]}
		}
		appendMeta(w, u)
		return
	}
	appendUsage(w, r.Usage)
}

// appendMeta writes usage with the version in front.
func appendMeta(w *jsonw.Writer, u llm.Usage) {
	var inner jsonw.Writer
	appendUsage(&inner, u)
	w.Open('{')
	if u.Extra.Dialect != Name {
		wire.AppendFields(w, u.Extra.Fields)
	}
	wire.AppendMembers(w, inner.String())
	w.Close('}')
}

// history repeats the conversation with the answer at its end, as the vendor does: clients send it back.
func (a *firstAnswer) history(w *jsonw.Writer, r *llm.Response, home bool) {
	raw := firstNoted(r.Extra, noteHistory)
	if home && raw == "" {
		return
	}
	w.KeyOpen("chat_history", '[')
	own := false
	switch {
	case raw != "":
		own = a.before(w, wire.Raw(raw))
	case a.req != nil:
		a.turns(w)
	}
	if !own {
		(&firstTurn{role: firstBot, message: a.text, told: true, calls: a.calls}).append(w)
	}
	w.Close(']')
}

// before writes the history as it stood, and reports whether the answer at its end is the one that is said: its text may
// have been changed since.
func (a *firstAnswer) before(w *jsonw.Writer, list wire.Value) (own bool) {
	n := list.Len()
	_ = list.Elems(func(i int, el wire.Value) error {
		own = i == n-1 && el.Get("message").Text() == a.text
		if i < n-1 || own || strings.ToUpper(el.Get("role").Text()) != firstBot {
			w.Raw(el.JSON())
		}
		return nil
	})
	return own
}

// turns writes what the request said.
func (a *firstAnswer) turns(w *jsonw.Writer) {
	e := firstEncoder{requestEncoder: requestEncoder{r: a.req, home: a.req.Extra.Dialect == FirstName}}
	e.own = FirstName
	e.arrange()
	for _, t := range e.turns {
		t.append(w)
	}
	if e.now != "" {
		(&firstTurn{role: firstUser, message: e.now, told: true}).append(w)
	}
	if len(e.results) > 0 {
		(&firstTurn{role: firstTool, results: e.results}).append(w)
	}
}

// add puts a block where this version has it.
func (a *firstAnswer) add(b llm.Block, path string) {
	switch b := b.(type) {
	case llm.Thought:
		if b.Field == notePlan && b.Extra.Dialect == Name {
			a.say(b.Text)
			return
		}
		if !b.Empty() {
			a.extra(path, b.Extra)
			a.Add(path, "reasoning")
		}
		return
	case llm.ToolUse:
		a.calls = append(a.calls, a.call(b, path))
		return
	}
	fit, ok := a.fit(b, path)
	if t, text := fit.(llm.Text); ok && text {
		if t.Text != "" && len(a.calls) > 0 {
			a.Add(path, "a text after a call is said before it")
		}
		at := a.runes
		a.say(t.Text)
		for _, c := range t.Citations {
			a.citation(c, t.Text, at)
		}
	} else if ok {
		a.Add(path, dialect.Foreign)
	}
}

func (a *firstAnswer) say(text string) {
	a.parts.WriteString(text)
	a.runes += utf8.RuneCountInString(text)
}

func (a *firstAnswer) call(b llm.ToolUse, path string) llm.ToolUse {
	if b.Extra.Dialect == FirstName {
		a.answer.calls++
		return b
	}
	c := a.answer.call(b, path)
	if !splice.IsObject(c.Args) {
		a.Add(path, "arguments that are no object are left out")
	}
	return c
}

// citation says a citation, and the document that it cites.
func (a *firstAnswer) citation(c llm.Citation, text string, at int) {
	if c.Opaque.Dialect == FirstName {
		a.citations = append(a.citations, c.Opaque.Raw)
		return
	}
	v := wire.Raw(citation(c, text, 0))
	var w jsonw.Writer
	w.Open('{')
	w.KeyInt("start", v.Get("start").Count()+int64(at))
	w.KeyInt("end", v.Get("end").Count()+int64(at))
	w.KeyStr("text", v.Get("text").Text())
	w.KeyOpen("document_ids", '[')
	_ = v.Get("sources").Elems(func(_ int, s wire.Value) error {
		id := s.Get("id").Text()
		w.Str(id)
		if id != "" && !a.sources[id] {
			a.sources[id] = true
			a.documents = append(a.documents, firstSource(s, id))
		}
		return nil
	})
	w.Close(']')
	w.Close('}')
	a.citations = append(a.citations, w.String())
}

// firstSource says what a citation cites as a document of texts by name.
func firstSource(s wire.Value, id string) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("id", id)
	_ = s.Get("document").Members(func(key []byte, m wire.Value) error {
		if string(key) != "id" {
			text := m.Text()
			if m.Kind() != '"' {
				text = m.JSON()
			}
			w.KeyStr(string(key), text)
		}
		return nil
	})
	w.Close('}')
	return w.String()
}

// firstReason returns the word for why an answer ended: there is none for a call of a tool.
func (a *firstAnswer) firstReason(s llm.Stop) string {
	word := a.reason(s)
	if word == "TOOL_CALL" {
		return "COMPLETE"
	}
	return word
}

// Gist implements dialect.Client.
func (c *first) Gist(body []byte) dialect.Gist {
	keys := [...]string{"generation_id", "meta", "finish_reason", "text", "tool_calls"}
	var found [len(keys)]splice.Member
	if _, err := splice.Scan(body, splice.MaxDepth, keys[:], found[:]); err != nil {
		return dialect.Gist{}
	}
	at := func(i int) wire.Value { return wire.At(body, found[i].Value) }
	g := dialect.Gist{ID: at(0).Text(), Usage: decodeUsage(at(1)), Stop: decodeStop(at(2).Text()).Reason}
	if at(2).Text() == "" {
		g.Stop = llm.StopUnset
	}
	if calls := at(4); g.Stop == llm.StopEnd && calls.Kind() == '[' && calls.Len() > 0 {
		g.Stop = llm.StopTool
	}
	g.Text = len(strings.TrimSpace(at(3).Text())) + len(found[4].Value.Raw(body))
	return g
}
