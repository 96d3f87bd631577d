package stray

import "strings"

// marker is how a template opens a call, and what closes it. One without an end is closed by the end of its JSON.
type marker struct {
	open, close string
	read        func(body string) []call
}

// markers returns the templates that are known.
func markers() [6]marker {
	return [...]marker{
		{"<tool_call>", "</tool_call>", tagged},                              // Hermes, Qwen, GLM
		{"<function=", "</function>", function},                              // Llama, Qwen's coders
		{"[TOOL_CALLS]", "", mistral},                                        // Mistral
		{"<|python_tag|>", "", object},                                       // Llama
		{"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", deepseek},             // DeepSeek
		{"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", kimi}, // Kimi
	}
}

// mostCall is how long a call may be before it is taken for text after all.
const mostCall = 256 << 10

// scanner tells text from calls, piece by piece.
type scanner struct {
	tools map[string]bool
	held  string // what may yet be a marker, or is a call that is not whole
	in    *marker
	code
	bol bool // at the beginning of a line, but for spaces
}

// code follows what stands in fences and in spans of code.
type code struct {
	run   int  // how many backticks or tildes stood last, one after the other
	mark  byte // which of them
	lead  bool // they began their line
	fence int  // of how many the fence is that is open
	with  byte
	span  int // of how many backticks the span is that is open
}

// add reads more text and returns what is said of it, and the calls in it. Last says that no more comes.
func (s *scanner) add(more string, last bool) (string, []call) {
	var said strings.Builder
	var calls []call
	s.held += more
	for s.held != "" {
		if s.in == nil && !s.skip(&said, last) {
			break
		}
		if s.in == nil {
			continue
		}
		body, n := s.body(last)
		if n == 0 {
			break
		}
		if got := s.known(s.in.read(body)); len(got) > 0 {
			calls = append(calls, got...)
			s.held = s.held[n:]
		} else {
			said.WriteString(s.held[:len(s.in.open)]) // it is text, in which there may be a call yet
			s.held = s.held[len(s.in.open):]
			s.bol = false
		}
		s.in = nil
	}
	return said.String(), calls
}

// skip says text up to a marker. It reports false where it needs more to go on.
func (s *scanner) skip(said *strings.Builder, last bool) bool {
	for i := 0; i < len(s.held); i++ {
		b := s.held[i]
		if (b == '<' || b == '[') && s.plain() {
			m, part := open(s.held[i:])
			if m != nil || part && !last {
				said.WriteString(s.held[:i])
				s.held, s.in = s.held[i:], m
				return m != nil
			}
		}
		s.step(b)
	}
	said.WriteString(s.held)
	s.held = ""
	return false
}

// open returns the marker that a text begins with, or reports whether it may yet become one.
func open(text string) (m *marker, part bool) {
	all := markers()
	for i := range all {
		switch o := all[i].open; {
		case strings.HasPrefix(text, o):
			return &all[i], false
		case strings.HasPrefix(o, text):
			part = true
		}
	}
	return nil, part
}

// body returns what stands behind the marker and how long it is with its marks; 0 where it is not whole.
func (s *scanner) body(last bool) (string, int) {
	from, rest := len(s.in.open), s.held[len(s.in.open):]
	if s.in.close == "" {
		if n := jsonEnd(rest); n > 0 {
			return rest[:n], from + n
		}
	} else if i := strings.Index(rest, s.in.close); i >= 0 {
		return rest[:i], from + i + len(s.in.close)
	}
	if last || len(rest) > mostCall {
		return "", len(s.held)
	}
	return "", 0
}

// known returns the calls, if all are of tools that were declared.
func (s *scanner) known(calls []call) []call {
	for _, c := range calls {
		if !s.tools[c.name] {
			return nil
		}
	}
	return calls
}

// plain reports whether what comes next stands in no code. A run of marks that has just ended counts.
func (s *scanner) plain() bool {
	s.ended()
	return s.fence == 0 && s.span == 0
}

// step follows one byte of text.
func (s *scanner) step(b byte) {
	if b == '`' || b == '~' {
		if s.run > 0 && s.mark != b {
			s.ended()
		}
		if s.run == 0 {
			s.mark, s.lead = b, s.bol
		}
		s.run++
		s.bol = false
		return
	}
	s.ended()
	switch b {
	case '\n':
		s.bol, s.span = true, 0
	case ' ', '\t', '\r':
	default:
		s.bol = false
	}
}

// ended says that a run of marks is over: it opens or closes a fence, or a span.
func (s *scanner) ended() {
	n := s.run
	s.run = 0
	switch {
	case n == 0:
	case s.fence > 0:
		if s.lead && s.mark == s.with && n >= s.fence {
			s.fence = 0
		}
	case s.lead && n >= 3:
		s.fence, s.with, s.span = n, s.mark, 0
	case s.mark != '`':
	case s.span == 0:
		s.span = n
	case s.span == n:
		s.span = 0
	}
}
