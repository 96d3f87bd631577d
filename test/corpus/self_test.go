package corpus

import (
	"net/http"
	"slices"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

const (
	madeRequest = `{"model":"m","temperature":0.5,"stop":["END"],"max_tokens":100,"messages":[
		{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
		{"role":"tool","tool_call_id":"a","content":"so it is"}],
		"tools":[{"type":"function","function":{"name":"f","description":"does it","parameters":{"type":"object","properties":{"x":{"type":"integer"}}}}}]}`
	madeAnswer = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"It is.","reasoning_content":"Hm.",
		"tool_calls":[{"id":"b","type":"function","function":{"name":"f","arguments":"{\"x\":2}"}}]},"finish_reason":"tool_calls"}],
		"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":5}}}`
)

// made is a call that was made for this test.
func made() *exchange {
	s := sides.All()[0]
	c, vars := s.Codec(model, false)
	return &exchange{
		name: "made", vendor: "nobody", side: s, asked: true, status: http.StatusOK, codec: c, client: c, writer: c,
		in:    dialect.Inbound{Method: http.MethodPost, Path: s.Path(model, false), Vars: vars, Header: http.Header{}, Body: []byte(madeRequest)},
		reply: dialect.Reply{Status: http.StatusOK, Header: http.Header{}, Body: []byte(madeAnswer)},
	}
}

// forgetful is a codec that forgets something, and tells nobody.
type forgetful struct {
	dialect.Codec
	ask    func(*llm.Request)
	answer func(*llm.Response)
}

func (f forgetful) DecodeRequest(in dialect.Inbound) (llm.Payload, error) {
	p, err := f.Codec.DecodeRequest(in)
	if r, ok := p.(*llm.Request); ok && f.ask != nil {
		f.ask(r)
	}
	return p, err
}

func (f forgetful) DecodeResponse(reply dialect.Reply) (llm.Result, error) {
	res, err := f.Codec.DecodeResponse(reply)
	if r, ok := res.(*llm.Response); ok && f.answer != nil {
		f.answer(r)
	}
	return res, err
}

// A codec that loses something in silence is found out, whatever it is and wherever it goes.
func TestWhatIsForgottenIsSeen(t *testing.T) {
	asks := map[string]func(*llm.Request){
		"a message":     func(r *llm.Request) { r.Messages = r.Messages[:len(r.Messages)-1] },
		"a word":        func(r *llm.Request) { r.Messages[0].Blocks = []llm.Block{llm.Text{Text: "Be"}} },
		"a tool":        func(r *llm.Request) { r.Tools = nil },
		"a description": func(r *llm.Request) { r.Tools[0].Description = "" },
		"a schema":      func(r *llm.Request) { r.Tools[0].Schema = "{}" },
		"a temperature": func(r *llm.Request) { r.Temperature = llm.Opt[float64]{} },
		"a stop":        func(r *llm.Request) { r.Stop = nil },
		"a limit":       func(r *llm.Request) { r.MaxOut = llm.Some(1) },
	}
	answers := map[string]func(*llm.Response){
		"a call":      func(r *llm.Response) { drop[llm.ToolUse](r) },
		"a text":      func(r *llm.Response) { drop[llm.Text](r) },
		"a thought":   func(r *llm.Response) { drop[llm.Thought](r) },
		"a reason":    func(r *llm.Response) { r.Choices[0].Stop.Reason = llm.StopLength },
		"some tokens": func(r *llm.Response) { r.Usage.Output-- },
	}
	x := made()
	p, err := x.codec.DecodeRequest(x.in)
	if err != nil {
		t.Fatal(err)
	}
	res, err := x.codec.DecodeResponse(x.reply)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range sides.All()[1:] {
		if s := cross(x, to); len(s.silent) > 0 {
			t.Errorf("%s: %v", to.Title, s.silent)
		}
		whole, _ := to.Codec(model, false)
		for name, forget := range asks {
			out, losses, err := whole.EncodeRequest(p, shape())
			if err != nil {
				t.Fatal(err)
			}
			_, vars := to.Codec(model, false)
			back, err := forgetful{whole, forget, nil}.DecodeRequest(dialect.Inbound{Path: to.Path(model, false), Vars: vars, Header: out.Header, Body: out.Body})
			if err != nil {
				t.Fatal(err)
			}
			if name == "a stop" && back.(*llm.Request).Stop == nil && len(losses) > 0 && losses[0].What == "stop" {
				continue // it has no word for it, and says so
			}
			if s := dialecttest.Asked(p.(*llm.Request), false).Silent(dialecttest.Asked(back.(*llm.Request), false), losses); len(s) == 0 {
				t.Errorf("%s forgets %s, and nobody sees it", to.Title, name)
			}
		}
		for name, forget := range answers {
			out, losses, err := whole.EncodeResponse(p, res, meta())
			if err != nil {
				t.Fatal(err)
			}
			back, err := forgetful{whole, nil, forget}.DecodeResponse(out)
			if err != nil {
				t.Fatal(err)
			}
			if s := dialecttest.Answered(res.(*llm.Response)).Silent(dialecttest.Answered(back.(*llm.Response)), losses); len(s) == 0 {
				t.Errorf("%s forgets %s, and nobody sees it", to.Title, name)
			}
		}
	}
}

// drop takes the blocks of a kind out of an answer.
func drop[B llm.Block](r *llm.Response) {
	r.Choices[0].Blocks = slices.DeleteFunc(r.Choices[0].Blocks, func(b llm.Block) bool {
		_, is := b.(B)
		return is
	})
}
