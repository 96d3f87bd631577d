package dialecttest_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/specs"
)

const (
	anthropicSpec = "anthropic/openapi.yml"
	openaiSpec    = "openai/openapi.json"
)

// side is a dialect with what its vendor says about it.
type side struct {
	codec    dialect.Codec
	spec     *specs.Spec
	requests []string // names of schemas
	answers  []string
	fixed    map[string]any
	// nothing lists what has no meaning that could be lost: choices among no tools, what holds anyway,
	// names for the vendor's eyes.
	nothing []string
	always  schema // members that every request has
	beside  []string
	named   bool // events of a stream are known by a name beside their data
}

func (s side) tellsNothing(what string) bool {
	return slices.ContainsFunc(s.nothing, func(start string) bool { return strings.HasPrefix(what, start) })
}

func anthropicSide(t *testing.T) side {
	s := likeAnthropic()
	s.spec = specs.Load(t, anthropicSpec)
	return s
}

func openaiSide(t *testing.T) side {
	s := likeOpenAI()
	s.spec = specs.Load(t, openaiSpec)
	return s
}

func likeAnthropic() side {
	return side{
		codec:    messages(),
		requests: []string{"CreateMessageParams", "BetaCreateMessageParams"},
		answers:  []string{"Message", "BetaMessage"},
		fixed: map[string]any{
			"model": "claude", "media_type": "image/png", "input_schema": schema{"type": "object", "properties": schema{}},
			"schema":        schema{"type": "object", "properties": schema{}, "required": []any{}, "additionalProperties": false},
			"budget_tokens": 2048, "max_tokens": 4000,
		},
		nothing: []string{".model", ".stream=false", ".thinking<disabled>", ".tool_choice<auto>", ".tool_choice<none>", ".output_config"},
	}
}

func likeOpenAI() side {
	return side{
		codec:    chat(),
		requests: []string{"CreateChatCompletionRequest"},
		answers:  []string{"CreateChatCompletionResponse"},
		fixed: map[string]any{
			"model": "gpt", "parameters": schema{"type": "object", "properties": schema{}},
			"schema":    schema{"type": "object", "properties": schema{}, "required": []any{}, "additionalProperties": false},
			"arguments": `{"a":"b"}`, "max_tokens": 4000, "max_completion_tokens": 4000,
			"file_data": "data:application/pdf;base64,JVBERi0xLjcK", "index": 0,
		},
		nothing: []string{".response_format<json_schema>.json_schema"},
	}
}

func (s side) samples(name string) []sample {
	m := sampler{spec: s.spec, fixed: s.fixed}
	return m.all(schema{"$ref": "#/components/schemas/" + name}, "", 0, map[string]int{})
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func unmarshal(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return v
}

// once a fault is reported, the same at another place says no more.
type reports struct {
	t    *testing.T
	seen map[string]bool
	// beside lists what a description allows and nobody says: parts without their type, calls of nothing.
	beside []string
}

var digits = regexp.MustCompile(`w?\d+x?`)

func (r *reports) add(what, fault string, more ...any) {
	r.t.Helper()
	if slices.ContainsFunc(r.beside, func(part string) bool { return strings.Contains(what, part) }) {
		return
	}
	key := digits.ReplaceAllString(fault, "#")
	if r.seen[key] {
		return
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[key] = true
	r.t.Errorf("%s: %s %v", what, fault, more)
}

func TestEveryRequestOfMessagesIsSaidAgain(t *testing.T)        { ownRequests(t, anthropicSide(t)) }
func TestEveryRequestOfChatCompletionsIsSaidAgain(t *testing.T) { ownRequests(t, openaiSide(t)) }

func ownRequests(t *testing.T, s side) {
	r := reports{t: t, beside: s.beside}
	n := 0
	for _, name := range s.requests {
		for _, x := range s.samples(name) {
			n++
			if o, ok := x.value.(schema); ok && s.always != nil {
				all := maps.Clone(s.always)
				maps.Copy(all, o)
				x.value = all
			}
			body := marshal(x.value)
			p, err := s.codec.DecodeRequest(dialect.Inbound{Body: body})
			if err != nil {
				r.add(name+x.what, err.Error())
				continue
			}
			out, losses, err := s.codec.EncodeRequest(p, dialect.Shape{})
			if err != nil || len(losses) > 0 {
				r.add(name+x.what, "said with losses", losses, err)
				continue
			}
			if d := dialecttest.SameJSON(body, out.Body); d != "" {
				r.add(name+x.what, d)
			}
		}
	}
	t.Logf("%d requests", n)
}

func TestEveryAnswerOfMessagesIsSaidAgain(t *testing.T)        { ownAnswers(t, anthropicSide(t)) }
func TestEveryAnswerOfChatCompletionsIsSaidAgain(t *testing.T) { ownAnswers(t, openaiSide(t)) }

// isNone reports whether what a description allows is no answer: some do not say that there is a choice.
func isNone(err error) bool { return err != nil && strings.Contains(err.Error(), "has no choices") }

func ownAnswers(t *testing.T, s side) {
	r := reports{t: t, beside: s.beside}
	n := 0
	for _, name := range s.answers {
		for _, x := range s.samples(name) {
			n++
			body := marshal(x.value)
			res, err := s.codec.DecodeResponse(dialect.Reply{Status: 200, Body: body})
			if isNone(err) {
				continue
			}
			if err != nil {
				r.add(name+x.what, err.Error())
				continue
			}
			out, losses, err := s.codec.EncodeResponse(nil, res, dialect.Meta{})
			if err != nil || len(losses) > 0 {
				r.add(name+x.what, "said with losses", losses, err)
			}
			if d := dialecttest.SameJSON(body, out.Body); d != "" {
				r.add(name+x.what, d)
			}
			if s.always == nil { // hosts leave members out that streams have
				streamed(&r, s.codec, name+x.what, res.(*llm.Response))
			}
		}
	}
	t.Logf("%d answers", n)
}

// streamed checks that an answer said as a stream reads as the same.
func streamed(r *reports, c dialect.Codec, what string, res *llm.Response) {
	req := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	e := c.NewEncoder(req, dialect.Meta{CallID: "c", Now: 1})
	var events []llm.Event
	for ev := range llm.Replay(res) {
		events = append(events, ev)
	}
	said, err := dialecttest.Encode(e, events, nil)
	if err != nil || len(e.Losses()) > 0 {
		r.add(what+" streamed", "said with losses", e.Losses(), err)
	}
	back := dialecttest.Decode(c, dialecttest.Frames(said), dialect.Want{})
	if back.Err != nil {
		r.add(what+" streamed", back.Err.Error())
		return
	}
	if s := dialecttest.Grammar(back.Events, false); s != "" {
		r.add(what+" streamed", s)
	}
	again, _, err := c.EncodeResponse(nil, back.Fold(), dialect.Meta{})
	first, _, _ := c.EncodeResponse(nil, res, dialect.Meta{CallID: "c", Now: 1})
	if err != nil {
		r.add(what+" streamed", err.Error())
		return
	}
	if d := dialecttest.SameJSON(without(first.Body, "usage", res), without(again.Body, "usage", res)); d != "" {
		r.add(what+" streamed", d)
	}
}

// without returns a body without a member, where no usage was reported: a stream tells some all the same.
func without(body []byte, key string, res *llm.Response) []byte {
	var m map[string]any
	if res.Usage.Reported != 0 || json.Unmarshal(body, &m) != nil {
		return body
	}
	delete(m, key)
	return marshal(m)
}

func TestEveryRequestOfMessagesAsChatCompletions(t *testing.T) {
	crossRequests(t, anthropicSide(t), openaiSide(t), specs.Ref("CreateChatCompletionRequest"))
}

func TestEveryRequestOfChatCompletionsAsMessages(t *testing.T) {
	crossRequests(t, openaiSide(t), anthropicSide(t), specs.Ref("CreateMessageParams"))
}

// crossRequests checks that whatever a request says is said in the other dialect or named as lost, and that
// what is said there is what the other vendor takes.
func crossRequests(t *testing.T, from, to side, as schema) {
	r := reports{t: t, beside: from.beside}
	shape := dialect.Shape{Offer: &plenum.Offer{Upstream: "upstream", Traits: plenum.Traits{DefaultMaxOut: 4096}}}
	n := 0
	for _, name := range from.requests {
		least := ""
		for i, x := range from.samples(name) {
			n++
			body := marshal(x.value)
			p, err := from.codec.DecodeRequest(dialect.Inbound{Body: body})
			if err != nil {
				continue
			}
			out, losses, err := to.codec.EncodeRequest(p, shape)
			if err != nil {
				r.add(name+x.what, err.Error())
				continue
			}
			if bad := to.spec.Check(as, unmarshal(t, out.Body), "body"); bad != "" && !(len(losses) > 0 && strings.Contains(bad, "messages: 0 is less")) {
				r.add(name+x.what, bad)
			}
			if i == 0 {
				least = string(out.Body)
			} else if string(out.Body) == least && len(losses) == 0 && len(out.Changed) == 0 && !from.tellsNothing(x.what) {
				r.add(name+x.what, "lost in silence: "+x.what)
			}
			if at := lost(unmarshal(t, body), string(out.Body), losses); at != "" && !from.tellsNothing(x.what) {
				r.add(name+x.what, "a word lost in silence: "+at, losses)
			}
		}
	}
	t.Logf("%d requests", n)
}

var word = regexp.MustCompile(`w\d{4}x`)

func TestEveryAnswerOfMessagesAsChatCompletions(t *testing.T) {
	crossAnswers(t, anthropicSide(t), openaiSide(t), "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse")
}

func TestEveryAnswerOfChatCompletionsAsMessages(t *testing.T) {
	crossAnswers(t, openaiSide(t), anthropicSide(t), "Message", "MessageStreamEvent")
}

// crossAnswers checks that whatever an answer says is said in the other dialect or named as lost, whole and
// streamed, and that what is said there is what the other vendor says.
func crossAnswers(t *testing.T, from, to side, whole, piece string) {
	r := reports{t: t, beside: from.beside}
	n := 0
	to.spec.Lax = true
	req := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	meta := dialect.Meta{CallID: "c", Now: 1}
	for _, name := range from.answers {
		for _, x := range from.samples(name) {
			n++
			body := marshal(x.value)
			res, err := from.codec.DecodeResponse(dialect.Reply{Status: 200, Body: body})
			if isNone(err) {
				continue
			}
			if err != nil {
				r.add(name+x.what, err.Error())
				continue
			}
			out, losses, err := to.codec.EncodeResponse(req, res, meta)
			if err != nil {
				r.add(name+x.what, err.Error())
				continue
			}
			if bad := to.spec.Check(specs.Ref(whole), unmarshal(t, out.Body), "body"); bad != "" {
				r.add(name+x.what, bad)
			}
			said, more := crossStream(&r, to, res.(*llm.Response), name+x.what, piece)
			if at := lost(unmarshal(t, body), string(out.Body), losses); at != "" {
				r.add(name+x.what, "a word lost in silence: "+at, losses)
			}
			if at := lost(unmarshal(t, body), said, more); at != "" {
				r.add(name+x.what, "a word lost in silence in the stream: "+at, more)
			}
		}
	}
	t.Logf("%d answers", n)
}

// lost returns a word of a body that is not in what was said of it, although nothing that it stands in is
// named as lost.
func lost(body any, said string, losses []dialect.Loss) string {
	return lostIn(body, nil, said, losses)
}

func lostIn(v any, path []string, said string, losses []dialect.Loss) string {
	switch v := v.(type) {
	case string:
		if w := word.FindString(v); w != "" && !strings.Contains(said, w) && !named(path, losses) {
			return strings.Join(path, ".")
		}
	case []any:
		for i, x := range v {
			at := slices.Clone(path)
			if n := len(at); n > 0 {
				at[n-1] += "[" + strconv.Itoa(i) + "]"
			}
			if w := lostIn(x, at, said, losses); w != "" {
				return w
			}
		}
	case schema:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if w := lostIn(v[k], append(slices.Clone(path), k), said, losses); w != "" {
				return w
			}
		}
	}
	return ""
}

// named reports whether a loss is that of a place, or of what is around it. What an answer is called
// around it differs between dialects, so that any part of the path will do, but not a content without its
// number.
func named(path []string, losses []dialect.Loss) bool {
	for _, l := range losses {
		for _, part := range path {
			key, _, _ := strings.Cut(part, "[")
			if key != "content" && key != "messages" && key != "choices" && key != "message" {
				part = key
			} else if part == key {
				continue
			}
			if slices.Contains(strings.FieldsFunc(l.What, func(r rune) bool { return r == '.' }), part) || strings.Contains("."+l.What, "."+part+"[") {
				return true
			}
		}
	}
	return false
}

// crossStream says an answer as a stream and returns that, with what was lost.
func crossStream(r *reports, to side, res *llm.Response, what, piece string) (string, []dialect.Loss) {
	e := to.codec.NewEncoder(&llm.Request{Stream: true, StreamUsage: llm.Some(true)}, dialect.Meta{CallID: "c", Now: 1})
	var events []llm.Event
	for ev := range llm.Replay(res) {
		events = append(events, ev)
	}
	said, err := dialecttest.Encode(e, events, nil)
	if err != nil {
		r.add(what+" streamed", err.Error())
	}
	for f, err := range dialecttest.Frames(said) {
		if err != nil || string(f.Data) == "[DONE]" {
			continue
		}
		data := unmarshal(r.t, f.Data)
		if o, ok := data.(schema); ok && o["usage"] == nil {
			delete(o, "usage") // the vendor says null and describes it otherwise
		}
		if whole, ok := unwrapped(data)["response"].(schema); ok && whole["usage"] == nil {
			delete(whole, "usage")
		}
		if to.named {
			data = schema{f.Event: data}
		}
		if bad := to.spec.Check(specs.Ref(piece), data, "event"); bad != "" {
			r.add(what+" streamed", bad, string(f.Data))
		}
	}
	return string(said), e.Losses()
}

func unwrapped(v any) schema {
	o, _ := v.(schema)
	return o
}

// hosts are the vendors that took a dialect up, by their own descriptions.
func hosts(t *testing.T) map[string]side {
	t.Helper()
	out := map[string]side{}
	for _, h := range []struct {
		name, file      string
		codec           dialect.Codec
		request, answer []string
		beside          []string
	}{
		{"Groq", "groq/openapi.yaml", chat(), []string{"CreateChatCompletionRequest"}, []string{"CreateChatCompletionResponse"}, []string{"Request.tools[]"}},
		{"Mistral", "mistral/openapi.yaml", chat(), []string{"ChatCompletionRequest"}, []string{"ChatCompletionResponse"}, []string{"ChatCompletionRequest", "content[]<text>", "content[]<image_url>", "content[]<file>", "content[]<document_url>", "content[]<reference>", "content[]<thinking>", "content[]<input_audio>"}},
		{"OpenRouter", "openrouter/openapi.yaml", chat(), []string{"ChatRequest"}, []string{"ChatResult"}, nil},
		{"OpenRouter's messages", "openrouter/openapi.yaml", messages(), []string{"MessagesRequest"}, []string{"MessagesResult"}, []string{"source<text>", "Result.content[]<tool_use>"}},
		{"Together", "together/openapi.yaml", chat(), []string{"ChatCompletionRequest"}, []string{"ChatCompletionResponse"}, []string{"<image_url>", "Request.tools[]"}},
		{"Moonshot", "moonshot/openapi.yaml", chat(), []string{"KimiK3ChatRequest"}, []string{"ChatCompletionResponse"}, []string{"message.tool_calls[]"}},
		{"xAI", "xai/rest-openapi-community.yaml", chat(), []string{"CreateChatCompletionRequest"}, []string{"CreateChatCompletionResponse"}, []string{"messages[].content[]", "tools[]", "response_format.json_schema"}},
		{"Azure", "azure/openai-v1.json", chat(), []string{"AzureCreateChatCompletionRequest"}, []string{"AzureCreateChatCompletionResponse"}, []string{"messages[].content[]"}},
		{"Azure's inference", "azure/model-inference-2025-05-15-preview.json", chat(), []string{"ChatCompletionsOptions"}, []string{"ChatCompletions"}, nil},
	} {
		base := likeOpenAI()
		if h.request[0] == "MessagesRequest" {
			base = likeAnthropic()
		}
		fixed := maps.Clone(base.fixed)
		fixed["role"], fixed["name"], fixed["url"] = "user", "name", "https://example.com/x.png"
		out[h.name] = side{
			codec: h.codec, spec: specs.Load(t, h.file), requests: h.request, answers: h.answer, fixed: fixed,
			nothing: base.nothing, always: schema{"model": "m", "max_tokens": 4000}, beside: h.beside,
		}
	}
	return out
}

func TestEverythingThatHostsDescribe(t *testing.T) {
	if testing.Short() {
		t.Skip("reads several large descriptions")
	}
	vendors := [...]side{openaiSide(t), anthropicSide(t)}
	for name, s := range hosts(t) {
		t.Run(name, func(t *testing.T) {
			ownRequests(t, s)
			ownAnswers(t, s)
			if name == "OpenRouter's messages" {
				crossAnswers(t, s, vendors[0], "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse")
			} else {
				crossAnswers(t, s, vendors[1], "Message", "MessageStreamEvent")
			}
		})
	}
}
