package responses

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

const (
	mostItems = 4096 // items of an answer, and parts of one
	mostTail  = 16   // frames read and dropped after the end, so that the connection can be used again
)

// DecodeStream implements dialect.Client.
func (c *codec) DecodeStream(frames iter.Seq2[dialect.Frame, error], want dialect.Want) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		d := streamDecoder{want: want, items: map[int]*itemDecoder{}}
		tail := 0
		for f, err := range frames {
			if d.ended && (err != nil || f.Data != nil && !isDone(f.Data)) {
				if tail++; err != nil || tail > mostTail {
					return
				}
				continue
			}
			var ch dialect.Chunk
			if err == nil {
				ch, err = d.frame(f)
			} else if d.failure != nil {
				break
			}
			if !yield(ch, err) || err != nil || d.faulted {
				return
			}
		}
		switch {
		case d.ended:
		case d.failure != nil:
			yield(dialect.Chunk{Events: []llm.Event{llm.Fault{Err: d.failure}}}, nil)
		default:
			yield(dialect.Chunk{}, badUpstream(nil, "the upstream's stream ended before its end"))
		}
	}
}

func isDone(data []byte) bool { return string(bytes.TrimSpace(data)) == "[DONE]" }

// streamDecoder reads one streamed answer.
//
// Where only metering listens it reads everything up to the first content, and then looks only into the
// events that end the answer.
type streamDecoder struct {
	want   dialect.Want
	doc    wire.Doc
	events []llm.Event
	items  map[int]*itemDecoder // by output_index
	order  []*itemDecoder
	next   int // the index of the block that will be opened next

	started, quiet, ended, faulted bool
	text                           int        // bytes of answer in the frame at hand
	failure                        *llm.Error // said by an error event: what follows may tell more
}

// itemDecoder is what is known of one item while it comes.
type itemDecoder struct {
	kind   string
	id     string
	head   llm.Block // of a message: a block that holds nothing but its head
	blocks []*blockDecoder
	late   llm.Block // a call that was done without arguments: they may follow
	done   bool
}

// blockDecoder is what is known of one block.
type blockDecoder struct {
	index, part int // part is the index within the item
	block       llm.Block
	text        strings.Builder
	whole       string // what an event said that tells a text or arguments whole
}

func (d *streamDecoder) frame(f dialect.Frame) (dialect.Chunk, error) {
	clear(d.events)
	d.events, d.text = d.events[:0], 0
	var err error
	switch {
	case f.Data == nil:
		if bytes.IndexByte(f.Raw, ':') >= 0 && d.started && !d.ended {
			d.emit(llm.Ping{})
		}
	case isDone(f.Data):
	case d.quiet && d.skim(f):
	default:
		err = d.data(f)
	}
	if d.want.Meter && !d.quiet {
		for _, ev := range d.events {
			d.quiet = d.quiet || llm.IsContent(ev)
		}
	}
	return dialect.Chunk{Frame: f, Events: d.events, Text: d.text, More: f.More}, err
}

// skim reports whether a frame tells metering nothing but how much came.
func (d *streamDecoder) skim(f dialect.Frame) bool {
	kind := f.Event
	if kind == "" {
		const head = `{"type":"`
		rest, ok := bytes.CutPrefix(f.Data, []byte(head))
		if !ok {
			return false
		}
		word, _, _ := bytes.Cut(rest, []byte(`"`))
		switch string(word) {
		case "response.completed", "response.incomplete", "response.failed", "response.cancelled", "error":
			return false
		}
		d.count(f.Data)
		return true
	}
	switch kind {
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled", "error":
		return false
	}
	if !strings.HasPrefix(kind, "response.") {
		return false
	}
	d.count(f.Data)
	return true
}

// count adds up how long the delta in a frame is.
func (d *streamDecoder) count(data []byte) {
	_, rest, ok := bytes.Cut(data, []byte(`"delta":`))
	if !ok {
		return
	}
	rest = bytes.TrimLeft(rest, " ")
	if len(rest) == 0 || rest[0] != '"' {
		return
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			d.text += i - 1
			return
		}
	}
}

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

func (d *streamDecoder) data(f dialect.Frame) error {
	v, err := d.doc.Read(f.Data)
	if err != nil || v.Kind() != '{' {
		return unreadable(f.Data, err)
	}
	kind := f.Event
	if said := v.Get("type"); !said.Is(kind) { // what the data say counts
		if t := said.Text(); t != "" {
			kind = t
		}
	}
	if kind == "" && v.Get("error").Found() {
		kind = "error"
	}
	if d.failure != nil && kind != "response.failed" {
		return d.fault(d.failure)
	}
	if err := d.event(kind, v, f.Data); err != nil {
		return unreadable(f.Data, err)
	}
	return nil
}

func unreadable(data []byte, cause error) error {
	if cause == nil {
		cause = errors.New("not a JSON object")
	}
	return badUpstream(fmt.Errorf("%w: %.200q", cause, data), "the upstream's stream holds an event that cannot be understood")
}

func (d *streamDecoder) event(kind string, v wire.Value, data []byte) error {
	switch kind {
	case "error":
		d.failure = inStream(v, data)
		return nil
	case "response.created", "response.queued", "response.in_progress":
		d.begin(v.Get("response"))
		return nil
	case "response.completed", "response.incomplete", "response.cancelled":
		d.begin(v.Get("response"))
		return d.end(v.Get("response"))
	case "response.failed":
		return d.failed(v.Get("response"), data)
	}
	if !strings.HasPrefix(kind, "response.") {
		return nil // keep-alives of proxies
	}
	d.begin(wire.Value{})
	at := v.Get("output_index")
	if at.Kind() != '0' {
		d.emit(llm.OpaqueEvent{Opaque: opaque(kind, v)})
		return nil
	}
	index := int(at.Count())
	if index > mostItems {
		return wire.Bad("output_index", "a small number")
	}
	return d.itemEvent(kind, index, v)
}

// begin tells the start.
func (d *streamDecoder) begin(v wire.Value) {
	if d.started {
		return
	}
	d.started = true
	created, _ := v.Get("created_at").Int()
	d.emit(llm.Start{
		ID: v.Get("id").Text(), Model: v.Get("model").Text(), Created: created, Tier: v.Get("service_tier").Text(), Extra: named(),
	})
}

func (d *streamDecoder) fault(e *llm.Error) error {
	d.faulted = true
	d.emit(llm.Fault{Err: e})
	return nil
}

// failed tells that the answer failed, and what it consumed. What an error event said before says more.
func (d *streamDecoder) failed(v wire.Value, data []byte) error {
	if v.Get("usage").Kind() == '{' {
		d.emit(llm.UsageReport{Usage: decodeUsage(v, true)})
	}
	e := inStream(v, data)
	if d.failure != nil && e.Code == "" {
		e = d.failure
	}
	return d.fault(e)
}

// end tells why and how the answer ended. Items that have not ended by themselves are told in it whole.
func (d *streamDecoder) end(v wire.Value) error {
	called := false
	output := v.Get("output")
	if output.Kind() == '[' {
		if err := output.Elems(func(i int, el wire.Value) error {
			kind := el.Get("type").Text()
			called = called || kind == kindCall || kind == kindCustom
			if i > mostItems {
				return wire.Bad("", "a small number of items")
			}
			d.late(i, el)
			return nil
		}); err != nil {
			return wire.Under(err, "response.output")
		}
	}
	for _, it := range d.order {
		called = called || it.kind == kindCall || it.kind == kindCustom
		if !it.done {
			var final []llm.Block
			if it.late != nil {
				final = []llm.Block{it.late}
			}
			d.finishItem(it, final)
		}
	}
	d.ended = true
	if v.Get("usage").Kind() == '{' {
		d.emit(llm.UsageReport{Usage: decodeUsage(v, true)})
	}
	d.emit(llm.Finish{Stop: decodeStop(v, called)})
	end := llm.End{Tier: v.Get("service_tier").Text()}
	if !d.quiet {
		end.Extra = d.extra(v)
	}
	d.emit(end)
	return nil
}

// whole ends an item as the whole answer tells it.
func (it *itemDecoder) whole(d *streamDecoder, v wire.Value) { d.finishItem(it, answerItem(v)) }

// extra returns the members of an answer that are said at its end.
func (d *streamDecoder) extra(v wire.Value) llm.Extra {
	e := named()
	if v.Kind() != '{' {
		return e
	}
	_ = v.Members(func(key []byte, m wire.Value) error {
		switch k := string(key); {
		case k == "id" || k == "model" || k == "object" || k == "created_at" || k == "service_tier" || k == "usage" ||
			k == "output" || k == "status" || k == "incomplete_details":
		case repeats(k):
			tell(&e, k, m.JSON())
		default:
			e.Add(Name, k, m.JSON())
		}
		return nil
	})
	return e
}
