package openai

import (
	"bytes"

	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

// mostLearned is how often a template is learned anew in one stream. A host whose frames all look
// different is skimmed without one.
const mostLearned = 16

// template is what a frame that only adds to the answer looks like around the piece of answer in it. The
// frames of one answer mostly differ in nothing else, and comparing is much quicker than looking for keys.
type template struct {
	head, tail []byte
	learned    int
}

// skim reports whether a frame holds nothing but a piece of the answer, and adds up about how long that
// is.
func (t *template) skim(data []byte, text *int) bool {
	if n, ok := t.fits(data); ok {
		*text += n
		return true
	}
	if telling(data) {
		return false
	}
	start, end := textAt(data)
	*text += end - start
	if end > start && t.learned < mostLearned {
		t.learned++
		t.head = append(t.head[:0], data[:start]...)
		t.tail = append(t.tail[:0], data[end:]...)
	}
	return true
}

// fits reports whether a frame is the template with some text in it, and how long that is. A quote in the
// text ends it: then more must be looked at.
func (t *template) fits(data []byte) (int, bool) {
	n := len(data) - len(t.head) - len(t.tail)
	if len(t.head) == 0 || n < 0 || !bytes.HasPrefix(data, t.head) || !bytes.HasSuffix(data, t.tail) {
		return 0, false
	}
	return n, inString(data[len(t.head) : len(t.head)+n])
}

// inString reports whether a piece of a string is all of it up to its closing quote.
func inString(b []byte) bool {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return false
		case '\\':
			if i++; i == len(b) {
				return false
			}
		}
	}
	return true
}

// telling reports whether a frame may hold more than a piece of the answer. The keys are given without
// their first quote: it is so frequent in JSON that looking for it is slow.
func telling(data []byte) bool {
	return saysMore(data, `finish_reason"`) || saysMore(data, `usage"`) || saysMore(data, `error"`)
}

// saysMore reports whether a key stands anywhere with a value that is not null.
func saysMore(data []byte, key string) bool {
	for {
		var first byte
		if first, data = after(data, key); data == nil {
			return false
		}
		if first != 0 && first != 'n' {
			return true
		}
	}
}

// after finds a key and returns the first byte of its value, 0 where it is no key, and what stands from
// there on, nil where it is not found.
func after(data []byte, key string) (first byte, rest []byte) {
	i := bytes.Index(data, []byte(key))
	if i < 0 {
		return 0, nil
	}
	rest = data[i+len(key):]
	if i == 0 || data[i-1] != '"' {
		return 0, rest
	}
	v := bytes.TrimLeft(rest, " \t")
	if len(v) == 0 || v[0] != ':' {
		return 0, rest
	}
	for v = v[1:]; len(v) > 0; v = v[1:] {
		if v[0] != ' ' && v[0] != '\t' {
			return v[0], v
		}
	}
	return 0, rest
}

// textAt returns about where the answer stands in a delta, without reading it.
func textAt(data []byte) (start, end int) {
	for _, key := range [...]string{`content"`, fieldThought + `"`, fieldReasoning + `"`, `arguments"`, `refusal"`, `text"`} {
		first, rest := after(data, key)
		for rest != nil && first == 0 {
			first, rest = after(rest, key)
		}
		if first != '"' {
			continue
		}
		if n := stringLen(rest); n > 0 {
			start = len(data) - len(rest) + 1
			return start, start + n
		}
	}
	return 0, 0
}

// stringLen returns the length of the string that opens data, escapes as they are.
func stringLen(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i - 1
		}
	}
	return len(data) - 1
}

// learn remembers a frame that told nothing but one piece of answer. The next one that looks the same
// around that piece means the same, and need not be read. Any frame that is read may change what would
// follow from it, so that only the newest counts.
func (d *streamDecoder) learn(data []byte) {
	d.repeats = nil
	if d.quiet || len(d.events) != 1 {
		return
	}
	var text string
	switch ev := d.events[0].(type) {
	case llm.TextDelta:
		text = ev.Text
	case llm.ArgsDelta:
		text = ev.JSON
	case llm.ThoughtDelta:
		c, err := d.at(ev.Choice)
		if err != nil || c.prose.field == fieldDetails {
			return
		}
		text = ev.Text
	default:
		return
	}
	start, end := textAt(data)
	if start == 0 {
		return
	}
	if s, ok := (splice.Span{Start: start - 1, End: end + 1}).String(data); !ok || s != text {
		return
	}
	d.plain.head = append(d.plain.head[:0], data[:start]...)
	d.plain.tail = append(d.plain.tail[:0], data[end:]...)
	d.repeats = d.events[0]
}

// repeat tells a frame that looks like the one before it, and reports whether it does.
func (d *streamDecoder) repeat(data []byte) bool {
	if d.repeats == nil {
		return false
	}
	n, ok := d.plain.fits(data)
	if !ok || n == 0 {
		return false
	}
	at := len(d.plain.head)
	text, ok := (splice.Span{Start: at - 1, End: at + n + 1}).String(data)
	if !ok {
		return false
	}
	switch ev := d.repeats.(type) {
	case llm.TextDelta:
		ev.Text = text
		d.emit(ev)
	case llm.ArgsDelta:
		ev.JSON = text
		d.emit(ev)
	case llm.ThoughtDelta:
		if c, err := d.at(ev.Choice); err == nil {
			c.prose.plain.WriteString(text)
		}
		ev.Text = text
		d.emit(ev)
	}
	d.text += len(text)
	return true
}
