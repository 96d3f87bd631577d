package converse

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// home returns an Extra without members, which tells that a thing was said in this dialect.
func home() llm.Extra { return llm.Extra{Dialect: Name} }

func opaque(kind string, v wire.Value) llm.Opaque {
	return llm.Opaque{Dialect: Name, Type: kind, Raw: v.JSON()}
}

func itoa(n int) string { return strconv.Itoa(n) }

// blank reports whether there is nothing but space.
func blank(s string) bool { return strings.TrimSpace(s) == "" }

// isObject reports whether s is a whole JSON object.
func isObject(s string) bool {
	b := []byte(s)
	return splice.Whole(b).Kind(b) == '{' && splice.Valid(b, splice.DefaultDepth) == nil
}

// only returns the one member of an object, or false where it has none or several. Nearly everything here
// is an object that says by its one member what it is.
func only(v wire.Value) (key string, inner wire.Value, ok bool) {
	if v.Kind() != '{' {
		return "", wire.Value{}, false
	}
	n := 0
	_ = v.Members(func(k []byte, m wire.Value) error { // the visit has no error to give
		n++
		key, inner = string(k), m
		return nil
	})
	return key, inner, n == 1
}

// blockHome reports whether a block was said in this dialect, and so can be said again as it was.
func blockHome(b llm.Block) bool {
	switch b := b.(type) {
	case llm.Text:
		return b.Extra.Dialect == Name
	case llm.Media:
		return b.Extra.Dialect == Name
	case llm.Thought:
		return b.Extra.Dialect == Name
	case llm.ToolUse:
		return b.Extra.Dialect == Name
	case llm.ToolDone:
		return b.Extra.Dialect == Name
	case llm.Opaque:
		return b.Dialect == Name
	}
	return false
}
