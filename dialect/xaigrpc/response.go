package xaigrpc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// noteNanos keeps the fraction of a second at which an answer was made.
const noteNanos = "nanos "

// noteStep keeps of a step of an answer its index, the number of the reason why it ended, and how many blocks
// it had.
const noteStep = "step "

// output is one output of an answer: a choice, or where xAI runs tools itself, a step on the way.
type output struct {
	index, finish, role int64
	thought, encrypted  string
	content             string
	calls               [][]byte
	citations           [][]byte
	logprobs            []byte
	rest, message       llm.Extra
	raw                 []byte
}

// hosted reports whether an output is a step of an answer that goes on.
func (o *output) hosted() bool {
	if o.role == roleTool {
		return true
	}
	for _, c := range o.calls {
		if callKind(c) > callClient {
			return true
		}
	}
	return false
}

func callKind(b []byte) (kind int64) {
	_ = fields(b, func(f field) error {
		if f.tag == 2<<3|varint {
			kind = f.int()
		}
		return nil
	})
	return kind
}

// The numbers of an output's fields differ between whole answers and chunks.
type outputShape struct{ finish, index, message, logprobs int }

func wholeShape() outputShape { return outputShape{finish: 1, index: 2, message: 3, logprobs: 4} }
func chunkShape() outputShape { return outputShape{message: 1, logprobs: 2, finish: 3, index: 4} }

func (s outputShape) read(b []byte, o *output) error {
	o.raw = b
	return fields(b, func(f field) error {
		switch f.tag {
		case s.finish<<3 | varint:
			o.finish = f.int()
		case s.index<<3 | varint:
			o.index = f.int()
		case s.message<<3 | chars:
			return o.said(f.data)
		case s.logprobs<<3 | chars:
			o.logprobs = f.data
		default:
			keep(&o.rest, nil, f)
		}
		return nil
	})
}

// said reads a CompletionMessage or a Delta: they have the same fields.
func (o *output) said(b []byte) error {
	return fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			o.content = string(f.data)
		case 2<<3 | varint:
			o.role = f.int()
		case 3<<3 | chars:
			o.calls = append(o.calls, f.data)
		case 4<<3 | chars:
			o.thought = string(f.data)
		case 5<<3 | chars:
			o.encrypted = string(f.data)
		case 6<<3 | chars:
			o.citations = append(o.citations, f.data)
		default:
			keep(&o.message, answerNames(), f)
		}
		return nil
	})
}

// blocks returns the blocks of an output, in the order in which a model makes them.
func (o *output) blocks() []llm.Block {
	if o.role == roleTool {
		return []llm.Block{llm.Opaque{Dialect: Name, Type: opaqueOutput, Raw: said(o.raw)}}
	}
	out := thoughts(o.thought, o.encrypted)
	if o.content != "" || len(o.citations) > 0 {
		t := llm.Text{Text: o.content}
		for _, c := range o.citations {
			t.Citations = append(t.Citations, decodeCitation(c))
		}
		out = append(out, t)
	}
	for _, c := range o.calls {
		// What an upstream says wrongly of a call is passed on as it is.
		b, _ := decodeCall(c)
		out = append(out, b)
	}
	return out
}

func decodeCitation(b []byte) llm.Citation {
	c := llm.Citation{Kind: llm.CiteURL, Source: -1, Opaque: llm.Opaque{Dialect: Name, Type: opaqueCite, Raw: said(b)}}
	_ = fields(b, func(f field) error {
		switch f.tag {
		case 2<<3 | varint:
			c.Start = int(f.int())
		case 6<<3 | varint:
			c.End = int(f.int())
		case 3<<3 | chars, 4<<3 | chars:
			return fields(f.data, func(f field) error {
				if f.tag == 1<<3|chars {
					c.URL = string(f.data)
				}
				return nil
			})
		case 5<<3 | chars:
			c.Kind = llm.CiteOther
		}
		return nil
	})
	return c
}

// stopOf says why an output ended. An answer that was cut short by time is said as one that was too long.
func stopOf(reason int64) llm.Stop {
	switch reason {
	case 0:
		return llm.Stop{}
	case reasonLength:
		return llm.Stop{Reason: llm.StopLength}
	case reasonContext:
		return llm.Stop{Reason: llm.StopContext}
	case reasonStop:
		return llm.Stop{Reason: llm.StopEnd}
	case reasonTools:
		return llm.Stop{Reason: llm.StopTool}
	case reasonTime:
		return llm.Stop{Reason: llm.StopLength, Raw: "REASON_TIME_LIMIT"}
	}
	return llm.Stop{Reason: llm.StopOther, Raw: strconv.FormatInt(reason, 10)}
}

// reasonOf is the way back.
func reasonOf(s llm.Stop) int64 {
	switch s.Reason {
	case llm.StopLength:
		if s.Raw == "REASON_TIME_LIMIT" {
			return reasonTime
		}
		return reasonLength
	case llm.StopContext:
		return reasonContext
	case llm.StopTool:
		return reasonTools
	case llm.StopUnset:
		return 0
	case llm.StopOther:
		if n, err := strconv.ParseInt(s.Raw, 10, 32); err == nil {
			return n
		}
	}
	return reasonStop
}

// DecodeResponse implements dialect.Client.
func (c *codec) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	res, outputs, err := decodeAnswer(r.Body)
	if err != nil {
		return nil, dialect.BadUpstream("dialect/xaigrpc.DecodeResponse", err, "the upstream's answer is not a GetChatCompletionResponse")
	}
	if len(outputs) == 0 {
		return nil, dialect.BadUpstream("dialect/xaigrpc.DecodeResponse", errors.New("no outputs"), "the upstream's answer holds no output")
	}
	steps := false
	for i := range outputs {
		steps = steps || outputs[i].hosted()
	}
	for i := range outputs {
		o := &outputs[i]
		if i == 0 || !steps {
			res.Choices = append(res.Choices, llm.Choice{Index: int(o.index)})
		}
		ch := &res.Choices[len(res.Choices)-1]
		blocks := o.blocks()
		ch.Blocks = append(ch.Blocks, blocks...)
		if o.finish != 0 {
			ch.Stop = stopOf(o.finish)
		}
		if steps {
			ch.Extra.Note(Name, fmt.Sprintf("%s%d %d %d", noteStep, o.index, o.finish, len(blocks)))
		}
		if o.logprobs != nil {
			ch.Logprobs = decodeLogprobs(o.logprobs)
		}
		if o.role != roleTool {
			place := ""
			if steps {
				place = stepPlace(i)
			}
			placed(&ch.Extra, o.rest, place)
			placed(&ch.Message, o.message, place)
		}
	}
	return res, nil
}

// stepPlace heads the names of what was kept of a step, of which a choice may have several.
func stepPlace(i int) string { return "steps[" + strconv.Itoa(i) + "]." }

// placed adds fields under names that begin with a place.
func placed(to *llm.Extra, e llm.Extra, place string) {
	for _, f := range e.Fields {
		to.Add(e.Dialect, place+f.Key, f.Raw)
	}
}

// of writes what was kept of a step, or of an answer without steps.
func (m *message) of(e llm.Extra, i int) {
	for _, f := range e.In(Name) {
		if !strings.HasPrefix(f.Key, "steps[") || strings.HasPrefix(f.Key, stepPlace(i)) {
			m.b = append(m.b, unsaid(f.Raw)...)
		}
	}
}

func decodeAnswer(b []byte) (*llm.Response, []output, error) {
	res := &llm.Response{}
	var outputs []output
	err := fields(b, func(f field) (err error) {
		switch f.tag {
		case 1<<3 | chars:
			res.ID = string(f.data)
		case 2<<3 | chars:
			var o output
			err = wholeShape().read(f.data, &o)
			outputs = append(outputs, o)
		case 5<<3 | chars:
			res.Created = decodeTime(f.data, &res.Extra)
		case 6<<3 | chars:
			res.Model = string(f.data)
		case 9<<3 | chars:
			res.Usage, err = decodeUsage(f.data)
		case 15<<3 | varint:
			w := tiers()
			if res.Tier = wordOf(w[:], f.int()); res.Tier == "" {
				keep(&res.Extra, responseNames(), f)
			}
		default:
			keep(&res.Extra, responseNames(), f)
		}
		return err
	})
	return res, outputs, err
}

// decodeTime reads a Timestamp.
func decodeTime(b []byte, e *llm.Extra) (seconds int64) {
	_ = fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | varint:
			seconds = f.int()
		case 2<<3 | varint:
			e.Note(Name, noteNanos+strconv.FormatInt(f.int(), 10))
		}
		return nil
	})
	return seconds
}

func writeTime(m *message, seconds int64, e llm.Extra) {
	m.int(1, seconds)
	for _, f := range e.In(Name) {
		if n, ok := strings.CutPrefix(f.Key, noteNanos); ok && f.Raw == "" {
			v, _ := strconv.ParseInt(n, 10, 32)
			m.int(2, v)
		}
	}
}

func decodeLogprobs(b []byte) *llm.Logprobs {
	l := &llm.Logprobs{}
	_ = fields(b, func(f field) error {
		if f.tag == 1<<3|chars {
			l.Content = append(l.Content, decodeLogprob(f.data))
			return nil
		}
		keep(&l.Extra, nil, f)
		return nil
	})
	return l
}

func decodeLogprob(b []byte) llm.Logprob {
	p := llm.Logprob{Value: "0"}
	_ = fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | chars:
			p.Token = strings.ToValidUTF8(string(f.data), "\uFFFD")
		case 2<<3 | fixed32:
			p.Value = f.decimal()
		case 3<<3 | chars:
			p.Bytes = make([]int, len(f.data))
			for i, c := range f.data {
				p.Bytes[i] = int(c)
			}
		case 4<<3 | chars:
			p.Top = append(p.Top, decodeLogprob(f.data))
		default:
			keep(&p.Extra, nil, f)
		}
		return nil
	})
	return p
}

func writeLogprobs(m *message, l *llm.Logprobs) {
	for _, p := range l.Content {
		m.sub(1, func(m *message) { writeLogprob(m, p) })
	}
	m.extra(l.Extra)
}

func writeLogprob(m *message, p llm.Logprob) {
	m.text(1, p.Token)
	if v, err := strconv.ParseFloat(p.Value, 64); err == nil && v != 0 {
		m.float(2, v)
	}
	raw := make([]byte, len(p.Bytes))
	for i, c := range p.Bytes {
		raw[i] = byte(c) //nolint:gosec // they are bytes
	}
	m.bytes(3, raw)
	for _, t := range p.Top {
		m.sub(4, func(m *message) { writeLogprob(m, t) })
	}
	m.extra(p.Extra)
}

// Gist implements dialect.Client.
func (c *codec) Gist(body []byte) dialect.Gist {
	res, outputs, err := decodeAnswer(body)
	g := dialect.Gist{ID: res.ID, Model: res.Model, Usage: res.Usage.Metered()}
	if err != nil {
		return g
	}
	for i := range outputs {
		o := &outputs[i]
		if o.finish != 0 {
			g.Stop = stopOf(o.finish).Reason
		}
		if o.role == roleTool {
			continue
		}
		g.Text += len(o.content) + len(o.thought)
		for _, call := range o.calls {
			g.Text += len(call)
		}
	}
	return g
}

// EncodeResponse implements dialect.Server.
func (c *codec) EncodeResponse(p llm.Payload, r llm.Result, meta dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	res, ok := r.(*llm.Response)
	if !ok || res == nil {
		return dialect.Reply{}, nil, dialect.InternalFault("dialect/xaigrpc.EncodeResponse", fmt.Errorf("a %T", r))
	}
	e := answerEncoder{names: namesOf(p)}
	var m message
	id, created := answerID(res.ID, meta), res.Created
	if created == 0 {
		created = meta.Now
	}
	m.text(1, id)
	for i := range res.Choices {
		e.choice(&m, &res.Choices[i])
	}
	m.sub(5, func(m *message) { writeTime(m, created, res.Extra) })
	m.text(6, meta.ModelOr(res.Model))
	if !res.Usage.Zero() || !res.Usage.Extra.Empty() {
		e.lost("usage", res.Usage.Extra)
		e.AddUsage(Name, res.Usage, llm.ClassCacheRead, llm.ClassInputImage, llm.ClassReasoning)
		m.sub(9, func(m *message) { writeUsage(m, res.Usage) })
	}
	e.tier(&m, 15, res.Tier)
	e.lost("", res.Extra)
	m.extra(res.Extra)
	return dialect.Reply{Status: 200, Header: headersOut(), Body: m.b}, e.List(), nil
}

func namesOf(p llm.Payload) dialect.ToolNames {
	r, _ := p.(*llm.Request)
	return dialect.NewToolNames(r)
}

// answerEncoder says the parts of an answer.
type answerEncoder struct {
	dialect.Losses
	names dialect.ToolNames
}

func (e *answerEncoder) lost(path string, x llm.Extra) {
	if x.Dialect != Name {
		e.AddExtra(path, x)
	}
}

func (e *answerEncoder) tier(m *message, num int, tier string) {
	words := tiers()
	if n := numberOf(words[:], tier); n > 0 {
		m.num(num, n)
	} else if tier != "" {
		e.Add("service_tier", tier+" is not said here")
	}
}

// step is an output as it is being put together.
type step struct {
	thought, encrypted, content string
	calls, citations            []message
	sealed                      []llm.Thought // state of other vendors
}

func (s *step) empty() bool {
	return s.thought == "" && s.encrypted == "" && s.content == "" && len(s.calls) == 0 && len(s.sealed) == 0
}

// layout is where an output of a choice stands: its index, why it ended, and how many of the blocks it has.
type layout struct {
	index, finish int64
	blocks        int
}

// layoutOf returns the outputs that a choice is to be said in: those in which it came, or one.
func layoutOf(c *llm.Choice) []layout {
	var out []layout
	left := len(c.Blocks)
	for _, f := range c.Extra.In(Name) {
		var l layout
		if f.Raw != "" || !strings.HasPrefix(f.Key, noteStep) {
			continue
		}
		if n, err := fmt.Sscanf(f.Key[len(noteStep):], "%d %d %d", &l.index, &l.finish, &l.blocks); n == 3 && err == nil {
			l.blocks = min(l.blocks, left)
			left -= l.blocks
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return []layout{{int64(c.Index), reasonOf(c.Stop), left}}
	}
	out[len(out)-1].blocks += left
	return out
}

// choice says a choice as one output, or as the steps that xAI made of it.
func (e *answerEncoder) choice(m *message, c *llm.Choice) {
	path := "outputs[" + strconv.Itoa(c.Index) + "]"
	e.lost(path, c.Extra)
	e.lost(path+".message", c.Message)
	e.AddLogprobs(Name, path+".logprobs", c.Logprobs)
	outputs := layoutOf(c)
	at := 0
	for i, l := range outputs {
		blocks := c.Blocks[at : at+l.blocks]
		if len(blocks) == 1 {
			if o, ok := blocks[0].(llm.Opaque); ok && o.Dialect == Name && o.Type == opaqueOutput {
				m.bytes(2, unsaid(o.Raw))
				at++
				continue
			}
		}
		var s step
		for j, b := range blocks {
			e.block(&s, b, path+".content["+strconv.Itoa(at+j)+"]")
		}
		at += l.blocks
		last := i == len(outputs)-1
		m.sub(2, func(m *message) {
			m.int(1, l.finish)
			m.int(2, l.index)
			m.sub(3, func(m *message) {
				s.write(m)
				m.of(c.Message, i)
			})
			if last && c.Logprobs != nil {
				m.sub(4, func(m *message) { writeLogprobs(m, c.Logprobs) })
			}
			m.of(c.Extra, i)
		})
	}
	e.stop(path, c.Stop)
}

// stop names what the reason of an end does not tell.
func (e *answerEncoder) stop(path string, s llm.Stop) {
	switch s.Reason {
	case llm.StopOther:
		if _, err := strconv.ParseInt(s.Raw, 10, 32); err != nil {
			e.Add(path+".finish_reason", "said as REASON_STOP")
		}
	case llm.StopFilter, llm.StopRefusal, llm.StopPause, llm.StopError:
		e.Add(path+".finish_reason", string(s.Reason)+" is said as REASON_STOP")
	}
	if s.Sequence != "" {
		e.Add(path+".stop_sequence", "")
	}
	e.lost(path+".stop_details", s.Extra)
}

// write writes a CompletionMessage or a Delta.
func (s *step) write(m *message) {
	m.text(1, s.content)
	m.num(2, roleAssistant)
	for _, c := range s.calls {
		m.whole(3, c.b)
	}
	m.text(4, s.thought)
	encrypted := s.encrypted
	if len(s.sealed) > 0 && encrypted == "" {
		encrypted = seal(s.sealed)
	}
	m.text(5, encrypted)
	for _, c := range s.citations {
		m.whole(6, c.b)
	}
}

// seal puts the state of other vendors into an envelope that a client of xAI's brings back.
func seal(thoughts []llm.Thought) string {
	var w jsonw.Writer
	dialect.AppendDetails(&w, thoughts)
	return envelope + base64.RawURLEncoding.EncodeToString(w.Buf)
}

func (e *answerEncoder) block(s *step, b llm.Block, path string) {
	switch b := b.(type) {
	case llm.Text:
		e.lost(path, b.Extra)
		if b.Signature != "" && b.Origin != Name {
			e.Add(path+".signature", "state of another vendor")
		}
		s.content += b.Text
		for k, c := range b.Citations {
			e.cite(s, c, len(s.citations)+1, path+".citations["+strconv.Itoa(k)+"]")
		}
	case llm.Refusal:
		e.lost(path, b.Extra)
		e.Add(path+".refusal", "said as text")
		s.content += b.Text
	case llm.Thought:
		e.lost(path, b.Extra)
		s.thought += b.Text
		switch {
		case !dialect.Signed(b):
		case b.Origin == Name:
			s.encrypted += b.Sealed
		default:
			s.sealed = append(s.sealed, b)
		}
	case llm.ToolUse:
		e.lost(path, b.Extra)
		if b.Signature != "" && b.Origin != Name {
			e.Add(path+".signature", "state of another vendor")
		}
		s.calls = append(s.calls, e.call(b))
	case llm.Media:
		e.Add(path, "media cannot be said in an answer here")
	case llm.Opaque:
		if b.Dialect == Name && b.Type == opaqueCall {
			s.calls = append(s.calls, message{unsaid(b.Raw)})
			return
		}
		e.Add(path, b.Type+" of another dialect")
	default:
		e.Add(path, "cannot be said here")
	}
}

func (e *answerEncoder) call(b llm.ToolUse) message {
	args := b.Args
	home := b.Extra.Dialect == Name
	if strings.TrimSpace(args) == "" && !home {
		args = "{}"
	}
	if b.Kind == llm.ToolCustom {
		args = customArgs(b.Args)
	}
	return callMessage(b, e.names.Back(b.Name), args, home)
}

// cite says a citation by its number: as it stood, or of a page of the web. Others have no word here.
func (e *answerEncoder) cite(s *step, c llm.Citation, number int, path string) {
	if c.Opaque.Dialect == Name {
		s.citations = append(s.citations, message{unsaid(c.Opaque.Raw)})
		return
	}
	if c.URL == "" {
		e.Add(path, "a citation of no page")
		return
	}
	if c.Title != "" || c.Quote != "" {
		e.Add(path, "only the address is said here")
	}
	var m message
	m.text(1, strconv.Itoa(number))
	if c.Kind == llm.CiteURL {
		m.int(2, int64(c.Start))
	}
	m.sub(3, func(m *message) { m.text(1, c.URL) })
	if c.Kind == llm.CiteURL {
		m.int(6, int64(c.End))
	}
	s.citations = append(s.citations, m)
}
