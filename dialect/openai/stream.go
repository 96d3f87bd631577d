package openai

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

const (
	mostChoices = 1024
	mostTail    = 16 // frames read and dropped after the end, so that the connection can be used again
)

// DecodeStream implements dialect.Client.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{want: want}
		tail := 0
		for f, err := range frames {
			if d.ended {
				if tail++; err != nil || tail > mostTail {
					return
				}
				continue
			}
			var ch dialect.Chunk
			if err == nil {
				ch, err = d.frame(f)
			} else if d.complete() {
				break // the connection broke after the answer was whole
			}
			if !yield(ch, err) || err != nil || d.faulted {
				return
			}
		}
		if !d.ended {
			yield(d.eof())
		}
	}
}

// streamDecoder reads one streamed answer.
//
// Where only metering listens it reads everything up to the first content, and then looks only into
// frames that may hold a finish, usage or an error.
type streamDecoder struct {
	want    dialect.Want
	doc     wire.Doc    // of the frame at hand
	events  []llm.Event // of the frame at hand
	choices []*choiceDecoder

	start                      llm.Start
	late                       llm.Extra // members that changed after the start
	lateTier                   string
	started, quiet, counted    bool
	ended, faulted             bool
	text                       int // bytes of answer in the frame at hand
	unterminated, onlyForUsage bool
	plain                      template
	repeats                    llm.Event // what a frame like the one before it would tell, but for the text
}

// choiceDecoder is what is known of one choice while it comes.
type choiceDecoder struct {
	index, next  int // next is the index of the block that will be opened next
	prose        prose
	calls        []*callDecoder
	cites        []llm.Citation
	audio        audioDecoder
	extra        llm.Extra
	message      llm.Extra
	called, done bool
}

func (d *streamDecoder) frame(f dialect.Frame) (dialect.Chunk, error) {
	clear(d.events)
	d.events, d.text = d.events[:0], 0
	d.unterminated = f.Partial
	var err error
	switch {
	case f.Data == nil:
		if bytes.IndexByte(f.Raw, ':') >= 0 && d.started {
			d.emit(llm.Ping{})
		}
	case isDone(f.Data):
		err = d.end()
	case d.quiet && f.Event == "" && d.plain.skim(f.Data, &d.text):
	case !d.quiet && f.Event == "" && d.repeat(f.Data):
	default:
		err = d.data(f)
		d.learn(f.Data)
	}
	mute := d.onlyForUsage && d.want.MuteUsage
	d.onlyForUsage = false
	return dialect.Chunk{Frame: f, Mute: mute, Events: d.events, Text: d.text, More: f.More}, err
}

func isDone(data []byte) bool { return string(bytes.TrimSpace(data)) == "[DONE]" }

// emit adds an event. Once metering has seen the first content, only what it needs is told.
func (d *streamDecoder) emit(ev llm.Event) {
	if d.quiet {
		switch ev.(type) {
		case llm.Start, llm.Finish, llm.UsageReport, llm.Fault, llm.End:
		default:
			return
		}
	}
	d.events = append(d.events, ev)
}

// data reads a frame whole.
func (d *streamDecoder) data(f dialect.Frame) error {
	if splice.Whole(f.Data).Kind(f.Data) != '{' {
		if f.Event == "error" {
			return d.fault(f.Data)
		}
		return d.unreadable(f.Data, nil)
	}
	v, err := d.doc.Read(f.Data)
	if err != nil {
		return d.unreadable(f.Data, err)
	}
	var choices, usage, groq, failed wire.Value
	err = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "choices":
			choices = m
		case "usage":
			usage = m
		case "error":
			failed = m
		case "object":
			if m.Is("error") {
				failed = v
			}
		case "x_groq":
			groq = m
			d.member(key, m)
		default:
			d.member(key, m)
		}
		return nil
	})
	switch {
	case err != nil:
		return d.unreadable(f.Data, err)
	case f.Event == "error", failed.Found() && !failed.IsNull():
		return d.fault(f.Data)
	}
	if usage.Kind() != '{' && groq.Kind() == '{' {
		usage = groq.Get("usage")
	}
	if d.start.ID != "" {
		d.begin()
	}
	n := 0
	if choices.Kind() == '[' {
		if err := choices.Elems(func(i int, c wire.Value) error { n++; return d.choice(i, c) }); err != nil {
			return d.unreadable(f.Data, err)
		}
	}
	if usage.Kind() == '{' {
		d.begin()
		d.onlyForUsage = n == 0
		d.report(usage)
	}
	d.hush()
	return nil
}

// report tells what was consumed so far. A report that tells nothing takes none back.
func (d *streamDecoder) report(v wire.Value) {
	u := decodeUsage(v)
	if d.counted && u.Reported == 0 {
		return
	}
	d.counted = d.counted || u.Reported != 0
	d.emit(llm.UsageReport{Usage: u})
}

// hush goes over to metering only, once the first content was told.
func (d *streamDecoder) hush() {
	if !d.want.Meter || d.quiet {
		return
	}
	for _, ev := range d.events {
		if llm.IsContent(ev) {
			d.quiet = true
			return
		}
	}
}

// member reads a member of the frame itself. Most say the same in every frame.
func (d *streamDecoder) member(key []byte, m wire.Value) {
	s := &d.start
	switch string(key) {
	case "id":
		if s.ID == "" && !d.started {
			s.ID = m.Text()
		}
		return
	case "model":
		if s.Model == "" && !d.started {
			s.Model = m.Text()
		}
		return
	case "created":
		if s.Created == 0 && !d.started {
			s.Created = m.Count()
		}
		return
	case "service_tier":
		if m.Kind() == '"' && !m.Is(s.Tier) {
			d.lateTier = m.Text()
			if !d.started {
				s.Tier = d.lateTier
				noteTier(&s.Extra, s.Tier)
			}
		}
		return
	case "object", "obfuscation", "p": // the last two are padding
		return
	}
	if m.IsNull() {
		return
	}
	raw := m.JSON()
	for _, e := range [...]llm.Extra{d.late, s.Extra} {
		for _, f := range e.Fields {
			if f.Key == string(key) {
				if f.Raw != raw {
					keepRaw(&d.late, f.Key, raw)
				}
				return
			}
		}
	}
	if d.started {
		keepRaw(&d.late, string(key), raw)
	} else {
		keepRaw(&s.Extra, string(key), raw)
	}
}

// begin tells the start. It waits for a frame that says whose answer it is: Azure sends what it thinks of
// the prompt before.
func (d *streamDecoder) begin() {
	if !d.started {
		d.started = true
		d.emit(d.start)
	}
}

// fault tells an error that was said within the stream.
func (d *streamDecoder) fault(data []byte) error {
	d.faulted = true
	d.emit(llm.Fault{Err: inStream(data)})
	return nil
}

func (d *streamDecoder) unreadable(data []byte, cause error) error {
	if cause == nil {
		cause = errors.New("not a JSON object")
	}
	return badUpstream(fmt.Errorf("%w: %.200q", cause, data), "the upstream's stream holds an event that cannot be understood")
}

// end tells that the answer is over. A choice that the upstream left open is finished once.
func (d *streamDecoder) end() error {
	if !d.started {
		return badUpstream(nil, "the upstream's stream ended before it began")
	}
	for _, c := range d.choices {
		if !c.done {
			d.finish(c, "")
		}
	}
	if len(d.choices) == 0 {
		return badUpstream(nil, "the upstream's stream ended without an answer")
	}
	d.ended = true
	end := llm.End{Extra: d.late}
	if d.lateTier != d.start.Tier {
		end.Tier = d.lateTier
	}
	d.emit(end)
	return nil
}

// complete reports whether every choice has finished.
func (d *streamDecoder) complete() bool {
	for _, c := range d.choices {
		if !c.done {
			return false
		}
	}
	return len(d.choices) > 0
}

// eof ends a stream that did not end itself: well, if only the last frame was missing.
func (d *streamDecoder) eof() (dialect.Chunk, error) {
	if !d.complete() {
		return dialect.Chunk{}, badUpstream(nil, "the upstream's stream ended before its end")
	}
	clear(d.events)
	d.events = d.events[:0]
	err := d.end()
	f := dialect.Frame{Data: []byte("[DONE]")}
	if d.unterminated {
		f.Raw = []byte("\n\n")
	}
	f.Raw = frame.Append(f.Raw, f)
	return dialect.Chunk{Frame: f, Events: d.events}, err
}

// at returns the state of a choice.
func (d *streamDecoder) at(index int) (*choiceDecoder, error) {
	for _, c := range d.choices {
		if c.index == index {
			return c, nil
		}
	}
	if len(d.choices) >= mostChoices || index < 0 {
		return nil, wire.Bad("index", "a small number")
	}
	c := &choiceDecoder{index: index}
	d.choices = append(d.choices, c)
	return c, nil
}

// choice reads an element of choices.
func (d *streamDecoder) choice(i int, v wire.Value) error {
	d.begin()
	var index, delta, message, finish, logprobs, usage wire.Value
	more := false
	if err := v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "index":
			index = m
		case "delta":
			delta = m
		case "finish_reason":
			finish = m
		case "logprobs":
			logprobs = m
		case "message":
			message = m
		case "usage":
			usage = m
		default:
			more = more || !m.IsNull()
		}
		return nil
	}); err != nil {
		return err
	}
	if index.Kind() == '0' {
		i = int(index.Count())
	}
	if usage.Kind() == '{' { // Moonshot tells it here
		d.report(usage)
	}
	c, err := d.at(i)
	if err != nil || c.done {
		return err
	}
	if more {
		c.extras(v)
	}
	if delta.Kind() != '{' && c.next == 0 { // the whole answer in one event; beside deltas it says them again
		delta = message
	}
	if delta.Kind() == '{' {
		if err := d.delta(c, delta); err != nil {
			return wire.Under(err, "delta")
		}
	}
	if logprobs.Kind() == '{' {
		l, err := decodeLogprobs(logprobs)
		if err != nil {
			return wire.Under(err, "logprobs")
		}
		d.emit(llm.LogprobsDelta{Choice: c.index, Logprobs: *l})
	}
	if word := finish.Text(); word != "" {
		d.finish(c, word)
	}
	return nil
}

// extras keeps the members of a choice that have no word, in the form in which they came last.
func (c *choiceDecoder) extras(v wire.Value) {
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch string(key) {
		case "index", "delta", "message", "finish_reason", "logprobs", "usage":
		default:
			if !m.IsNull() {
				keepRaw(&c.extra, string(key), m.JSON())
			}
		}
		return nil
	})
}

// finish ends what is open in a choice and the choice itself.
func (d *streamDecoder) finish(c *choiceDecoder, word string) {
	d.closeProse(c)
	for _, call := range c.calls {
		d.startCall(c, call)
		d.emit(llm.BlockEnd{Choice: c.index, Index: call.block})
	}
	c.leaveCites()
	c.audio.leave(&c.message)
	c.done = true
	stop := decodeStop(word, c.called)
	if word == "" {
		stop.Reason = llm.StopEnd
		if c.called {
			stop.Reason = llm.StopTool
		}
	}
	d.emit(llm.Finish{Choice: c.index, Stop: stop, Extra: c.extra, Message: c.message})
}
