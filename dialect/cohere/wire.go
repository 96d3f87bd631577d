package cohere

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes on how a thing stood that can be said in several ways.
const (
	noteEmpty      = ": empty"
	noteNotStream  = "stream: false"
	noteStrict     = "strict_tools"
	noteFormatText = "response_format: text"
	noteSchemaKey  = "response_format.schema" // the schema stood in schema and not in json_schema
	noteList       = "content: list"          // content was a list, though of no or one text
	notePlan       = "tool_plan"              // the Field of a thought that is a plan
	noteDocument   = "document: "             // begins the note of how a document stood
	noteCached     = "cached_tokens: "        // begins the note of how many tokens came from the cache
	noteBilled     = "billed_units: "         // begins the note of how the billed units stood
)

// placeDocuments marks the message that holds the request's documents.
const placeDocuments = "documents"

func itoa(n int) string { return strconv.Itoa(n) }

func home() llm.Extra { return llm.Extra{Dialect: Name} }

// noted returns the rest of the note that begins so.
func noted(e llm.Extra, start string) string {
	for _, f := range e.In(Name) {
		if s, ok := cutNote(f, start); ok {
			return s
		}
	}
	return ""
}

// cutNote returns the rest of a note that begins so.
func cutNote(f llm.Field, start string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(f.Key, start)
	return rest, ok && f.Raw == ""
}

// zero returns an Extra that holds nothing as none.
func zero(e llm.Extra) llm.Extra {
	if e.Empty() {
		return llm.Extra{}
	}
	return e
}

// losses collects what could not be said. own is the version of the API that is spoken, if it is not the second.
type losses struct {
	dialect.Losses
	own string
}

// version returns the name of the version that is spoken.
func (l *losses) version() string {
	if l.own != "" {
		return l.own
	}
	return Name
}

func (l *losses) extra(path string, e llm.Extra) {
	if e.Dialect != l.version() {
		l.AddExtra(path, e)
	}
}

// mark names a cache mark, once however many there are.
func (l *losses) mark(c *llm.CacheMark) {
	if c != nil {
		l.Add("cache_control", "the host caches by itself")
	}
}

// emptied says the members of which it was noted that they were there and empty.
func emptied(w *jsonw.Writer, e llm.Extra) {
	for _, f := range e.In(Name) {
		key, ok := strings.CutSuffix(f.Key, noteEmpty)
		switch {
		case !ok || f.Raw != "":
		case key == "tool_plan":
			w.KeyStr(key, "")
		default:
			w.KeyRaw(key, "[]")
		}
	}
}

// into keeps the members of an inner object that were not read, by a path of two keys.
func into(e *llm.Extra, name string, rest llm.Extra) {
	for _, f := range rest.Fields {
		if f.Raw != "" {
			e.Add(Name, name+"."+f.Key, f.Raw)
		}
	}
}

// under returns the members of an Extra that stood in an inner object, and those that did not.
func under(fields []llm.Field, name string) (inner, rest []llm.Field) {
	for _, f := range fields {
		if key, ok := strings.CutPrefix(f.Key, name+"."); ok && f.Raw != "" {
			inner = append(inner, llm.Field{Key: key, Raw: f.Raw})
		} else {
			rest = append(rest, f)
		}
	}
	return inner, rest
}

// decodeDocument reads a document: a text, or an object of texts by name. All that it says is its text, but
// for a title and the id, which are its name and stand for it in citations.
func decodeDocument(v wire.Value) (llm.Media, error) {
	b := llm.Media{Kind: llm.Document, MIME: "text/plain", Extra: home()}
	b.Extra.Note(Name, noteDocument+v.JSON())
	if v.Kind() == '"' {
		b.Text = v.Text()
		return b, nil
	}
	data := v.Get("data")
	if v.Kind() != '{' || data.Kind() != '{' && data.Kind() != '"' {
		return b, wire.Bad("", "a string or an object with data")
	}
	if data.Kind() == '"' {
		b.Text, b.Name = data.Text(), v.Get("id").Text()
		return b, nil
	}
	var lines []string
	err := data.Members(func(key []byte, m wire.Value) error {
		text := m.Text()
		if m.Kind() != '"' {
			text = m.JSON()
		}
		switch string(key) {
		case "title":
			b.Name = text
		case "text", "snippet":
			lines = append(lines, text)
		default:
			lines = append(lines, string(key)+": "+text)
		}
		return nil
	})
	if b.Name == "" {
		b.Name = v.Get("id").Text()
	}
	b.Text = strings.Join(lines, "\n")
	return b, err
}

// appendDocument writes a document: as it stood, unless its text has become another since.
func appendDocument(w *jsonw.Writer, b llm.Media) {
	if raw := noted(b.Extra, noteDocument); raw != "" {
		was, err := decodeDocument(wire.Raw(raw))
		if err == nil && was.Text == b.Text && was.Name == b.Name {
			w.Raw(raw)
			return
		}
	}
	w.Open('{')
	w.KeyOpen("data", '{')
	if b.Name != "" {
		w.KeyStr("title", b.Name)
	}
	if b.Context != "" {
		w.KeyStr("context", b.Context)
	}
	w.KeyStr("text", b.Text)
	w.Close('}')
	w.Close('}')
}
