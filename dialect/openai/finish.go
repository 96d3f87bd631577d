package openai

import (
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// decodeStop reads finish_reason. A host that says stop although a tool was called meant the tool.
func decodeStop(word string, called bool) llm.Stop {
	s := llm.Stop{Reason: reasonOf(word), Extra: llm.Extra{Dialect: Name}}
	if s.Reason == llm.StopOther || word != "" && word != wordOf(s.Reason) {
		s.Raw = word
	}
	switch {
	case called && s.Reason == llm.StopEnd:
		s.Reason, s.Raw = llm.StopTool, word
	case !called && s.Reason == llm.StopTool && word != "function_call":
		s.Reason, s.Raw = llm.StopEnd, word
	}
	return s
}

// reasonOf returns what the words mean that hosts of this dialect say.
func reasonOf(word string) llm.StopReason {
	switch strings.ToLower(word) {
	case "":
		return llm.StopUnset
	case "stop", "eos", "eos_token", "end_turn", "stop_sequence":
		return llm.StopEnd
	case "length", "max_tokens":
		return llm.StopLength
	case "tool_calls", "function_call", "tool_call", "tool_use":
		return llm.StopTool
	case "content_filter", "sensitive", "safety", "recitation":
		return llm.StopFilter
	case "model_length", "model_context_window_exceeded":
		return llm.StopContext
	case "error", "network_error", "abort", "insufficient_system_resource":
		return llm.StopError
	}
	return llm.StopOther
}

// wordOf returns the word of this dialect's vendor for a reason, or "".
func wordOf(r llm.StopReason) string {
	switch r {
	case llm.StopEnd:
		return "stop"
	case llm.StopLength:
		return "length"
	case llm.StopTool:
		return "tool_calls"
	case llm.StopFilter:
		return "content_filter"
	}
	return ""
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
