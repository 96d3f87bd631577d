package anthropic

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/bufs"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// mostName is the longest name of a tool that the vendor takes.
const mostName = 128

// EncodeRequest implements dialect.Client.
func (c *codec) EncodeRequest(p llm.Payload, s dialect.Shape) (dialect.Outbound, []dialect.Loss, error) {
	r, err := dialect.RequestFor("dialect/anthropic", c.op, p)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	r, err = dialect.RedactRequest(r, s.Edits)
	if err != nil {
		return dialect.Outbound{}, nil, internal("EncodeRequest", err)
	}
	e := requestEncoder{r: r, shape: s, op: c.op, home: r.Extra.Dialect == Name}
	e.arrange()
	e.plan()
	body, refused, err := dialect.WithoutRefused("dialect/anthropic", e.encode(), s)
	if err != nil {
		return dialect.Outbound{}, nil, err
	}
	out := dialect.Outbound{Header: headers(nil, nil), Body: body, Changed: append(e.changed, refused...)}
	return out, e.List(), nil
}

// requestEncoder says one request. It first settles what can be said (arrange, plan), naming what
// cannot, and then writes.
type requestEncoder struct {
	losses
	r       *llm.Request
	shape   dialect.Shape
	op      llm.Op
	home    bool // the request was said in this dialect
	changed []string

	system []llm.Block
	plain  bool // the system prompt is one string
	turns  []turn
	tools  []llm.Tool
	format llm.Format
	params params
	ids    []string // ids of tool calls that no result has answered yet
}

// turn is one message as it will be written.
type turn struct {
	role   llm.Role
	plain  bool
	tools  bool // of tool results: what the user says next belongs to it
	blocks []llm.Block
	extra  llm.Extra
}

// arrange sorts the messages into the system prompt and turns, with every block made fit.
func (e *requestEncoder) arrange() {
	for i := range e.r.Messages {
		m := &e.r.Messages[i]
		home := m.Extra.Dialect == Name
		if !home {
			e.foreignMessage(m, i)
		}
		switch m.Role {
		case llm.System, llm.Developer:
			e.systemMessage(m, i, home)
		case llm.Assistant:
			e.turn(m, i, llm.Assistant)
		case llm.ToolRole:
			e.toolTurn(m, i)
		default:
			e.userTurn(m, i, home)
		}
	}
	e.speakUp()
	e.trimLast()
}

// speakUp says a system prompt that comes without anything else as the user's word: the vendor wants one.
func (e *requestEncoder) speakUp() {
	if e.home || len(e.turns) > 0 || len(e.system) == 0 {
		return
	}
	e.Add("messages[0].role", "a system message that comes alone is said as the user's")
	e.turns = []turn{{role: llm.User, plain: e.plain, blocks: e.system}}
	e.system = nil
}

func (e *requestEncoder) foreignMessage(m *llm.Message, i int) {
	if m.Extra.Empty() && m.Name == "" {
		return
	}
	path := messagePath(i)
	e.extra(path, m.Extra)
	if m.Name != "" {
		e.Add(path+".name", "")
	}
}

func messagePath(i int) string { return "messages[" + itoa(i) + "]" }

// systemMessage puts what leads the conversation into the system prompt. What comes in its middle was
// either said so here, or becomes the user's word, which is named.
func (e *requestEncoder) systemMessage(m *llm.Message, i int, home bool) {
	switch {
	case m.Place == "field", !home && len(e.turns) == 0:
		e.plain = m.Plain && len(e.system) == 0
		e.system = append(e.system, e.fitSystem(m, i)...)
	case home:
		e.turn(m, i, llm.System)
	default:
		e.Add(messagePath(i)+".role", "a system message in mid-conversation is said as the user's")
		e.userTurn(m, i, false)
	}
}

func (e *requestEncoder) fitSystem(m *llm.Message, i int) []llm.Block {
	var out []llm.Block
	for j, b := range e.fit(m, i) {
		switch b.(type) {
		case llm.Text, llm.Opaque:
			out = append(out, b)
		default:
			e.Add(blockPath(i, j), "a system prompt holds only text")
		}
	}
	return out
}

func blockPath(i, j int) string { return messagePath(i) + ".content[" + itoa(j) + "]" }

func (e *requestEncoder) turn(m *llm.Message, i int, role llm.Role) {
	t := turn{role: role, plain: m.Plain, blocks: e.fit(m, i), extra: m.Extra}
	if len(t.blocks) > 0 || m.Extra.Dialect == Name {
		e.turns = append(e.turns, t)
	}
}

// toolTurn gathers the results of one turn's tools in one message, as the vendor wants them.
func (e *requestEncoder) toolTurn(m *llm.Message, i int) {
	blocks := e.fit(m, i)
	if n := len(e.turns); n > 0 && e.turns[n-1].tools {
		e.turns[n-1].blocks = append(e.turns[n-1].blocks, blocks...)
		return
	}
	e.turns = append(e.turns, turn{role: llm.User, tools: true, blocks: blocks})
}

func (e *requestEncoder) userTurn(m *llm.Message, i int, home bool) {
	if n := len(e.turns); !home && n > 0 && e.turns[n-1].tools {
		e.turns[n-1].blocks = append(e.turns[n-1].blocks, e.fit(m, i)...)
		return
	}
	e.turn(m, i, llm.User)
	if n := len(e.turns); !home && n > 0 && len(m.Blocks) > 0 {
		_, e.turns[n-1].tools = m.Blocks[0].(llm.ToolDone) // results that come one by one (Gemini's clients) belong together
	}
}

// trimLast takes the space off the end of a prefilled answer, which the vendor refuses.
func (e *requestEncoder) trimLast() {
	n := len(e.turns)
	if e.home || n == 0 || e.turns[n-1].role != llm.Assistant {
		return
	}
	if dialect.TrimEnd(e.turns[n-1].blocks) {
		e.changed = append(e.changed, "trailing space of the last message removed")
	}
}

// fit returns the blocks of a message as they can be said.
func (e *requestEncoder) fit(m *llm.Message, i int) []llm.Block {
	out := make([]llm.Block, 0, len(m.Blocks))
	for j, b := range m.Blocks {
		if t, ok := b.(llm.Thought); ok && t.Origin != Name && t.Origin != "" {
			b, ok = e.fitThought(t, blockPath(i, j))
			if !ok {
				continue
			}
		}
		if !dialect.SaidIn(Name, b) && !plain(b) {
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
		return e.fitText(b, path), !blank(b.Text)
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
		e.Add(path, b.Type+" "+dialect.Foreign)
	}
	return nil, false
}

// fitThought lets through only what Anthropic itself has signed or sealed: it refuses the rest.
func (e *requestEncoder) fitThought(b llm.Thought, path string) (llm.Block, bool) {
	e.extra(path, b.Extra)
	if b.Origin == Name && (b.Signature != "" || b.Sealed != "") {
		return b, true
	}
	if !b.Empty() {
		e.Add(path, "reasoning that this vendor has not signed")
	}
	return nil, false
}

func (e *requestEncoder) fitToolUse(b llm.ToolUse, path string) llm.Block {
	b = e.fitArgs(b, path)
	if b.ID == "" {
		b.ID = "toolu_" + itoa(len(e.turns)) + "_" + itoa(len(e.ids))
	}
	b.ID = fitID(b.ID)
	e.ids = append(e.ids, b.ID)
	b.Name = dialect.ToolNames{}.Fit(b.Name, mostName)
	return b
}

// fitID makes an id one that the vendor takes: letters, digits, _ and -. It depends on the id alone.
func fitID(id string) string { return dialect.ToolNames{}.Fit(id, 1<<20) }

func (e *requestEncoder) fitToolDone(b llm.ToolDone, path string) llm.Block {
	e.extra(path, b.Extra)
	e.mark(path, b.Cache)
	if b.ID == "" && len(e.ids) > 0 {
		b.ID = e.ids[0]
	}
	b.ID = fitID(b.ID)
	e.answered(b.ID)
	if b.Blocks == nil {
		return b
	}
	inner := make([]llm.Block, 0, len(b.Blocks))
	for k, x := range b.Blocks {
		if !dialect.SaidIn(Name, x) {
			var ok bool
			if x, ok = e.fitBlock(x, llm.User, path+".content["+itoa(k)+"]"); !ok {
				continue
			}
		}
		inner = append(inner, x)
	}
	b.Blocks = inner
	if len(inner) == 0 {
		b.Blocks, b.Plain = nil, false
	}
	return b
}

func (e *requestEncoder) answered(id string) {
	for i, x := range e.ids {
		if x == id {
			e.ids = append(e.ids[:i:i], e.ids[i+1:]...)
			return
		}
	}
}

// fitMedia makes an image or a document out of what is one, and names what is not.
func (e *requestEncoder) fitMedia(b llm.Media, path string) (llm.Block, bool) {
	e.extra(path, b.Extra)
	e.mark(path, b.Cache)
	if b.Detail != "" {
		e.Add(path+".detail", "")
	}
	if strings.Contains(b.FileID, "://") { // some clients give an address so
		b.URL, b.FileID = b.FileID, ""
	}
	if b.FileID != "" && b.Data == "" && b.URL == "" {
		e.Add(path, "a file kept by another vendor")
		return nil, false
	}
	b.MIME = mediaType(b)
	switch {
	case sourceType(b) == "":
		e.Add(path, "without content")
		return nil, false
	case b.Kind == llm.Image && (b.Data == "" || readable(b.MIME)):
		return b, true
	case b.Kind == llm.Image:
		e.Add(path, "an image of type "+b.MIME)
		return nil, false
	case b.Kind == llm.Document, b.Kind == llm.File:
		return e.fitDocument(b, path)
	}
	e.Add(path, string(b.Kind)+" is not read by this vendor")
	return nil, false
}

// fitDocument takes the types that the vendor reads. A file of which nothing tells the type is text if it
// reads as such.
func (e *requestEncoder) fitDocument(b llm.Media, path string) (llm.Block, bool) {
	b.Kind = llm.Document
	switch {
	case b.Data == "" || b.MIME == pdf:
		return b, true
	case readable(b.MIME):
		b.Kind = llm.Image
		return b, true
	}
	if textual(b.MIME) {
		text, err := base64.StdEncoding.DecodeString(b.Data)
		if err == nil && utf8.Valid(text) && !blank(string(text)) {
			b.Text, b.Data, b.MIME = string(text), "", "text/plain"
			return b, true
		}
	}
	e.Add(path, "a document of type "+b.MIME)
	return nil, false
}

const pdf = "application/pdf"

// mediaType returns the type of a medium. What its first bytes tell counts more than what is said of it:
// the vendor refuses what is called by another name.
func mediaType(b llm.Media) string {
	for _, known := range [...]struct{ start, mime string }{
		{"iVBORw0KGgo", "image/png"},
		{"/9j/", "image/jpeg"},
		{"R0lGOD", "image/gif"},
		{"JVBERi0", pdf},
	} {
		if strings.HasPrefix(b.Data, known.start) {
			return known.mime
		}
	}
	if strings.HasPrefix(b.Data, "UklGR") && len(b.Data) > 16 && b.Data[12:16] == "RUJQ" {
		return "image/webp"
	}
	said, _, _ := strings.Cut(strings.ToLower(b.MIME), ";")
	if said == "image/jpg" {
		return "image/jpeg"
	}
	return said
}

// textual reports whether a document of a type may be text.
func textual(mime string) bool {
	if mime == "" || mime == "application/octet-stream" || strings.HasPrefix(mime, "text/") {
		return true
	}
	for _, end := range [...]string{"json", "xml", "yaml", "javascript"} {
		if strings.HasSuffix(mime, end) {
			return true
		}
	}
	return false
}

// readable reports whether the vendor reads images of a type.
func readable(mime string) bool {
	switch mime {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

// encode writes the body.
func (e *requestEncoder) encode() []byte {
	w := jsonw.Writer{Buf: bufs.Get(dialect.SizeOf(e.r)), Known: e.r.Said.JSON}
	extra := e.r.Extra
	config, extra := wire.Take(extra, Name, "output_config")
	meta, extra := wire.Take(extra, Name, "metadata")
	o := wire.Begin(&w, extra.In(Name))
	o.Str("model", e.model())
	if e.op == llm.OpGenerate {
		e.sampling(&w, o, meta)
	}
	e.encodeSystem(&w, o)
	e.encodeTurns(&w)
	e.encodeTools(&w, o)
	e.encodeThinking(&w, o)
	e.encodeOutput(&w, o, config)
	if e.r.Cache != nil {
		appendMark(&w, e.r.Cache)
	}
	o.End()
	return w.Buf
}

func (e *requestEncoder) model() string {
	if e.shape.Offer != nil && e.shape.Offer.Upstream != "" {
		return e.shape.Offer.Upstream
	}
	return e.r.Model
}

func (e *requestEncoder) encodeSystem(w *jsonw.Writer, o wire.Object) {
	if len(e.system) > 0 || e.r.Extra.Dialect == Name && e.hasField() {
		if o.Free("system") {
			w.Key("system")
			appendContent(w, e.system, e.plain)
		}
	}
}

// hasField reports whether the caller gave a system prompt, were it an empty one.
func (e *requestEncoder) hasField() bool {
	return len(e.r.Messages) > 0 && e.r.Messages[0].Place == "field"
}

func (e *requestEncoder) encodeTurns(w *jsonw.Writer) {
	w.KeyOpen("messages", '[')
	for _, t := range e.turns {
		o := wire.Begin(w, t.extra.In(Name))
		o.Str("role", string(t.role))
		w.Key("content")
		appendContent(w, t.blocks, t.plain)
		o.End()
	}
	w.Close(']')
}
