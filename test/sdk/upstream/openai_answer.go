package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const (
	openAICreated  = 1782321936
	openAIAnswerID = "chatcmpl-DuLdwG9dovOoGcPewSoHPH2zgGXdJ"
)

func (openAI) headers() http.Header {
	return http.Header{
		"X-Request-Id":                   {"req_0a1b2c3d4e5f60718293a4b5c6d7e8f9"},
		"Openai-Processing-Ms":           {"123"},
		"Openai-Version":                 {"2020-10-01"},
		"Openai-Organization":            {"org-secret"},
		"X-Ratelimit-Remaining-Requests": {"4999"},
		"Set-Cookie":                     {"__cf_bm=secret; path=/"},
	}
}

func (openAI) fail(f failure) []byte {
	kinds := map[int]string{400: "invalid_request_error", 401: "invalid_request_error", 403: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_exceeded"}
	e := obj{"message": f.message, "type": kinds[f.status], "param": nil, "code": nil}
	if kinds[f.status] == "" {
		e["type"] = "server_error"
	}
	switch {
	case f.status == 401:
		e["code"] = "invalid_api_key"
	case f.status == 404:
		e["code"] = "model_not_found"
	case f.status == 429:
		e["type"], e["code"] = "tokens", "rate_limit_exceeded"
	case strings.Contains(f.message, "maximum context length"):
		e["code"], e["param"] = "context_length_exceeded", "messages"
	}
	return encode(obj{"error": e})
}

type obj map[string]any

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only plain values are given
	}
	return b
}

func (o openAI) whole(r *request, a *answer) []byte {
	var choices []obj
	for i, c := range a.choices {
		choices = append(choices, obj{
			"index": i, "message": o.message(c), "logprobs": o.logprobs(r, c), "finish_reason": o.finish(c.stop),
		})
	}
	return encode(obj{
		"id": openAIAnswerID + r.tail(), "object": "chat.completion", "created": openAICreated,
		"model": r.Model + "-2026-01-01", "choices": choices, "usage": o.usage(a.usage), "service_tier": "default",
		"system_fingerprint": "fp_44709d6fcb",
	})
}

func (o openAI) message(c choice) obj {
	m := obj{"role": "assistant", "content": nil, "refusal": nil, "annotations": []any{}}
	var calls []obj
	for _, b := range c.blocks {
		switch b.kind {
		case "text":
			m["content"] = b.all()
			if b.cite {
				m["annotations"] = []any{annotation()}
			}
		case "refusal":
			m["refusal"] = b.all()
		case "thought":
			m["reasoning_content"] = b.all()
		case "call":
			calls = append(calls, obj{"id": b.id, "type": "function", "function": obj{"name": b.name, "arguments": arguments(b)}})
		}
	}
	if calls != nil {
		m["tool_calls"] = calls
	}
	return m
}

func annotation() obj {
	return obj{"type": "url_citation", "url_citation": obj{
		"start_index": 0, "end_index": 19, "title": "Grass", "url": "https://example.com/grass",
	}}
}

// arguments are always JSON here, also where there are none.
func arguments(b block) string {
	if s := b.all(); s != "" {
		return s
	}
	return "{}"
}

func (openAI) finish(stop string) any {
	return map[string]any{
		"end": "stop", "stop": "stop", "length": "length", "tool": "tool_calls", "refusal": "stop", "filter": "content_filter",
	}[stop]
}

func (openAI) logprobs(r *request, c choice) any {
	if r.Logprobs < 0 {
		return nil
	}
	var tokens []obj
	for _, b := range c.blocks {
		for _, p := range b.pieces {
			tokens = append(tokens, logprob(r, p))
		}
	}
	return obj{"content": tokens, "refusal": nil}
}

func logprob(r *request, token string) obj {
	bytes := []int{}
	for _, b := range []byte(token) {
		bytes = append(bytes, int(b))
	}
	top := []obj{}
	for i := range r.Logprobs {
		top = append(top, obj{"token": fmt.Sprint("alt", i), "logprob": -1.5 - float64(i), "bytes": []int{97}})
	}
	return obj{"token": token, "logprob": -0.25, "bytes": bytes, "top_logprobs": top}
}

func (openAI) usage(u usage) obj {
	in := u.in + u.cacheRead + u.cacheWrite5m + u.cacheWrite1h
	return obj{
		"prompt_tokens": in, "completion_tokens": u.out, "total_tokens": in + u.out,
		"prompt_tokens_details":     obj{"cached_tokens": u.cacheRead, "audio_tokens": 0},
		"completion_tokens_details": obj{"reasoning_tokens": u.reasoning, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
	}
}

// stream says an answer in chunks: the role first, usage last and only if asked for.
func (o openAI) stream(r *request, a *answer) []piece {
	s := &openAIStream{r: r}
	for i := range a.choices {
		s.delta(i, obj{"role": "assistant", "content": "", "refusal": nil}, nil, false)
	}
	for i, c := range a.choices {
		s.choice(o, i, c)
	}
	if r.Usage {
		s.chunk(obj{"choices": []any{}, "usage": o.usage(a.usage)}, false)
	}
	s.pieces = append(s.pieces, piece{text: "data: [DONE]\n\n"})
	return s.pieces
}

type openAIStream struct {
	r      *request
	pieces []piece
}

func (s *openAIStream) choice(o openAI, i int, c choice) {
	calls := 0
	for _, b := range c.blocks {
		switch b.kind {
		case "call":
			s.call(i, calls, b)
			calls++
		case "sealed":
		default:
			s.texts(o, i, b)
		}
	}
	s.delta(i, obj{}, o.finish(c.stop), false)
}

func (s *openAIStream) texts(o openAI, i int, b block) {
	key := map[string]string{"text": "content", "refusal": "refusal", "thought": "reasoning_content"}[b.kind]
	for _, p := range b.pieces {
		var lp any
		if s.r.Logprobs >= 0 {
			lp = obj{"content": []obj{logprob(s.r, p)}, "refusal": nil}
		}
		s.chunk(obj{"choices": []obj{{"index": i, "delta": obj{key: p}, "logprobs": lp, "finish_reason": nil}}}, true)
	}
	if b.cite {
		s.delta(i, obj{"annotations": []any{annotation()}}, nil, false)
	}
}

func (s *openAIStream) call(i, n int, b block) {
	s.delta(i, obj{"tool_calls": []obj{{"index": n, "id": b.id, "type": "function", "function": obj{"name": b.name, "arguments": ""}}}}, nil, true)
	pieces := b.pieces
	if len(pieces) == 0 {
		pieces = []string{"{}"}
	}
	for _, p := range pieces {
		s.delta(i, obj{"tool_calls": []obj{{"index": n, "function": obj{"arguments": p}}}}, nil, true)
	}
}

func (s *openAIStream) delta(i int, d obj, finish any, content bool) {
	s.chunk(obj{"choices": []obj{{"index": i, "delta": d, "logprobs": nil, "finish_reason": finish}}}, content)
}

func (s *openAIStream) chunk(c obj, content bool) {
	c["id"], c["object"], c["created"] = openAIAnswerID+s.r.tail(), "chat.completion.chunk", openAICreated
	c["model"], c["service_tier"], c["system_fingerprint"] = s.r.Model+"-2026-01-01", "default", "fp_44709d6fcb"
	c["obfuscation"] = "zjpxEG4F"
	if _, said := c["usage"]; !said && s.r.Usage {
		c["usage"] = nil
	}
	s.pieces = append(s.pieces, piece{"data: " + string(encode(c)) + "\n\n", content})
}

func (openAI) fault(message string) string {
	return "data: " + string(encode(obj{"error": obj{"message": message, "type": "server_error", "param": nil, "code": "server_error"}})) + "\n\n"
}
