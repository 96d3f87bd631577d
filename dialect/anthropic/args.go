package anthropic

// argsScan follows the arguments of a tool as they come, and knows when they are a whole JSON value. It
// looks at each byte once.
type argsScan struct {
	depth             int
	quoted, escaped   bool
	seen, over, plain bool
}

func (s *argsScan) begun() bool { return s.seen }

// done reports whether the arguments are whole. A bare number may always go on: it is never done.
func (s *argsScan) done() bool { return s.over }

func (s *argsScan) feed(text string) {
	for i := range len(text) {
		s.step(text[i])
	}
}

func (s *argsScan) step(c byte) {
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

func (s *argsScan) open(c byte) {
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
