package converse

import (
	"strconv"
	"strings"

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
