package stray

import (
	"bytes"
	"encoding/json"
	"strings"
)

// call is a call as it was written.
type call struct{ name, args string }

// compact returns JSON without white space, or the text as it is.
func compact(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}

// made returns a call whose arguments are an object; nil of anything else.
func made(name, args string) []call {
	args = strings.TrimSpace(args)
	if name = strings.TrimSpace(name); name == "" || !strings.HasPrefix(args, "{") || !json.Valid([]byte(args)) {
		return nil
	}
	return []call{{name, args}}
}

// object reads {"name": ..., "arguments": ...}, under the names that models give these members.
func object(body string) []call {
	var o struct {
		Name       string          `json:"name"`
		Arguments  json.RawMessage `json:"arguments"`
		Parameters json.RawMessage `json:"parameters"`
	}
	if json.Unmarshal([]byte(strings.TrimSpace(body)), &o) != nil {
		return nil
	}
	args := string(o.Arguments)
	if args == "" {
		args = string(o.Parameters)
	}
	var text string
	if json.Unmarshal([]byte(args), &text) == nil && text != "" {
		args = text // arguments as a text, as chat completions have them
	}
	if args == "" || args == "null" {
		args = "{}"
	}
	return made(o.Name, args)
}

// objects reads a list of such objects, or one.
func objects(body string) []call {
	body = strings.TrimSpace(body)
	if !strings.HasPrefix(body, "[") {
		return object(body)
	}
	var list []json.RawMessage
	if json.Unmarshal([]byte(body), &list) != nil {
		return nil
	}
	var out []call
	for _, el := range list {
		c := object(string(el))
		if c == nil {
			return nil
		}
		out = append(out, c...)
	}
	return out
}

// tagged reads what stands in <tool_call>: an object, a function of tags, or a name with pairs of tags.
func tagged(body string) []call {
	body = strings.TrimSpace(body)
	if rest, ok := strings.CutPrefix(body, "<function="); ok {
		rest, ok = strings.CutSuffix(rest, "</function>")
		if !ok {
			return nil
		}
		return function(rest)
	}
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		return objects(body)
	}
	name, rest, _ := strings.Cut(body, "<arg_key>")
	args := map[string]any{}
	for rest != "" {
		key, after, ok := strings.Cut(rest, "</arg_key>")
		value, after, ok2 := between(after, "<arg_value>", "</arg_value>")
		if !ok || !ok2 {
			return nil
		}
		args[strings.TrimSpace(key)] = plainValue(value)
		_, rest, _ = strings.Cut(after, "<arg_key>")
	}
	return fromMap(name, args)
}

// function reads NAME>... of <function=NAME>: an object of arguments, or parameters in tags.
func function(body string) []call {
	name, rest, ok := strings.Cut(body, ">")
	rest = strings.TrimSpace(rest)
	if !ok {
		return nil
	}
	if strings.HasPrefix(rest, "{") {
		return made(name, rest)
	}
	args := map[string]any{}
	for rest != "" {
		after, ok := strings.CutPrefix(rest, "<parameter=")
		key, after, ok2 := strings.Cut(after, ">")
		value, after, ok3 := strings.Cut(after, "</parameter>")
		if !ok || !ok2 || !ok3 {
			return nil
		}
		args[key] = plainValue(value)
		rest = strings.TrimSpace(after)
	}
	return fromMap(name, args)
}

// between cuts what stands between two tags, of which the first comes next.
func between(s, from, to string) (inner, after string, ok bool) {
	s, ok = strings.CutPrefix(strings.TrimSpace(s), from)
	if !ok {
		return "", "", false
	}
	return strings.Cut(s, to)
}

// plainValue reads a value that stands in tags: JSON where it is, else a text.
func plainValue(s string) any {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "\n"), "\n")
	if json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	return s
}

func fromMap(name string, args map[string]any) []call {
	text, err := json.Marshal(args)
	if err != nil {
		return nil
	}
	return made(name, string(text))
}

// mistral reads what follows [TOOL_CALLS]: a list of objects, or a name and its arguments.
func mistral(body string) []call {
	if name, args, ok := strings.Cut(body, "[ARGS]"); ok {
		name, _, _ = strings.Cut(name, "[") // an id may stand between
		return made(name, args)
	}
	if strings.HasPrefix(strings.TrimSpace(body), "[") {
		return objects(body)
	}
	if i := strings.IndexByte(body, '{'); i > 0 {
		return made(body[:i], body[i:])
	}
	return object(body)
}

// deepseek reads the calls of a section: a name and its arguments, in a fence in the older models.
func deepseek(body string) []call {
	const open, sep, end = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
	return section(body, open, end, func(one string) []call {
		name, args, ok := strings.Cut(one, sep)
		if !ok {
			return nil
		}
		if name == "function" {
			name, args, _ = strings.Cut(args, "\n")
			args = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(args), "```json"), "```")
		}
		return made(name, args)
	})
}

// kimi reads the calls of a section: functions.NAME:0 and the arguments.
func kimi(body string) []call {
	const open, sep, end = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
	return section(body, open, end, func(one string) []call {
		id, args, ok := strings.Cut(one, sep)
		if !ok {
			return nil
		}
		name := strings.TrimPrefix(strings.TrimSpace(id), "functions.")
		if i := strings.LastIndexByte(name, ':'); i > 0 {
			name = name[:i]
		}
		return made(name, args)
	})
}

// section reads calls that stand one after the other, each between marks of its own.
func section(body, open, end string, read func(string) []call) []call {
	var out []call
	for body = strings.TrimSpace(body); body != ""; body = strings.TrimSpace(body) {
		one, rest, ok := between(body, open, end)
		if !ok {
			return nil
		}
		c := read(one)
		if c == nil {
			return nil
		}
		out, body = append(out, c...), rest
	}
	return out
}

// jsonEnd returns where the first object or list of a text ends; 0 where it does not yet.
func jsonEnd(text string) int {
	depth, quoted, from := 0, false, 0
	if lead := strings.TrimSpace(text); !strings.HasPrefix(lead, "[") {
		if from = strings.IndexByte(text, '{'); from < 0 {
			return 0
		}
	}
	for i := from; i < len(text); i++ {
		switch b := text[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return 0
}
