package gemini

import (
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// mostName is the longest name of a function that the vendor takes.
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
	e := requestEncoder{r: r, shape: s, codec: c, home: r.Extra.Dialect == Name, names: map[string]string{}}
	e.model = modelBy(s, r.Model)
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
	ns := namespace()
	h := make(http.Header, 4)
	for k, v := range in {
		if ns.Holds(k) && !strings.EqualFold(k, "x-goog-api-client") {
			h[http.CanonicalHeaderKey(k)] = v
		}
	}
	h.Set("Content-Type", "application/json")
	return h
}

// requestEncoder says one request. It first settles what can be said (arrange, plan), naming what
// cannot, and then writes.
type requestEncoder struct {
	losses
	r       *llm.Request
	shape   dialect.Shape
	codec   *codec
	home    bool // the request was said in this dialect
	model   model
	changed []string

	system *turn
	turns  []turn
	tools  []llm.Tool
	params params
	names  map[string]string // of the functions called, by the call's id
}

// turn is one message as it will be written.
type turn struct {
	role   llm.Role
	blocks []llm.Block
	extra  llm.Extra
}

// arrange sorts the messages into the system instruction and turns, with every block made fit. The vendor
// wants all results of one turn's calls in one turn of the user's.
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
	for i := range e.turns {
		e.turns[i].blocks = bringHome(e.turns[i].blocks)
	}
	if !e.home {
		e.speakUp()
	}
	e.sign()
}

func (e *requestEncoder) foreignMessage(m *llm.Message, i int) {
	e.extra(messagePath(i), m.Extra)
	if m.Name != "" {
		e.Add(messagePath(i)+".name", "")
	}
}

func messagePath(i int) string { return "messages[" + itoa(i) + "]" }

func blockPath(i, j int) string { return messagePath(i) + ".content[" + itoa(j) + "]" }

// systemMessage puts what leads the conversation into the system instruction. What comes in its middle
// becomes the user's word, which is named.
func (e *requestEncoder) systemMessage(m *llm.Message, i int) {
	if m.Place == "field" || len(e.turns) == 0 {
		blocks := e.fitSystem(m, i)
		switch {
		case e.system != nil:
			e.system.blocks = append(e.system.blocks, blocks...)
		case len(blocks) > 0 || m.Extra.Dialect == Name:
			e.system = &turn{blocks: blocks, extra: m.Extra}
		}
		return
	}
	e.Add(messagePath(i)+".role", "a system message in mid-conversation is said as the user's")
	e.turn(m, i, llm.User)
}

func (e *requestEncoder) fitSystem(m *llm.Message, i int) []llm.Block {
	var out []llm.Block
	for j, b := range e.fit(m, i) {
		if _, text := b.(llm.Text); !text && !dialect.SaidIn(Name, b) {
			e.Add(blockPath(i, j), "a system instruction holds only text")
			continue
		}
		out = append(out, b)
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
	if n := len(e.turns); n > 0 && e.turns[n-1].role == role && e.turns[n-1].extra.Dialect != Name {
		e.turns[n-1].blocks = append(e.turns[n-1].blocks, t.blocks...)
		return
	}
	e.turns = append(e.turns, t)
}

// speakUp says a system prompt that comes without anything else as the user's word: the vendor wants one.
func (e *requestEncoder) speakUp() {
	if len(e.turns) > 0 || e.system == nil {
		return
	}
	e.Add("messages[0].role", "a system message that comes alone is said as the user's")
	e.turns = []turn{{role: llm.User, blocks: e.system.blocks}}
	e.system = nil
}

// sign puts the documented stand-in on the first call of each turn that has no signature, where the model
// refuses a call without one.
func (e *requestEncoder) sign() {
	if !e.model.signs() || e.codec.op != llm.OpGenerate {
		return
	}
	for i := range e.turns {
		for j, b := range e.turns[i].blocks {
			u, ok := b.(llm.ToolUse)
			if !ok {
				continue
			}
			if u.Signature == "" {
				u.Signature, u.Origin = dummySignature, Name
				e.turns[i].blocks[j] = u
				e.change(changedSignature)
			}
			break
		}
	}
}

const changedSignature = "thoughtSignature of a call that another model made set to the documented stand-in"

// change notes what was changed, once.
func (e *requestEncoder) change(what string) {
	for _, x := range e.changed {
		if x == what {
			return
		}
	}
	e.changed = append(e.changed, what)
}

// fit returns the blocks of a message as they can be said.
func (e *requestEncoder) fit(m *llm.Message, i int) []llm.Block {
	out := make([]llm.Block, 0, len(m.Blocks))
	for j, b := range m.Blocks {
		path := blockPath(i, j)
		if j+1 < len(m.Blocks) && !dialect.SaidIn(Name, b) {
			if _, ok := dialect.JoinThought(b, m.Blocks[j+1]); ok {
				continue
			}
		}
		if j > 0 && !dialect.SaidIn(Name, m.Blocks[j-1]) {
			if whole, ok := dialect.JoinThought(m.Blocks[j-1], b); ok {
				b = whole
			}
		}
		if t, ok := b.(llm.Thought); ok && t.Origin != Name && dialect.Signed(t) {
			e.Add(path, "reasoning that this vendor has not signed")
			continue
		}
		if !dialect.SaidIn(Name, b) {
			out = append(out, e.fitBlock(b, path)...)
			continue
		}
		out = append(out, b)
	}
	return out
}

func (e *requestEncoder) fitBlock(b llm.Block, path string) []llm.Block {
	switch b := b.(type) {
	case llm.Text:
		return e.fitText(b, path)
	case llm.Refusal:
		e.extra(path, b.Extra)
		e.Add(path+".refusal", "said as text")
		return e.fitText(llm.Text{Text: b.Text}, path)
	case llm.Thought:
		e.extra(path, b.Extra)
		if b.Origin == Name && dialect.Signed(b) {
			b.Extra = llm.Extra{}
			return []llm.Block{b}
		}
		if !b.Empty() {
			e.Add(path, "reasoning that this vendor has not signed")
		}
	case llm.ToolUse:
		return []llm.Block{e.fitCall(b, path)}
	case llm.ToolDone:
		return e.fitToolDone(b, path)
	case llm.Media:
		return e.fitMedia(b, path)
	case llm.Opaque:
		e.Add(path, strings.TrimSpace(b.Type+" "+dialect.Foreign))
	}
	return nil
}

func (e *requestEncoder) fitText(b llm.Text, path string) []llm.Block {
	e.extra(path, b.Extra)
	e.mark(path, b.Cache)
	if len(b.Citations) > 0 {
		e.Add(path+".citations", "")
	}
	out := llm.Text{Text: b.Text}
	if b.Origin == Name {
		out.Signature, out.Origin = b.Signature, Name
	} else if b.Signature != "" {
		e.Add(path+".signature", dialect.Foreign)
	}
	if out.Text == "" && out.Signature == "" {
		return nil
	}
	return []llm.Block{out}
}

func (e *requestEncoder) fitCall(b llm.ToolUse, path string) llm.Block {
	b = e.fitArgs(b, path)
	e.mark(path, b.Cache)
	if b.Origin != Name && b.Signature != "" {
		e.Add(path+".signature", dialect.Foreign)
		b.Signature, b.Origin = "", ""
	}
	b.Extra, b.Cache = llm.Extra{}, nil
	b.Name = dialect.ToolNames{}.Fit(b.Name, mostName)
	e.names[b.ID] = b.Name
	return b
}

// fitToolDone says what a tool answered. The vendor wants the name of the function, and takes media beside
// the answer only from Gemini 3 on; before, they follow as parts of the turn.
func (e *requestEncoder) fitToolDone(b llm.ToolDone, path string) []llm.Block {
	e.extra(path, b.Extra)
	e.mark(path, b.Cache)
	out := llm.ToolDone{ID: b.ID, Name: dialect.ToolNames{}.Fit(b.Name, mostName), IsError: b.IsError}
	if out.Name == "" {
		out.Name = e.names[b.ID]
	}
	if out.Name == "" {
		out.Name = "tool"
		e.Add(path+".name", "no call has this id")
	}
	var texts []string
	var beside []llm.Block
	for k, x := range b.Blocks {
		at := path + ".content[" + itoa(k) + "]"
		fit := []llm.Block{x}
		if !dialect.SaidIn(Name, x) {
			fit = e.fitBlock(x, at)
		}
		for _, f := range fit {
			if t, ok := f.(llm.Text); ok {
				texts = append(texts, t.Text)
				continue
			}
			if !e.model.seesResults() {
				e.Add(at, "said beside the result")
			}
			beside = append(beside, f)
		}
	}
	out.Blocks = []llm.Block{llm.Text{Text: strings.Join(texts, "\n")}}
	if e.model.seesResults() {
		out.Blocks = append(out.Blocks, beside...)
		return []llm.Block{out}
	}
	return append([]llm.Block{out}, beside...)
}

// encode writes the body.
func (e *requestEncoder) encode() []byte {
	w := jsonw.Writer{Buf: make([]byte, 0, dialect.SizeOf(e.r)), Known: e.r.Said.JSON}
	if e.codec.op == llm.OpCountTokens && e.wraps() {
		key := noteWrapped
		if e.r.Extra.Noted(Name, noteAs+snake(noteWrapped)) {
			key = snake(noteWrapped)
		}
		w.Open('{')
		w.Key(key)
		e.encodeBody(&w)
		w.Close('}')
		return w.Buf
	}
	e.encodeBody(&w)
	return w.Buf
}

// wraps reports whether a request is counted within another object, as the Gemini API wants it for all but
// contents. Vertex does not know that.
func (e *requestEncoder) wraps() bool {
	if e.home {
		return e.r.Extra.Noted(Name, noteWrapped)
	}
	return !e.codec.vertex
}

func (e *requestEncoder) encodeBody(w *jsonw.Writer) {
	x, config := e.r.Extra, e.config()
	if config != "" {
		x = less(x, inConfig)
	}
	o := begin(w, without(x, inConfig, inTools))
	if e.codec.op == llm.OpCountTokens && e.wraps() && !e.home {
		o.str("model", "models/"+e.shape.Upstream(e.r.Model))
	}
	if e.system != nil {
		o.key("systemInstruction")
		e.encodeTurn(w, *e.system)
	}
	if !x.Noted(Name, noteNoContents) {
		e.encodeTurns(w, o)
	}
	e.encodeTools(w, o)
	e.encodeToolConfig(w, o)
	if config != "" {
		o.key(inConfig)
		w.Raw(config)
	}
	if e.params.tier != "" {
		o.str("serviceTier", e.params.tier)
	}
	o.End()
}

func (e *requestEncoder) encodeTurns(w *jsonw.Writer, o object) {
	o.key("contents")
	if e.r.Extra.Noted(Name, noteOne+"contents") && len(e.turns) == 1 {
		e.encodeTurn(w, e.turns[0])
		return
	}
	w.Open('[')
	for _, t := range e.turns {
		e.encodeTurn(w, t)
	}
	w.Close(']')
}

func (e *requestEncoder) encodeTurn(w *jsonw.Writer, t turn) {
	o := begin(w, t.extra)
	role := ""
	switch {
	case t.extra.Noted(Name, noteNoRole):
	case t.role == llm.Assistant:
		role = "model"
	case t.role != "", t.extra.Dialect == Name:
		role = "user"
	}
	o.optStr("role", role)
	if !t.extra.Noted(Name, noteNoParts) {
		o.key("parts")
		if t.extra.Noted(Name, noteOne+"parts") && len(t.blocks) == 1 {
			appendPart(w, t.blocks[0])
		} else {
			appendParts(w, t.blocks)
		}
	}
	o.End()
}

// fitMedia makes of a medium one that is read here.
func (e *requestEncoder) fitMedia(b llm.Media, path string) []llm.Block {
	e.extra(path, b.Extra)
	e.mark(path, b.Cache)
	if b.Detail != "" && b.Detail != "auto" {
		e.Add(path+".detail", "")
	}
	if b.Cite.V {
		e.Add(path+".citations", "")
	}
	if b.Context != "" {
		e.Add(path+".context", "")
	}
	switch {
	case b.Text != "":
		e.Add(path, "a document is said as text")
		return e.fitText(llm.Text{Text: titled(b, b.Text)}, path)
	case b.Blocks != nil:
		e.Add(path, "a document is said as text")
		var out []llm.Block
		for i, x := range b.Blocks {
			out = append(out, e.fitBlock(x, path+".content["+itoa(i)+"]")...)
		}
		return out
	case b.Data != "":
		e.unnamed(b, path)
		return []llm.Block{llm.Media{Kind: b.Kind, Data: b.Data, MIME: mimeOf(b, b.Name)}}
	case b.URL != "":
		e.unnamed(b, path)
		return []llm.Block{llm.Media{Kind: b.Kind, URL: b.URL, MIME: mimeOf(b, b.URL)}}
	case b.FileID != "":
		e.Add(path, "a file kept by another vendor")
	default:
		e.Add(path, "without content")
	}
	return nil
}

// unnamed names the name of a file, which has no place beside its bytes.
func (e *requestEncoder) unnamed(b llm.Media, path string) {
	if b.Name != "" {
		e.Add(path+".name", "")
	}
}

// titled puts the name of a document that is said as text before it.
func titled(b llm.Media, text string) string {
	if b.Name == "" {
		return text
	}
	return b.Name + ":\n" + text
}

// mimeOf returns the type of a medium, which the vendor wants: as it was said, or as its first bytes, its
// format or its name tell, or else the usual one of its kind.
func mimeOf(b llm.Media, name string) string {
	for _, known := range [...]struct{ start, mime string }{
		{"iVBORw0KGgo", "image/png"},
		{"/9j/", "image/jpeg"},
		{"R0lGOD", "image/gif"},
		{"JVBERi0", "application/pdf"},
	} {
		if strings.HasPrefix(b.Data, known.start) {
			return known.mime
		}
	}
	if b.MIME != "" {
		return b.MIME
	}
	if b.Format != "" {
		return "audio/" + b.Format
	}
	name, _, _ = strings.Cut(name, "?")
	for _, known := range [...][2]string{
		{".png", "image/png"},
		{".jpg", "image/jpeg"},
		{".jpeg", "image/jpeg"},
		{".webp", "image/webp"},
		{".heic", "image/heic"},
		{".gif", "image/gif"},
		{".pdf", "application/pdf"},
		{".txt", "text/plain"},
		{".md", "text/markdown"},
		{".html", "text/html"},
		{".csv", "text/csv"},
		{".mp3", "audio/mpeg"},
		{".wav", "audio/wav"},
		{".mp4", "video/mp4"},
	} {
		if strings.HasSuffix(strings.ToLower(name), known[0]) {
			return known[1]
		}
	}
	switch b.Kind {
	case llm.Image:
		return "image/jpeg"
	case llm.Audio:
		return "audio/mpeg"
	case llm.Video:
		return "video/mp4"
	}
	return "application/pdf"
}
