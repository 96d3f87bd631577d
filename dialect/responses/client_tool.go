package responses

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// clientTool is a tool that the vendor defines and the client runs: it has a type in place of a schema, and its
// calls and results are items of their own. Toward other dialects it is a function with the schema here, of which
// every model can make calls, and a call of that is an item of the vendor's again for the client.
type clientTool struct {
	tool, call, output string // the types of the tool, its call and its result; the first is the function's name
	args               string // the member of the call that holds what a function's arguments are
	prefix             string // of ids of calls
	description        string
	schema             string
}

const (
	shellSchema = `{"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"},"description":"The commands, which are run one after the other."},` +
		`"timeout_ms":{"type":"integer","description":"How many milliseconds they may take."},"max_output_length":{"type":"integer","description":"How many characters of output are wanted at most."}},` +
		`"required":["commands"],"additionalProperties":false}`
	localShellSchema = `{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments."},` +
		`"env":{"type":"object","additionalProperties":{"type":"string"},"description":"Environment variables."},"timeout_ms":{"type":"integer","description":"How many milliseconds it may take."},` +
		`"working_directory":{"type":"string"},"user":{"type":"string","description":"Who it is run as."}},"required":["command"],"additionalProperties":false}`
	patchSchema = `{"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","delete_file"]},"path":{"type":"string","description":"The file, from the root of the workspace."},` +
		`"diff":{"type":"string","description":"To create a file, its lines, each behind a +. To update one, hunks: each begins with a line of @@, then lines that stay begin with a space, those that go with -, those that come with +. Not for delete_file."}},` +
		`"required":["type","path"],"additionalProperties":false}`
	searchSchema = `{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}`
)

// clientTools returns the tools of that kind.
func clientTools() [4]clientTool {
	return [4]clientTool{
		{"shell", "shell_call", "shell_call_output", "action", "sh", "Runs commands in a shell and returns their output.", shellSchema},
		{"local_shell", "local_shell_call", "local_shell_call_output", "action", "lsh", "Runs a program on the user's machine and returns its output.", localShellSchema},
		{"apply_patch", "apply_patch_call", "apply_patch_call_output", "operation", "apc", "Creates, updates or deletes a file.", patchSchema},
		{"tool_search", "tool_search_call", "tool_search_output", "arguments", "tsc", "Looks for tools, which can be called when they are found.", searchSchema},
	}
}

// noteAs is the note on a tool, a call, a result or a choice that has a type of its own: how it stood.
const noteAs = "as"

// noteElsewhere is the note on a tool that stood elsewhere than in the list of tools.
const noteElsewhere = "tool: elsewhere"

func clientToolBy(is func(*clientTool) bool) *clientTool {
	list := clientTools()
	for i := range list {
		if is(&list[i]) {
			return &list[i]
		}
	}
	return nil
}

// clientTool reads a tool that the client runs. One that the vendor runs is none.
func (d *requestDecoder) clientTool(kind string, v wire.Value) bool {
	ct := clientToolBy(func(t *clientTool) bool { return t.tool == kind })
	if ct == nil {
		return false
	}
	t := llm.Tool{Kind: llm.ToolFunction, Name: ct.tool, Description: ct.description, Schema: ct.schema}
	tell(&t.Extra, noteAs, v.JSON())
	switch kind {
	case "shell":
		if where := v.Get("environment"); where.Kind() == '{' && !where.Get("type").Is("local") {
			return false
		} else if skills := where.Get("skills"); skills.Len() > 0 {
			t.Extra.Add(Name, "environment.skills", skills.JSON())
		}
	case "tool_search":
		if !v.Get("execution").Is("client") {
			return false
		}
		if s := v.Get("description").Text(); s != "" {
			t.Description = s
		}
		if s := v.Get("parameters"); s.Kind() == '{' {
			t.Schema = s.JSON()
		}
	}
	if callers := v.Get("allowed_callers"); callers.Kind() == '[' {
		t.Extra.Add(Name, "allowed_callers", callers.JSON())
	}
	d.r.Tools = append(d.r.Tools, t)
	return true
}

// distinct makes tools that the client runs opaque again where a function has their name.
func (d *requestDecoder) distinct() {
	for i := range d.r.Tools {
		t := &d.r.Tools[i]
		raw, ok := told(t.Extra, noteAs)
		if !ok || wire.Raw(raw).Get("type").Is("namespace") {
			continue
		}
		for j := range d.r.Tools {
			if j != i && d.r.Tools[j].Name == t.Name {
				*t = llm.Tool{Kind: llm.ToolHosted, Opaque: llm.Opaque{Dialect: Name, Type: t.Name, Raw: raw}}
				break
			}
		}
	}
}

// clientCall reads a call of a tool that the client runs.
func clientCall(kind string, v wire.Value) (llm.ToolUse, bool) {
	ct := clientToolBy(func(t *clientTool) bool { return t.call == kind })
	if ct == nil || v.Get(ct.args).Kind() != '{' || kind == "tool_search_call" && !v.Get("execution").Is("client") ||
		v.Get("environment").Kind() == '{' && !v.Get("environment", "type").Is("local") {
		return llm.ToolUse{}, false
	}
	b := llm.ToolUse{Kind: llm.ToolFunction, ID: v.Get("call_id").Text(), Item: v.Get("id").Text(), Name: ct.tool, Args: ct.argsOf(v)}
	if b.ID == "" {
		b.ID = b.Item
	}
	tell(&b.Extra, noteAs, v.JSON())
	if caller := v.Get("caller"); caller.Kind() == '{' && !caller.Get("type").Is("direct") {
		b.Extra.Add(Name, "caller", caller.JSON())
	}
	if skills := v.Get("environment", "skills"); skills.Len() > 0 {
		b.Extra.Add(Name, "environment.skills", skills.JSON())
	}
	return b, true
}

// argsOf returns the arguments that a call would have as one of a function.
func (t *clientTool) argsOf(call wire.Value) string {
	args := call.Get(t.args)
	if t.tool != "local_shell" {
		return args.JSON()
	}
	var w jsonw.Writer
	w.Open('{')
	_ = args.Members(func(key []byte, m wire.Value) error {
		if string(key) != "type" {
			w.KeyRaw(string(key), m.JSON())
		}
		return nil
	})
	w.Close('}')
	return w.String()
}

// appendAs writes a call as it stood, with its arguments if they have been changed since.
func appendAs(w *jsonw.Writer, raw string, b llm.ToolUse) {
	v := wire.Raw(raw)
	ct := clientToolBy(func(t *clientTool) bool { return v.Get("type").Is(t.call) })
	if ct == nil || ct.argsOf(v) == b.Args || !isObject(b.Args) {
		w.Raw(raw)
		return
	}
	w.Raw(withMember(raw, ct.args, ct.said(b.Args)))
}

// said returns arguments as the call has them.
func (t *clientTool) said(args string) string {
	v := wire.Raw(args)
	var w jsonw.Writer
	w.Open('{')
	if t.tool == "local_shell" {
		w.KeyStr("type", "exec")
	}
	_ = v.Members(func(key []byte, m wire.Value) error {
		k := string(key)
		if k == "commands" && m.Kind() == '"' || k == "command" && m.Kind() == '"' {
			w.KeyRaw(k, "["+m.JSON()+"]")
		} else if t.tool != "local_shell" || k != "type" {
			w.KeyRaw(k, m.JSON())
		}
		return nil
	})
	missing := func(key, usual string) {
		if !v.Get(key).Found() {
			w.KeyRaw(key, usual)
		}
	}
	switch t.tool {
	case "shell":
		missing("commands", "[]")
		missing("timeout_ms", "null")
		missing("max_output_length", "null")
	case "local_shell":
		missing("command", "[]")
		missing("env", "{}")
	}
	w.Close('}')
	return w.String()
}

// append writes a call that a model made of the function.
func (t *clientTool) append(w *jsonw.Writer, id, status string, b llm.ToolUse) {
	w.Open('{')
	w.KeyStr("type", t.call)
	w.KeyStr("id", id)
	w.KeyStr("call_id", b.ID)
	w.KeyStr("status", status)
	args := b.Args
	if !isObject(args) {
		args = "{}"
	}
	w.KeyRaw(t.args, t.said(args))
	switch t.tool {
	case "shell":
		w.KeyRaw("environment", `{"type":"local"}`)
	case "tool_search":
		w.KeyStr("execution", "client")
	}
	w.Close('}')
}

// clientResult reads the result of a tool that the client runs.
func (d *requestDecoder) clientResult(kind string, v wire.Value) bool {
	ct := clientToolBy(func(t *clientTool) bool { return t.output == kind })
	if ct == nil || kind == "tool_search_output" && !v.Get("execution").Is("client") {
		return false
	}
	b := llm.ToolDone{ID: v.Get("call_id").Text(), Plain: true}
	if b.ID == "" {
		b.ID = v.Get("id").Text()
	}
	text := resultText(v)
	if kind == "tool_search_output" {
		text = d.load(v.Get("tools"))
	}
	if kind == "apply_patch_call_output" && v.Get("status").Is("failed") {
		b.IsError = llm.Some(true)
	}
	tell(&b.Extra, noteAs, v.JSON())
	if caller := v.Get("caller"); caller.Kind() == '{' && !caller.Get("type").Is("direct") {
		b.Extra.Add(Name, "caller", caller.JSON())
	}
	b.Blocks = []llm.Block{llm.Text{Text: text, Extra: named()}}
	d.add(llm.Message{Role: llm.ToolRole, Blocks: []llm.Block{b}, Extra: named()})
	return true
}

// resultText returns what a result says: the output of commands with how each ended, as it stands.
func resultText(v wire.Value) string {
	switch out := v.Get("output"); out.Kind() {
	case '"':
		return out.Text()
	case '[':
		return out.JSON()
	}
	return v.Get("status").Text()
}

// load adds tools that were found to those of the request, and says which they are.
func (d *requestDecoder) load(tools wire.Value) string {
	known, from := map[string]bool{}, len(d.r.Tools)
	for _, t := range d.r.Tools {
		known[t.Name] = true
	}
	if tools.Kind() == '[' && tools.Elems(d.tool) != nil {
		d.r.Tools = d.r.Tools[:from]
	}
	var names []string
	kept := d.r.Tools[:from]
	for _, t := range d.r.Tools[from:] {
		if t.Kind == llm.ToolFunction {
			names = append(names, t.Name)
		}
		if !known[t.Name] {
			t.Extra.Note(Name, noteElsewhere)
			kept = append(kept, t)
		}
	}
	d.r.Tools = kept
	if len(names) == 0 {
		return "No tools were found."
	}
	return "These tools can be called now: " + strings.Join(names, ", ")
}

// appendResultAs writes a result as it stood, with its text if that has been changed since.
func appendResultAs(w *jsonw.Writer, raw string, b llm.ToolDone) {
	v := wire.Raw(raw)
	text, ok := onlyText(b.Blocks)
	switch {
	case !ok || v.Get("type").Is("tool_search_output") || text == resultText(v):
		w.Raw(raw)
	case v.Get("output").Kind() == '[':
		w.Raw(withMember(raw, "output", `[{"stdout":`+quote(text)+`,"stderr":"","outcome":{"type":"exit","exit_code":0}}]`))
	default:
		w.Raw(withMember(raw, "output", quote(text)))
	}
}

// withMember returns an object with another value of a member.
func withMember(object, key, value string) string {
	var w jsonw.Writer
	w.Open('{')
	_ = wire.Raw(object).Members(func(k []byte, m wire.Value) error {
		if string(k) != key {
			w.KeyRaw(string(k), m.JSON())
		}
		return nil
	})
	w.KeyRaw(key, value)
	w.Close('}')
	return w.String()
}
