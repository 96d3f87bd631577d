package responses

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// tell notes a member of which nothing is lost in another dialect; see retold.
func tell(e *llm.Extra, key, raw string) { e.Note(Name, key+"="+raw) }

// told returns what was told of a member.
func told(e llm.Extra, key string) (raw string, ok bool) {
	for _, f := range e.In(Name) {
		if f.Raw != "" {
			continue
		}
		if k, raw, ok := strings.Cut(f.Key, "="); ok && k == key {
			return raw, true
		}
	}
	return "", false
}

// retold returns the fields of an Extra in which the members that were told are members again.
func retold(e llm.Extra) []llm.Field {
	kept := e.In(Name)
	out := make([]llm.Field, 0, len(kept))
	for _, f := range kept {
		if key, raw, ok := strings.Cut(f.Key, "="); ok && f.Raw == "" {
			f = llm.Field{Key: key, Raw: raw}
		}
		out = append(out, f)
	}
	return out
}

// named returns the Extra of a thing of this dialect, also where there is nothing in it: so an encoder
// knows its own.
func named() llm.Extra { return llm.Extra{Dialect: Name} }

// bare is an Extra without anything in it, as one that never was.
func bare(e llm.Extra) llm.Extra {
	if len(e.Fields) == 0 {
		return llm.Extra{}
	}
	return e
}

func opaque(kind string, v wire.Value) llm.Opaque {
	return llm.Opaque{Dialect: Name, Type: kind, Raw: v.JSON()}
}

func itoa(n int) string { return strconv.Itoa(n) }

func quote(s string) string { return string(jsonw.AppendString(nil, s)) }

func optMember(w *jsonw.Writer, key, s string) {
	if s != "" {
		w.KeyStr(key, s)
	}
}

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
		l.Add("cache_control", "the host caches by itself, or not at all")
	}
}

func at(path string, i int) string { return path + ".content[" + itoa(i) + "]" }

func isObject(s string) bool { return wire.Raw(s).Kind() == '{' }

func blank(s string) bool { return strings.TrimSpace(s) == "" }
