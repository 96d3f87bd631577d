package main

import (
	"encoding/json"
	"net/http"

	"github.com/plenum-foundry/plenum/internal/frame"
)

func (bedrock) headers() http.Header {
	return http.Header{
		"X-Amzn-Requestid": {"5f2c2b2e-0b5e-4d0a-9f3c-6f6f6b1d1e3a"},
		"Content-Type":     {"application/vnd.amazon.eventstream"}, // of a stream; a whole answer says its own
	}
}

func (bedrock) fail(f failure) []byte { return encode(obj{"message": f.message}) }

func (b bedrock) whole(r *request, a *answer) []byte {
	c := a.choices[0]
	content := []obj{}
	for _, x := range c.blocks {
		content = append(content, b.block(x))
	}
	return encode(obj{
		"output": obj{"message": obj{"role": "assistant", "content": content}}, "stopReason": b.stop(c.stop),
		"usage": b.usage(a.usage), "metrics": obj{"latencyMs": 321},
	})
}

func (bedrock) block(b block) obj {
	switch b.kind {
	case "thought":
		return obj{"reasoningContent": obj{"reasoningText": obj{"text": b.all(), "signature": sign(b.all())}}}
	case "sealed":
		return obj{"reasoningContent": obj{"redactedContent": b.all()}}
	case "call":
		return obj{"toolUse": obj{"toolUseId": b.id, "name": b.name, "input": json.RawMessage(arguments(b))}}
	}
	return obj{"text": b.all()}
}

func (bedrock) stop(stop string) string {
	return map[string]string{
		"end": "end_turn", "length": "max_tokens", "tool": "tool_use", "stop": "stop_sequence", "refusal": "content_filtered", "filter": "guardrail_intervened",
	}[stop]
}

func (bedrock) usage(u usage) obj {
	return obj{
		"inputTokens": u.in, "outputTokens": u.out, "totalTokens": u.in + u.out + u.cacheRead + u.cacheWrite5m + u.cacheWrite1h,
		"cacheReadInputTokens": u.cacheRead, "cacheWriteInputTokens": u.cacheWrite5m + u.cacheWrite1h,
	}
}

func (b bedrock) stream(_ *request, a *answer) []piece {
	s := &bedrockStream{}
	c := a.choices[0]
	s.event("messageStart", obj{"role": "assistant"}, false)
	for i, x := range c.blocks {
		s.block(i, x)
	}
	s.event("messageStop", obj{"stopReason": b.stop(c.stop)}, false)
	s.event("metadata", obj{"usage": b.usage(a.usage), "metrics": obj{"latencyMs": 321}}, false)
	return s.pieces
}

type bedrockStream struct{ pieces []piece }

func (s *bedrockStream) block(i int, b block) {
	if b.kind == "call" {
		s.event("contentBlockStart", obj{"contentBlockIndex": i, "start": obj{"toolUse": obj{"toolUseId": b.id, "name": b.name}}}, true)
	}
	for _, p := range b.pieces {
		switch b.kind {
		case "call":
			s.delta(i, obj{"toolUse": obj{"input": p}})
		case "thought":
			s.delta(i, obj{"reasoningContent": obj{"text": p}})
		case "sealed":
			s.delta(i, obj{"reasoningContent": obj{"redactedContent": p}})
		default:
			s.delta(i, obj{"text": p})
		}
	}
	if b.kind == "thought" {
		s.delta(i, obj{"reasoningContent": obj{"signature": sign(b.all())}})
	}
	s.event("contentBlockStop", obj{"contentBlockIndex": i}, false)
}

func (s *bedrockStream) delta(i int, d obj) {
	s.event("contentBlockDelta", obj{"contentBlockIndex": i, "delta": d}, true)
}

func (s *bedrockStream) event(name string, data obj, content bool) {
	data["p"] = "abcdefghij"[:len(s.pieces)%10]
	s.pieces = append(s.pieces, piece{string(frame.AppendEvent(nil, frame.Frame{Event: name, Data: encode(data)})), content})
}

func (bedrock) fault(message string) string {
	return string(frame.AppendEvent(nil, frame.Frame{Event: "modelStreamErrorException", Fault: true, Data: encode(obj{"message": message})}))
}
