// Package stray finds calls of tools that a model wrote into its text, in the words of its template, because the server
// that runs it did not read them out: <tool_call>{...}</tool_call> and its kin. It is for hosts that are known to do so.
//
// A Reader takes the events of an answer and returns them with those calls as calls. What is text goes on at once: held
// back is only what may be the beginning of a marker, and a call until it is whole. Text in code fences and code spans
// is never looked at, and a call of a tool that the caller did not declare stays text.
package stray

import (
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// Reader reads the events of one answer. The zero Reader is not usable.
type Reader struct {
	id      string
	tools   map[string]bool
	choices map[int]*choice
	found   int
}

// New returns a reader for the answer to a request. Ids of calls are made of id. It is nil where the request declares no
// function: then there is nothing to be called.
func New(r *llm.Request, id string) *Reader {
	tools := map[string]bool{}
	for i := range r.Tools {
		if r.Tools[i].Kind == llm.ToolFunction {
			tools[r.Tools[i].Name] = true
		}
	}
	if len(tools) == 0 {
		return nil
	}
	return &Reader{id: id, tools: tools, choices: map[int]*choice{}}
}

// choice is what is known of one choice of the answer.
type choice struct {
	texts map[int]*text
	said  map[int]*llm.ToolUse // calls that the host said itself, as they are built
	calls []call
	next  int // the first index that no block has
}

// text is a block of text that is being read.
type text struct {
	scan    scanner
	start   llm.BlockStart
	started bool
	blank   string // white space from which it is not known whether it stands before a call
	cut     bool   // a call was taken out
}

// Found returns how many calls were read out of text so far.
func (r *Reader) Found() int { return r.found }

// Add takes an event and appends what is to be said to dst.
func (r *Reader) Add(dst []llm.Event, ev llm.Event) []llm.Event {
	switch e := ev.(type) {
	case llm.BlockStart:
		return r.begin(dst, e)
	case llm.TextDelta:
		if t := r.at(e.Choice).texts[e.Index]; t != nil {
			return r.write(dst, t, e.Text, false)
		}
	case llm.CiteDelta:
		if t := r.at(e.Choice).texts[e.Index]; t != nil {
			dst = t.open(dst)
		}
	case llm.ArgsDelta:
		if u := r.at(e.Choice).said[e.Index]; u != nil {
			u.Args += e.JSON
		}
	case llm.BlockEnd:
		return r.end(dst, e)
	case llm.Finish:
		return r.finish(dst, e)
	}
	return append(dst, ev)
}

func (r *Reader) at(index int) *choice {
	c := r.choices[index]
	if c == nil {
		c = &choice{texts: map[int]*text{}, said: map[int]*llm.ToolUse{}}
		r.choices[index] = c
	}
	return c
}

func (r *Reader) begin(dst []llm.Event, e llm.BlockStart) []llm.Event {
	c := r.at(e.Choice)
	c.next = max(c.next, e.Index+1)
	switch b := e.Block.(type) {
	case llm.Text:
		first := b.Text
		b.Text = ""
		e.Block = b
		t := &text{start: e, scan: scanner{tools: r.tools, bol: true}}
		c.texts[e.Index] = t
		return r.write(dst, t, first, false)
	case llm.ToolUse:
		c.said[e.Index] = &b
	}
	return append(dst, e)
}

// write reads more of a text.
func (r *Reader) write(dst []llm.Event, t *text, more string, last bool) []llm.Event {
	said, calls := t.scan.add(more, last)
	if len(calls) > 0 {
		c := r.at(t.start.Choice)
		c.calls = append(c.calls, calls...)
		t.cut = true
	}
	said = t.blank + said
	t.blank = ""
	if rest := strings.TrimRight(said, " \t\r\n"); !last || t.cut {
		said, t.blank = rest, said[len(rest):] // white space at the end is said once something follows
	}
	if said == "" {
		return dst
	}
	return append(t.open(dst), llm.TextDelta{Choice: t.start.Choice, Index: t.start.Index, Text: said})
}

// open says that the block begins, once.
func (t *text) open(dst []llm.Event) []llm.Event {
	if t.started {
		return dst
	}
	t.started = true
	return append(dst, t.start)
}

func (r *Reader) end(dst []llm.Event, e llm.BlockEnd) []llm.Event {
	c := r.at(e.Choice)
	if u, ok := e.Block.(llm.ToolUse); ok && c.said[e.Index] != nil {
		*c.said[e.Index] = u
	}
	t := c.texts[e.Index]
	if t == nil {
		return append(dst, e)
	}
	delete(c.texts, e.Index)
	dst = r.write(dst, t, "", true)
	if t.cut {
		e.Block = nil // the host repeats the text with the call in it
		if !t.started {
			return dst
		}
	}
	return append(t.open(dst), e)
}

// finish says the calls of a choice before its end: those that the host did not say as well.
func (r *Reader) finish(dst []llm.Event, e llm.Finish) []llm.Event {
	c := r.at(e.Choice)
	for _, x := range c.calls {
		if c.repeats(x) {
			continue
		}
		r.found++
		u := llm.ToolUse{Kind: llm.ToolFunction, ID: r.id + "_" + strconv.Itoa(r.found), Name: x.name}
		dst = append(
			dst, llm.BlockStart{Choice: e.Choice, Index: c.next, Block: u},
			llm.ArgsDelta{Choice: e.Choice, Index: c.next, JSON: x.args}, llm.BlockEnd{Choice: e.Choice, Index: c.next},
		)
		c.next++
		if e.Stop.Reason == llm.StopEnd || e.Stop.Reason == llm.StopUnset {
			e.Stop = llm.Stop{Reason: llm.StopTool, Extra: e.Stop.Extra}
		}
	}
	return append(dst, e)
}

// repeats reports whether the host said a call itself.
func (c *choice) repeats(x call) bool {
	for _, u := range c.said {
		if u.Name == x.name && compact(u.Args) == compact(x.args) {
			return true
		}
	}
	return false
}

// Whole reads a whole answer. Where nothing is found it is the answer that was given.
func (r *Reader) Whole(got *llm.Response) *llm.Response {
	f := llm.NewFolder()
	var evs []llm.Event
	for ev := range llm.Replay(got) {
		evs = r.Add(evs[:0], ev)
		for _, ev := range evs {
			f.Add(ev)
		}
	}
	if r.found == 0 && !r.cut() {
		return got
	}
	return f.Response()
}

// cut reports whether anything was taken out of a text.
func (r *Reader) cut() bool {
	for _, c := range r.choices {
		if len(c.calls) > 0 {
			return true
		}
	}
	return false
}
