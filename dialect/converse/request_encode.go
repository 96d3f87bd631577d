package converse

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// mostName is the longest name of a tool that the vendor takes.
const mostName = 64

// EncodeRequest implements dialect.Client.
func (c *codec) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, err := dialect.RequestFor(op, c.op, p)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	if r, err = dialect.RedactRequest(r, s.Edits); err != nil {
		return dialect.Outbound{}, nil, dialect.InternalFault(op+".EncodeRequest", err)
	}
	e := requestEncoder{r: r, shape: s, op: c.op, home: r.Extra.Dialect == Name, names: map[string]int{}}
	e.family = familyOf(s.Upstream(r.Model))
	e.arrange()
	e.plan()
	body, refused, err := withoutRefused(e.encode(), s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	out := dialect.Outbound{Header: headers(nil), Body: body, Changed: append(e.changed, refused...)}
	return out, e.List(), nil
}

// headers returns the headers of the caller's that belong to the dialect.
func headers(in http.Header) http.Header {
	h := make(http.Header, 4)
	for k, v := range in {
		if len(k) > len(headerPrefix) && strings.EqualFold(k[:len(headerPrefix)], headerPrefix) {
			h[http.CanonicalHeaderKey(k)] = v
		}
	}
	h.Set("Content-Type", "application/json")
	return h
}

// headerPrefix begins the headers by which callers ask for something.
const headerPrefix = "x-amzn-bedrock-"

// requestEncoder says one request. It first settles what can be said (arrange, plan), naming what
// cannot, and then writes.
type requestEncoder struct {
	losses
	r       *llm.Request
	shape   dialect.Shape
	op      llm.Op
	home    bool // the request was said in this dialect
	family  family
	changed []string

	system []llm.Block
	turns  []turn
	tools  []llm.Tool
	params params
	ids    []string       // ids of tool calls that no result has answered yet
	names  map[string]int // of documents
}

// turn is one message as it will be written.
type turn struct {
	role   llm.Role
	blocks []llm.Block
	extra  llm.Extra
}

// arrange sorts the messages into the system prompt and turns, with every block made fit. The vendor wants
// turns of user and assistant in alternation, and results of tools in the user's.
func (e *requestEncoder) arrange() {
	for i := range e.r.Messages {
		m := &e.r.Messages[i]
		if m.Extra.Dialect != Name {
			e.foreignMessage(m, i)
		}
		switch m.Role {
		case llm.System, llm.Developer:
			e.systemMessage(m, i)
		case llm.Assistant:
			e.turn(m, i, llm.Assistant)
		default:
			e.turn(m, i, llm.User)
		}
	}
	if e.home {
		return
	}
	e.speakUp()
	e.trimLast()
	for i := range e.turns {
		e.explain(i)
	}
}

func (e *requestEncoder) foreignMessage(m *llm.Message, i int) {
	e.extra(messagePath(i), m.Extra)
	if m.Name != "" {
		e.Add(messagePath(i)+".name", "")
	}
}

func messagePath(i int) string { return "messages[" + itoa(i) + "]" }

func blockPath(i, j int) string { return messagePath(i) + ".content[" + itoa(j) + "]" }

// systemMessage puts what leads the conversation into the system prompt. What comes in its middle was
// either said so here, or becomes the user's word, which is named.
func (e *requestEncoder) systemMessage(m *llm.Message, i int) {
	home := m.Extra.Dialect == Name
	switch {
	case m.Place == "field", !home && len(e.turns) == 0:
		e.system = append(e.system, e.fitSystem(m, i)...)
	case home:
		e.turn(m, i, llm.System)
	default:
		e.Add(messagePath(i)+".role", "a system message in mid-conversation is said as the user's")
		e.turn(m, i, llm.User)
	}
}

func (e *requestEncoder) fitSystem(m *llm.Message, i int) []llm.Block {
	var out []llm.Block
	for j, b := range e.fit(m, i) {
		_, media := b.(llm.Media)
		switch b.(type) {
		case llm.Text, llm.Opaque:
			out = append(out, b)
		default:
			if media && dialect.SaidIn(Name, b) {
				out = append(out, b)
				continue
			}
			e.Add(blockPath(i, j), "a system prompt holds only text")
		}
	}
	return out
}

// turn adds a message. What follows one of the same role belongs to the same turn; an empty one is none.
func (e *requestEncoder) turn(m *llm.Message, i int, role llm.Role) {
	t := turn{role: role, blocks: e.fit(m, i), extra: m.Extra}
	if m.Extra.Dialect == Name {
		e.turns = append(e.turns, t)
		return
	}
	if len(t.blocks) == 0 {
		return
	}
	if n := len(e.turns); n > 0 && e.turns[n-1].role == role {
		e.turns[n-1].blocks = append(e.turns[n-1].blocks, t.blocks...)
		return
	}
	e.turns = append(e.turns, t)
}

// speakUp says a system prompt that comes without anything else as the user's word: the vendor wants one.
func (e *requestEncoder) speakUp() {
	if len(e.turns) > 0 || len(e.system) == 0 {
		return
	}
	e.Add("messages[0].role", "a system message that comes alone is said as the user's")
	e.turns = []turn{{role: llm.User, blocks: e.system}}
	e.system = nil
}

// trimLast takes the space off the end of a prefilled answer, which the vendor refuses.
func (e *requestEncoder) trimLast() {
	n := len(e.turns)
	if n == 0 || e.turns[n-1].role != llm.Assistant {
		return
	}
	if dialect.TrimEnd(e.turns[n-1].blocks) {
		e.changed = append(e.changed, "trailing space of the last message removed")
	}
}

// explain gives documents that come without a word one, for the vendor refuses them alone.
func (e *requestEncoder) explain(i int) {
	t := &e.turns[i]
	document := ""
	for _, b := range t.blocks {
		switch b := b.(type) {
		case llm.Text:
			return
		case llm.Media:
			if b.Kind == llm.Document {
				document = b.Name
			}
		}
	}
	if document != "" {
		t.blocks = append(t.blocks, llm.Text{Text: document})
		e.changed = append(e.changed, "a document's name was said beside it")
	}
}

// fit returns the blocks of a message as they can be said.
func (e *requestEncoder) fit(m *llm.Message, i int) []llm.Block {
	out := make([]llm.Block, 0, len(m.Blocks))
	for j, b := range m.Blocks {
		if !dialect.SaidIn(Name, b) {
			var ok bool
			if b, ok = e.fitBlock(b, m.Role, blockPath(i, j)); !ok {
				continue
			}
		}
		out = append(out, b)
	}
	return out
}

func (e *requestEncoder) fitBlock(b llm.Block, role llm.Role, path string) (llm.Block, bool) {
	switch b := b.(type) {
	case llm.Text:
		if b.Text != "" && blank(b.Text) {
			e.Add(path, "only space")
		}
		b = e.fitText(b, path)
		if role != llm.Assistant && len(b.Citations) > 0 {
			e.Add(path+".citations", "")
			b.Citations = nil
		}
		b.Cache = e.fitMark(b.Cache, path)
		return b, !blank(b.Text)
	case llm.Refusal:
		e.extra(path, b.Extra)
		e.Add(path+".refusal", "said as text")
		return llm.Text{Text: b.Text}, !blank(b.Text)
	case llm.Thought:
		return e.fitThought(b, path)
	case llm.ToolUse:
		return e.fitToolUse(b, path), true
	case llm.ToolDone:
		return e.fitToolDone(b, path), true
	case llm.Media:
		if role == llm.Assistant {
			e.Add(path, "the assistant says only text here")
			return nil, false
		}
		return e.fitMedia(b, path)
	case llm.Opaque:
		e.Add(path, strings.TrimSpace(b.Type+" "+dialect.Foreign))
	}
	return nil, false
}

// fitMark lets cache points through to the models that take them.
func (e *requestEncoder) fitMark(c *llm.CacheMark, path string) *llm.CacheMark {
	if c == nil || e.family == familyClaude || e.family == familyNova {
		return c
	}
	e.Add(path+".cache_control", "the model is not known to take cache points")
	return nil
}

// fitThought lets through only what was signed or sealed by Claude, or by the vendor: the rest is refused,
// with an error that says nothing.
func (e *requestEncoder) fitThought(b llm.Thought, path string) (llm.Block, bool) {
	e.extra(path, b.Extra)
	switch {
	case b.Origin == claude && e.family == familyClaude && (b.Signature != "" || b.Sealed != ""),
		b.Origin == Name && b.Sealed != "":
		return b, true
	case !b.Empty():
		e.Add(path, "reasoning that this vendor has not signed")
	}
	return nil, false
}

func (e *requestEncoder) fitToolUse(b llm.ToolUse, path string) llm.Block {
	b = e.fitArgs(b, path)
	if b.ID == "" {
		b.ID = "tooluse_" + itoa(len(e.turns)) + "_" + itoa(len(e.ids))
	}
	b.ID = fitID(b.ID)
	e.ids = append(e.ids, b.ID)
	b.Name = dialect.ToolNames{}.Fit(b.Name, mostName)
	b.Cache = e.fitMark(b.Cache, path)
	return b
}

// nothing is said as the result of a tool that answered nothing: the vendor refuses an empty one.
const nothing = "(empty)"

func (e *requestEncoder) fitToolDone(b llm.ToolDone, path string) llm.Block {
	e.extra(path, b.Extra)
	e.mark(path, b.Cache)
	if b.ID == "" && len(e.ids) > 0 {
		b.ID = e.ids[0]
	}
	b.ID = fitID(b.ID)
	e.answered(b.ID)
	b.Cache = e.fitMark(b.Cache, path)
	inner := make([]llm.Block, 0, len(b.Blocks))
	for k, x := range b.Blocks {
		if !dialect.SaidIn(Name, x) {
			var ok bool
			if x, ok = e.fitBlock(x, llm.User, path+".content["+itoa(k)+"]"); !ok {
				continue
			}
			var mark *llm.CacheMark
			if x, mark = withoutMark(x); mark != nil {
				b.Cache = mark // there are no cache points within a result: it stands after it
			}
		}
		inner = append(inner, x)
	}
	if len(inner) == 0 {
		inner = []llm.Block{llm.Text{Text: nothing}}
		e.changed = append(e.changed, "an empty result of a tool is said as "+nothing)
	}
	b.Blocks = inner
	return b
}

// withoutMark takes the mark off a block.
func withoutMark(b llm.Block) (llm.Block, *llm.CacheMark) {
	mark := markOf(b)
	switch x := b.(type) {
	case llm.Text:
		x.Cache = nil
		return x, mark
	case llm.Media:
		x.Cache = nil
		return x, mark
	}
	return b, nil
}

func (e *requestEncoder) answered(id string) {
	for i, x := range e.ids {
		if x == id {
			e.ids = append(e.ids[:i:i], e.ids[i+1:]...)
			return
		}
	}
}

// fitMedia makes of a medium one that is read here, and names what is not: nothing is fetched from an
// address.
func (e *requestEncoder) fitMedia(b llm.Media, path string) (llm.Block, bool) {
	e.extra(path, b.Extra)
	e.mark(path, b.Cache)
	b.Cache = e.fitMark(b.Cache, path)
	if b.Detail != "" {
		e.Add(path+".detail", "")
	}
	b.MIME = sniff(b)
	switch {
	case b.Data == "" && b.Text == "" && b.Blocks == nil:
		switch {
		case strings.HasPrefix(b.URL, "s3://"):
		case b.URL != "":
			e.Add(path, string(b.Kind)+" by its address: the vendor takes only its bytes")
			return nil, false
		case b.FileID != "":
			e.Add(path, "a file kept by another vendor")
			return nil, false
		default:
			e.Add(path, "without content")
			return nil, false
		}
	case b.Kind == llm.Document, b.Kind == llm.File:
		return e.fitDocument(b, path)
	}
	if formatOf(b) == "" {
		e.Add(path, strings.TrimSpace(string(b.Kind)+" of type "+b.MIME))
		return nil, false
	}
	return b, true
}

// fitDocument takes the types that the vendor reads. A file of which nothing tells the type is text if it
// reads as such.
func (e *requestEncoder) fitDocument(b llm.Media, path string) (llm.Block, bool) {
	if strings.HasPrefix(b.MIME, "image/") && formatOf(llm.Media{Kind: llm.Image, MIME: b.MIME}) != "" {
		b.Kind, b.Name = llm.Image, ""
		return b, true
	}
	b.Kind = llm.Document
	for i, x := range b.Blocks {
		if _, ok := x.(llm.Text); !ok {
			e.Add(path+".source.content["+itoa(i)+"]", "a document holds only text")
		}
	}
	if b.Data != "" && formatOf(b) == "" {
		text, err := base64.StdEncoding.DecodeString(b.Data)
		if err != nil || !utf8.Valid(text) || blank(string(text)) {
			e.Add(path, strings.TrimSpace("a document of type "+b.MIME))
			return nil, false
		}
		b.MIME = "text/plain"
	}
	if b.Text != "" {
		b.MIME = "text/plain"
	}
	name := strings.TrimSuffix(strings.TrimSuffix(b.Name, ".txt"), ".pdf")
	b.Name = documentName(name, e.names)
	return b, true
}

// encode writes the body.
func (e *requestEncoder) encode() []byte {
	w := jsonw.Writer{Buf: make([]byte, 0, dialect.SizeOf(e.r)), Known: e.r.Said.JSON}
	if e.op == llm.OpCountTokens {
		w.Open('{')
		w.KeyOpen("input", '{')
		w.Key("converse")
	}
	e.encodeBody(&w)
	if e.op == llm.OpCountTokens {
		w.Close('}')
		w.Close('}')
	}
	return w.Buf
}

func (e *requestEncoder) encodeBody(w *jsonw.Writer) {
	extra := e.r.Extra
	inference, extra := wire.Take(extra, Name, "inferenceConfig")
	toolConfig, extra := wire.Take(extra, Name, "toolConfig")
	more, extra := wire.Take(extra, Name, fieldsMore)
	output, extra := wire.Take(extra, Name, "outputConfig")
	o := wire.Begin(w, extra.In(Name))
	if !e.r.Extra.Noted(Name, noteNoMessages) {
		e.encodeTurns(w)
	}
	if len(e.system) > 0 || e.r.Extra.Noted(Name, noteSystem) {
		w.Key("system")
		appendBlocks(w, e.system)
	}
	e.encodeTools(w, toolConfig)
	if e.op == llm.OpGenerate || e.home {
		e.encodeInference(w, inference)
	}
	e.encodeMore(w, more)
	if e.op == llm.OpGenerate || e.home {
		e.encodeOutput(w, output)
		e.encodeMeta(w)
	}
	o.End()
}

func (e *requestEncoder) encodeTurns(w *jsonw.Writer) {
	w.KeyOpen("messages", '[')
	for _, t := range e.turns {
		o := wire.Begin(w, t.extra.In(Name))
		o.Str("role", string(t.role))
		w.Key("content")
		appendBlocks(w, t.blocks)
		o.End()
	}
	w.Close(']')
}
