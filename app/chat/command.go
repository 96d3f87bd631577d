package chat

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// command is one that begins with a slash.
type command struct {
	name string
	arg  string // what may follow it
	help string
	do   func(s *Session, ctx context.Context, arg string)
}

func commands() []command {
	return []command{
		{"model", "[NAME]", "list the models, or talk to another", (*Session).doModel},
		{"system", "[TEXT]", "show the instructions, or give others; - takes them away", (*Session).doSystem},
		{"new", "", "begin anew: the model forgets what was said", (*Session).doNew},
		{"cost", "", "what was used so far, and what it cost", (*Session).doCost},
		{"save", "[FILE]", "write the conversation to a file, in Markdown", (*Session).doSave},
		{"help", "", "this list", (*Session).doHelp},
		{"quit", "", "end; so does Ctrl-D", nil},
	}
}

// command carries a command out. It reports whether the session is to end.
func (s *Session) command(ctx context.Context, text string) (quit bool) {
	name, arg, _ := strings.Cut(text, " ")
	name = strings.TrimPrefix(name, "/")
	if name == "exit" || name == "q" {
		name = "quit"
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		if c.do == nil {
			return true
		}
		c.do(s, ctx, strings.TrimSpace(arg))
		return false
	}
	s.say("There is no command /%s. /help lists them.\nTo begin a prompt with a slash, put a space before it.\n", name)
	return false
}

func (s *Session) doModel(ctx context.Context, arg string) {
	_ = s.list(ctx) // those that were known before will do
	if arg == "" {
		for _, m := range s.models {
			mark := " "
			if m == s.Model {
				mark = "*"
			}
			s.say("%s %s\n", mark, m)
		}
		s.say("%s\n", s.Style.dim("/model NAME talks to another; Tab completes the name. What was said stays."))
		return
	}
	name, ok := s.find(arg)
	if !ok {
		return
	}
	s.Model = name
	s.say("%s\n", s.Style.dim("Talking to "+name+"."))
}

// find returns the model that a person means: the one of that name, or the only one that has it in its
// name. Names that are not in the list are taken as they are where they look like one at a connection,
// for not everything that can be called is listed.
func (s *Session) find(arg string) (string, bool) {
	if slices.Contains(s.models, arg) {
		return arg, true
	}
	var like []string
	for _, m := range s.models {
		if strings.Contains(strings.ToLower(m), strings.ToLower(arg)) {
			like = append(like, m)
		}
	}
	switch {
	case len(like) == 1:
		return like[0], true
	case len(like) > 1:
		s.say("Several are like that: %s\n", some(like))
		return "", false
	case strings.Contains(arg, "/"):
		return arg, true
	default:
		s.say("There is no model %q. /model lists them.\n", arg)
		return "", false
	}
}

func (s *Session) doSystem(_ context.Context, arg string) {
	switch arg {
	case "":
		if s.System == "" {
			s.say("There are no instructions. /system TEXT gives some.\n")
		} else {
			s.say("%s\n", s.System)
		}
		return
	case "-":
		s.System = ""
		s.say("%s\n", s.Style.dim("The instructions are gone."))
	default:
		s.System = arg
		s.say("%s\n", s.Style.dim("These are the instructions from now on."))
	}
}

func (s *Session) doNew(context.Context, string) {
	s.messages = nil
	s.say("%s\n", s.Style.dim("A new conversation."))
}

func (s *Session) doCost(context.Context, string) { s.say("%s\n", s.sum()) }

func (s *Session) doHelp(context.Context, string) {
	for _, c := range commands() {
		s.say("  %-17s %s\n", strings.TrimSpace("/"+c.name+" "+c.arg), c.help)
	}
	s.say("%s", `
  Enter sends. Alt-Enter, Ctrl-J, or \ at the end of a line begins a new line;
  """ begins a block of lines and ends it. Up and Down bring back what was asked
  before, Tab completes commands and models. Ctrl-C stops an answer, Ctrl-D ends.
`)
}

func (s *Session) doSave(_ context.Context, arg string) {
	if len(s.messages) == 0 {
		s.say("There is nothing to save yet.\n")
		return
	}
	if arg == "" {
		arg = "chat-" + time.Now().Format("20060102-150405") + ".md"
	}
	f, err := os.OpenFile(arg, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never over something
	if err == nil {
		_, err = f.WriteString(s.transcript())
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		s.say("%s\n", s.Style.alarm("Not saved: "+err.Error()))
		return
	}
	s.say("%s\n", s.Style.dim("Saved to "+arg+"."))
}

// transcript is the conversation in Markdown.
func (s *Session) transcript() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# A conversation with %s\n\n%s\n", s.Model, time.Now().Format("2006-01-02 15:04"))
	titles := map[string]string{system: "Instructions", user: "Asked", assistant: "Answered"}
	for _, m := range slices.Concat(s.opening(), s.messages) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", titles[m.Role], strings.TrimRight(m.Content, "\n"))
	}
	return b.String()
}
