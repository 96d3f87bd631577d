// Package probe finds out what an offer can do by asking it: one small call for each capability, through the
// whole pipeline like any other call, paid for by the key that it is made with.
package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/router"
)

// Finding is what was found out of one capability of an offer.
type Finding struct {
	Offer      string            `json:"offer"`
	Capability router.Capability `json:"capability"`
	Can        plenum.Tri        `json:"-"`
	Answer     string            `json:"can"` // yes, no or unknown
	Why        string            `json:"why"`
	// Believed says what was believed of it until then, and on whose word: "yes (catalog)".
	Believed string    `json:"believed,omitempty"`
	Call     string    `json:"call"` // the call's id
	Time     time.Time `json:"time"`
}

// Prober makes the calls.
type Prober struct {
	Runner  gateway.Runner
	Dialect *dialect.Dialect // chat completions
	Caller  plenum.Principal
	Now     func() time.Time
}

// Run asks one target of a deployment for each of the capabilities. What could not be found out, because the
// upstream could not be reached for instance, is unknown, and says why.
func (p *Prober) Run(ctx context.Context, deployment string, t plenum.Target, what []router.Capability) ([]Finding, error) {
	var out []Finding
	for _, c := range what {
		f, err := p.ask(ctx, deployment, t, c)
		if err != nil {
			return out, err
		}
		out = append(out, f)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
	}
	return out, nil
}

func (p *Prober) ask(ctx context.Context, deployment string, t plenum.Target, what router.Capability) (Finding, error) {
	f := Finding{Offer: t.Offer.ID, Capability: what, Time: p.Now().UTC().Truncate(time.Second)}
	body, err := json.Marshal(question(deployment, what))
	if err != nil {
		return f, err
	}
	c, err := gateway.NewCall("probe:"+t.Offer.ID, p.Caller, p.Dialect, llm.OpGenerate, "/v1/chat/completions", body)
	if err != nil {
		return f, err
	}
	// What is believed of the offer must not decide what is asked of it.
	t.Offer.Traits.Capabilities = plenum.Capabilities{}
	c.Pin, c.Understand, c.Bare = &t, true, true
	h := &hearing{fold: llm.NewFolder()}
	err = p.Runner.Run(ctx, c, h)
	f.Call = c.ID
	r := c.Trail.Snapshot()
	f.Can, f.Why = judge(what, h, &r, err)
	f.Answer = Word(f.Can)
	return f, nil
}

// Word returns yes, no or unknown.
func Word(t plenum.Tri) string {
	switch t {
	case plenum.Yes:
		return "yes"
	case plenum.No:
		return "no"
	case plenum.Unknown:
	}
	return "unknown"
}

// hearing gathers an answer.
type hearing struct {
	head gateway.Head
	fold *llm.Folder
	got  *llm.Response
}

// Begin notes how the answer comes.
func (h *hearing) Begin(head gateway.Head) error {
	h.head = head
	return nil
}

// Chunk gathers a piece.
func (h *hearing) Chunk(ch dialect.Chunk) error {
	if r, ok := ch.Result.(*llm.Response); ok {
		h.got = r
		return nil
	}
	for _, ev := range ch.Events {
		h.fold.Add(ev)
	}
	return nil
}

func (h *hearing) response() *llm.Response {
	if h.got != nil {
		return h.got
	}
	return h.fold.Response()
}

// judge says what an answer shows.
func judge(what router.Capability, h *hearing, r *plenum.Record, err error) (plenum.Tri, string) {
	if err != nil {
		e := llm.AsError(err)
		switch e.Kind {
		case llm.Invalid, llm.Unsupported, llm.Lossy:
			return plenum.No, e.Message
		}
		return plenum.Unknown, e.Message
	}
	for _, name := range append(r.Lost, r.Changed...) {
		if concerns(what, name) {
			return plenum.No, "Plenum cannot ask for it there: " + name
		}
	}
	resp := h.response()
	if len(resp.Choices) == 0 {
		return plenum.Unknown, "the answer is empty"
	}
	return shown(what, h, resp)
}

// concerns reports whether something that was lost or changed on the way is what the capability is about.
func concerns(what router.Capability, name string) bool {
	for _, word := range members(what) {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func members(what router.Capability) []string {
	switch what {
	case router.Streaming:
		return []string{"stream "}
	case router.Tools:
		return []string{"tools", "tool_choice"}
	case router.Schema:
		return []string{"response_format", "schema"}
	case router.Images, router.Documents, router.Audio:
		return []string{"messages["}
	case router.Thinking:
		return []string{"reasoning_effort", "thinking"}
	case router.Logprobs:
		return []string{"logprobs"}
	}
	return nil
}

// shown says what an answer that came shows: that it came is enough where a host that cannot would refuse.
func shown(what router.Capability, h *hearing, resp *llm.Response) (plenum.Tri, string) {
	said := resp.Choices[0]
	switch what {
	case router.Streaming:
		return found(h.head.Stream, "it streamed its answer", "it answered as a whole though a stream was asked for")
	case router.Tools:
		return found(calls(said.Blocks), "it called the tool", "it was to call a tool and did not")
	case router.Schema:
		return found(fits(text(said.Blocks)), "its answer keeps to the schema", "its answer does not keep to the schema")
	case router.Images, router.Documents, router.Audio:
		return plenum.Yes, "it accepted it"
	case router.Thinking:
		if thinks(said.Blocks) || resp.Usage.Reasoning > 0 {
			return plenum.Yes, "it thought before it answered"
		}
		return plenum.Unknown, "it accepted the wish and showed no thinking"
	case router.Logprobs:
		return found(said.Logprobs != nil, "it gave them", "it gave none")
	}
	return plenum.Unknown, "nobody knows how to tell"
}

func found(is bool, yes, no string) (plenum.Tri, string) {
	if is {
		return plenum.Yes, yes
	}
	return plenum.No, no
}

func calls(bs []llm.Block) bool {
	for _, b := range bs {
		if _, ok := b.(llm.ToolUse); ok {
			return true
		}
	}
	return false
}

func thinks(bs []llm.Block) bool {
	for _, b := range bs {
		if _, ok := b.(llm.Thought); ok {
			return true
		}
	}
	return false
}

func text(bs []llm.Block) string {
	var b strings.Builder
	for _, bl := range bs {
		if t, ok := bl.(llm.Text); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// fits reports whether a text is what the question's schema asks for.
func fits(s string) bool {
	var v map[string]json.RawMessage
	if json.Unmarshal([]byte(s), &v) != nil || len(v) != 1 {
		return false
	}
	var n int
	return json.Unmarshal(v["answer"], &n) == nil
}

// question returns the body of the call that shows a capability. An answer is long enough to call a tool, and
// no longer.
func question(deployment string, what router.Capability) map[string]any {
	q := map[string]any{"model": deployment, "max_tokens": 256}
	ask := func(content any) { q["messages"] = []any{map[string]any{"role": "user", "content": content}} }
	with := func(words string, part map[string]any) {
		ask([]any{map[string]any{"type": "text", "text": words}, part})
	}
	ask("Say the word yes and nothing else.")
	switch what {
	case router.Streaming:
		q["stream"] = true
	case router.Tools:
		q["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{
			"name": "note", "description": "Notes a number.", "parameters": number(),
		}}}
		q["tool_choice"] = "required"
		ask("Note the number 7.")
	case router.Schema:
		q["response_format"] = map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "answer", "strict": true, "schema": number()}}
		ask("What is 3 + 4?")
	case router.Images:
		with("Which colour is this? One word.", map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:image/png;base64," + picture}})
	case router.Documents:
		with("What does the document say? One word.", map[string]any{"type": "file", "file": map[string]any{"filename": "word.pdf", "file_data": "data:application/pdf;base64," + document()}})
	case router.Audio:
		with("What do you hear? One word.", map[string]any{"type": "input_audio", "input_audio": map[string]any{"format": "wav", "data": sound()}})
	case router.Thinking:
		q["reasoning_effort"], q["max_tokens"] = "low", 2048
		ask("What is 17 * 23?")
	case router.Logprobs:
		q["logprobs"] = true
	}
	return q
}

func number() map[string]any {
	return map[string]any{
		"type": "object", "properties": map[string]any{"answer": map[string]any{"type": "integer"}},
		"required": []string{"answer"}, "additionalProperties": false,
	}
}

// Read reads kept findings.
func Read(b []byte) ([]Finding, error) {
	var fs []Finding
	if len(b) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(b, &fs); err != nil {
		return nil, fmt.Errorf("reading what was probed: %w", err)
	}
	for i := range fs {
		switch fs[i].Answer {
		case "yes":
			fs[i].Can = plenum.Yes
		case "no":
			fs[i].Can = plenum.No
		}
	}
	return fs, nil
}

// Merge puts new findings in the place of old ones. One that found nothing out leaves what was known.
func Merge(old, found []Finding) []Finding {
	type place struct {
		offer string
		what  router.Capability
	}
	at := map[place]int{}
	for i := range old {
		at[place{old[i].Offer, old[i].Capability}] = i
	}
	for _, f := range found {
		i, known := at[place{f.Offer, f.Capability}]
		switch {
		case f.Can == plenum.Unknown:
		case known:
			old[i] = f
		default:
			old = append(old, f)
		}
	}
	return old
}

// Of returns what was found out of each offer and still counts at a time: what is older than most does not. Until
// says when the next of it becomes too old; it is zero where nothing does.
func Of(fs []Finding, now time.Time, most time.Duration) (of map[string]plenum.Capabilities, until time.Time) {
	of = map[string]plenum.Capabilities{}
	for i := range fs {
		if most > 0 {
			end := fs[i].Time.Add(most)
			if !now.Before(end) {
				continue
			}
			if until.IsZero() || end.Before(until) {
				until = end
			}
		}
		c := of[fs[i].Offer]
		*router.Field(&c, fs[i].Capability) = fs[i].Can
		of[fs[i].Offer] = c
	}
	return of, until
}
