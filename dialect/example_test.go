package dialect_test

import (
	"fmt"
	"net/http"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/llm"
)

// A request of Anthropic's Messages is said in Chat Completions, and what has no word there is named.
func Example_request() {
	from, to := anthropic.Dialect().Codec(llm.OpGenerate), openai.Dialect().Codec(llm.OpGenerate)
	asked, err := from.DecodeRequest(dialect.Inbound{Method: http.MethodPost, Path: "/v1/messages", Body: []byte(
		`{"model":"claude","max_tokens":100,"top_k":5,"system":"Be brief.","messages":[{"role":"user","content":"Why do apples fall?"}]}`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, losses, err := to.EncodeRequest(asked, dialect.Shape{Offer: &plenum.Offer{Upstream: "grok-4.7"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(out.Body))
	for _, l := range losses {
		fmt.Println("lost:", l)
	}
	// Output:
	// {"model":"grok-4.7","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why do apples fall?"}],"max_completion_tokens":100}
	// lost: top_k
}

// A stream of Chat Completions is said as a stream of Messages, event by event.
func Example_stream() {
	const upstream = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"grok-4.7","choices":[{"index":0,"delta":{"role":"assistant","content":"Gravity."},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"grok-4.7","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}

data: [DONE]

`
	caller, host := anthropic.Dialect().Codec(llm.OpGenerate), openai.Dialect().Codec(llm.OpGenerate)
	enc := caller.NewEncoder(&llm.Request{Model: "claude", Stream: true}, dialect.Meta{CallID: "call_1"})
	var said []byte
	say := func(frames []dialect.Frame) {
		for _, f := range frames {
			said = dialect.AppendFrame(said, f)
		}
	}
	for chunk, err := range host.DecodeStream(dialect.Frames(strings.NewReader(upstream), "text/event-stream", 0), dialect.Want{}) {
		if err != nil {
			say(enc.Close(err))
			break
		}
		for _, ev := range chunk.Events {
			frames, err := enc.Encode(ev)
			if err != nil {
				fmt.Println(err)
				return
			}
			say(frames)
		}
	}
	say(enc.Close(nil))
	for line := range strings.Lines(string(said)) {
		if name, is := strings.CutPrefix(line, "event: "); is {
			fmt.Print(name)
		}
	}
	// Output:
	// message_start
	// content_block_start
	// content_block_delta
	// content_block_stop
	// message_delta
	// message_stop
}
