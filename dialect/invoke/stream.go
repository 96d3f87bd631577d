package invoke

import (
	"bytes"
	"encoding/base64"
	"iter"
	"strconv"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// chunkEvent is the type of the messages that hold a stream's events.
const chunkEvent = "chunk"

// metrics is the member of a stream's last event in which the vendor says what the answer consumed.
const metrics = "amazon-bedrock-invocationMetrics"

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// appendChunk appends a message that holds an event.
func appendChunk(dst, event []byte) []byte {
	payload := make([]byte, 0, base64.StdEncoding.EncodedLen(len(event))+12)
	payload = append(payload, `{"bytes":"`...)
	payload = base64.StdEncoding.AppendEncode(payload, event)
	payload = append(payload, `"}`...)
	return frame.AppendEvent(dst, dialect.Frame{Event: chunkEvent, Data: payload})
}

// wrapClaude appends an event of Anthropic's dialect. An error that passes becomes an exception, as the
// vendor has it.
func wrapClaude(dst []byte, f dialect.Frame) []byte {
	switch {
	case f.Fault:
		return frame.AppendEvent(dst, f)
	case len(f.Data) == 0:
		return dst
	case f.Event == "error":
		return frame.AppendEvent(dst, exception(claudeFault(f.Data)))
	}
	return appendChunk(dst, f.Data)
}

// wrapChat appends an event of a language whose streams are objects without a name. The mark at the end
// of a chat completion's is not one.
func wrapChat(dst []byte, f dialect.Frame) []byte {
	switch data := bytes.TrimSpace(f.Data); {
	case f.Fault:
		return frame.AppendEvent(dst, f)
	case len(data) == 0 && len(f.Raw) > 0: // written without being taken apart
		if _, event, ok := bytes.Cut(f.Raw, []byte("data: ")); ok {
			return wrapChat(dst, dialect.Frame{Data: event})
		}
		return dst
	case len(data) == 0 || data[0] != '{':
		return dst
	case bytes.HasPrefix(data, []byte(`{"error"`)):
		_, msg := dialect.ErrorWords(data)
		return frame.AppendEvent(dst, exception(&llm.Error{Kind: llm.UpstreamFault, Op: op, Message: msg}))
	default:
		return appendChunk(dst, data)
	}
}

// wrapNova appends an event of Converse, whose name becomes its only member.
func wrapNova(dst []byte, f dialect.Frame) []byte {
	if f.Fault {
		return frame.AppendEvent(dst, f)
	}
	if len(f.Data) == 0 {
		return dst
	}
	event := append(jsonw.AppendString([]byte{'{'}, f.Event), ':')
	return appendChunk(dst, append(append(event, f.Data...), '}'))
}

// encoder speaks a streamed answer in a language, and Bedrock's own words at its end.
type encoder struct {
	dialect.Encoder
	meta  dialect.Meta
	usage llm.Usage
	ended bool
}

// Observe implements dialect.Encoder.
func (e *encoder) Observe(ev llm.Event) {
	e.note(ev)
	e.Encoder.Observe(ev)
}

// Encode implements dialect.Encoder.
func (e *encoder) Encode(ev llm.Event) ([]dialect.Frame, error) {
	e.note(ev)
	frames, err := e.Encoder.Encode(ev)
	if _, end := ev.(llm.End); end {
		e.measure(frames)
	}
	return frames, err
}

// Close implements dialect.Encoder.
func (e *encoder) Close(err error) []dialect.Frame {
	ended := e.ended
	e.ended = true
	if err != nil {
		if ended {
			return nil
		}
		return []dialect.Frame{exception(err)}
	}
	frames := e.Encoder.Close(nil)
	if !ended {
		e.measure(frames)
	}
	return frames
}

func (e *encoder) note(ev llm.Event) {
	switch v := ev.(type) {
	case llm.UsageReport:
		e.usage = v.Usage
	case llm.End, llm.Fault:
		e.ended = true
	}
}

// measure adds what the answer consumed to its last event.
func (e *encoder) measure(frames []dialect.Frame) {
	for i := len(frames) - 1; i >= 0; i-- {
		data := frames[i].Data
		if len(data) < 2 || data[0] != '{' {
			continue
		}
		ed := splice.NewEdit(data)
		ed.Insert(splice.Whole(data), metrics, e.metrics())
		if out, err := ed.Bytes(); err == nil {
			frames[i].Data, frames[i].Raw = out, nil
		}
		return
	}
}

func (e *encoder) metrics() []byte {
	var w jsonw.Writer
	w.Open('{')
	w.KeyInt("inputTokenCount", e.usage.Input+e.usage.InputAudio+e.usage.InputImage)
	w.KeyInt("outputTokenCount", e.usage.Out())
	if e.usage.CacheRead > 0 {
		w.KeyInt("cacheReadInputTokenCount", e.usage.CacheRead)
	}
	if n := e.usage.CacheWrite5m + e.usage.CacheWrite1h; n > 0 {
		w.KeyInt("cacheWriteInputTokenCount", n)
	}
	w.Close('}')
	return w.Buf
}

// events returns the events of Anthropic's dialect that the messages of a stream hold, as the vendor
// itself sends them. A message that holds none is left out. Their bytes are good for one round.
func events(frames iter.Seq2[dialect.Frame, error]) iter.Seq2[dialect.Frame, error] {
	return func(yield func(dialect.Frame, error) bool) {
		var u unwrapper
		for f, err := range frames {
			if err != nil {
				yield(f, err)
				return
			}
			if f, ok := u.frame(f); ok && !yield(f, nil) {
				return
			}
		}
	}
}

// unwrapper takes events out of messages, into memory that it uses again.
type unwrapper struct {
	data []byte // the event
	raw  []byte // the event as the vendor sends it
}

func (u *unwrapper) frame(f dialect.Frame) (dialect.Frame, bool) {
	if f.Fault {
		return u.fault(f), true
	}
	text, ok := payload(f.Data)
	if f.Event != chunkEvent || !ok {
		return f, false
	}
	var err error
	if u.data, err = base64.StdEncoding.AppendDecode(u.data[:0], text); err != nil {
		return u.fault(dialect.Frame{Data: []byte(`{"message":"an event of the stream is not in base64"}`)}), true
	}
	return u.event(eventType(u.data), u.data, f.More), true
}

// event returns an event as the vendor sends it.
func (u *unwrapper) event(name string, data []byte, more bool) dialect.Frame {
	u.raw = append(append(append(u.raw[:0], "event: "...), name...), "\ndata: "...)
	from := len(u.raw)
	u.raw = append(u.raw, data...)
	to := len(u.raw)
	u.raw = append(u.raw, "\n\n"...)
	return dialect.Frame{Event: name, Data: u.raw[from:to:to], Raw: u.raw, More: more}
}

// fault returns an exception as an event.
func (u *unwrapper) fault(f dialect.Frame) dialect.Frame {
	typ := "api_error"
	for _, x := range faults() {
		if x.exception == f.Event {
			typ = x.claude
			break
		}
	}
	_, msg := dialect.ErrorWords(f.Data)
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "error")
	w.KeyOpen("error", '{')
	w.KeyStr("type", typ)
	w.KeyStr("message", msg)
	w.Close('}')
	w.Close('}')
	return u.event("error", w.Buf, f.More)
}

// payload returns what a message holds, still in base64.
func payload(data []byte) ([]byte, bool) {
	if rest, ok := bytes.CutPrefix(data, []byte(`{"bytes":"`)); ok {
		if end := bytes.IndexByte(rest, '"'); end >= 0 && bytes.IndexByte(rest[:end], '\\') < 0 {
			return rest[:end], true
		}
	}
	v := wire.Whole(data).Get("bytes")
	return []byte(v.Text()), v.Kind() == '"'
}

// eventType returns the type of an event, which stands first where the vendor wrote it.
func eventType(data []byte) string {
	for _, t := range [...]string{
		"content_block_delta", "content_block_start", "content_block_stop", "message_start", "message_delta", "message_stop", "ping",
	} {
		if rest, ok := bytes.CutPrefix(data, []byte(`{"type":"`)); ok && bytes.HasPrefix(rest, []byte(t)) && len(rest) > len(t) && rest[len(t)] == '"' {
			return t
		}
	}
	return wire.Whole(data).Get("type").Text()
}
