package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// play says what a scenario answers to a request, nth counting from 0 those for the same model.
func play(r *request, nth int) *answer {
	if r.Scenario == "again" {
		return again(r, nth)
	}
	if a := misbehave(r); a != nil {
		return a
	}
	if a := think(r); a != nil {
		return a
	}
	switch r.Scenario {
	case "agent":
		return work(r)
	case "text":
		a := greet()
		a.splinter = 7
		return a
	case "call", "calls", "noargs", "obey":
		return tools(r)
	case "json":
		return structured(r)
	case "told":
		return told(r)
	case "length":
		return says("This is cut").stop("length")
	case "stop":
		return says("up to here").stop("stop")
	case "refusal":
		return refuse(r)
	case "filter":
		return says("It was about to").stop("filter")
	case "cached":
		a := says("I knew that already.")
		a.usage = usage{in: 20, cacheRead: 1000, cacheWrite5m: 150, cacheWrite1h: 50, out: 9}
		return a
	case "cite":
		a := says("The grass is green.")
		a.choices[0].blocks[0].cite = true
		return a
	case "many":
		return many(r)
	case "see":
		return says("I have read it.")
	}
	return fails(404, "The model `"+r.Model+"` does not exist")
}

func greet() *answer { return says("Grüße, ", "世界", "! 👋🏽", " All", " is", " well.") }

// again fails for the first so many times, as in again-429-1, and then answers.
func again(r *request, nth int) *answer {
	status, times := numbers(r.Model)
	if nth >= times {
		return greet()
	}
	a := fails(status, "try again")
	if status == 429 {
		a.failure.retryAfter = "1"
	}
	return a
}

// numbers reads the status and the count of a model like again:429-1-x7.
func numbers(model string) (status, times int) {
	_, rest, _ := strings.Cut(model, ":")
	parts := strings.SplitN(rest, "-", 3)
	if len(parts) < 2 {
		return 500, 1
	}
	status, _ = strconv.Atoi(parts[0])
	times, _ = strconv.Atoi(parts[1])
	return status, times
}

func misbehave(r *request) *answer {
	long := says("one ", "two ", "three ", "four ", "five ", "six")
	switch r.Scenario {
	case "fail":
		status, _ := numbers(r.Model + "-0")
		a := fails(status, "as you wish: "+strconv.Itoa(status))
		if status == 401 {
			a.failure.message = "Incorrect API key provided: " + vendorKey
		}
		return a
	case "toolong":
		return fails(400, tooLong(r.Vendor))
	case "fault":
		long.breaks, long.after = "fault", 3
	case "fault-first":
		long.breaks, long.after = "fault", 0
	case "cut":
		long.breaks, long.after = "cut", 3
	case "quiet":
		long.breaks, long.after = "end", 3
	case "slow":
		words := strings.Split(strings.Repeat("tick ", 300), " ")
		long = says(words...)
		long.pace = 30 * time.Millisecond
	case "hang":
		long.hang = true
	default:
		return nil
	}
	return long
}

// tooLong is how a vendor says that a prompt does not fit.
func tooLong(vendor string) string {
	if vendor == "anthropic" {
		return "prompt is too long: 209001 tokens > 200000 maximum"
	}
	return "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens."
}

func think(r *request) *answer {
	var a *answer
	switch r.Scenario {
	case "think":
		a = says("It is ", "42.").before(thought("Six times seven: ", "that is ", "forty-two."))
	case "think-call":
		if text, ok := r.result(); ok {
			a = says("The lookup says ", text, ".")
		} else {
			a = tools(r).before(thought("I should ", "look it up."))
		}
	case "think-omitted":
		a = says("It is 42.").before(block{kind: "thought"})
	case "think-sealed":
		a = says("It is 42.").before(block{kind: "sealed", pieces: []string{sealed}})
	default:
		return nil
	}
	a.usage = usage{in: 30, out: 50, reasoning: 40}
	return a
}

// tools calls what the request offers, as its tool choice says.
func tools(r *request) *answer {
	if text, ok := r.result(); ok {
		return says("It is ", text, ".")
	}
	if r.Choice == "none" || len(r.Tools) == 0 {
		return says("I may not use tools.")
	}
	first := call("toolu_01A09q90qw90lq917835lq9", r.Tools[0].Name, `{"city": "Par`, `is", "unit"`, `: "celsius"}`)
	second := call("toolu_01B19q90qw90lq917835lq9", r.Tools[0].Name, `{"city": "Lyon`, `", "unit": "celsius"}`)
	a := &answer{choices: []choice{{stop: "tool"}}, usage: usage{in: 100, out: 25}, tokens: 142}
	switch {
	case r.Scenario == "noargs":
		return a.then(call("toolu_01C", r.Tools[0].Name))
	case r.Scenario == "calls" && (r.Parallel == nil || *r.Parallel):
		return a.then(block{kind: "text", pieces: []string{"Both ", "cities."}}, first, second)
	case r.Scenario == "obey":
		if name, ok := strings.CutPrefix(r.Choice, "tool:"); ok {
			first.name = name
		}
		return a.then(first)
	}
	return a.then(block{kind: "text", pieces: []string{"Let me ", "look."}}, first)
}

// structured keeps to the schema asked for: one of the tests' own. Some SDKs ask for it as the arguments of a tool
// that must be called.
func structured(r *request) *answer {
	if r.Format == nil && len(r.Tools) == 1 && (r.Choice == "any" || r.Choice == "tool:"+r.Tools[0].Name) {
		filled := call("toolu_01D", r.Tools[0].Name, `{"name": "Ada`, ` Lovelace", "born": 18`, `15, "tags": ["math", "engines"]}`)
		return (&answer{choices: []choice{{stop: "tool"}}, usage: usage{in: 100, out: 25}}).then(filled)
	}
	if r.Format == nil {
		return fails(400, "this scenario wants a schema or a JSON object")
	}
	if r.Format.Kind == "schema" && !json.Valid(r.Format.Schema) {
		return fails(400, "the schema is not JSON")
	}
	return says(`{"name": "Ada`, ` Lovelace", "born": 18`, `15, "tags": ["math", "engines"]}`)
}

// told has no formats, and fills in the tool that it must call only when it is told what was wrong.
func told(r *request) *answer {
	if r.Format != nil {
		return fails(400, "this model has no structured output")
	}
	if _, told := r.result(); told || len(r.Tools) == 0 {
		return structured(r)
	}
	return (&answer{choices: []choice{{stop: "tool"}}, usage: usage{in: 100, out: 25}}).then(call("toolu_01D", r.Tools[0].Name, `{"name": "Ada"}`))
}

func refuse(r *request) *answer {
	a := says("I cannot ", "help with that.").stop("refusal")
	if r.Vendor == "openai" {
		a.choices[0].blocks[0].kind = "refusal"
	}
	return a
}

// many answers with as many choices as were asked for.
func many(r *request) *answer {
	a := says("choice 0")
	for i := 1; i < r.N; i++ {
		a.choices = append(a.choices, choice{blocks: []block{{kind: "text", pieces: []string{"choice ", strconv.Itoa(i)}}}, stop: "end"})
	}
	return a
}
