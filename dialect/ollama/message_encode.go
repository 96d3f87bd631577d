package ollama

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// turn is one message as it will be written.
type turn struct {
	role     llm.Role
	content  string
	texts    int // how many texts the content is made of
	thinking string
	details  []llm.Thought
	images   []string
	calls    []llm.ToolUse
	done     llm.ToolDone // of a tool's result
	extra    llm.Extra
}

// arrange makes turns of a message, with every block made fit. Results of tools are a message each here;
// what a user says beside them follows.
func (e *requestEncoder) arrange(m *llm.Message, i int) {
	path := "messages[" + itoa(i) + "]"
	e.losses.extra(path, m.Extra)
	if m.Name != "" {
		e.Add(path+".name", "")
	}
	if e.toolNames == nil {
		e.toolNames = map[string]string{}
	}
	t := turn{role: m.Role, extra: m.Extra}
	if t.role == llm.Developer {
		t.role = llm.System
	}
	var results []turn
	for j, b := range m.Blocks {
		at := path + ".content[" + itoa(j) + "]"
		if done, ok := b.(llm.ToolDone); ok {
			results = append(results, e.result(m, done, at, &t))
			continue
		}
		e.add(&t, b, at)
	}
	if e.generate { // one turn for each message: they become a prompt
		for _, r := range results {
			t.say(r.content)
		}
		e.turns = append(e.turns, t)
		return
	}
	e.turns = append(e.turns, results...)
	if len(results) == 0 || t.content != "" || len(t.images) > 0 {
		if len(results) > 0 {
			t.role, t.extra = llm.User, llm.Extra{}
		}
		e.turns = append(e.turns, t)
	}
}

// result makes a turn of a tool's result. Its images cannot stand in it: they follow as the user's.
func (e *requestEncoder) result(m *llm.Message, b llm.ToolDone, path string, after *turn) turn {
	t := turn{role: llm.ToolRole, done: b}
	if m.Role == llm.ToolRole {
		t.extra = m.Extra
	}
	if b.Extra.Dialect != Name {
		e.losses.extra(path, b.Extra)
		e.mark(b.Cache)
		if t.done.Name == "" {
			t.done.Name = e.toolNames[b.ID]
		}
		if b.IsError.V {
			e.Add(path+".is_error", dialect.FailedInText)
			b.Blocks = dialect.Failed(b.Blocks)
		}
	}
	var inner turn
	for k, x := range b.Blocks {
		e.add(&inner, x, path+".content["+itoa(k)+"]")
	}
	t.content = inner.content
	if b.Extra.Dialect == Name {
		t.images = inner.images
	} else if len(inner.images) > 0 {
		e.Add(path+".content", "images of a tool's result are said in a message of the user's")
		after.say("Images of the result of " + t.done.Name + " (" + b.ID + "):")
		after.images = append(after.images, inner.images...)
	}
	return t
}

func (t *turn) say(text string) {
	if t.texts > 0 && t.content != "" {
		t.content += "\n"
	}
	t.content += text
	t.texts++
}

// add puts a block into a turn, or names it.
func (e *requestEncoder) add(t *turn, b llm.Block, path string) {
	switch b := b.(type) {
	case llm.Text:
		e.losses.extra(path, b.Extra)
		e.mark(b.Cache)
		for k := range b.Citations {
			e.Add(path+".citations["+itoa(k)+"]", "")
		}
		if b.Signature != "" {
			e.Add(path+".signature", dialect.Foreign)
		}
		if len(t.calls) > 0 && b.Text != "" {
			e.Add(path, "a text after a call is said before it")
		}
		t.say(b.Text)
	case llm.Refusal:
		e.losses.extra(path, b.Extra)
		t.say(b.Text)
	case llm.Thought:
		e.thought(t, b, path)
	case llm.ToolUse:
		t.calls = append(t.calls, e.call(b, path))
	case llm.Media:
		e.media(t, b, path)
	case llm.Opaque:
		e.Add(path, b.Type+" "+dialect.Foreign)
	default:
		e.Add(path, "")
	}
}

func (e *requestEncoder) thought(t *turn, b llm.Thought, path string) {
	e.losses.extra(path, b.Extra)
	if dialect.Signed(b) && e.home {
		t.details = append(t.details, b)
	} else if dialect.Signed(b) {
		e.Add(path+".signature", dialect.Foreign)
	}
	t.thinking += b.Text
}

func (e *requestEncoder) call(b llm.ToolUse, path string) llm.ToolUse {
	e.toolNames[b.ID] = b.Name
	if b.Extra.Dialect == Name {
		return b
	}
	e.losses.extra(path, b.Extra)
	e.mark(b.Cache)
	if b.Signature != "" {
		e.Add(path+".signature", dialect.Foreign)
	}
	return dialect.FitArgs(&e.Losses, b, path)
}

// media says an image as an image and a document that is text as text. The API takes no others, and no
// addresses.
func (e *requestEncoder) media(t *turn, b llm.Media, path string) {
	e.losses.extra(path, b.Extra)
	e.mark(b.Cache)
	if b.Detail != "" {
		e.Add(path+".detail", "")
	}
	switch {
	case b.Kind == llm.Image && b.Data != "":
		t.images = append(t.images, b.Data)
	case b.Text != "":
		e.Add(path, "a document is said as text")
		t.say(titled(b, b.Text))
	case b.Blocks != nil:
		e.Add(path, "a document is said as text")
		for k, x := range b.Blocks {
			e.add(t, x, path+".content["+itoa(k)+"]")
		}
	case b.Data != "" && strings.HasPrefix(b.MIME, "text/"):
		text, err := base64.StdEncoding.DecodeString(b.Data)
		if err != nil || !utf8.Valid(text) {
			e.Add(path, string(b.Kind)+" is not read by this host")
			return
		}
		e.Add(path, "a document is said as text")
		t.say(titled(b, string(text)))
	case b.Kind == llm.Image && b.URL != "":
		e.Add(path, "an image by its address: the host takes only data")
	default:
		e.Add(path, string(b.Kind)+" is not read by this host")
	}
}

func titled(b llm.Media, text string) string {
	if b.Name == "" {
		return text
	}
	return b.Name + "\n" + text
}

// append writes the turn.
func (t *turn) append(w *jsonw.Writer) {
	o := wire.Begin(w, t.extra.In(Name))
	w.KeyStr("role", string(t.role))
	if t.content != "" || !t.extra.Noted(Name, "content"+noteAbsent) {
		o.Str("content", t.content)
	}
	o.OptStr("thinking", t.thinking)
	if len(t.details) > 0 && o.Free(dialect.Details) {
		w.Key(dialect.Details)
		dialect.AppendDetails(w, t.details)
	}
	if len(t.images) > 0 {
		w.Key("images")
		appendStrings(w, t.images)
	}
	if len(t.calls) > 0 {
		w.KeyOpen("tool_calls", '[')
		for i, c := range t.calls {
			appendCall(w, c, i)
		}
		w.Close(']')
	}
	if t.role == llm.ToolRole {
		if t.done.Name != "" && !t.done.Extra.Noted(Name, "tool_name"+noteAbsent) {
			o.Str("tool_name", t.done.Name)
		}
		if t.done.ID != "" && !t.done.Extra.Noted(Name, "tool_call_id"+noteAbsent) {
			o.Str("tool_call_id", t.done.ID)
		}
	}
	emptied(w, t.extra)
	o.End()
}

// noteIndex begins the note of the index that a call had.
const noteIndex = "function.index="

// appendCall writes a call. One of another dialect is given its index, as the host numbers them.
func appendCall(w *jsonw.Writer, c llm.ToolUse, index int) {
	inner, rest := under(c.Extra.In(Name), "function")
	o := wire.Begin(w, rest)
	if c.ID != "" && !c.Extra.Noted(Name, "id"+noteAbsent) {
		o.Str("id", c.ID)
	}
	w.Key("function")
	f := wire.Begin(w, inner)
	if c.Extra.Dialect != Name {
		f.Int("index", int64(index))
	}
	for _, x := range rest {
		if raw, ok := strings.CutPrefix(x.Key, noteIndex); ok && x.Raw == "" {
			f.Raw("index", raw)
		}
	}
	f.Str("name", c.Name)
	if c.Extra.Noted(Name, "arguments"+noteString) {
		f.Str("arguments", c.Args)
	} else if c.Args != "" {
		f.Raw("arguments", c.Args)
	}
	f.End()
	o.End()
}
