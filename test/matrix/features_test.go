package matrix

import (
	"slices"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// feature is one thing that a call can be about.
type feature struct {
	name  string
	about []string // the beginnings of the facets of the request or the answer that it is about
	ask   func(*llm.Request)
	says  func(s sides.Side, r *llm.Response) // of the first turn
	fails *llm.Error
	stop  llm.StopReason // what the answer must end with for the feature to be there
	again bool           // the conversation goes on: what was answered goes back with a result
}

const (
	pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
	paper = "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c+PgplbmRvYmoKdHJhaWxlcgo8PC9Sb290IDEgMCBSPj4KJSVFT0YK"
)

func text(s string) llm.Block { return llm.Text{Text: s} }

func user(blocks ...llm.Block) llm.Message { return llm.Message{Role: llm.User, Blocks: blocks} }
func assistant(blocks ...llm.Block) llm.Message {
	return llm.Message{Role: llm.Assistant, Blocks: blocks}
}

func result(id string, blocks ...llm.Block) llm.Message {
	return llm.Message{Role: llm.ToolRole, Blocks: []llm.Block{llm.ToolDone{ID: id, Name: "weather", Blocks: blocks, Plain: len(blocks) == 1}}}
}

func call(id, city string) llm.Block {
	return llm.ToolUse{Kind: llm.ToolFunction, ID: id, Name: "weather", Args: `{"city":"` + city + `"}`}
}

func tools() []llm.Tool {
	return []llm.Tool{
		{Kind: llm.ToolFunction, Name: "weather", Description: "The weather in a city.", Schema: `{"type":"object","properties":{"city":{"type":"string","description":"Its name"}},"required":["city"]}`},
		{Kind: llm.ToolFunction, Name: "time", Description: "The time of day.", Schema: `{"type":"object","properties":{}}`},
	}
}

const person = `{"type":"object","properties":{"name":{"type":"string"},"born":{"type":"integer"}},"required":["name","born"],"additionalProperties":false}`

// request is what every request of the matrix begins with.
func request(model string) *llm.Request {
	return &llm.Request{Model: model, MaxOut: llm.Some(2000), Messages: []llm.Message{user(text("What is the weather in Paris?"))}}
}

// response is what every answer begins with.
func response() *llm.Response {
	return &llm.Response{
		ID: "an-answer", Model: "model-of-the-vendor", Created: 1700000000,
		Choices: []llm.Choice{{Blocks: []llm.Block{text("It is mild.")}, Stop: llm.Stop{Reason: llm.StopEnd}}},
		Usage:   llm.Usage{Input: 21, Output: 9, Reported: llm.InSide | llm.OutSide},
	}
}

// thought is one that the vendor wants back, in the way in which it seals it.
func thought(s sides.Side) llm.Thought {
	t := llm.Thought{Text: "Paris is in France.", Origin: s.Name}
	if s.Sealed {
		t.Sealed = "c2VhbGVkIHRob3VnaHQ="
	} else if s.Name != "openai" && s.Name != "cohere" && s.Name != "ollama" {
		t.Signature = "c2lnbmVkIHRob3VnaHQ="
	}
	return t
}

func ends(reason llm.StopReason) func(sides.Side, *llm.Response) {
	return func(_ sides.Side, r *llm.Response) { r.Choices[0].Stop = llm.Stop{Reason: reason} }
}

func fails(kind llm.Kind) *llm.Error {
	return &llm.Error{Kind: kind, Message: "as the vendor says"}
}

// features are the rows of the matrix.
func features() []feature {
	return slices.Concat(conversations(), toolFeatures(), contents(), endings())
}

func conversations() []feature {
	return []feature{
		{name: "text", about: []string{"turn"}},
		{name: "several turns", about: []string{"turn"}, ask: func(r *llm.Request) {
			r.Messages = append(r.Messages, assistant(text("Today?")), user(text("Tomorrow.")))
		}},
		{name: "system prompt", about: []string{"system"}, ask: func(r *llm.Request) {
			r.Messages = slices.Insert(r.Messages, 0, llm.Message{Role: llm.System, Place: "field", Blocks: []llm.Block{text("Be brief.")}})
		}},
		{name: "sampling", about: []string{"temperature", "top_p", "stop"}, ask: func(r *llm.Request) {
			r.Temperature, r.TopP, r.Stop = llm.Some(0.5), llm.Some(0.9), []string{"END"}
		}},
		{name: "seed and penalties", about: []string{"seed", "frequency_penalty", "presence_penalty"}, ask: func(r *llm.Request) {
			r.Seed, r.FrequencyPenalty, r.PresencePenalty = llm.Some(int64(7)), llm.Some(0.25), llm.Some(0.5)
		}},
	}
}

func toolFeatures() []feature {
	parallel := func(_ sides.Side, r *llm.Response) {
		r.Choices[0].Blocks = []llm.Block{text("I look."), call("call_1", "Paris"), call("call_2", "Lyon")}
		r.Choices[0].Stop.Reason = llm.StopTool
	}
	return []feature{
		{name: "parallel tools", about: []string{"tools", "call"}, again: true, says: parallel, ask: func(r *llm.Request) { r.Tools = tools() }},
		{name: "one tool at a time", about: []string{"parallel"}, ask: func(r *llm.Request) {
			r.Tools, r.Parallel, r.Choose = tools(), llm.Some(false), llm.ToolChoice{Mode: llm.ChooseAuto}
		}},
		{name: "forced tool", about: []string{"tool_choice"}, ask: func(r *llm.Request) {
			r.Tools, r.Choose = tools(), llm.ToolChoice{Mode: llm.ChooseTool, Name: "time"}
		}, says: func(_ sides.Side, r *llm.Response) {
			r.Choices[0].Blocks = []llm.Block{llm.ToolUse{Kind: llm.ToolFunction, ID: "call_1", Name: "time", Args: "{}"}}
			r.Choices[0].Stop.Reason = llm.StopTool
		}},
		{name: "image in a tool's result", about: []string{"turn[2].result[0].media"}, ask: func(r *llm.Request) {
			r.Tools = tools()
			r.Messages = append(r.Messages, assistant(call("call_1", "Paris")),
				result("call_1", text("The view:"), llm.Media{Kind: llm.Image, MIME: "image/png", Data: pixel}))
		}},
		{name: "tool that failed", about: []string{"turn[2].result[0].failed"}, ask: func(r *llm.Request) {
			r.Tools = tools()
			m := result("call_1", text("no such city"))
			d := m.Blocks[0].(llm.ToolDone)
			d.IsError = llm.Some(true)
			m.Blocks[0] = d
			r.Messages = append(r.Messages, assistant(call("call_1", "Paris")), m)
		}},
		{name: "structured output", about: []string{"format"}, ask: func(r *llm.Request) {
			r.Output = llm.Format{Kind: llm.FormatSchema, Name: "person", Schema: person, Strict: llm.Some(true)}
		}, says: func(_ sides.Side, r *llm.Response) {
			r.Choices[0].Blocks = []llm.Block{text(`{"name":"Ada","born":1815}`)}
		}},
	}
}

func contents() []feature {
	media := func(m llm.Media) func(*llm.Request) {
		return func(r *llm.Request) { r.Messages = []llm.Message{user(text("What is this?"), m)} }
	}
	return []feature{
		{name: "image", about: []string{"turn[0].media"}, ask: media(llm.Media{Kind: llm.Image, MIME: "image/png", Data: pixel})},
		{name: "image by address", about: []string{"turn[0].media"}, ask: media(llm.Media{Kind: llm.Image, URL: "https://images.example/cat.png"})},
		{name: "document", about: []string{"turn[0].media"}, ask: media(llm.Media{Kind: llm.Document, MIME: "application/pdf", Data: paper, Name: "paper.pdf"})},
		{name: "thinking, and its second turn", about: []string{"thinking", "thought"}, again: true, ask: func(r *llm.Request) {
			r.Tools, r.MaxOut = tools(), llm.Some(9000)
			r.Thinking = &llm.Thinking{Mode: llm.ThinkOn, Effort: "low", Budget: llm.Some(1024)}
		}, says: func(s sides.Side, r *llm.Response) {
			r.Choices[0].Blocks = []llm.Block{thought(s), call("call_1", "Paris")}
			r.Choices[0].Stop.Reason = llm.StopTool
			r.Usage.Reasoning = 5
		}},
		{name: "citations", about: []string{"citations"}, says: func(s sides.Side, r *llm.Response) {
			kind := llm.CiteURL
			r.Choices[0].Blocks = []llm.Block{llm.Text{Text: "It is mild.", Citations: []llm.Citation{
				{Kind: kind, Quote: "mild", Title: "Weather", URL: "https://weather.example/paris", Source: -1, Start: 6, End: 10},
			}}}
		}},
		{name: "cache marks", about: []string{"marks"}, ask: func(r *llm.Request) {
			r.Messages = []llm.Message{user(llm.Text{Text: strings.Repeat("A long text. ", 20), Cache: &llm.CacheMark{}}, text("What is it about?"))}
		}},
	}
}

func endings() []feature {
	return []feature{
		{name: "refusal", stop: llm.StopRefusal, says: func(_ sides.Side, r *llm.Response) {
			r.Choices[0].Blocks = []llm.Block{llm.Refusal{Text: "I will not say."}}
			r.Choices[0].Stop = llm.Stop{Reason: llm.StopRefusal}
		}},
		{name: "content filter", stop: llm.StopFilter, says: ends(llm.StopFilter)},
		{name: "length stop", stop: llm.StopLength, says: ends(llm.StopLength)},
		{name: "usage of every class", about: []string{"usage."}, says: func(s sides.Side, r *llm.Response) {
			r.Usage = llm.Usage{Input: 100, CacheRead: 1000, CacheWrite5m: 200, CacheWrite1h: 50, Output: 30, Reasoning: 20, Reported: llm.InSide | llm.OutSide}
		}},
		{name: "error 400", fails: fails(llm.Invalid)},
		{name: "error 401", fails: fails(llm.Unauthorized)},
		{name: "error 404", fails: fails(llm.NotFound)},
		{name: "error 429", fails: fails(llm.RateLimited)},
		{name: "error 500", fails: fails(llm.UpstreamFault)},
		{name: "error 503", fails: fails(llm.Overloaded)},
	}
}
