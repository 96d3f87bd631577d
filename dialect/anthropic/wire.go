package anthropic

import (
	"strconv"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// home returns an Extra without members, which tells that a thing was said in this dialect.
func home() llm.Extra { return llm.Extra{Dialect: Name} }

func opaque(kind string, v wire.Value) llm.Opaque {
	return llm.Opaque{Dialect: Name, Type: kind, Raw: v.JSON()}
}

func itoa(n int) string { return strconv.Itoa(n) }
