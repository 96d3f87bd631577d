package cohere

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// mostName is the longest name of a tool that the vendor takes, and mostStops how many sequences that end
// an answer.
const (
	mostName  = 64
	mostStops = 5
)

// EncodeRequest implements dialect.Client.
func (c *codec) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, ok := p.(*llm.Request)
	if !ok || r == nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(op, fmt.Errorf("the codec was given a %T", p))
	}
	r, err := dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(op, err)
	}
	e := requestEncoder{r: r, shape: s, home: r.Extra.Dialect == Name}
	e.adopt(FirstName)
	for i := range r.Messages {
		e.arrange(&r.Messages[i], i)
	}
	e.plan()
	body, refused, err := dialect.WithoutRefused(op, e.encode(), s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	return dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, refused...)}, e.List(), nil
}

// requestEncoder says one request. It first settles what can be said, naming what cannot, and then writes.
type requestEncoder struct {
	losses
	r       *llm.Request
	shape   dialect.Shape
	home    bool // the request was said in this dialect
	changed []string

	turns     []turn
	documents []llm.Media
	tools     []llm.Tool
	choice    string
	params    params
	kin       []llm.Field // members that the API's other version says in nearly the same words
}

// turn is one message as it will be written.
type turn struct {
	role  llm.Role
	id    string // of the call that a tool's result answers
	plain bool
	said  said
	extra llm.Extra
}

// arrange makes turns of a message. Results of tools are a message each; what a user says beside them
// follows.
func (e *requestEncoder) arrange(m *llm.Message, i int) {
	path := "messages[" + itoa(i) + "]"
	if m.Place == placeDocuments {
		for _, b := range m.Blocks {
			if d, ok := b.(llm.Media); ok {
				e.documents = append(e.documents, d)
			}
		}
		return
	}
	e.extra(path, m.Extra)
	if m.Name != "" {
		e.Add(path+".name", "")
	}
	home := m.Extra.Dialect == Name
	t := turn{role: m.Role, plain: m.Plain || !home, extra: m.Extra}
	if t.role == llm.Developer {
		t.role = llm.System
	}
	results := 0
	for j, b := range m.Blocks {
		at := path + ".content[" + itoa(j) + "]"
		if done, ok := b.(llm.ToolDone); ok {
			e.result(m, done, at, &t)
			results++
			continue
		}
		if b, ok := e.fit(b, at); ok {
			if _, text := b.(llm.Text); text && len(t.said.calls) > 0 {
				e.Add(at, "a text after a call is said before it")
			}
			t.said.add(b)
		}
	}
	if results > 0 {
		if len(t.said.content) == 0 {
			return
		}
		t.role, t.extra = llm.User, llm.Extra{}
	}
	if home || len(t.said.content)+len(t.said.calls) > 0 || t.said.plan != "" {
		e.turns = append(e.turns, t)
	}
}

// result makes a turn of a tool's result. Its images cannot stand in it: they follow as the user's.
func (e *requestEncoder) result(m *llm.Message, b llm.ToolDone, path string, after *turn) {
	t := turn{role: llm.ToolRole, id: b.ID, plain: b.Plain}
	if m.Role == llm.ToolRole {
		t.extra = m.Extra
	}
	home := b.Extra.Dialect == Name
	if !home {
		t.plain = true
		e.extra(path, b.Extra)
		e.mark(b.Cache)
		if b.IsError.V {
			e.Add(path+".is_error", dialect.FailedInText)
			b.Blocks = dialect.Failed(b.Blocks)
		}
	}
	for k, x := range b.Blocks {
		at := path + ".content[" + itoa(k) + "]"
		if img, ok := x.(llm.Media); ok && img.Kind == llm.Image && !home {
			e.Add(at, "an image of a tool's result is said in a message of the user's")
			after.said.add(llm.Text{Text: "Image of the result of " + b.ID + ":"})
			if fit, ok := e.fit(img, at); ok {
				after.said.add(fit)
			}
			continue
		}
		if doc, ok := x.(llm.Media); ok && doc.Kind != llm.Image && doc.Text != "" {
			t.said.add(doc)
			continue
		}
		if fit, ok := e.fit(x, at); ok {
			t.said.add(fit)
		}
	}
	if !home && len(t.said.content) == 0 {
		t.said.add(llm.Text{}) // there must be a content
	}
	e.turns = append(e.turns, t)
}

// fit returns a block as it can be said, or false for one that cannot, or that is said elsewhere.
func (e *requestEncoder) fit(b llm.Block, path string) (llm.Block, bool) {
	switch b := b.(type) {
	case llm.Text:
		e.extra(path, b.Extra)
		e.mark(b.Cache)
		if b.Signature != "" {
			e.Add(path+".signature", dialect.Foreign)
		}
		if b.Extra.Dialect != Name && len(b.Citations) > 0 {
			e.Add(path+".citations", "")
			b.Citations = nil
		}
		return b, b.Text != "" || b.Extra.Dialect == Name
	case llm.Refusal:
		e.extra(path, b.Extra)
		return llm.Text{Text: b.Text}, b.Text != ""
	case llm.Thought:
		e.extra(path, b.Extra)
		if dialect.Signed(b) && b.Extra.Dialect != Name || b.Origin != "" && !e.home {
			e.Add(path+".signature", dialect.Foreign)
			b = llm.Thought{Text: b.Text}
		}
		return b, b.Text != "" || b.Extra.Dialect == Name
	case llm.ToolUse:
		return e.fitCall(b, path), true
	case llm.Media:
		return e.fitMedia(b, path)
	case llm.Opaque:
		if b.Dialect != Name {
			e.Add(path, b.Type+" "+dialect.Foreign)
		}
		return b, b.Dialect == Name
	}
	e.Add(path, "")
	return nil, false
}

func (e *requestEncoder) fitCall(b llm.ToolUse, path string) llm.ToolUse {
	if b.Extra.Dialect == Name {
		return b
	}
	e.extra(path, b.Extra)
	e.mark(b.Cache)
	if b.Signature != "" {
		e.Add(path+".signature", dialect.Foreign)
	}
	b.Name = dialect.ToolNames{}.Fit(b.Name, mostName)
	b.Args = fitArgs(&e.losses, b, path)
	return b
}

// fitArgs makes the arguments of a call an object.
func fitArgs(l *losses, b llm.ToolUse, path string) string {
	switch {
	case strings.TrimSpace(b.Args) == "":
		return "{}"
	case b.Kind == llm.ToolCustom:
		l.Add(path, "a free-text tool's input is said as an object")
		var w jsonw.Writer
		w.Open('{')
		w.KeyStr("input", b.Args)
		w.Close('}')
		return w.String()
	}
	return b.Args
}

// fitMedia takes images as they are, and documents of text into the documents of the request.
func (e *requestEncoder) fitMedia(b llm.Media, path string) (llm.Block, bool) {
	if b.Extra.Dialect == Name {
		return b, true
	}
	e.extra(path, b.Extra)
	e.mark(b.Cache)
	switch {
	case b.Kind == llm.Image && (b.Data != "" || b.URL != ""):
		if b.Detail == "original" {
			b.Detail = "high"
			e.Add(path+".detail", "said as high")
		}
		return b, true
	case b.Blocks != nil:
		for _, x := range b.Blocks {
			if t, ok := x.(llm.Text); ok {
				b.Text = strings.TrimPrefix(b.Text+"\n"+t.Text, "\n")
			}
		}
	case b.Data != "" && strings.HasPrefix(b.MIME, "text/"):
		if text, err := base64.StdEncoding.DecodeString(b.Data); err == nil && utf8.Valid(text) {
			b.Text = string(text)
		}
	}
	if b.Text == "" {
		e.Add(path, string(b.Kind)+" is not read by this vendor")
		return nil, false
	}
	e.Add(path, "a document is said beside the conversation")
	e.documents = append(e.documents, llm.Media{Kind: llm.Document, Text: b.Text, Name: b.Name, Context: b.Context})
	return nil, false
}

// encode writes the body.
func (e *requestEncoder) encode() []byte {
	r := e.r
	w := jsonw.Writer{Buf: make([]byte, 0, dialect.SizeOf(r)), Known: r.Said.JSON}
	o := wire.Begin(&w, r.Extra.In(Name))
	o.Str("model", e.shape.Upstream(r.Model))
	if r.Stream || r.Extra.Noted(Name, noteNotStream) {
		w.KeyBool("stream", r.Stream)
	}
	w.KeyOpen("messages", '[')
	for _, t := range e.turns {
		m := wire.Begin(&w, t.extra.In(Name))
		w.KeyStr("role", string(t.role))
		if t.id != "" {
			m.Str("tool_call_id", t.id)
		}
		t.said.append(&w, m, t.plain)
		emptied(&w, t.extra)
		m.End()
	}
	w.Close(']')
	if len(e.documents) > 0 {
		w.KeyOpen("documents", '[')
		for _, d := range e.documents {
			appendDocument(&w, d)
		}
		w.Close(']')
	}
	e.encodeTools(&w, o)
	e.encodeParams(&w, o)
	wire.AppendFields(&w, e.kin)
	emptied(&w, r.Extra)
	o.End()
	return w.Buf
}

func (e *requestEncoder) encodeTools(w *jsonw.Writer, o wire.Object) {
	if len(e.tools) > 0 {
		w.KeyOpen("tools", '[')
		for _, t := range e.tools {
			appendTool(w, t)
		}
		w.Close(']')
		strict := !slices.ContainsFunc(e.tools, func(t llm.Tool) bool { return !t.Strict.V })
		if strict && !e.home {
			w.KeyBool(noteStrict, true)
		}
	}
	if e.r.Extra.Noted(Name, noteStrict) {
		w.KeyBool(noteStrict, len(e.r.Tools) > 0 && e.r.Tools[0].Strict.V)
	}
	o.OptStr("tool_choice", e.choice)
}

func appendTool(w *jsonw.Writer, t llm.Tool) {
	if t.Kind != llm.ToolFunction {
		w.Raw(t.Opaque.Raw)
		return
	}
	inner, rest := under(t.Extra.In(Name), "function")
	o := wire.Begin(w, rest)
	o.Str("type", "function") // unless it is noted that there was none
	w.Key("function")
	f := wire.Begin(w, inner)
	f.Str("name", t.Name)
	f.OptStr("description", t.Description)
	if t.Schema != "" {
		f.Raw("parameters", t.Schema)
	}
	f.End()
	o.End()
}
