package structured

import (
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// anyObject is the schema of any JSON object.
const anyObject = `{"type":"object"}`

// ask makes the request that gets the shape without the host's help.
func (j *Job) ask() {
	next := *j.asked
	next.Output = llm.Format{}
	if j.way == byTool {
		j.askTool(&next)
	} else {
		j.askWord(&next)
	}
	j.next = &next
}

// askTool adds the tool whose input is the answer, and has the model call it. Where the caller has tools as
// well the model chooses among them all.
func (j *Job) askTool(next *llm.Request) {
	f := j.asked.Output
	t := llm.Tool{Kind: llm.ToolFunction, Schema: f.Schema, Description: "Give your answer to the user by calling this tool: its input is the answer, and nothing else of what you say is read."}
	if f.Kind == llm.FormatJSON {
		t.Schema = anyObject
	} else if !object(f.Schema) {
		t.Schema = wrap(f.Schema)
	}
	if f.Description != "" {
		t.Description += " The answer is: " + f.Description
	}
	t.Name = j.free("answer")
	j.tool = t.Name
	next.Tools = append(slices.Clone(j.asked.Tools), t)
	next.Choose = llm.ToolChoice{Mode: llm.ChooseTool, Name: t.Name}
	if len(j.asked.Tools) > 0 && j.asked.Choose.Mode != llm.ChooseNone {
		next.Choose = llm.ToolChoice{Mode: llm.ChooseAny, Allowed: j.asked.Choose.Allowed}
		if len(next.Choose.Allowed) > 0 {
			next.Choose.Allowed = append(slices.Clone(next.Choose.Allowed), t.Name)
		}
	}
	how := "an answer by a tool"
	if j.asked.Logprobs.V {
		j.changed = append(j.changed, "logprobs left out of an answer by a tool")
	}
	if f.Kind == llm.FormatJSON {
		how += ": the host has no JSON mode"
	} else {
		how += ": the host has no structured output"
	}
	j.changed = append(j.changed, "response_format said as "+how)
}

// wrapped is the member that holds an answer which is no object: the input of a tool always is one.
const wrapped = "answer"

// wrap returns the schema of an object that holds a value of another schema. What that refers to stays where
// the references lead.
func wrap(schema string) string {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "object")
	w.KeyOpen("properties", '{')
	w.KeyRaw(wrapped, schema)
	w.Close('}')
	w.KeyRaw("required", `["`+wrapped+`"]`)
	w.KeyBool("additionalProperties", false)
	for _, shared := range []string{"$defs", "definitions"} {
		if v := wire.Raw(schema).Get(shared); v.Found() {
			w.KeyRaw(shared, v.JSON())
		}
	}
	w.Close('}')
	return w.String()
}

// wrappable reports whether a schema can stand within another: one that refers to itself as a whole cannot.
func wrappable(schema string) bool { return object(schema) || !strings.Contains(schema, `"#"`) }

// free returns a name that no tool of the caller's has.
func (j *Job) free(name string) string {
	for i := 2; ; i++ {
		if !slices.ContainsFunc(j.asked.Tools, func(t llm.Tool) bool { return t.Name == name }) {
			return name
		}
		name = "answer_" + strconv.Itoa(i)
	}
}

// askWord tells the model in the system prompt what the answer must look like.
func (j *Job) askWord(next *llm.Request) {
	f := j.asked.Output
	words := "Answer with one JSON object and nothing else: no words around it, no code fence."
	if f.Kind == llm.FormatSchema {
		words = "Answer with JSON that matches this JSON Schema and nothing else: no words around it, no code fence."
		if len(j.asked.Tools) > 0 {
			words += " That holds for the answer; tools are called as ever."
		}
		words += "\n\n" + f.Schema
		if f.Description != "" {
			words += "\n\nThe answer is: " + f.Description
		}
	}
	at := 0
	for at < len(next.Messages) && (next.Messages[at].Role == llm.System || next.Messages[at].Role == llm.Developer) {
		at++
	}
	m := llm.Message{Role: llm.System, Plain: true, Blocks: []llm.Block{llm.Text{Text: words}}}
	if at > 0 {
		m.Role, m.Place = next.Messages[at-1].Role, next.Messages[at-1].Place
	}
	next.Messages = slices.Insert(slices.Clone(next.Messages), at, m)
	j.changed = append(j.changed, "response_format said as an instruction: the host has no structured output")
}

// maxAgain is how often a model is told what was wrong with its answer.
const maxAgain = 2

// Again makes the next request: the same, with the answer and what is wrong with it behind it. It is false
// where the model was told often enough.
func (j *Job) Again(got *llm.Response, m *Mismatch) bool {
	if j.tries >= maxAgain || got == nil || len(got.Choices) == 0 {
		return false
	}
	j.tries++
	next := *j.next
	next.Messages = slices.Clone(next.Messages)
	blocks := solid(got.Choices[0].Blocks)
	if len(blocks) > 0 {
		next.Messages = append(next.Messages, llm.Message{Role: llm.Assistant, Blocks: blocks})
	}
	next.Messages = append(next.Messages, j.told(blocks, m)...)
	j.next = &next
	return true
}

// told returns what the model is told of its answer: as the result of its calls, where there are some.
func (j *Job) told(blocks []llm.Block, m *Mismatch) []llm.Message {
	words := "This answer does not have the shape that was asked for.\n" + m.Detail + "\nGive the whole answer again, as JSON that matches the schema and nothing else."
	if j.way == byTool {
		words = "This answer does not have the shape that was asked for.\n" + m.Detail + "\nGive the whole answer again, by calling the tool " + j.tool + "."
	}
	var done []llm.Block
	for _, b := range blocks {
		if t, ok := b.(llm.ToolUse); ok {
			done = append(done, llm.ToolDone{ID: t.ID, Name: t.Name, Plain: true, IsError: llm.Some(true), Blocks: []llm.Block{llm.Text{Text: words}}})
		}
	}
	if done != nil {
		return []llm.Message{{Role: llm.ToolRole, Blocks: done}}
	}
	return []llm.Message{{Role: llm.User, Plain: true, Blocks: []llm.Block{llm.Text{Text: words}}}}
}

// solid returns the blocks that can be said back to the model.
func solid(blocks []llm.Block) []llm.Block {
	var out []llm.Block
	said := false
	for _, b := range blocks {
		switch b := b.(type) {
		case llm.Text:
			if b.Text == "" {
				continue
			}
			b.Citations = nil
			said = true
			out = append(out, b)
		case llm.ToolUse:
			said = true
			out = append(out, b)
		case llm.Thought:
			out = append(out, b)
		}
	}
	if !said {
		return nil
	}
	return out
}
