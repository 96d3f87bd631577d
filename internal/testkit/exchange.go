package testkit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/internal/frame"
)

// fileJSON is the shape of a file of the corpus.
type fileJSON struct {
	Meta struct {
		Kind string `json:"kind"`
	} `json:"meta"`
	Interactions []interactionJSON `json:"interactions"`
}

type interactionJSON struct {
	Vendor    string       `json:"vendor"`
	Endpoint  string       `json:"endpoint"`
	Features  []string     `json:"features"`
	RPC       string       `json:"rpc"`
	Direction string       `json:"direction"`
	Request   *messageJSON `json:"request"`
	Response  *messageJSON `json:"response"`
}

type messageJSON struct {
	Method     string              `json:"method"`
	URL        string              `json:"url"`
	Status     int                 `json:"status"`
	Headers    map[string][]string `json:"headers"`
	Body       *string             `json:"body"`
	BodyJSON   json.RawMessage     `json:"body_json"`
	BodyBase64 *string             `json:"body_base64"`
	DataLines  []json.RawMessage   `json:"stream_data_lines"`
	Events     []json.RawMessage   `json:"stream_events"`
}

// content returns the body, and whether it is exact.
func (m *messageJSON) content() ([]byte, bool, error) {
	switch {
	case m.Body != nil:
		return []byte(*m.Body), true, nil
	case m.BodyBase64 != nil:
		b, err := base64.StdEncoding.DecodeString(*m.BodyBase64)
		return b, true, err
	case m.BodyJSON != nil:
		var b bytes.Buffer
		err := json.Compact(&b, m.BodyJSON)
		return b.Bytes(), false, err
	}
	return nil, true, nil
}

func (m *messageJSON) header() http.Header {
	h := http.Header{}
	for name, values := range m.Headers {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	return h
}

func (x *Exchange) fill(in interactionJSON) error {
	if m := in.Request; m != nil {
		body, exact, err := m.content()
		if err != nil {
			return fmt.Errorf("request: %w", err)
		}
		x.Request = RecordedRequest{Found: true, Method: m.Method, URL: m.URL, Header: m.header(), Body: body, Exact: exact}
	}
	m := in.Response
	body, exact, err := m.content()
	if err != nil {
		return fmt.Errorf("response: %w", err)
	}
	h := m.header()
	for _, name := range []string{"Content-Encoding", "Content-Length", "Transfer-Encoding"} {
		h.Del(name)
	}
	x.Response = RecordedResponse{Status: m.Status, Header: h, Body: body, Exact: exact}
	if data := append(m.DataLines, m.Events...); len(data) > 0 {
		return x.frameData(data)
	}
	x.Response.Framing = framing(h.Get("Content-Type"), body)
	return nil
}

// framing tells how an answer is framed: by what it says of itself, and by its looks where the recorder
// dropped the header.
func framing(contentType string, body []byte) Framing {
	switch {
	case strings.HasPrefix(contentType, "application/vnd.amazon.eventstream"):
		return EventStream
	case bytes.HasPrefix(body, []byte{0, 0}): // the length of its first message
		return EventStream
	case strings.HasPrefix(contentType, "application/x-ndjson"):
		return NDJSON
	case bytes.HasPrefix(body, []byte("data:")), bytes.HasPrefix(body, []byte("event:")), bytes.HasPrefix(body, []byte(": ")):
		return Events
	}
	return None
}

// frameData makes a stream of events of their data, the framing of which was not kept.
func (x *Exchange) frameData(data []json.RawMessage) error {
	x.Response.Exact = false
	var body, last []byte
	var typed bool
	for _, raw := range data {
		line, kind, err := dataLine(raw)
		if err != nil {
			return err
		}
		if kind == "message" && len(data) == 1 { // a whole answer, which somebody called a stream
			x.Response.Body = line
			return nil
		}
		typed = kind != ""
		body = frame.Append(body, frame.Frame{Event: kind, Data: line})
		last = line
	}
	if !typed && string(last) != "[DONE]" {
		body = append(body, "data: [DONE]\n\n"...)
	}
	x.Response.Body, x.Response.Framing = body, Events
	x.Response.Header.Set("Content-Type", "text/event-stream")
	return nil
}

// dataLine returns the data of an event, which stands there as a string or as an object, and its type,
// which Anthropic and the Responses dialect name in it.
func dataLine(raw json.RawMessage) (line []byte, kind string, err error) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		line = []byte(s)
	} else {
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, "", err
		}
		line = b.Bytes()
	}
	var t struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(line, &t) // [DONE] has no type
	return line, t.Type, nil
}

// Name names the exchange in a test: "groq/x.json#0".
func (x *Exchange) Name() string { return fmt.Sprintf("%s#%d", x.File, x.Index) }

// Stream reports whether the answer is a stream of server-sent events, or AWS's of Converse.
func (x *Exchange) Stream() bool {
	return x.Response.Framing == Events || x.Response.Framing == EventStream && x.Op() == "converse-stream"
}

// Path returns the path of the request's URL as it stands there, or "".
func (x *Exchange) Path() string {
	_, rest, _ := strings.Cut(x.Request.URL, "://")
	_, path, ok := strings.Cut(rest, "/")
	if !ok {
		return ""
	}
	path, _, _ = strings.Cut(path, "?")
	return "/" + path
}

// pathOp returns the operation that a path names, or "".
func pathOp(path string) string {
	if strings.Contains(path, "/threads/") {
		return "other" // OpenAI's assistants, whose messages are other ones
	}
	for _, o := range [...]struct{ suffix, op string }{
		{"/chat/completions", "chat.completions"},
		{"/completions", "completions"}, // what is not chat
		{"/api/chat", "ollama.chat"},
		{"/api/generate", "ollama.generate"},
		{"/v2/chat", "cohere.chat"},
		{"/messages", "messages"},
		{"/messages/count_tokens", "messages.count_tokens"},
		{":rawPredict", "rawPredict"},
		{":streamRawPredict", "rawPredict"},
		{"/converse", "converse"},
		{"/converse-stream", "converse-stream"},
		{"/invoke", "invoke"},
		{"/invoke-with-response-stream", "invoke-stream"},
		{"/v1/chat", "cohere.v1.chat"},
		{"/v1/generate", "cohere.v1.generate"},
		{"/responses", "responses"},
		{":generateContent", "generateContent"},
		{":streamGenerateContent", "streamGenerateContent"},
	} {
		if strings.HasSuffix(path, o.suffix) {
			return o.op
		}
	}
	return ""
}

// Op returns the operation, by the request's path: "chat.completions", "messages",
// "messages.count_tokens", "responses", "rawPredict" (Claude on Vertex), "generateContent" and so on. Where
// the path was not kept or is none of these the answer is the corpus's tag, unless that names one of the
// two dialects' operations against the path: that is "other".
func (x *Exchange) Op() string {
	path := x.Path()
	if op := pathOp(path); op != "" {
		return op
	}
	switch x.Endpoint {
	case "chat.completions", "messages", "messages.count_tokens":
		if path != "" {
			return "other"
		}
	}
	return x.Endpoint
}

// Dialect returns the language of the exchange: "openai" for chat completions, "anthropic" for messages,
// counting their tokens, and for Claude on Vertex and Bedrock (which leave out the model), "responses",
// "gemini", "converse", "ollama", "ollama-generate", "cohere", "cohere-v1",
// "cohere-generate", "completions", or "other".
func (x *Exchange) Dialect() string {
	switch op := x.Op(); op {
	case "chat.completions":
		return "openai"
	case "completions":
		return "completions"
	case "ollama.chat":
		return "ollama"
	case "ollama.generate":
		return "ollama-generate"
	case "cohere.chat":
		return "cohere"
	case "cohere.v1.chat":
		return "cohere-v1"
	case "cohere.v1.generate":
		return "cohere-generate"
	case "messages", "messages.count_tokens":
		return "anthropic"
	case "rawPredict", "invoke", "invoke-stream":
		if bytes.Contains(x.Request.Body, []byte(`"anthropic_version"`)) {
			return "anthropic"
		}
	case "converse", "converse-stream":
		return "converse"
	case "generateContent", "streamGenerateContent":
		return "gemini"
	case "countTokens":
		if strings.HasSuffix(x.Path(), ":countTokens") {
			return "gemini"
		}
	default:
		if strings.HasPrefix(op, "responses") {
			return "responses"
		}
	}
	return "other"
}
