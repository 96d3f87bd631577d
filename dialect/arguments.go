package dialect

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// FitArgs makes the arguments of a tool's call an object, for dialects in which they can be nothing else.
func FitArgs(l *Losses, b llm.ToolUse, path string) llm.ToolUse {
	switch {
	case strings.TrimSpace(b.Args) == "":
		b.Args = "{}"
	case b.Kind == llm.ToolCustom:
		l.Add(path, "a free-text tool's input is said as an object")
		b.Args = WrapInput(b.Args)
	case !splice.IsObject(b.Args):
		l.Add(path+".arguments", "not a JSON object")
		b.Args = "{}"
	}
	return b
}

// WrapInput says the free text that a tool was called with as the only member of an object.
func WrapInput(text string) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("input", text)
	w.Close('}')
	return w.String()
}

// ArgsScan follows the arguments of a tool's call as they come, and knows when they are a whole JSON value. It
// looks at each byte once. The zero ArgsScan is ready.
type ArgsScan struct {
	depth             int
	quoted, escaped   bool
	seen, over, plain bool
}

// Begun reports whether there was anything but space.
func (s *ArgsScan) Begun() bool { return s.seen }

// Done reports whether the arguments are whole. A bare number may always go on: it is never done.
func (s *ArgsScan) Done() bool { return s.over }

// Feed takes up what came.
func (s *ArgsScan) Feed(text string) {
	for i := range len(text) {
		s.step(text[i])
	}
}

func (s *ArgsScan) step(c byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.quoted:
		s.escaped = c == '\\'
		s.quoted = c != '"'
		s.over = !s.quoted && s.depth == 0 && !s.plain
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
	case s.over:
	default:
		s.seen = true
		s.open(c)
	}
}

func (s *ArgsScan) open(c byte) {
	switch c {
	case '"':
		s.quoted = true
	case '{', '[':
		s.depth++
	case '}', ']':
		s.depth--
		s.over = s.depth <= 0
	default:
		s.plain = s.plain || s.depth == 0
	}
}
