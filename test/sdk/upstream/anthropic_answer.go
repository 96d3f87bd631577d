package main

import (
	"encoding/json"
	"net/http"
	"strings"
)

const anthropicID1 = "msg_017vT8SCNW26qXCKQ3fW8ivV"

func (anthropic) headers() http.Header {
	return http.Header{
		"Request-Id":                             {"req_011CXKMLUhuzZgW2DsRSXYVN"},
		"Anthropic-Ratelimit-Requests-Remaining": {"3999"},
		"Anthropic-Organization-Id":              {"6f1b9d2e-secret"},
		"Cf-Ray":                                 {"9c11b6101dbb76fa-SEA"},
		"Set-Cookie":                             {"_cfuvid=secret; path=/"},
	}
}

func (anthropic) fail(f failure) []byte {
	kinds := map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
		404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
	}
	kind := kinds[f.status]
	if kind == "" {
		kind = "api_error"
	}
	return encode(obj{"type": "error", "error": obj{"type": kind, "message": f.message}, "request_id": "req_011CXKMLUhuzZgW2DsRSXYVN"})
}

func (an anthropic) whole(r *request, a *answer) []byte {
	if r.Count {
		return encode(obj{"input_tokens": a.tokens})
	}
	c := a.choices[0]
	content := []obj{}
	for _, b := range c.blocks {
		content = append(content, an.block(b))
	}
	stop, seq := an.stop(r, c.stop)
	return encode(obj{
		"model": r.Model + "-20260101", "id": anthropicID1 + r.tail(), "type": "message", "role": "assistant", "content": content,
		"stop_reason": stop, "stop_sequence": seq, "stop_details": details(c.stop), "usage": an.usage(a.usage, a.usage.out),
	})
}

func (anthropic) block(b block) obj {
	switch b.kind {
	case "thought":
		return obj{"type": "thinking", "thinking": b.all(), "signature": sign(b.all())}
	case "sealed":
		return obj{"type": "redacted_thinking", "data": b.all()}
	case "call":
		return obj{"type": "tool_use", "id": b.id, "name": b.name, "input": json.RawMessage(arguments(b)), "caller": obj{"type": "direct"}}
	}
	t := obj{"type": "text", "text": b.all()}
	if b.cite {
		t["citations"] = []obj{citation()}
	}
	return t
}

func citation() obj {
	return obj{
		"type": "char_location", "cited_text": "The grass is green.", "document_index": 0, "document_title": "Grass",
		"start_char_index": 0, "end_char_index": 19, "file_id": nil,
	}
}

func (anthropic) stop(r *request, stop string) (reason, sequence any) {
	reason = map[string]any{
		"end": "end_turn", "length": "max_tokens", "tool": "tool_use", "stop": "stop_sequence", "refusal": "refusal", "filter": "refusal",
	}[stop]
	if stop == "stop" && len(r.Stop) > 0 {
		sequence = r.Stop[0]
	}
	return reason, sequence
}

func details(stop string) any {
	if stop != "refusal" {
		return nil
	}
	return obj{"type": "refusal", "category": "cyber", "explanation": "This request was declined."}
}

func (anthropic) usage(u usage, out int) obj {
	return obj{
		"input_tokens": u.in, "cache_creation_input_tokens": u.cacheWrite5m + u.cacheWrite1h, "cache_read_input_tokens": u.cacheRead,
		"cache_creation": obj{"ephemeral_5m_input_tokens": u.cacheWrite5m, "ephemeral_1h_input_tokens": u.cacheWrite1h},
		"output_tokens":  out, "service_tier": "standard", "inference_geo": "not_available",
	}
}

func (an anthropic) stream(r *request, a *answer) []piece {
	s := &anthropicStream{}
	c := a.choices[0]
	s.event("message_start", obj{"message": obj{
		"model": r.Model + "-20260101", "id": anthropicID1 + r.tail(), "type": "message", "role": "assistant", "content": []any{},
		"stop_reason": nil, "stop_sequence": nil, "stop_details": nil, "usage": an.usage(a.usage, 1),
	}}, false)
	for i, b := range c.blocks {
		s.block(an, i, b)
	}
	stop, seq := an.stop(r, c.stop)
	u := an.usage(a.usage, a.usage.out)
	delete(u, "service_tier")
	delete(u, "inference_geo")
	delete(u, "cache_creation")
	s.event("message_delta", obj{"delta": obj{"stop_reason": stop, "stop_sequence": seq, "stop_details": details(c.stop)}, "usage": u}, false)
	s.event("message_stop", obj{}, false)
	return s.pieces
}

type anthropicStream struct{ pieces []piece }

func (s *anthropicStream) block(an anthropic, i int, b block) {
	start := an.block(block{kind: b.kind, id: b.id, name: b.name})
	if b.kind == "thought" {
		start["signature"] = ""
	}
	if b.kind == "sealed" {
		start = an.block(b)
	}
	s.event("content_block_start", obj{"index": i, "content_block": start}, false)
	if i == 0 {
		s.pieces = append(s.pieces, piece{text: "event: ping\ndata: {\"type\": \"ping\"}\n\n"})
	}
	if b.kind == "call" {
		s.delta(i, obj{"type": "input_json_delta", "partial_json": ""}, false)
	}
	for _, p := range b.pieces {
		switch b.kind {
		case "text":
			s.delta(i, obj{"type": "text_delta", "text": p}, true)
		case "thought":
			s.delta(i, obj{"type": "thinking_delta", "thinking": p}, true)
		case "call":
			s.delta(i, obj{"type": "input_json_delta", "partial_json": p}, true)
		}
	}
	if b.cite {
		s.delta(i, obj{"type": "citations_delta", "citation": citation()}, false)
	}
	if b.kind == "thought" {
		s.delta(i, obj{"type": "signature_delta", "signature": sign(b.all())}, false)
	}
	s.event("content_block_stop", obj{"index": i}, false)
}

func (s *anthropicStream) delta(i int, d obj, content bool) {
	s.event("content_block_delta", obj{"index": i, "delta": d}, content)
}

// event names its type first and pads its data, as the vendor does so that the size of a text does not show.
func (s *anthropicStream) event(name string, data obj, content bool) {
	body := `{"type":"` + name + `"`
	if rest := string(encode(data)); rest != "{}" {
		body += "," + strings.TrimSuffix(rest[1:], "}")
	}
	body += strings.Repeat(" ", len(s.pieces)%5) + "}"
	s.pieces = append(s.pieces, piece{"event: " + name + "\ndata: " + body + "\n\n", content})
}

func (anthropic) fault(message string) string {
	return "event: error\ndata: " + string(encode(obj{
		"type": "error", "error": obj{"details": nil, "type": "overloaded_error", "message": message}, "request_id": "req_011CXKMLUhuzZgW2DsRSXYVN",
	})) + "\n\n"
}
