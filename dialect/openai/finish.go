package openai

import "github.com/plenum-foundry/plenum/llm"

// decodeStop reads finish_reason. A host that says stop although a tool was called meant the tool.
func decodeStop(word string, called bool) llm.Stop {
	s := llm.Stop{Extra: llm.Extra{Dialect: Name}}
	switch word {
	case "stop":
		s.Reason = llm.StopEnd
		if called {
			s.Reason, s.Raw = llm.StopTool, word
		}
	case "length":
		s.Reason = llm.StopLength
	case "tool_calls":
		s.Reason = llm.StopTool
		if !called {
			s.Reason, s.Raw = llm.StopEnd, word
		}
	case "function_call":
		s.Reason, s.Raw = llm.StopTool, word
	case "content_filter":
		s.Reason = llm.StopFilter
	case "model_length":
		s.Reason, s.Raw = llm.StopContext, word
	case "error":
		s.Reason, s.Raw = llm.StopError, word
	case "":
	default:
		s.Reason, s.Raw = llm.StopOther, word
	}
	return s
}

// stopWord returns the finish_reason for a stop, or "" for an answer that was cut off. It is tool_calls if
// and only if a tool was called, unless the answer was cut: then its calls may not be whole.
func stopWord(s llm.Stop, called bool) string {
	if s.Raw != "" && s.Extra.Dialect == Name {
		return s.Raw
	}
	switch s.Reason {
	case llm.StopUnset:
		return ""
	case llm.StopLength, llm.StopContext:
		return "length"
	case llm.StopFilter, llm.StopRefusal:
		return "content_filter"
	}
	if called {
		return "tool_calls"
	}
	return "stop"
}

// stop names what of a stop cannot be said in an answer.
func (l *losses) stop(s llm.Stop, path string) {
	if s.Extra.Dialect == Name {
		return
	}
	path += ".finish_reason"
	switch s.Reason {
	case llm.StopPause:
		l.Add(path, "the turn is paused and wants to be sent back; said as stop")
	case llm.StopRefusal:
		l.Add(path, "a refusal is said as content_filter")
	case llm.StopOther, llm.StopError:
		l.Add(path, "said as stop")
	}
	if s.Sequence != "" {
		l.Add("stop_sequence", "which sequence was met")
	}
	l.extra(path, s.Extra)
}
