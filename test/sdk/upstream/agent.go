package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// The task that agents are given, as their prompt says it: the file is named so that a model which knows
// nothing of the place can do it.
var agentTask = regexp.MustCompile(`In the file (/\S+) replace (\w+) by (\w+)`)

// agentLine is what stands in the file.
var agentLine = regexp.MustCompile(`\w+, world\.`)

// agent does the task with the tools that the request offers: it looks, edits, looks again, and reports what
// it saw. What it sees must have come back through the gateway, so that a lost result fails the task.
type agent struct {
	r        *request
	file     string
	old, new string
}

// work answers an agent. What does not speak of the task (an agent asks for titles and summaries of its own)
// gets a short answer.
func work(r *request) *answer {
	a := &agent{r: r}
	if !a.briefed() || len(r.Tools) == 0 {
		return says("A ", "greeting.")
	}
	done := 0
	for _, t := range r.Turns {
		if t.Role == "assistant" && slices.ContainsFunc(t.Parts, func(p part) bool { return p.Type == "call" }) {
			done++
		}
	}
	steps := []func() *answer{a.look, a.edit, a.check}
	if done < len(steps) {
		return a.thoughtful(steps[done]())
	}
	return a.report()
}

func (a *agent) briefed() bool {
	for _, t := range a.r.Turns {
		for _, p := range t.Parts {
			if m := agentTask.FindStringSubmatch(p.Text); t.Role == "user" && p.Type == "text" && m != nil {
				a.file, a.old, a.new = m[1], m[2], m[3]
				return true
			}
		}
	}
	return false
}

// thoughtful puts a signed thought before a turn where thinking was asked for: it must come back.
func (a *agent) thoughtful(out *answer) *answer {
	if a.r.Thinking != "" && a.r.Thinking != "off" {
		out.before(thought("One step ", "after another."))
	}
	return out
}

// look calls two tools at once where there are two.
func (a *agent) look() *answer {
	out := &answer{choices: []choice{{stop: "tool"}}, usage: usage{in: 900, cacheRead: 100, out: 30}}
	out.then(block{kind: "text", pieces: []string{"I look ", "first."}})
	first, ok := a.call("1", []string{"Read", "read_file", "view", "read"}, nil)
	second := a.shell("2", "ls "+a.file)
	if ok {
		out.then(first)
	}
	return out.then(second)
}

func (a *agent) edit() *answer {
	out := &answer{choices: []choice{{stop: "tool"}}, usage: usage{in: 100, cacheRead: 1000, out: 40}}
	patch := fmt.Sprintf("*** Begin Patch\n*** Update File: %s\n@@\n-%s, world.\n+%s, world.\n*** End Patch\n", a.file, a.old, a.new)
	if c, ok := a.call("3", []string{"Edit", "replace", "edit", "apply_patch"}, map[string]string{"patch": patch}); ok {
		return out.then(c)
	}
	return out.then(a.shell("3", fmt.Sprintf("sed -i s/%s/%s/ %s", a.old, a.new, a.file)))
}

func (a *agent) check() *answer {
	out := &answer{choices: []choice{{stop: "tool"}}, usage: usage{in: 100, cacheRead: 1100, out: 20}}
	return out.then(a.shell("4", "cat "+a.file))
}

// report repeats the line that the last tool showed.
func (a *agent) report() *answer {
	for _, p := range a.r.last() {
		if line := agentLine.FindString(p.Text); p.Type == "result" && line != "" {
			return says("Done. The file says: ", line)
		}
	}
	return says("I lost sight of the file.")
}

func (a *agent) shell(id, command string) block {
	b, ok := a.call(id, []string{"Bash", "bash", "exec_command", "shell", "shell_command", "run_shell_command"}, map[string]string{"command": command})
	if !ok {
		return block{kind: "text", pieces: []string{"There is no shell."}}
	}
	return b
}

// call calls the first tool of some names that is offered, with the arguments that its schema names.
func (a *agent) call(id string, names []string, say map[string]string) (block, bool) {
	for _, name := range names {
		for _, t := range a.r.Tools {
			if t.Name == name {
				return a.fill(id, t, say), true
			}
		}
	}
	return block{}, false
}

func (a *agent) fill(id string, t tool, say map[string]string) block {
	var s struct {
		Properties map[string]struct{ Type any }
		Required   []string
	}
	_ = json.Unmarshal(t.Schema, &s)
	args := map[string]any{}
	for key, p := range s.Properties {
		value := a.argument(key, say)
		switch {
		case value != "" && p.Type == "array":
			args[key] = []string{"bash", "-c", value}
		case value != "":
			args[key] = value
		case slices.Contains(s.Required, key) && p.Type == "string":
			args[key] = "A step of the task"
		}
	}
	text := string(encode(args))
	half := len(text) / 2
	return call(fmt.Sprintf("toolu_0%s%d", id, a.r.nth), t.Name, text[:half], text[half:])
}

// argument is what a parameter of such a name wants.
func (a *agent) argument(key string, say map[string]string) string {
	switch key {
	case "file_path", "filePath", "absolute_path", "path":
		return a.file
	case "old_string", "oldString", "old_str":
		return a.old
	case "new_string", "newString", "new_str":
		return a.new
	case "command", "cmd":
		return say["command"]
	case "input", "patch", "patchText":
		return say["patch"]
	}
	return ""
}
