package responses

import (
	"fmt"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/openai/platform"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

const (
	wholeObject = "response"
	countObject = "response.input_tokens"
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
	if e := v.Get("error"); e.Kind() == '"' || e.Kind() == '{' {
		return nil, inStream(v, r.Body)
	}
	if c.op == llm.OpCountTokens {
		return decodeCount(v)
	}
	if v.Get("status").Is("failed") {
		return nil, inStream(v, r.Body)
	}
	res, err := decodeResponse(v)
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer cannot be understood: "+err.Error())
	}
	return res, nil
}

func decodeCount(v wire.Value) (llm.Result, error) {
	var n llm.TokenCount
	counted := false
	err := v.Fields(Name, &n.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "object":
			return m.Is(countObject), nil
		case "input_tokens":
			n.Input, err = m.Int()
			counted = true
			return true, err
		}
		return false, nil
	})
	if err == nil && !counted {
		err = wire.Bad("input_tokens", "a whole number")
	}
	if err != nil {
		return nil, badUpstream(err, "the upstream's answer cannot be understood: "+err.Error())
	}
	n.Extra = bare(n.Extra)
	return &n, nil
}

// repeats reports whether a member of an answer only says again what the request said, or is of use to the
// vendor's own caller alone: nothing is lost without it.
func repeats(key string) bool {
	switch key {
	case "background", "billing", "completed_at", "error", "instructions", maxOutput, "max_tool_calls", "metadata",
		"parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention",
		"prompt_cache_options", "reasoning", "safety_identifier", "store", "temperature", "text", "tool_choice", "tools",
		"top_logprobs", "top_p", "truncation", "user", "frequency_penalty", "presence_penalty", "conversation", "output_text",
		"moderation":
		return true
	}
	return false
}

func decodeResponse(v wire.Value) (*llm.Response, error) {
	r := &llm.Response{}
	c := llm.Choice{}
	var blocks []llm.Block
	seen := map[string]bool{}
	err := v.Fields(Name, &r.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		k := string(key)
		seen[k] = true
		switch k {
		case "id":
			return m.StrTo(&r.ID)
		case "model":
			return m.StrTo(&r.Model)
		case "object":
			return m.Is(wholeObject), nil
		case "created_at":
			n, err := m.Int()
			r.Created = n
			return err == nil && n != 0 && m.JSON() == fmt.Sprint(n), nil
		case "service_tier":
			return m.StrTo(&r.Tier)
		case "usage":
			return m.Kind() == '{', nil
		case "output":
			return true, m.Elems(func(_ int, el wire.Value) error {
				if el.Kind() != '{' {
					return wire.Bad("", "an object")
				}
				blocks = append(blocks, answerItem(el)...)
				c.Logprobs = logprobsOf(c.Logprobs, el)
				return nil
			})
		case "status", "incomplete_details":
			return true, nil // see decodeStop
		}
		if repeats(k) {
			tell(&r.Extra, k, m.JSON())
			return true, nil
		}
		return false, nil
	})
	if err == nil && !seen["output"] {
		err = wire.Bad("output", "a list of items")
	}
	for _, key := range [...]string{"id", "model", "object", "created_at", "usage", "status", "incomplete_details"} {
		if _, null := r.Extra.Get(key); !seen[key] && !null {
			r.Extra.Note(Name, key)
		}
	}
	c.Blocks = blocks
	r.Usage = decodeUsage(v, true)
	if err == nil && len(blocks) == 0 && saysNothing(v, &r.Usage) {
		err = wire.Bad("output", "at least one item of an answer that is completed")
	}
	c.Stop = decodeStop(v, hasCall(blocks))
	r.Choices = []llm.Choice{c}
	return r, err
}

// saysNothing reports whether an answer without items is none: it was completed, and no token of it was made. A model
// may choose to say nothing, which takes it a token or two.
func saysNothing(v wire.Value, u *llm.Usage) bool {
	return v.Get("status").Is(completed) && u.Out() == 0
}

func hasCall(blocks []llm.Block) bool {
	for _, b := range blocks {
		if _, ok := b.(llm.ToolUse); ok {
			return true
		}
	}
	return false
}

// logprobsOf adds the log probabilities of a message item.
func logprobsOf(l *llm.Logprobs, item wire.Value) *llm.Logprobs {
	content := item.Get("content")
	if !item.Get("type").Is("message") || content.Kind() != '[' {
		return l
	}
	_ = content.Elems(func(_ int, part wire.Value) error {
		if list := decodeLogprobs(part.Get("logprobs")); len(list) > 0 {
			if l == nil {
				l = &llm.Logprobs{}
			}
			l.Content = append(l.Content, list...)
		}
		return nil
	})
	return l
}

// decodeStop reads why an answer ended, of its status.
func decodeStop(v wire.Value, called bool) llm.Stop {
	s := llm.Stop{Extra: named()}
	status := v.Get("status").Text()
	details := v.Get("incomplete_details")
	if details.Kind() == '{' && details.Len() > 1 {
		tell(&s.Extra, "incomplete_details", details.JSON())
	}
	switch status {
	case completed, "":
		s.Reason = llm.StopEnd
		if called {
			s.Reason = llm.StopTool
		}
	case incomplete:
		switch word := details.Get("reason").Text(); word {
		case "max_output_tokens", "max_tokens", "length":
			s.Reason = llm.StopLength
			if word != "max_output_tokens" {
				s.Raw = word
			}
		case "content_filter":
			s.Reason = llm.StopFilter
		default:
			s.Reason, s.Raw = llm.StopOther, word
		}
	default: // queued, in progress, cancelled: an answer of a call in the background
		s.Reason, s.Raw = llm.StopOther, status
		tell(&s.Extra, "status", quote(status))
	}
	return s
}

// stopWords returns the status of an answer, and the reason where it is not complete.
func (s *speaker) stopWords(stop llm.Stop) (status, reason string) {
	home := stop.Extra.Dialect == Name
	if raw, ok := told(stop.Extra, "status"); ok {
		return wire.Raw(raw).Text(), ""
	}
	if home && stop.Raw != "" {
		return incomplete, stop.Raw
	}
	if !home {
		s.nameStop(stop)
	}
	switch stop.Reason {
	case llm.StopLength, llm.StopContext:
		return incomplete, "max_output_tokens"
	case llm.StopFilter:
		return incomplete, "content_filter"
	case llm.StopRefusal:
		if !s.spoke {
			return incomplete, "content_filter"
		}
	case llm.StopOther:
		if home {
			return incomplete, ""
		}
	}
	return completed, ""
}

// nameStop names what of a stop cannot be said.
func (s *speaker) nameStop(stop llm.Stop) {
	const path = "choices[0].finish_reason"
	switch stop.Reason {
	case llm.StopPause:
		s.Add(path, "the turn is paused and wants to be sent back; said as completed")
	case llm.StopRefusal:
		if !s.spoke {
			s.Add(path, "a refusal is said as content_filter")
		}
	case llm.StopContext:
		s.Add(path, "a full context window is said as max_output_tokens")
	case llm.StopOther, llm.StopError:
		s.Add(path, "said as completed")
	}
	if stop.Sequence != "" {
		s.Add("stop_sequence", "which sequence was met")
	}
	s.extra(path, stop.Extra)
}

// EncodeResponse implements dialect.Server.
func (c *codec) EncodeResponse(p llm.Payload, res llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	s := newSpeaker(p, m)
	var w jsonw.Writer
	switch r := res.(type) {
	case *llm.TokenCount:
		s.extra("", r.Extra)
		o := wire.Begin(&w, r.Extra.In(Name))
		o.Str("object", countObject)
		o.Int("input_tokens", r.Input)
		o.End()
	case *llm.Response:
		s.whole(&w, r)
	default:
		return dialect.Reply{}, nil, internal("EncodeResponse", fmt.Errorf("a %T is no answer of this dialect", res))
	}
	return dialect.JSONReply(w.Buf), s.List(), nil
}

// whole writes an answer.
func (s *speaker) whole(w *jsonw.Writer, r *llm.Response) {
	var c llm.Choice
	for i, x := range r.Choices {
		if i == 0 {
			c = x
			continue
		}
		s.Add("choices["+itoa(i)+"]", "one answer is given here")
	}
	s.extra("", r.Extra)
	s.extra("choices[0]", c.Extra)
	s.extra("choices[0].message", c.Message)
	s.extra("usage", r.Usage.Extra)
	items := s.items(c)
	out := outcome{usage: &r.Usage}
	out.status, out.reason = s.stopWords(c.Stop)
	if raw, ok := told(c.Stop.Extra, "incomplete_details"); ok {
		out.details = raw
	}
	sh := shell{ID: r.ID, Model: r.Model, Created: r.Created, Tier: r.Tier, Extra: r.Extra}
	s.answer(w, sh, out, func() {
		for _, it := range items {
			it.append(w)
		}
	})
}

// items makes items of the blocks of a choice.
func (s *speaker) items(c llm.Choice) []*item {
	var items []*item
	var last *item
	for i, b := range c.Blocks {
		path := "choices[0].message.content[" + itoa(i) + "]"
		if !joins(last, b) {
			it, ok := s.itemFor(b, path)
			if !ok {
				continue
			}
			items, last = append(items, it), it
		}
		var logprobs []llm.Logprob
		if c.Logprobs != nil && lastText(c.Blocks, i) {
			logprobs = c.Logprobs.Content
		}
		b = s.fit(last, b, path, logprobs)
		last.blocks = append(last.blocks, b)
		if t, ok := s.carrier(b); ok {
			items = append(items, &item{kind: kindReasoning, id: t.Item, blocks: []llm.Block{t}})
			last = nil
		}
	}
	if n := len(items); n > 0 && c.Stop.Reason == llm.StopLength {
		items[n-1].cut()
	}
	return items
}

// lastText reports whether a block is the last text of an answer: the log probabilities of an answer of
// another dialect are those of its one text.
func lastText(blocks []llm.Block, i int) bool {
	for _, b := range blocks[i+1:] {
		if _, ok := b.(llm.Text); ok {
			return false
		}
	}
	_, ok := blocks[i].(llm.Text)
	return ok
}

// cut marks an item as one that was not said to its end.
func (it *item) cut() {
	switch it.kind {
	case kindMessage:
		it.status = incomplete
	case kindCall, "shell_call", "local_shell_call", "apply_patch_call", "tool_search_call":
		if b, _ := it.blocks[0].(llm.ToolUse); wire.Raw(b.Args).Kind() != '{' {
			it.status = incomplete
		}
	}
}

// fit makes a block fit to be said in its item.
func (s *speaker) fit(it *item, b llm.Block, path string, logprobs []llm.Logprob) llm.Block {
	switch b := b.(type) {
	case llm.Text:
		signature, origin := b.Signature, b.Origin
		b = s.fitText(b, path, logprobs)
		b.Signature, b.Origin = signature, origin
		return b
	case llm.Refusal:
		s.spoke = true
		s.extra(path, b.Extra)
		return b
	case llm.ToolUse:
		b = s.fitCall(b, path)
		if blank(b.Args) && it.kind == kindCall && b.Extra.Dialect != Name {
			b.Args = "{}"
		}
		return b
	case llm.Thought:
		s.extra(path, b.Extra)
		return b
	case llm.Media:
		s.extra(path, b.Extra)
		return b
	}
	return b
}

// shell is what an answer says besides its items.
type shell = llm.Start

// outcome is how far an answer is.
type outcome struct {
	status, reason string
	details        string // incomplete_details as it stood
	failure        *platform.Fault
	usage          *llm.Usage // nil while it is not known
}

// answer writes an answer; output writes its items. One that came in another dialect repeats what the
// request said, as this dialect's do.
func (s *speaker) answer(w *jsonw.Writer, sh shell, out outcome, output func()) {
	o := wire.Begin(w, retold(sh.Extra))
	id := sh.ID
	if sh.Extra.Dialect != Name && (id == "" || s.meta.Kept != nil) {
		id = s.answerID()
	}
	o.OptStr("id", id)
	o.Str("object", wholeObject)
	if sh.Created == 0 && sh.Extra.Dialect != Name {
		sh.Created = s.meta.Now
	}
	if sh.Created != 0 {
		o.Int("created_at", sh.Created)
	}
	if sh.Extra.Dialect != Name {
		if out.status == "completed" {
			o.Int("completed_at", max(s.meta.Now, sh.Created))
		} else {
			o.Raw("completed_at", "null")
		}
	}
	o.Str("status", out.status)
	s.outcome(w, o, out)
	o.Str("model", s.meta.ModelOr(sh.Model))
	w.KeyOpen("output", '[')
	output()
	w.Close(']')
	if out.usage != nil && o.Free("usage") && (sh.Extra.Dialect != Name || out.usage.Reported != 0 || !out.usage.Extra.Empty()) {
		if sh.Extra.Dialect != Name { // searches are counted among the items there
			s.AddUsage(Name, *out.usage, llm.ClassCacheRead, llm.ClassCacheWrite5m, llm.ClassReasoning)
		}
		w.Key("usage")
		appendUsage(w, *out.usage)
	} else if sh.Extra.Dialect != Name {
		o.Raw("usage", "null")
	}
	tier := s.tier(sh.Tier, sh.Extra.Dialect)
	if tier == "" && sh.Extra.Dialect != Name {
		tier = "default"
	}
	o.OptStr("service_tier", tier)
	if sh.Extra.Dialect != Name {
		s.repeat(o, w)
	}
	o.End()
}

// answerID makes the id of an answer that has none, or whose own says nothing here: what is kept is found by
// the id that it was kept under.
func (s *speaker) answerID() string { return "resp_" + s.meta.CallID }

func (s *speaker) outcome(w *jsonw.Writer, o wire.Object, out outcome) {
	switch {
	case out.details != "":
		o.Raw("incomplete_details", out.details)
	case out.reason != "" && o.Free("incomplete_details"):
		w.KeyOpen("incomplete_details", '{')
		w.KeyStr("reason", out.reason)
		w.Close('}')
	default:
		o.Raw("incomplete_details", "null")
	}
	switch {
	case out.failure != nil:
		w.KeyOpen("error", '{')
		w.KeyStr("code", out.failure.Code)
		w.KeyStr("message", out.failure.Message)
		w.Close('}')
	default:
		o.Raw("error", "null")
	}
}

// repeat says again what the request said, and of what it did not say what holds then: those who check
// answers against the published schema want all of it.
func (s *speaker) repeat(o wire.Object, w *jsonw.Writer) {
	r := s.req
	if r == nil || r.Extra.Dialect != Name {
		r = &llm.Request{}
	}
	s.repeatKept(o, w)
	o.Str("truncation", "disabled")
	s.repeatPrompt(o, r)
	o.OptFloat("temperature", llm.Some(r.Temperature.Or(1)))
	o.OptFloat("top_p", llm.Some(r.TopP.Or(1)))
	o.OptFloat("presence_penalty", llm.Some(r.PresencePenalty.Or(0)))
	o.OptFloat("frequency_penalty", llm.Some(r.FrequencyPenalty.Or(0)))
	o.Int("top_logprobs", int64(r.TopLogprobs.V))
	if most, ok := r.Extra.Get("max_tool_calls"); ok && r.Extra.Dialect == Name {
		o.Raw("max_tool_calls", most)
	} else {
		o.Raw("max_tool_calls", "null")
	}
	if r.MaxOut.Set {
		o.OptInt(maxOutput, r.MaxOut)
	} else {
		o.Raw(maxOutput, "null")
	}
	o.OptBool("parallel_tool_calls", llm.Some(r.Parallel.Or(true)))
	w.KeyOpen("tools", '[')
	for _, t := range r.Tools {
		repeatTool(w, t)
	}
	w.Close(']')
	w.Key("tool_choice")
	if r.Choose.Mode != llm.ChooseUnset || r.Choose.Opaque.Raw != "" {
		appendChoice(w, r.Choose)
	} else {
		w.Str(string(llm.ChooseAuto))
	}
	s.repeatShape(w, r)
	w.KeyOpen("metadata", '{')
	for _, f := range r.Metadata {
		w.KeyRaw(f.Key, f.Raw)
	}
	w.Close('}')
	w.KeyStrOrNull("prompt_cache_key", r.CacheKey)
	user, safety := r.User, ""
	if r.Extra.Noted(Name, noteSafety) {
		user, safety = "", r.User
	}
	w.KeyStrOrNull("user", user)
	w.KeyStrOrNull("safety_identifier", safety)
}

// repeatKept says whether the answer is kept, and what it goes on from.
func (s *speaker) repeatKept(o wire.Object, w *jsonw.Writer) {
	k := s.meta.Kept
	if k == nil {
		o.Raw("background", "false")
		o.Raw("store", "false")
		o.Raw("previous_response_id", "null")
		return
	}
	w.KeyBool("background", k.Background)
	o.Raw("store", "true")
	w.KeyStrOrNull("previous_response_id", k.Previous)
	if k.Conversation == "" {
		return
	}
	w.KeyOpen("conversation", '{')
	w.KeyStr("id", k.Conversation)
	w.Close('}')
}

func (s *speaker) repeatPrompt(o wire.Object, r *llm.Request) {
	for _, m := range r.Messages {
		if m.Place == "field" {
			if t, ok := onlyText(m.Blocks); ok {
				o.Str("instructions", t)
				return
			}
		}
	}
	o.Raw("instructions", "null")
}

// repeatShape says again how hard to think, and the shape of the answer.
func (s *speaker) repeatShape(w *jsonw.Writer, r *llm.Request) {
	w.Key("reasoning")
	t := r.Thinking
	if t == nil {
		t = &llm.Thinking{}
	}
	x := wire.Begin(w, retold(t.Extra))
	if t.Effort != "" {
		x.Str("effort", t.Effort)
	} else {
		x.Raw("effort", "null")
	}
	x.Raw("summary", "null")
	x.End()
	e := requestEncoder{home: true, w: jsonw.Writer{}}
	f := r.Output
	if f.Kind == llm.FormatUnset {
		f = llm.Format{Kind: llm.FormatText}
	}
	e.format(f)
	w.KeyOpen("text", '{')
	w.KeyRaw("format", e.w.String())
	w.Close('}')
}

// Gist implements dialect.Client.
func (c *codec) Gist(body []byte) dialect.Gist {
	var g dialect.Gist
	if c.op == llm.OpCountTokens {
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
	if v.Get("status").Is("failed") {
		return g
	}
	g.ID, g.Model = v.Get("id").Text(), v.Get("model").Text()
	g.Usage = decodeUsage(v, false)
	if tier := v.Get("service_tier"); !tier.Is("default") {
		g.Tier = tier.Text()
	}
	called := false
	if out := v.Get("output"); out.Kind() == '[' {
		_ = out.Elems(func(_ int, item wire.Value) error {
			kind := item.Get("type")
			called = called || kind.Is(kindCall) || kind.Is(kindCustom)
			g.Text += itemText(item)
			return nil
		})
		if out.Len() > 0 || !saysNothing(v, &g.Usage) {
			g.Stop = decodeStop(v, called).Reason
		}
	}
	return g
}

// itemText counts the bytes of answer in an item.
func itemText(item wire.Value) int {
	n := item.Get("arguments").Bytes() + item.Get("input").Bytes()
	for _, key := range [...]string{"content", "summary"} {
		if list := item.Get(key); list.Kind() == '[' {
			_ = list.Elems(func(_ int, part wire.Value) error {
				n += part.Get("text").Bytes() + part.Get("refusal").Bytes()
				return nil
			})
		}
	}
	return n
}

// tier returns the word for the tier that served an answer, "" where there is none for that of another vendor.
func (s *speaker) tier(tier, from string) string {
	switch tier {
	case "", "auto", "default", "flex", "priority", "scale":
		return tier
	case "standard":
		if from != Name {
			return "default"
		}
	}
	if from != Name {
		s.Add("service_tier", tier+" is not a tier here")
		return ""
	}
	return tier
}
