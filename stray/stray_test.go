package stray_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stray"
)

func request() *llm.Request {
	return &llm.Request{Tools: []llm.Tool{{Kind: llm.ToolFunction, Name: "weather"}, {Kind: llm.ToolFunction, Name: "time"}}}
}

// read has a text read that comes in pieces of n bytes, and returns what was said of it.
func read(t *testing.T, text string, n int) (said string, calls []string, stop llm.StopReason) {
	t.Helper()
	r := stray.New(request(), "call_x")
	in := []llm.Event{llm.Start{}, llm.BlockStart{Block: llm.Text{}}}
	for rest := text; rest != ""; {
		k := min(n, len(rest))
		in = append(in, llm.TextDelta{Text: rest[:k]})
		rest = rest[k:]
	}
	in = append(in, llm.BlockEnd{Block: llm.Text{Text: text}}, llm.Finish{Stop: llm.Stop{Reason: llm.StopEnd}}, llm.End{})
	f := llm.NewFolder()
	for _, ev := range in {
		for _, ev := range r.Add(nil, ev) {
			f.Add(ev)
		}
	}
	c := f.Response().Choices[0]
	for _, b := range c.Blocks {
		switch b := b.(type) {
		case llm.Text:
			said += b.Text
		case llm.ToolUse:
			if !strings.HasPrefix(b.ID, "call_x_") {
				t.Errorf("a call of id %q", b.ID)
			}
			calls = append(calls, b.Name+b.Args)
		}
	}
	return said, calls, c.Stop.Reason
}

func TestCase_A12_CallsAreReadOutOfTheText(t *testing.T) {
	const paris = `weather{"town":"Paris"}`
	for name, x := range map[string]struct {
		text, said string
		calls      []string
	}{
		"Hermes":             {"Let me see.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"town\":\"Paris\"}}\n</tool_call>", "Let me see.", []string{paris}},
		"two":                {`<tool_call>{"name":"weather","arguments":{"town":"Paris"}}</tool_call>` + "\n" + `<tool_call>{"name":"time"}</tool_call>`, "", []string{paris, "time{}"}},
		"arguments as text":  {`<tool_call>{"name":"weather","arguments":"{\"town\":\"Paris\"}"}</tool_call>`, "", []string{paris}},
		"Qwen's coder":       {"<tool_call>\n<function=weather>\n<parameter=town>\nParis\n</parameter>\n</function>\n</tool_call>", "", []string{paris}},
		"GLM":                {"<tool_call>weather\n<arg_key>town</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>", "", []string{paris}},
		"Llama's function":   {`<function=weather>{"town":"Paris"}</function>`, "", []string{paris}},
		"Llama's python tag": {`<|python_tag|>{"name":"weather","parameters":{"town":"Paris"}}`, "", []string{paris}},
		"Mistral's list":     {`[TOOL_CALLS][{"name":"weather","arguments":{"town":"Paris"}}]`, "", []string{paris}},
		"Mistral's name":     {`[TOOL_CALLS]weather[ARGS]{"town":"Paris"}`, "", []string{paris}},
		"Mistral's id":       {`[TOOL_CALLS]weather[CALL_ID]abc[ARGS]{"town":"Paris"}`, "", []string{paris}},
		"DeepSeek":           {"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"town\":\"Paris\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", []string{paris}},
		"DeepSeek 3.1":       {"Well.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"town\":\"Paris\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "Well.", []string{paris}},
		"Kimi":               {`<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{"town":"Paris"}<|tool_call_end|><|tool_calls_section_end|>`, "", []string{paris}},
		"text behind":        {`<tool_call>{"name":"time"}</tool_call> and so on`, " and so on", []string{"time{}"}},
		"behind a fence":     {"```\nx\n```\n" + `<tool_call>{"name":"time"}</tool_call>`, "```\nx\n```", []string{"time{}"}},
		"behind a span":      {"`x` " + `<tool_call>{"name":"time"}</tool_call>`, "`x`", []string{"time{}"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 3, 7, 1000} {
				said, calls, stop := read(t, x.text, n)
				if said != x.said || stop != llm.StopTool || cmp.Diff(x.calls, calls) != "" {
					t.Errorf("in pieces of %d: %q, %q, ended by %q", n, said, calls, stop)
				}
			}
		})
	}
}

func TestCase_A12_WhatIsNoCallStaysText(t *testing.T) {
	for name, text := range map[string]string{
		"a fence":            "Like this:\n```xml\n<tool_call>{\"name\":\"time\"}</tool_call>\n```\n",
		"a longer fence":     "````\n```\n<tool_call>{\"name\":\"time\"}</tool_call>\n````",
		"tildes":             "~~~\n```\n<tool_call>{\"name\":\"time\"}</tool_call>\n~~~",
		"a fence to the end": "```\n<tool_call>{\"name\":\"time\"}</tool_call>",
		"a span":             "Write `<tool_call>{\"name\":\"time\"}</tool_call>` to call.",
		"an unknown tool":    `<tool_call>{"name":"launch"}</tool_call>`,
		"no JSON":            "<tool_call>leaked</tool_call>",
		"cut short":          `<tool_call>{"name":"weather","argum`,
		"a list":             `a < b, x[1] <tool_ [TOOL_`,
		"no arguments":       `[TOOL_CALLS] is a token`,
		"white space":        "one\n\ntwo \n",
		"nothing":            "",
		"only white space":   " \n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 3, 1000} {
				if said, calls, stop := read(t, text, n); said != text || calls != nil || stop != llm.StopEnd {
					t.Errorf("in pieces of %d: %q, %q, ended by %q", n, said, calls, stop)
				}
			}
		})
	}
}

// Text goes on as it comes: what is held back is the beginning of a marker, or white space.
func TestTextIsNotHeldBack(t *testing.T) {
	r := stray.New(request(), "x")
	r.Add(nil, llm.BlockStart{Block: llm.Text{}})
	for _, x := range [][2]string{{"Hello", "Hello"}, {" <", ""}, {"b> ", " <b>"}, {"<tool_", " "}, {"box>", "<tool_box>"}} {
		got := ""
		for _, ev := range r.Add(nil, llm.TextDelta{Text: x[0]}) {
			if d, ok := ev.(llm.TextDelta); ok {
				got += d.Text
			}
		}
		if strings.TrimSpace(got) != strings.TrimSpace(x[1]) {
			t.Errorf("%q: said %q, want %q", x[0], got, x[1])
		}
	}
}

// A host that says a call in the text and as a call says one.
func TestCase_A12_ACallThatTheHostSaysAsWellIsSaidOnce(t *testing.T) {
	got := &llm.Response{Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopTool}, Blocks: []llm.Block{
		llm.Text{Text: `<tool_call>{"name":"weather","arguments":{"town": "Paris"}}</tool_call>`},
		llm.ToolUse{Kind: llm.ToolFunction, ID: "call_9", Name: "weather", Args: `{"town":"Paris"}`},
	}}}}
	read := stray.New(request(), "x").Whole(got)
	if len(read.Choices[0].Blocks) != 1 || read.Choices[0].Blocks[0].(llm.ToolUse).ID != "call_9" {
		t.Errorf("%+v", read.Choices[0].Blocks)
	}
}

func TestAnAnswerWithoutCallsIsTheOneThatWasGiven(t *testing.T) {
	got := &llm.Response{ID: "1", Choices: []llm.Choice{{Blocks: []llm.Block{llm.Text{Text: "a `<b` c "}}}}}
	if stray.New(request(), "x").Whole(got) != got {
		t.Error("it was made anew")
	}
	if stray.New(&llm.Request{}, "x") != nil {
		t.Error("there is nothing to be called")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a<tool_call>{\"name\":\"time\"}</tool_call>```\n[TOOL_CALLS]x[ARGS]{", 2)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = max(1, n%64)
		one, calls, _ := read(t, text, n)
		all, same, _ := read(t, text, len(text)+1)
		if one != all || cmp.Diff(calls, same) != "" {
			t.Errorf("%q %q in pieces, %q %q whole", one, calls, all, same)
		}
	})
}
