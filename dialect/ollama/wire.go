package ollama

import (
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Notes on how a thing stood that can be said in several ways.
const (
	noteAbsent = ": absent"
	noteEmpty  = ": empty" // the empty string, list or object that it is for its kind
	noteString = ": string"
)

// createdNote begins the note that keeps a time as it stood: it is finer than a second.
const createdNote = "created_at: "

func itoa(n int) string { return strconv.Itoa(n) }

// losses collects what could not be said.
type losses struct{ dialect.Losses }

// extra names the members that only another dialect can say, below a path.
func (l *losses) extra(path string, e llm.Extra) {
	if e.Dialect != Name {
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
		if !ok || f.Raw != "" {
			continue
		}
		switch key {
		case "images", "tool_calls", "tools":
			w.KeyRaw(key, "[]")
		default:
			w.KeyStr(key, "")
		}
	}
}

// under returns the members of an Extra that stood in an inner object, by the name of that object; and
// those that did not.
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

// into keeps the members of an inner object that were not read, by a path of two keys.
func into(e *llm.Extra, name string, rest llm.Extra) {
	for _, f := range rest.Fields {
		if f.Raw != "" {
			e.Add(Name, name+"."+f.Key, f.Raw)
		}
	}
}

// decodeTime reads a time, and notes how it stood.
func decodeTime(v wire.Value, e *llm.Extra) (int64, bool) {
	at, err := time.Parse(time.RFC3339Nano, v.Text())
	if err != nil {
		return 0, false
	}
	e.Note(Name, createdNote+v.Text())
	return at.Unix(), true
}

// timeOf returns a time as it stood, or made of seconds.
func timeOf(e llm.Extra, created, now int64) string {
	for _, f := range e.In(Name) {
		if s, ok := strings.CutPrefix(f.Key, createdNote); ok && f.Raw == "" {
			return s
		}
	}
	if created == 0 {
		created = now
	}
	return time.Unix(created, 0).UTC().Format(time.RFC3339Nano)
}

// decodeStrings reads a list of strings.
func decodeStrings(v wire.Value, to *[]string) error {
	*to = []string{}
	return v.Elems(func(_ int, el wire.Value) error {
		s, err := el.Str()
		*to = append(*to, s)
		return err
	})
}

func appendStrings(w *jsonw.Writer, list []string) {
	w.Open('[')
	for _, s := range list {
		w.Str(s)
	}
	w.Close(']')
}

// imageType tells the type of an image by its first bytes: the API does not name it.
func imageType(data string) string {
	for _, known := range [...]struct{ start, mime string }{
		{"iVBORw0KGgo", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lGOD", "image/gif"}, {"UklGR", "image/webp"}, {"Qk", "image/bmp"},
	} {
		if strings.HasPrefix(data, known.start) {
			return known.mime
		}
	}
	return "image/png"
}
