package openai

import (
	"strconv"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// most bounds how many members that nobody knows are kept apart by key.
const most = 256

// keepRaw adds a member, or says one anew that is there already.
func keepRaw(e *llm.Extra, key, raw string) {
	if len(e.Fields) > most {
		return
	}
	for i := range e.Fields {
		if e.Fields[i].Key == key {
			e.Fields[i].Raw = raw
			return
		}
	}
	e.Add(Name, key, raw)
}

func opaque(kind string, v wire.Value) llm.Opaque {
	return llm.Opaque{Dialect: Name, Type: kind, Raw: v.JSON()}
}

func itoa(n int) string { return strconv.Itoa(n) }
