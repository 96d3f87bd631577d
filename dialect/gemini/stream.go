package gemini

import (
	"bytes"
	"iter"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

const endedEarly = "the upstream's stream ended before its end"

// DecodeStream implements dialect.Client. A stream has no last word: it is over when it ends, and well if
// every candidate said why it finished.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{want: want}
		for f, err := range frames {
			if err != nil {
				if d.finished() { // all that matters was said
					break
				}
				yield(dialect.Chunk{}, dialect.StreamBroken(op, err))
				return
			}
			ch, err := d.frame(f)
			if !yield(ch, err) || err != nil || d.ended {
				return
			}
		}
		if !d.finished() {
			yield(dialect.Chunk{}, dialect.BadUpstream(op, nil, endedEarly))
			return
		}
		d.events = d.events[:0]
		d.end()
		yield(dialect.Chunk{Events: d.events}, nil)
	}
}

// streamDecoder reads one streamed answer.
type streamDecoder struct {
	want    dialect.Want
	doc     wire.Doc    // of the frame at hand
	events  []llm.Event // of the frame at hand; the next one's take their place
	choices []*choiceDecoder
	id      string
	usage   llm.Usage
	counted bool      // usage was there
	late    llm.Extra // members that come at the end
	started bool
	content bool // something of the answer was there
	blocked bool // the prompt was not answered
	ended   bool
}

// choiceDecoder is a candidate that streams.
type choiceDecoder struct {
	index   int
	next    int       // the index of the next block
	open    llm.Block // the block that the last part added to, if the next may add to it too
	calls   int
	text    strings.Builder // of all texts, for what counts in it
	before  int             // bytes of it that came before the open block
	meta    [2]string       // groundingMetadata, citationMetadata: the last counts
	stop    llm.Stop
	stopped bool
	extra   llm.Extra
	message llm.Extra
}

func (d *streamDecoder) say(ev llm.Event) {
	d.events = append(d.events, ev)
	d.content = d.content || llm.IsContent(ev)
}

// finished reports whether all that was begun is over.
func (d *streamDecoder) finished() bool {
	if d.blocked {
		return true
	}
	for _, c := range d.choices {
		if !c.stopped {
			return false
		}
	}
	return len(d.choices) > 0
}

// frame reads one frame. Its events are good until the next.
func (d *streamDecoder) frame(f dialect.Frame) (dialect.Chunk, error) {
	ch := dialect.Chunk{Frame: f, More: f.More}
	if len(bytes.TrimSpace(f.Data)) == 0 || string(f.Data) == "[DONE]" {
		return ch, nil
	}
	if d.want.Meter && d.content && !f.Partial && passing(f.Data) {
		ch.Text = textIn(f.Data)
		return ch, nil
	}
	d.events = d.events[:0]
	v, err := d.doc.Check(f.Data)
	switch {
	case err != nil && f.Partial:
		return ch, dialect.BadUpstream(op, err, endedEarly)
	case err != nil && d.want.Meter:
		return ch, nil // the bytes pass; whoever reads them will know
	case err != nil:
		return ch, dialect.BadUpstream(op, err, "a piece of the upstream's stream is not valid JSON")
	}
	if v.Kind() == '[' { // some wrap an error into a list
		v = v.Get("0")
	}
	if v.Kind() != '{' {
		return ch, nil
	}
	if v.Get("error").Kind() == '{' {
		d.start(v)
		d.say(llm.Fault{Err: inStream(f.Data)})
		d.ended = true
		ch.Events = d.events
		return ch, nil
	}
	if err := d.piece(v); err != nil {
		return ch, dialect.BadUpstream(op, err, "a piece of the upstream's stream cannot be understood: "+err.Error())
	}
	ch.Events, ch.Text = d.events, dialect.TextSize(d.events)
	return ch, nil
}

// passing reports whether a piece tells metering nothing once content has begun. What it looks for cannot
// stand in a string, where its quotes would be escaped.
func passing(data []byte) bool {
	for _, word := range [...]string{`"finishReason"`, `"error"`, `"promptFeedback"`, `"webSearchQueries"`, `"functionCall"`} {
		if bytes.Contains(data, []byte(word)) {
			return false
		}
	}
	return bytes.Contains(data, []byte(`"candidates"`))
}

// textIn returns about how many bytes of text a piece has, without reading it.
func textIn(data []byte) int {
	n := 0
	for {
		at := bytes.Index(data, []byte(`"text":`))
		if at < 0 {
			return n
		}
		data = bytes.TrimLeft(data[at+len(`"text":`):], " ")
		if len(data) == 0 || data[0] != '"' {
			continue
		}
		i := 1
		for i < len(data) && data[i] != '"' {
			if data[i] == '\\' {
				i++
			}
			i++
			n++
		}
		data = data[min(i, len(data)):]
	}
}

// start opens the answer, and tells of usage as much as is sure by now: what the prompt was.
func (d *streamDecoder) start(v wire.Value) {
	if d.started {
		return
	}
	d.started = true
	d.id = v.Get("responseId").Text()
	s := llm.Start{ID: d.id, Model: v.Get("modelVersion").Text()}
	s.Extra.Note(Name, noteHome)
	readTime(v.Get("createTime"), &s.Created, &s.Extra)
	d.say(s)
	if u := v.Get("usageMetadata"); u.Kind() == '{' {
		now := decodeUsage(u)
		if now.Reported&llm.InSide != 0 {
			d.say(llm.UsageReport{Usage: llm.Usage{
				Input: now.Input, CacheRead: now.CacheRead, InputAudio: now.InputAudio, InputImage: now.InputImage, Reported: llm.InSide,
			}})
		}
	}
}

// piece reads one object of the stream.
func (d *streamDecoder) piece(v wire.Value) error {
	d.start(v)
	return v.Fields(Name, nil, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "candidates":
			if m.Kind() != '[' {
				return false, nil
			}
			return true, m.Elems(d.candidate)
		case "usageMetadata":
			if m.Kind() == '{' {
				searches := d.usage.Searches
				d.usage, d.counted = decodeUsage(m), true
				d.usage.Searches = searches
			}
		case "promptFeedback":
			if m.Get("blockReason").Found() {
				d.blocked = true
				c := d.choice(0)
				c.stop, c.stopped = blocked(m), true
				c.extra.Note(Name, noteNoCandidate)
			}
			d.keep(string(key), m)
		case "modelVersion", "responseId", "createTime":
		default:
			d.keep(string(key), m)
		}
		return true, nil
	})
}

// keep keeps a member for the end. Of one that comes several times the last counts.
func (d *streamDecoder) keep(key string, m wire.Value) { put(&d.late, key, m.JSON()) }

func put(x *llm.Extra, key, raw string) {
	for i := range x.Fields {
		if x.Fields[i].Key == key {
			x.Fields[i].Raw = raw
			return
		}
	}
	x.Add(Name, key, raw)
}

func (d *streamDecoder) choice(index int) *choiceDecoder {
	for _, c := range d.choices {
		if c.index == index {
			return c
		}
	}
	c := &choiceDecoder{index: index}
	c.extra.Note(Name, noteHome)
	d.choices = append(d.choices, c)
	return c
}

func (d *streamDecoder) candidate(i int, v wire.Value) error {
	index := v.Get("index")
	if index.Found() {
		i = int(index.Count())
	}
	c := d.choice(i)
	return v.Fields(Name, nil, func(key []byte, m wire.Value) (bool, error) {
		switch string(key) {
		case "index":
		case "content":
			d.parts(c, m)
		case "finishReason":
			c.stop, c.stopped = decodeStop(m), true
		case "logprobsResult":
			if l := decodeLogprobs(m); l != nil {
				d.say(llm.LogprobsDelta{Choice: c.index, Logprobs: *l})
			}
		case "groundingMetadata":
			d.usage.Searches = max(d.usage.Searches, int64(m.Get("webSearchQueries").Len()))
			if m.Len() > 0 {
				c.meta[0] = m.JSON()
				put(&c.extra, string(key), m.JSON())
			}
		case "citationMetadata":
			c.meta[1] = m.JSON()
			put(&c.extra, string(key), m.JSON())
		default:
			put(&c.extra, string(key), m.JSON())
		}
		return true, nil
	})
}

// parts says what the parts of a content add. Text goes on where text was; whatever else comes is a block of
// its own, and so is what carries a signature.
func (d *streamDecoder) parts(c *choiceDecoder, v wire.Value) {
	parts := v.Get("parts")
	if parts.Kind() != '[' {
		return
	}
	_ = parts.Elems(func(_ int, el wire.Value) error { // the visit has no error to give
		switch b := answerBlock(el).(type) {
		case llm.Text:
			d.text(c, b)
		case llm.Thought:
			d.thought(c, b)
		case llm.ToolUse:
			b = nameCall(b, d.id, c.index, c.calls)
			c.calls++
			args := b.Args
			b.Args = ""
			if t, ok := carrier(b); ok {
				b.Signature, b.Origin = "", ""
				d.whole(c, t)
				d.close(c)
			}
			d.whole(c, b)
			d.say(llm.ArgsDelta{Choice: c.index, Index: c.next, JSON: args})
			d.close(c)
		default:
			d.whole(c, b)
			d.close(c)
		}
		return nil
	})
}

func (d *streamDecoder) text(c *choiceDecoder, b llm.Text) {
	if b.Text == "" && b.Signature == "" {
		return
	}
	if t, ok := c.open.(llm.Text); !ok || b.Signature != "" || t.Signature != "" {
		head := b
		head.Text = ""
		d.whole(c, head)
		c.before = c.text.Len()
	}
	if !d.want.Meter {
		c.text.WriteString(b.Text)
	}
	if b.Text != "" {
		d.say(llm.TextDelta{Choice: c.index, Index: c.next, Text: b.Text})
	}
}

func (d *streamDecoder) thought(c *choiceDecoder, b llm.Thought) {
	if b.Empty() {
		return
	}
	t, ok := c.open.(llm.Thought)
	if !ok || dialect.Signed(b) || dialect.Signed(t) || t.Origin != b.Origin {
		head := b
		head.Text, head.Signature, head.Sealed = "", "", ""
		d.whole(c, head)
		c.open = b
	}
	if b.Text != "" {
		d.say(llm.ThoughtDelta{Choice: c.index, Index: c.next, Text: b.Text})
	}
	if dialect.Signed(b) {
		d.say(llm.ThoughtDelta{Choice: c.index, Index: c.next, Signature: b.Signature, Sealed: b.Sealed})
	}
}

// whole opens a block as it is given.
func (d *streamDecoder) whole(c *choiceDecoder, b llm.Block) {
	d.close(c)
	c.open = b
	d.say(llm.BlockStart{Choice: c.index, Index: c.next, Block: b})
}

func (d *streamDecoder) close(c *choiceDecoder) {
	if c.open != nil {
		d.say(llm.BlockEnd{Choice: c.index, Index: c.next})
		c.open = nil
		c.next++
	}
}

// end closes what is open, and says why each candidate ended and what the answer consumed.
func (d *streamDecoder) end() {
	for _, c := range d.choices {
		d.cites(c)
		d.close(c)
		if c.calls > 0 && c.stop.Reason == llm.StopEnd {
			c.stop.Reason = llm.StopTool
		}
		d.say(llm.Finish{Choice: c.index, Stop: c.stop, Extra: c.extra, Message: c.message})
	}
	tier := ""
	if d.counted {
		tier = takeTier(&d.usage)
		d.say(llm.UsageReport{Usage: d.usage})
	}
	d.say(llm.End{Tier: tier, Extra: d.late})
	d.ended = true
}

// cites says the sources of the open text.
func (d *streamDecoder) cites(c *choiceDecoder) {
	if _, ok := c.open.(llm.Text); !ok || d.want.Meter {
		return
	}
	text := c.text.String()
	list := append(grounds(wire.Raw(c.meta[0]), text), recitations(wire.Raw(c.meta[1]), text)...)
	at := letters(text, int64(c.before))
	for _, x := range list {
		x.Start, x.End = max(x.Start-at, 0), max(x.End-at, 0)
		d.say(llm.CiteDelta{Choice: c.index, Index: c.next, Citation: x})
	}
}

// decodeList reads a whole answer that came as the list of its pieces.
func (c *codec) decodeList(body []byte) (llm.Result, error) {
	frames := func(yield func(dialect.Frame, error) bool) {
		_ = splice.Elems(body, splice.Whole(body), func(_ int, el splice.Span) error {
			if !yield(dialect.Frame{Data: el.Raw(body)}, nil) {
				return splice.ErrStop
			}
			return nil
		})
	}
	fold := llm.NewFolder()
	for ch, err := range c.DecodeStream(frames, dialect.Want{}) {
		if err != nil {
			return nil, err
		}
		for _, ev := range ch.Events {
			if f, ok := ev.(llm.Fault); ok {
				return nil, f.Err
			}
			fold.Add(ev)
		}
	}
	return fold.Response(), nil
}
