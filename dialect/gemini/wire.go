package gemini

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// What an Extra notes beside members: how a member was named where not in camel case ("as function_call"),
// how its value was written where that cannot be told from its meaning ("was mode 2"), that an object was
// there though it says nothing ("{}"), and that one stood where a list is usual ("one parts").
const (
	noteAs    = "as "
	noteWas   = "was "
	noteEmpty = "{}"
	noteOne   = "one "
)

// home returns an Extra without members, which tells that a thing was said in this dialect.
func home() llm.Extra { return llm.Extra{Dialect: Name} }

func opaque(kind string, v wire.Value) llm.Opaque {
	return llm.Opaque{Dialect: Name, Type: kind, Raw: v.JSON()}
}

func itoa(n int) string { return strconv.Itoa(n) }

// blank reports whether there is nothing but space.
func blank(s string) bool { return strings.TrimSpace(s) == "" }

// camel returns the name of a member in camel case, as the API writes it.
func camel(key string) string {
	if !strings.Contains(key[min(1, len(key)):], "_") {
		return key
	}
	var b strings.Builder
	up := false
	for i := range len(key) {
		c := key[i]
		switch {
		case c == '_' && i > 0:
			up = true
			continue
		case up && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		b.WriteByte(c)
	}
	return b.String()
}

// snake returns the name of a member with underscores.
func snake(key string) string {
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// fields reads the members of an object as wire.Value.Fields does, by their names in camel case. That a
// known one was named otherwise is noted.
func fields(v wire.Value, x *llm.Extra, visit func(key string, m wire.Value) (known bool, err error)) error {
	return v.Fields(Name, x, func(raw []byte, m wire.Value) (bool, error) {
		was := string(raw)
		key := camel(was)
		known, err := visit(key, m)
		if known && err == nil && key != was {
			x.Note(Name, noteAs+was)
		}
		return known, err
	})
}

// wasWritten notes how the value of a member was written.
func wasWritten(x *llm.Extra, key string, v wire.Value) { x.Note(Name, noteWas+key+" "+v.JSON()) }

// elems calls visit with each element of a list. The API takes an object alone for a list of one, which is
// noted.
func elems(v wire.Value, x *llm.Extra, key string, visit func(i int, el wire.Value) error) error {
	if v.Kind() == '{' {
		x.Note(Name, noteOne+key)
		return visit(0, v)
	}
	return v.Elems(visit)
}

// leave keeps what was not read of an inner object, each under its path.
func leave(x *llm.Extra, key string, rest llm.Extra) {
	for _, f := range rest.Fields {
		x.Add(Name, key+"."+f.Key, f.Raw)
	}
}

// within returns what leave kept of an inner object.
func within(x llm.Extra, key string) llm.Extra {
	var out llm.Extra
	for _, f := range x.In(Name) {
		if rest, ok := strings.CutPrefix(f.Key, key+"."); ok {
			out.Add(Name, rest, f.Raw)
		}
	}
	return out
}

// without returns an Extra less what leave kept of inner objects.
func without(x llm.Extra, keys ...string) llm.Extra {
	if x.Empty() || x.Dialect != Name {
		return x
	}
	out := home()
next:
	for _, f := range x.Fields {
		for _, key := range keys {
			if strings.HasPrefix(f.Key, key+".") {
				continue next
			}
		}
		out.Fields = append(out.Fields, f)
	}
	return out
}

// less returns an Extra without a member, by either of its names, and without how its value was written. What
// it was called stays.
func less(x llm.Extra, key string) llm.Extra {
	if x.Empty() || x.Dialect != Name {
		return x
	}
	out := home()
	for _, f := range x.Fields {
		written := f.Raw == "" && strings.HasPrefix(f.Key, noteWas+key+" ")
		if !written && (f.Raw == "" || f.Key != key && f.Key != snake(key)) {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// object writes an object, its members named and written as they were where that was noted.
type object struct {
	wire.Object
	w    *jsonw.Writer
	kept []llm.Field
}

// begin opens an object.
func begin(w *jsonw.Writer, x llm.Extra) object {
	kept := x.In(Name)
	return object{wire.Begin(w, kept), w, kept}
}

// name returns how a member is named.
func (o object) name(key string) string {
	if len(o.kept) == 0 {
		return key
	}
	s := snake(key)
	if s == key {
		return key
	}
	for i := range o.kept {
		if rest, ok := strings.CutPrefix(o.kept[i].Key, noteAs); ok && o.kept[i].Raw == "" && rest == s {
			return s
		}
	}
	return key
}

// was writes a member as it was written, if that was noted.
func (o object) was(key string) bool {
	raw := o.wasWhat(key)
	if raw != "" {
		o.w.KeyRaw(o.name(key), raw)
	}
	return raw != ""
}

// wasWhat returns how a member was written, or "".
func (o object) wasWhat(key string) string {
	for i := range o.kept {
		if rest, ok := strings.CutPrefix(o.kept[i].Key, noteWas+key+" "); ok && o.kept[i].Raw == "" {
			return rest
		}
	}
	return ""
}

// free reports whether a member is still to be said.
func (o object) free(key string) bool { return o.Free(o.name(key)) }

// key writes the name of a member.
func (o object) key(key string) { o.w.Key(o.name(key)) }

// str says a string.
func (o object) str(key, s string) {
	if o.free(key) && !o.was(key) {
		o.w.KeyStr(o.name(key), s)
	}
}

// optStr says a string that is not empty.
func (o object) optStr(key, s string) {
	if s != "" {
		o.str(key, s)
	}
}

// raw says a value that is JSON already.
func (o object) raw(key, json string) {
	if o.free(key) && !o.was(key) {
		o.w.KeyRaw(o.name(key), json)
	}
}

func (o object) int(key string, n int64) { o.raw(key, strconv.FormatInt(n, 10)) }

func (o object) optInt(key string, n llm.Opt[int]) {
	if n.Set {
		o.int(key, int64(n.V))
	}
}

func (o object) optFloat(key string, f llm.Opt[float64]) {
	if f.Set {
		o.raw(key, strconv.FormatFloat(f.V, 'g', -1, 64))
	}
}

func (o object) optBool(key string, b llm.Opt[bool]) {
	if b.Set {
		o.raw(key, strconv.FormatBool(b.V))
	}
}

// number returns the value of a number, which protobuf's JSON may write as a string.
func number(v wire.Value) (wire.Value, bool) {
	if v.Kind() == '"' {
		return wire.Raw(v.Text()), true
	}
	return v, false
}

// intTo reads a whole number.
func intTo(v wire.Value, x *llm.Extra, key string, to *llm.Opt[int]) error {
	n, quoted := number(v)
	if n.Kind() != '0' {
		return &wire.Fault{Want: "a whole number"}
	}
	if quoted {
		wasWritten(x, key, v)
	}
	return n.IntTo(to)
}

// floatTo reads a number.
func floatTo(v wire.Value, x *llm.Extra, key string, to *llm.Opt[float64]) error {
	n, quoted := number(v)
	if n.Kind() != '0' {
		return &wire.Fault{Want: "a number"}
	}
	if quoted {
		wasWritten(x, key, v)
	}
	return n.FloatTo(to)
}
