package main

import (
	"bytes"
	"fmt"
	"strings"
)

// style is how the upstream answers, named by the model.
type style struct {
	model  string
	stream bool
	words  int  // deltas of a stream
	paced  bool // one after the other, rather than all at once
}

func styles() []style {
	return []style{
		{model: "unary", words: 60},
		{model: "held", words: 60},
		{model: "paced", stream: true, words: 60, paced: true},
		{model: "burst", stream: true, words: 200},
	}
}

// answer is one style in one tongue, with places for the number of the request.
type answer struct {
	style
	frames [][]byte // one for an unstreamed answer
	usage  []byte   // the frame that only who asks for usage gets (OpenAI)
	end    []byte   // the frame after that
	text   string   // what it says, with zeros for the number
}

// blank is the number of no request; it is what an answer's template holds.
var blank = []byte(strings.Repeat("0", idDigits))

// text returns what an answer says: its number, and words that differ.
func (s style) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s", idWord, blank)
	for i := 1; i < s.words; i++ {
		fmt.Fprintf(&b, " w%03d", i)
	}
	return b.String()
}

// idWord stands before the number in the answer.
const idWord = "answer "

// deltas are the pieces of text, the first with the number.
func (s style) deltas() []string {
	parts := strings.SplitAfter(s.text()[len(idWord):], " ")
	parts[0] = idWord + parts[0]
	return parts
}

func (t tongue) answer(s style) *answer {
	a := &answer{style: s, text: s.text()}
	switch {
	case t == openAI && !s.stream:
		a.frames = [][]byte{[]byte(`{"id":"chatcmpl-DuLdwG9dovOoGcPewSoHPH2zgGXdJ","object":"chat.completion","created":1782321936,"model":"` + s.model +
			`","choices":[{"index":0,"message":{"role":"assistant","content":"` + a.text + `","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":77,"completion_tokens":60,"total_tokens":137,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
			`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_44709d6fcb"}`)}
	case t == openAI:
		a.openAIStream()
	case !s.stream:
		a.frames = [][]byte{[]byte(`{"model":"` + s.model + `","id":"msg_017vT8SCNW26qXCKQ3fW8ivV","type":"message","role":"assistant","content":[{"type":"text","text":"` + a.text +
			`"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":77,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":60,"service_tier":"standard"}}`)}
	default:
		a.anthropicStream()
	}
	return a
}

func (a *answer) openAIStream() {
	chunk := func(choices, usage string) []byte {
		return []byte(`data: {"id":"chatcmpl-DuLdwG9dovOoGcPewSoHPH2zgGXdJ","object":"chat.completion.chunk","created":1782321936,"model":"` + a.model +
			`","service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[` + choices + `]` + usage + "}\n\n")
	}
	a.frames = append(a.frames, chunk(`{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}`, ""))
	for _, d := range a.deltas() {
		a.frames = append(a.frames, chunk(`{"index":0,"delta":{"content":"`+d+`"},"logprobs":null,"finish_reason":null}`, ""))
	}
	a.frames = append(a.frames, chunk(`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`, ""))
	a.usage = chunk("", `,"usage":{"prompt_tokens":77,"completion_tokens":60,"total_tokens":137}`)
	a.end = []byte("data: [DONE]\n\n")
}

func (a *answer) anthropicStream() {
	event := func(name, rest string) []byte {
		return []byte("event: " + name + "\ndata: {\"type\":\"" + name + "\"" + rest + "}\n\n")
	}
	a.frames = append(a.frames,
		event("message_start", `,"message":{"model":"`+a.model+`","id":"msg_017vT8SCNW26qXCKQ3fW8ivV","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":77,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}`),
		event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`),
		[]byte("event: ping\ndata: {\"type\": \"ping\"}\n\n"))
	for _, d := range a.deltas() {
		a.frames = append(a.frames, event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"`+d+`"}`))
	}
	a.frames = append(a.frames, event("content_block_stop", `,"index":0`),
		event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":77,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":60}`))
	a.end = event("message_stop", "")
}

// whole returns the body as a caller gets it who did not ask for usage.
func (a *answer) whole() []byte { return append(bytes.Join(a.frames, nil), a.end...) }

// said takes the text out of an answer that crossed to a dialect: every value of its text field, in order.
func said(t tongue, body []byte) []byte {
	key := []byte(`"content":"`)
	if t == anthropic {
		key = []byte(`"text":"`)
	}
	var out []byte
	for {
		i := bytes.Index(body, key)
		if i < 0 {
			return out
		}
		body = body[i+len(key):]
		end := bytes.IndexByte(body, '"')
		if end < 0 {
			return out
		}
		out = append(out, body[:end]...)
		body = body[end:]
	}
}
