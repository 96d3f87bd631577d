package anthropic

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// opaqueFolder puts the deltas of a block that llm has no word for into the block: the input of a
// server's tool, the text of a compaction, and whatever comes later. A delta's strings are added to
// what the block has under the same key; partial_json becomes the input.
type opaqueFolder struct {
	start   llm.Opaque
	json    strings.Builder
	members []*member
	changed bool
}

// member is a string that deltas add to, or another value that they set.
type member struct {
	key  string
	text strings.Builder
	raw  string
}

func newOpaqueFolder(o llm.Opaque) *opaqueFolder { return &opaqueFolder{start: o} }

func (f *opaqueFolder) add(delta wire.Value) {
	f.changed = true
	// The delta is valid JSON: walking it does not fail.
	_ = delta.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "type":
		case "partial_json":
			f.json.WriteString(m.Text())
		default:
			f.put(string(key), m)
		}
		return nil
	})
}

func (f *opaqueFolder) put(key string, v wire.Value) {
	m := f.member(key)
	if v.Kind() == '"' {
		m.text.WriteString(v.Text())
		m.raw = ""
		return
	}
	m.raw = v.JSON()
}

func (f *opaqueFolder) member(key string) *member {
	for _, m := range f.members {
		if m.key == key {
			return m
		}
	}
	m := &member{key: key}
	m.text.WriteString(wire.Raw(f.start.Raw).Get(key).Text())
	f.members = append(f.members, m)
	return m
}

// block returns the block in its final form. An input that was cut short is kept as text.
func (f *opaqueFolder) block() llm.Opaque {
	var w jsonw.Writer
	w.Open('{')
	_ = wire.Raw(f.start.Raw).Members(func(key []byte, m wire.Value) error {
		if !f.replaces(string(key)) {
			w.KeyRaw(string(key), m.JSON())
		}
		return nil
	})
	switch in := f.json.String(); {
	case blank(in):
	case splice.IsObject(in):
		w.KeyRaw("input", in)
	default:
		w.KeyStr("input", in)
	}
	for _, m := range f.members {
		if m.raw != "" {
			w.KeyRaw(m.key, m.raw)
		} else {
			w.KeyStr(m.key, m.text.String())
		}
	}
	w.Close('}')
	return llm.Opaque{Dialect: Name, Type: f.start.Type, Raw: w.String()}
}

func (f *opaqueFolder) replaces(key string) bool {
	if key == "input" && !blank(f.json.String()) {
		return true
	}
	for _, m := range f.members {
		if m.key == key {
			return true
		}
	}
	return false
}
