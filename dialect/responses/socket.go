package responses

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

var _ dialect.Laned = (*codec)(nil)

// socketRoute is the path of WebSockets, which is that of answers.
func socketRoute(root string) dialect.Route {
	return dialect.Route{
		Op: llm.OpSession, Method: http.MethodGet, Pattern: root, Match: dialect.Upgrading, Always: true,
		Codec: dialect.Own{What: llm.OpSession, Errors: (&codec{op: llm.OpSession}).EncodeError},
	}
}

// The members of a message that are about the message and not the answer, and those that mean something else
// over HTTP.
const (
	inType = iota
	inLane
	inWarm
	inStreamed
	inBackground
	inMessage
)

func messageKeys() [inMessage]string {
	return [inMessage]string{"type", laneMember, "generate", "stream", "background"}
}

const laneMember = "stream_id"

// ReadOrder implements dialect.Laned.
func (c *codec) ReadOrder(message []byte, b dialect.Bounds) (dialect.Order, error) {
	var o dialect.Order
	var found [inMessage]splice.Member
	keys := messageKeys()
	object, err := splice.Scan(message, b.MaxDepth, keys[:], found[:])
	if err != nil {
		return o, dialect.NotJSON("dialect/responses", err)
	}
	if o.Lane, err = laneOf(message, found[inLane].Value); err != nil {
		return o, err
	}
	switch kind, _ := found[inType].Value.String(message); kind {
	case "response.create":
	case "response.steer":
		o.Say = unsteered(message)
		return o, nil
	default:
		return o, &llm.Error{Kind: llm.Invalid, Op: "dialect/responses", Param: "type", Code: "unknown_event", Message: "messages are of type response.create"}
	}
	if v, ok := found[inBackground].Value.Bool(message); ok && v {
		return o, &llm.Error{Kind: llm.Invalid, Op: "dialect/responses", Param: "background", Message: "there are no answers in the background over a WebSocket; ask for them by POST"}
	}
	if v, ok := found[inWarm].Value.Bool(message); ok {
		o.Warm = !v
	}
	ed := splice.NewEdit(message)
	for _, m := range found {
		if m.Found() {
			ed.Delete(m)
		}
	}
	ed.Insert(object.Span, "stream", []byte("true"))
	if o.Body, err = ed.Bytes(); err != nil {
		return o, internal("ReadOrder", err)
	}
	return o, nil
}

// longestLane is the longest name of a lane.
const longestLane = 256

// laneOf returns the lane that a message names, or "" for that which has no name.
func laneOf(message []byte, at splice.Span) (string, error) {
	if !at.Found() || at.IsNull(message) {
		return "", nil
	}
	name, ok := at.String(message)
	fits := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-", r)
	}
	if !ok || name == "" || len(name) > longestLane || strings.ContainsFunc(name, func(r rune) bool { return !fits(r) }) {
		return "", &llm.Error{
			Kind: llm.Invalid, Op: "dialect/responses", Param: laneMember, Code: "invalid_stream_id",
			Message: "stream_id is a name of 1 to 256 letters, digits, '_', '-' and '.'",
		}
	}
	return name, nil
}

// unsteered says that an answer which is under way cannot be told more.
func unsteered(message []byte) []byte {
	v := wire.Whole(message)
	input, previous := v.Get("input").JSON(), v.Get("previous_response_id").Text()
	if input == "" {
		input = "[]"
	}
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "response.steer.failed")
	w.KeyOpen("error", '{')
	w.KeyStr("type", "invalid_request_error")
	w.KeyStr("code", "steering_not_supported")
	w.KeyStr("message", "answers that are under way cannot be steered here; send a response.create when this one has ended")
	w.Close('}')
	w.KeyOpen("steer", '{')
	w.KeyRaw("input", input)
	w.KeyStr("previous_response_id", previous)
	w.Close('}')
	w.Close('}')
	return w.Buf
}

// AppendMessage implements dialect.Laned. A message is the data of the event; errors have a form of their own.
func (c *codec) AppendMessage(dst []byte, f dialect.Frame, lane string) []byte {
	data := bytes.TrimSpace(f.Data)
	if len(data) == 0 || data[0] != '{' {
		return dst // the mark at the end of some streams
	}
	if kindOf(f) == "error" {
		if v := wire.Whole(data); !v.Get("error").Found() {
			data = errorEvent(v)
		}
	}
	if bytes.ContainsAny(data, "\n") {
		if small, err := compacted(data); err == nil {
			data = small
		}
	}
	if lane == "" {
		return append(dst, data...)
	}
	dst = append(append(dst, `{"`+laneMember+`":`...), quote(lane)...)
	if rest := bytes.TrimSpace(data[1:]); len(rest) > 0 && rest[0] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, data[1:]...)
}

func compacted(data []byte) ([]byte, error) {
	var b bytes.Buffer
	err := json.Compact(&b, data)
	return b.Bytes(), err
}

// kindOf returns the type of the event in a frame, which upstreams name beside it or only in it.
func kindOf(f dialect.Frame) string {
	if f.Event != "" {
		return f.Event
	}
	return wire.Whole(f.Data).Get("type").Text()
}

// errorEvent returns the error of a stream as messages have it.
func errorEvent(v wire.Value) []byte {
	var w jsonw.Writer
	w.Open('{')
	w.KeyStr("type", "error")
	w.KeyOpen("error", '{')
	w.KeyStr("type", "server_error")
	for _, k := range [...]string{"code", "message", "param"} {
		if m := v.Get(k); m.Found() {
			w.KeyRaw(k, m.JSON())
		} else {
			w.KeyNull(k)
		}
	}
	w.Close('}')
	if n := v.Get("sequence_number"); n.Found() {
		w.KeyRaw("sequence_number", n.JSON())
	}
	w.Close('}')
	return w.Buf
}

// Ends implements dialect.Laned.
func (c *codec) Ends(f dialect.Frame) dialect.Ending {
	switch kindOf(f) {
	case "response.completed", "response.incomplete", "response.failed":
		return dialect.Ended
	case "error":
		return dialect.Fault
	}
	return dialect.Goes
}

// Whole implements dialect.Laned.
func (c *codec) Whole(r dialect.Reply, lane string) []byte {
	body := wire.Whole(r.Body)
	var w jsonw.Writer
	if r.Status < http.StatusMultipleChoices && body.Kind() == '{' {
		w.Open('{')
		w.KeyStr("type", "response.completed")
		w.KeyInt("sequence_number", 0)
		w.KeyRaw("response", body.JSON())
		w.Close('}')
		return c.AppendMessage(nil, dialect.Frame{Data: w.Buf}, lane)
	}
	e := body.Get("error")
	w.Open('{')
	w.KeyStr("type", "error")
	optMember(&w, laneMember, lane)
	w.KeyInt("status", int64(r.Status))
	w.KeyOpen("error", '{')
	if e.Kind() == '{' {
		_ = e.Members(func(key []byte, m wire.Value) error {
			if string(key) != "headers" {
				w.KeyRaw(string(key), m.JSON())
			}
			return nil
		})
	} else {
		w.KeyStr("type", "server_error")
		w.KeyNull("code")
		w.KeyStr("message", strings.ToValidUTF8(string(r.Body[:min(len(r.Body), 1024)]), "?"))
		w.KeyNull("param")
	}
	w.KeyOpen("headers", '{')
	for _, name := range [...]string{"Retry-After", "Retry-After-Ms", "X-Request-Id", "Plenum-Request-Id"} {
		if v := r.Header.Get(name); v != "" {
			w.KeyStr(strings.ToLower(name), v)
		}
	}
	w.Close('}')
	w.Close('}')
	w.Close('}')
	return w.Buf
}

// Remark implements dialect.Laned. It is a member of the last message, which clients pass over that do not know
// it; some stumble over a message of a type that they do not know.
func (c *codec) Remark(last []byte, about dialect.Remark) []byte {
	body, ok := bytes.CutSuffix(bytes.TrimSpace(last), []byte("}"))
	if !ok {
		return last
	}
	w := jsonw.Writer{Buf: append(bytes.Clone(body), `,"plenum":`...)}
	w.Open('{')
	w.KeyStr("request_id", about.CallID)
	optMember(&w, "deployment", about.Deployment)
	optMember(&w, "target", about.Target)
	appendStrings(&w, "lost", about.Lost)
	appendStrings(&w, "changed", about.Changed)
	w.Close('}')
	return append(w.Buf, '}')
}

func appendStrings(w *jsonw.Writer, key string, list []string) {
	w.KeyOpen(key, '[')
	for _, s := range list {
		w.Str(s)
	}
	w.Close(']')
}

// Again implements dialect.Laned. Reasoning that is not sealed only its vendor knows, by an id that it has
// forgotten: it is left out, and what was said along with it is not known by its id any more.
func (c *codec) Again(items []dialect.Item) []dialect.Item {
	out := make([]dialect.Item, 0, len(items))
	for _, it := range items {
		if v := wire.Raw(it.JSON); v.Get("type").Is(kindReasoning) && v.Get("encrypted_content").Text() == "" {
			continue
		}
		out = append(out, it)
	}
	if len(out) == len(items) {
		return items
	}
	for i, it := range out {
		out[i].JSON = unnamed(it.JSON)
	}
	return out
}

// unnamed returns an item without its id.
func unnamed(item string) string {
	var w jsonw.Writer
	w.Open('{')
	_ = wire.Raw(item).Members(func(key []byte, m wire.Value) error {
		if string(key) != "id" {
			w.KeyRaw(string(key), m.JSON())
		}
		return nil
	})
	w.Close('}')
	return w.String()
}
