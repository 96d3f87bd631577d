package testkit

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Vendor is a small vendor of one model that speaks Chat Completions: it wants its key, knows its model and no other,
// counts words as tokens, keeps to the cap, and can do what Can names. Its Handle is for [Upstream.Handle].
type Vendor struct {
	Key   string // "" lets everyone in
	Model string
	Can   []string // of streaming, tools, schema, images, logprobs
	Rude  bool     // its errors are no JSON
}

// vendorCall is what it reads of a request.
type vendorCall struct {
	Model    string
	Messages []struct{ Content json.RawMessage }
	Max      int             `json:"max_tokens"`
	MaxNew   int             `json:"max_completion_tokens"`
	Tools    json.RawMessage `json:"tools"`
	Format   *struct {
		Type string
	} `json:"response_format"`
	Stream  bool
	Options struct {
		Usage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// Handle answers a call.
func (v *Vendor) Handle(r *Request) Answer {
	if v.Key != "" && r.Header.Get("Authorization") != "Bearer "+v.Key {
		return v.refuse(http.StatusUnauthorized, "invalid_api_key", "this key is not good")
	}
	var c vendorCall
	if err := json.Unmarshal(r.Body, &c); err != nil {
		return v.refuse(http.StatusBadRequest, "invalid_request_error", "this is not JSON")
	}
	if c.Model != v.Model {
		return v.refuse(http.StatusNotFound, "model_not_found", "there is no such model")
	}
	if strings.Contains(string(r.Body), `"image_url"`) && !v.can("images") {
		return v.refuse(http.StatusBadRequest, "invalid_request_error", "this model reads no images")
	}
	return v.answer(&c)
}

func (v *Vendor) can(what string) bool { return slices.Contains(v.Can, what) }

func (v *Vendor) refuse(status int, code, message string) Answer {
	if v.Rude {
		return Text(status, "text/plain", message)
	}
	return Text(status, "application/json", fmt.Sprintf(`{"error":{"message":%q,"type":"invalid_request_error","code":%q}}`, message, code))
}

// answer says yes; counts, where it is asked to; calls the tool and keeps to the schema, where it can.
func (v *Vendor) answer(c *vendorCall) Answer {
	prompt := ""
	for _, m := range c.Messages {
		prompt += string(m.Content) + " "
	}
	words := []string{"yes"}
	if strings.Contains(prompt, "Count") {
		words = nil
		for i := range 1000 {
			words = append(words, fmt.Sprint(i+1))
		}
	}
	stop, calls := "stop", ""
	switch {
	case len(c.Tools) > 0 && v.can("tools"):
		words, stop = []string{}, "tool_calls"
		calls = `,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"note","arguments":"{\"answer\":7}"}}]`
	case c.Format != nil && c.Format.Type == "json_schema" && v.can("schema"):
		words = []string{`{"answer":7}`}
	}
	if most := max(c.Max, c.MaxNew); most > 0 && len(words) > most {
		words, stop = words[:most], "length"
	}
	text, _ := json.Marshal(strings.Join(words, " "))
	usage := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, len(strings.Fields(prompt)), max(len(words), 1), len(strings.Fields(prompt))+max(len(words), 1))
	head := fmt.Sprintf(`"id":"chatcmpl-1","created":1,"model":%q`, v.Model)
	if !c.Stream || !v.can("streaming") {
		return JSON(fmt.Sprintf(`{%s,"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":%s%s},"finish_reason":%q}],"usage":%s}`, head, text, calls, stop, usage))
	}
	chunk := func(delta, reason string) string {
		return fmt.Sprintf(`{%s,"object":"chat.completion.chunk","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`, head, delta, reason)
	}
	events := []string{
		chunk(fmt.Sprintf(`{"role":"assistant","content":%s%s}`, text, calls), "null"),
		chunk("{}", fmt.Sprintf("%q", stop)),
	}
	if c.Options.Usage {
		events = append(events, fmt.Sprintf(`{%s,"object":"chat.completion.chunk","choices":[],"usage":%s}`, head, usage))
	}
	return SSE(append(events, "[DONE]")...)
}
