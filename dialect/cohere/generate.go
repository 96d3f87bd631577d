package cohere

import (
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// GenerateName is the name of the dialect of /v1/generate.
const GenerateName = "cohere-generate"

// Generate returns the dialect of /v1/generate, which continues a prompt. The vendor has taken it down; who still calls
// it is answered by any model here.
func Generate() *dialect.Dialect {
	return &dialect.Dialect{
		Name:    GenerateName,
		Title:   "Cohere generate",
		Routes:  []dialect.Route{{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: "/cohere/v1/generate", Codec: &generate{}}},
		Headers: namespace(),
		Streams: dialect.NDJSON,
	}
}

// generate speaks /v1/generate. Errors and the frame of a request are those of chat.
type generate struct{ codec }

var _ dialect.Codec = (*generate)(nil)

func generateHome() llm.Extra { return llm.Extra{Dialect: GenerateName} }

// Shapes implements dialect.Limited: a text that is continued has no shape but what is said in it.
func (c *generate) Shapes() dialect.Shapes { return dialect.Shapes{} }

// DecodeRequest implements dialect.Server.
func (c *generate) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	said := &llm.Said{}
	v, err := wire.Parse(in.Body, said)
	if err != nil {
		return nil, dialect.NotJSON(op, err)
	}
	d := requestDecoder{r: &llm.Request{Said: said}}
	err = v.Fields(GenerateName, &d.r.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "model":
			d.r.Model, err = m.Str()
		case "prompt":
			d.turns = true
			var text string
			text, err = m.Str()
			d.r.Messages = []llm.Message{{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: text}}, Extra: generateHome()}}
		case "num_generations":
			err = m.IntTo(&d.r.N)
		case "return_likelihoods":
			if m.Text() != "NONE" {
				return false, nil
			}
			d.r.Extra.Note(GenerateName, noteNoLikelihoods)
		default:
			return d.param(string(key), m)
		}
		return true, err
	})
	switch {
	case err != nil:
		return nil, invalid(err)
	case d.r.Model == "":
		return nil, invalid(wire.Bad("model", "the name of a model"))
	case !d.turns:
		return nil, invalid(wire.Bad("prompt", "a text"))
	}
	return d.r, nil
}

const noteNoLikelihoods = "return_likelihoods: NONE"

// EncodeRequest implements dialect.Client. A conversation is said as one text.
func (c *generate) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Request)
	if !ok || r == nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(op, fmt.Errorf("the codec was given a %T", p))
	}
	r, err := dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(op, err)
	}
	e := requestEncoder{r: r, shape: s, home: r.Extra.Dialect == GenerateName}
	e.own = GenerateName
	e.plan()
	if len(r.Messages) > 1 {
		e.Add("messages", "said as one prompt")
	}
	if len(e.tools) > 0 {
		e.Add("tools", "")
	}
	if e.params.thinking = nil; r.Output.Kind == llm.FormatJSON || r.Output.Kind == llm.FormatSchema {
		e.Add("response_format", "")
	}
	if t := r.Thinking; t != nil && t.Mode != llm.ThinkOff {
		e.Add("thinking", "")
	}
	w := jsonw.Writer{Buf: make([]byte, 0, dialect.SizeOf(r)), Known: r.Said.JSON}
	o := wire.Begin(&w, r.Extra.In(GenerateName))
	o.Str("model", s.Upstream(r.Model))
	w.KeyStr("prompt", dialect.Transcript(r.Messages))
	o.OptInt("num_generations", r.N)
	if r.Stream || noteIn(r.Extra, noteNotStream) {
		w.KeyBool("stream", r.Stream)
	}
	if noteIn(r.Extra, noteNoLikelihoods) {
		w.KeyStr("return_likelihoods", "NONE")
	}
	e.encodeParams(&w, o)
	o.End()
	body, refused, err := dialect.WithoutRefused(op, w.Buf, s)
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, refused...)}, e.List(), err
}

// noteIn reports whether a note stands in an Extra, whichever version made it.
func noteIn(e llm.Extra, note string) bool { return e.Noted(e.Dialect, note) }

// EditRequest implements dialect.Client.
func (c *generate) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if dialect.Redacts(s.Edits) {
		return dialect.Again(c, in, s, headers(in.Header), dialect.Redacted)
	}
	return c.codec.EditRequest(in, h, s)
}

// DecodeResponse implements dialect.Client.
func (c *generate) DecodeResponse(r dialect.Reply) (llm.Result, error) {
	v, err := wire.Parse(r.Body, nil)
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer is not valid JSON")
	}
	if v.Get("generations").Kind() != '[' {
		if v.Get("message").Kind() == '"' {
			return nil, inStream(r.Body)
		}
		return nil, dialect.BadUpstream(op, nil, "the upstream's answer has no generations")
	}
	out := &llm.Response{}
	err = v.Fields(GenerateName, &out.Extra, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "id":
			return m.StrTo(&out.ID)
		case "generations":
			return true, m.Elems(func(_ int, el wire.Value) error {
				ch, err := decodeGeneration(el)
				out.Choices = append(out.Choices, ch)
				return err
			})
		case "prompt":
			out.Extra.Note(GenerateName, notePrompt+m.JSON()) // it repeats what the caller has said
			return true, nil
		case "meta":
			out.Usage = decodeUsage(m)
			return m.Kind() == '{', nil
		}
		return false, nil
	})
	if err != nil {
		return nil, dialect.BadUpstream(op, err, "the upstream's answer cannot be understood: "+err.Error())
	}
	return out, nil
}

const notePrompt = "prompt: "

func decodeGeneration(v wire.Value) (llm.Choice, error) {
	ch := llm.Choice{}
	text := llm.Text{Extra: generateHome()}
	err := v.Fields(GenerateName, &ch.Extra, func(key []byte, m wire.Value) (known bool, err error) {
		switch string(key) {
		case "id":
			ch.Extra.Note(GenerateName, noteAnswer+m.JSON())
		case "text":
			text.Text, err = m.Str()
		case "finish_reason":
			ch.Stop = decodeStop(m.Text())
			return m.Kind() == '"', nil
		default:
			return false, nil
		}
		return true, err
	})
	ch.Blocks = []llm.Block{text}
	return ch, err
}

// Gist implements dialect.Client.
func (c *generate) Gist(body []byte) dialect.Gist {
	keys := [...]string{"id", "meta", "generations"}
	var found [len(keys)]splice.Member
	if _, err := splice.Scan(body, splice.MaxDepth, keys[:], found[:]); err != nil {
		return dialect.Gist{}
	}
	at := func(i int) wire.Value { return wire.At(body, found[i].Value) }
	g := dialect.Gist{ID: at(0).Text(), Usage: decodeUsage(at(1)), Text: len(found[2].Value.Raw(body))}
	if word := at(2).Get("0", "finish_reason").Text(); word != "" {
		g.Stop = decodeStop(word).Reason
	}
	return g
}

// DecodeStream implements dialect.Client. The vendor has taken the operation down: nothing streams in it.
func (c *generate) DecodeStream(frames iter.Seq2[dialect.Frame, error], _ dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		for f, err := range frames {
			if err != nil {
				yield(dialect.Chunk{}, dialect.StreamBroken(op, err))
				return
			}
			if v := wire.Whole(f.Data); v.Get("message").Kind() == '"' {
				yield(dialect.Chunk{Frame: f, Events: []llm.Event{llm.Start{}, llm.Fault{Err: inStream(f.Data)}}}, nil)
				return
			}
		}
		yield(dialect.Chunk{}, dialect.BadUpstream(op, nil, "the upstream's stream ended before its end"))
	}
}

// Redact implements dialect.Client.
func (c *generate) Redact(ch dialect.Chunk, edits []dialect.TextEdit) (dialect.Chunk, error) {
	if r, ok := ch.Result.(*llm.Response); ok && ch.Body != nil && len(edits) > 0 {
		fresh, err := dialect.RedactAnswer(r, edits)
		if err != nil {
			return ch, dialect.InternalFault(op, err)
		}
		reply, _, err := c.EncodeResponse(nil, fresh, dialect.Meta{})
		ch.Result, ch.Body = fresh, reply.Body
		return ch, err
	}
	return ch, nil
}

// EncodeResponse implements dialect.Server.
func (c *generate) EncodeResponse(p llm.Payload, res llm.Result, m dialect.Meta) (dialect.Reply, []dialect.Loss, error) {
	r, ok := res.(*llm.Response)
	if !ok {
		return dialect.Reply{}, nil, dialect.InternalFault(op, fmt.Errorf("a %T is no answer of this dialect", res))
	}
	req, _ := p.(*llm.Request)
	a := newFirstAnswer(req, m.CallID)
	a.own = GenerateName
	var w jsonw.Writer
	a.generations(&w, r)
	return dialect.JSONReply(w.Buf), a.List(), nil
}

// generations writes a whole answer.
func (a *firstAnswer) generations(w *jsonw.Writer, r *llm.Response) {
	a.extra("", r.Extra)
	a.tier(r.Tier)
	o := wire.Begin(w, r.Extra.In(GenerateName))
	o.Str("id", a.id(r.ID))
	w.KeyOpen("generations", '[')
	for i, ch := range r.Choices {
		a.generation(w, ch, i, r)
	}
	w.Close(']')
	a.prompt(w, r)
	a.meta(w, r)
	o.End()
}

func (a *firstAnswer) prompt(w *jsonw.Writer, r *llm.Response) {
	if r.Extra.Dialect == GenerateName {
		for _, f := range r.Extra.Fields {
			if raw, ok := cutNote(f, notePrompt); ok {
				w.KeyRaw("prompt", raw)
			}
		}
	} else if a.req != nil {
		w.KeyStr("prompt", dialect.Transcript(a.req.Messages))
	}
}

func (a *firstAnswer) generation(w *jsonw.Writer, ch llm.Choice, i int, r *llm.Response) {
	path := "choices[" + itoa(i) + "]"
	a.parts, a.runes, a.calls, a.citations = strings.Builder{}, 0, nil, nil
	for k, b := range ch.Blocks {
		at := path + ".content[" + itoa(k) + "]"
		if _, call := b.(llm.ToolUse); call {
			a.Add(at, "calls of tools")
			continue
		}
		a.add(b, at)
	}
	a.text = a.parts.String()
	if len(a.citations) > 0 {
		a.Add(path+".citations", "")
	}
	a.extra(path, ch.Extra)
	a.extra(path+".message", ch.Message)
	if ch.Logprobs != nil && len(ch.Logprobs.Content)+len(ch.Logprobs.Refusal) > 0 {
		a.Add("logprobs", "")
	}
	o := wire.Begin(w, ch.Extra.In(GenerateName))
	said := false
	for _, f := range ch.Extra.In(GenerateName) {
		if raw, ok := cutNote(f, noteAnswer); ok {
			w.KeyRaw("id", raw)
			said = true
		}
	}
	if !said {
		o.Str("id", a.id(r.ID)+"-"+itoa(i))
	}
	w.KeyStr("text", a.text)
	if len(r.Choices) > 1 {
		o.Int("index", int64(i))
	}
	o.OptStr("finish_reason", a.firstReason(ch.Stop))
	o.End()
}
