package structured

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Request returns what is to be sent, and whether it is not what the caller asked.
func (j *Job) Request() (r *llm.Request, rewritten bool) { return j.next, j.next != j.asked }

// Reduced returns the schema of the caller's and the one that is sent in its place, where that is all that
// differs of the request.
func (j *Job) Reduced() (was, is string, only bool) {
	if j.way != native || j.next.Output.Schema == j.asked.Output.Schema {
		return "", "", false
	}
	for i := range j.asked.Tools {
		if j.next.Tools[i].Schema != j.asked.Tools[i].Schema {
			return "", "", false
		}
	}
	return j.asked.Output.Schema, j.next.Output.Schema, j.next.Output.Schema != ""
}

// Holds reports whether the answer must be whole and looked at before any of it is said: the model may have to
// be asked again.
func (j *Job) Holds() bool { return j.way != native }

// Checks reports whether the answer is to be held to the schema although it passes as it comes.
func (j *Job) Checks() bool { return j.way == native && j.schema != nil }

// Changed returns what differs from what the caller said.
func (j *Job) Changed() []string { return j.changed }

// Read returns an answer as the caller is to have it. A *Mismatch says what is wrong with it.
func (j *Job) Read(got *llm.Response) (*llm.Response, error) {
	out := *got
	out.Choices = make([]llm.Choice, len(got.Choices))
	for i, c := range got.Choices {
		c, err := j.choice(c)
		if err != nil {
			return nil, err
		}
		out.Choices[i] = c
	}
	return &out, nil
}

func (j *Job) choice(c llm.Choice) (llm.Choice, error) {
	if j.way == byTool {
		if c, answered, err := j.unwrap(c); answered {
			return c, err
		}
	}
	if !whole(c) {
		return c, nil
	}
	text := Unwrap(textOf(c.Blocks))
	if err := j.check(text); err != nil {
		return c, err
	}
	if text != textOf(c.Blocks) {
		c.Blocks, c.Message = saying(c.Blocks, text), unnoted(c.Message)
	}
	return c, nil
}

// unwrap puts the input of the answering tool in the place of its call. It is false where the tool was not
// called.
func (j *Job) unwrap(c llm.Choice) (_ llm.Choice, answered bool, err error) {
	text, others := "", false
	var kept []llm.Block
	for _, b := range c.Blocks {
		t, call := b.(llm.ToolUse)
		switch {
		case call && t.Name == j.tool && !answered:
			answered, text = true, j.input(t.Args)
			kept = append(kept, llm.Text{Text: text})
		case call && t.Name == j.tool:
		case call:
			others = true
			kept = append(kept, b)
		default:
			if _, words := b.(llm.Text); !words {
				kept = append(kept, b)
			}
		}
	}
	if !answered {
		return c, false, nil
	}
	c.Blocks, c.Logprobs, c.Message = kept, nil, unnoted(c.Message)
	switch {
	case cut(c.Stop.Reason):
		return c, true, nil
	case !others:
		c.Stop = llm.Stop{Reason: llm.StopEnd}
	}
	return c, true, j.check(text)
}

// input returns the answer in a tool's input.
func (j *Job) input(args string) string {
	if args == "" {
		args = "{}"
	}
	if j.asked.Output.Kind == llm.FormatSchema && !object(j.asked.Output.Schema) && json.Valid([]byte(args)) {
		if v := wire.Raw(args).Get(wrapped); v.Found() {
			return v.JSON()
		}
	}
	return args
}

func (j *Job) check(text string) error {
	err := j.schema.Check(text)
	var m *Mismatch
	if err == nil || errors.As(err, &m) {
		return err
	}
	return &llm.Error{Kind: llm.Invalid, Op: "route", Param: "response_format", Message: err.Error(), Err: err}
}

// Judge holds an answer that has passed already to the schema: what is wrong with it, in words for the record.
func (j *Job) Judge(c llm.Choice) string {
	if !whole(c) {
		return ""
	}
	if err := j.schema.Check(textOf(c.Blocks)); err != nil {
		return err.Error()
	}
	return ""
}

// whole reports whether a choice is an answer that came to its end: one that calls tools, was cut or was
// refused has no shape to be held to.
func whole(c llm.Choice) bool {
	for _, b := range c.Blocks {
		switch b.(type) {
		case llm.ToolUse, llm.Refusal:
			return false
		}
	}
	return !cut(c.Stop.Reason)
}

func cut(why llm.StopReason) bool {
	switch why {
	case llm.StopEnd, llm.StopTool, llm.StopSequence, llm.StopOther:
		return false
	}
	return true
}

func textOf(blocks []llm.Block) string {
	var b strings.Builder
	for _, bl := range blocks {
		if t, ok := bl.(llm.Text); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// saying returns the blocks with one text in the place of all texts.
func saying(blocks []llm.Block, text string) []llm.Block {
	var out []llm.Block
	done := false
	for _, b := range blocks {
		if _, is := b.(llm.Text); !is {
			out = append(out, b)
		} else if !done {
			done = true
			out = append(out, llm.Text{Text: text})
		}
	}
	if !done {
		out = append(out, llm.Text{Text: text})
	}
	return out
}

// unnoted returns an Extra less what tells only how the message was said, which it is not any more: notes, and
// members that are null.
func unnoted(e llm.Extra) llm.Extra {
	out := llm.Extra{Dialect: e.Dialect}
	for _, f := range e.Fields {
		if f.Telling() {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// object reports whether a schema is one of objects, as the input of a tool must be.
func object(schema string) bool {
	v := wire.Raw(schema)
	return v.Kind() == '{' && v.Get("type").Is("object")
}
