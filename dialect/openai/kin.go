package openai

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Vendors that took up chat completions have SDKs of their own, which rely on what their vendor alone does. To
// their callers it is done here, whoever answers: no bytes pass, and all is said anew.

// kin speaks chat completions as another vendor's SDKs expect them: calls of tools are streamed in one piece.
type kin struct {
	codec
	mistral bool // also in Mistral's words
	guessed bool // by what others may do too, who know the usual errors
}

var (
	_ dialect.Codec = (*kin)(nil)
	_ dialect.Apart = (*kin)(nil)
)

// kinRoutes are the paths at which such SDKs call; they are told apart by the name that they give themselves.
func kinRoutes(names *dialect.Naming) []dialect.Route {
	var out []dialect.Route
	for _, k := range []struct {
		codec *kin
		match func(*http.Request) bool
	}{
		{&kin{codec: codec{names: names}, mistral: true}, agent("mistral-client-", "ai-sdk/mistral/")},
		{&kin{codec: codec{names: names}}, agent("ai-sdk/xai/")},
		{&kin{codec: codec{names: names}, mistral: true, guessed: true}, bareStream},
	} {
		for _, path := range [...]string{"/v1/chat/completions", "/chat/completions"} {
			out = append(out, dialect.Route{Op: llm.OpGenerate, Method: http.MethodPost, Pattern: path, Match: k.match, Always: true, Codec: k.codec})
		}
	}
	return out
}

func agent(names ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		said := r.Header.Get("User-Agent")
		for _, n := range names {
			if strings.Contains(said, n) {
				return true
			}
		}
		return false
	}
}

// bareStream knows LangChain's package for Mistral, which gives itself no name: by the library that it reads streams
// with, which says these three in every request and which no SDK of OpenAI's uses.
func bareStream(r *http.Request) bool {
	h := r.Header
	return strings.HasPrefix(h.Get("User-Agent"), "python-httpx/") && h.Get("Accept") == "text/event-stream" && h.Get("Cache-Control") == "no-store"
}

// Apart implements dialect.Apart.
func (c *kin) Apart(dialect.Codec) bool { return true }

// DecodeRequest implements dialect.Server. Words that are Mistral's own become those of all others.
func (c *kin) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	p, err := c.codec.DecodeRequest(in)
	r, ok := p.(*llm.Request)
	if err != nil || !ok || !c.mistral {
		return p, err
	}
	if err := mistralSeed(r); err != nil {
		return nil, err
	}
	if safe, ok := r.Extra.Get("safe_prompt"); ok && safe != "true" {
		_, r.Extra = wire.Take(r.Extra, Name, "safe_prompt")
	}
	r.Choose.Extra = llm.Extra{}
	for i := range r.Messages {
		plainly(&r.Messages[i])
	}
	if r.Stream { // which ends with usage, unasked
		r.StreamUsage = llm.Some(true)
	}
	return r, nil
}

// mistralSeed reads the seed under Mistral's name.
func mistralSeed(r *llm.Request) error {
	raw, ok := r.Extra.Get("random_seed")
	if !ok {
		return nil
	}
	_, r.Extra = wire.Take(r.Extra, Name, "random_seed")
	if raw == "null" {
		return nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return invalid(wire.Bad("random_seed", "a whole number"))
	}
	r.Seed = llm.Some(n)
	return nil
}

// plainly takes out what asks for nothing, and how a message said things that others say otherwise.
func plainly(m *llm.Message) {
	if prefix, ok := m.Extra.Get("prefix"); ok && prefix != "true" {
		_, m.Extra = wire.Take(m.Extra, Name, "prefix")
	}
	for i, b := range m.Blocks {
		if media, ok := b.(llm.Media); ok {
			_, media.Extra = wire.Take(media.Extra, Name, noteBareURL)
			m.Blocks[i] = media
		}
	}
}

// EncodeError implements dialect.Server. Mistral's errors have their members at the top.
func (c *kin) EncodeError(err error) dialect.Reply {
	reply := c.codec.EncodeError(err)
	if !c.mistral || c.guessed {
		return reply
	}
	v, err := wire.Parse(reply.Body, nil)
	if err != nil || !v.Get("error").Found() {
		return reply
	}
	e := v.Get("error")
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("object", "error")
	for _, key := range [...]string{"message", "type", "param", "code"} {
		if m := e.Get(key); m.Found() {
			w.KeyRaw(key, m.JSON())
		} else {
			w.KeyNull(key)
		}
	}
	w.Close('}')
	reply.Body = w.Buf
	return reply
}

// NewEncoder implements dialect.Server.
func (c *kin) NewEncoder(p llm.Payload, m dialect.Meta) dialect.Encoder {
	e := newEncoder(p, m)
	e.together = c.mistral
	return &wholeCalls{Encoder: e, late: c.mistral, open: map[callAt]*llm.ToolUse{}}
}

// wholeCalls holds calls of tools back until they are whole.
type wholeCalls struct {
	dialect.Encoder
	open  map[callAt]*llm.ToolUse
	order []callAt
	late  bool // why choices ended is said at the end, when usage is known
	ends  []llm.Finish
}

// callAt is where a call stands in an answer.
type callAt struct{ choice, index int }

// Encode implements dialect.Encoder.
func (e *wholeCalls) Encode(ev llm.Event) ([]dialect.Frame, error) {
	switch v := ev.(type) {
	case llm.BlockStart:
		if u, ok := v.Block.(llm.ToolUse); ok {
			e.hold(callAt{v.Choice, v.Index}, u)
			return nil, nil
		}
	case llm.ArgsDelta:
		at := callAt{v.Choice, v.Index}
		if e.open[at] == nil {
			e.hold(at, llm.ToolUse{Kind: llm.ToolFunction})
		}
		e.open[at].Args += v.JSON
		return nil, nil
	case llm.BlockEnd:
		at := callAt{v.Choice, v.Index}
		if u := e.open[at]; u != nil {
			if whole, ok := v.Block.(llm.ToolUse); ok && u.Args == "" {
				u.Args = whole.Args
			}
			return e.all(e.call(at), ev)
		}
	case llm.Finish:
		if e.late {
			e.ends = append(e.ends, v)
			return nil, nil
		}
		return e.all(append(e.held(), ev)...)
	case llm.End:
		return e.all(append(e.held(), ev)...)
	}
	return e.Encoder.Encode(ev)
}

func (e *wholeCalls) hold(at callAt, u llm.ToolUse) {
	if u.Args == "{}" { // nothing is known yet
		u.Args = ""
	}
	e.open[at] = &u
	e.order = append(e.order, at)
}

// call returns the event that says a whole call.
func (e *wholeCalls) call(at callAt) llm.Event {
	u := *e.open[at]
	delete(e.open, at)
	if u.Args == "" && u.Kind == llm.ToolFunction {
		u.Args = "{}"
	}
	return llm.BlockStart{Choice: at.choice, Index: at.index, Block: u}
}

// held returns what is held back to the end.
func (e *wholeCalls) held() []llm.Event {
	var out []llm.Event
	for _, at := range e.order {
		if e.open[at] != nil {
			out = append(out, e.call(at))
		}
	}
	for _, f := range e.ends {
		out = append(out, f)
	}
	e.order, e.ends = nil, nil
	return out
}

// all says several events. The frames of an encoder are good until it is asked again, so those are copied.
func (e *wholeCalls) all(evs ...llm.Event) ([]dialect.Frame, error) {
	var out []dialect.Frame
	for _, ev := range evs {
		frames, err := e.Encoder.Encode(ev)
		if err != nil {
			return out, err
		}
		for _, f := range frames {
			f.Data, f.Raw = bytes.Clone(f.Data), bytes.Clone(f.Raw)
			out = append(out, f)
		}
	}
	return out, nil
}

// Close implements dialect.Encoder. After an error, calls that are not whole are left out.
func (e *wholeCalls) Close(err error) []dialect.Frame {
	if err != nil {
		return e.Encoder.Close(err)
	}
	frames, err := e.all(e.held()...)
	return append(frames, e.Encoder.Close(err)...)
}
