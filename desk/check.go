package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/probe"
	"github.com/plenum-foundry/plenum/router"
)

// check is one thing to try.
type check struct {
	name, claims string
	change       change
	run          func(ctx context.Context, m *model) (Verdict, string)
}

// noSuch is what no vendor has a key or a model of.
const noSuch = "plenum-conformance-no-such-thing"

// checks returns what is tried of a card: what every model must do, and what this one claims.
func (t *trial) checks() []check {
	c := t.card
	out := []check{
		{"answer", "it speaks " + c.spoken(), change{}, whole},
		{"usage", "it says how many tokens were read and written", change{}, usage},
	}
	claimed := func(r router.Capability) bool { return slices.Contains(c.Capabilities, string(r)) }
	if claimed(router.Streaming) {
		out = append(out, check{"streaming", "it streams its answers", change{}, streaming})
	}
	for _, r := range router.All() {
		if r != router.Streaming && claimed(r) {
			out = append(out, check{string(r), "it can: " + string(r), change{}, capability(r)})
		}
	}
	out = append(out,
		check{"max_output", fmt.Sprintf("it writes up to %d tokens", c.MaxOutput), change{}, maxOutput},
		check{"output_cap", "it writes no more than it is asked to", change{}, outputCap},
		check{"context", fmt.Sprintf("it reads and writes up to %d tokens", c.Context), change{}, contextSize},
		check{"unknown_model", "it refuses a model that it does not have", change{upstream: noSuch}, unknownModel},
	)
	if len(c.Credentials) > 0 {
		out = append(out, check{"bad_key", "it refuses a wrong credential", change{key: noSuch}, badKey})
	}
	return out
}

func (c *Card) spoken() string {
	if c.Connection != "" {
		return "as the connection " + c.Connection + " does"
	}
	return c.Dialect
}

func say(words string, tokens int) map[string]any {
	return map[string]any{"max_tokens": tokens, "messages": []any{map[string]any{"role": "user", "content": words}}}
}

// usualTokens is enough for a model that thinks first.
const usualTokens = 512

func whole(ctx context.Context, m *model) (Verdict, string) {
	a, err := m.ask(ctx, say("Say the word yes and nothing else.", m.atMost(usualTokens)))
	switch {
	case err != nil:
		return Failed, reason(err)
	case len(a.got.Choices) == 0 || a.text() == "":
		return Failed, "its answer says nothing"
	case a.got.Choices[0].Stop.Reason == "":
		return Failed, "its answer does not say why it ended"
	}
	return Passed, "it answered, and its answer was read"
}

func usage(ctx context.Context, m *model) (Verdict, string) {
	a, err := m.ask(ctx, say("Name three colours.", m.atMost(usualTokens)))
	switch {
	case err != nil:
		return Failed, reason(err)
	case a.read() <= 0 || a.wrote() <= 0:
		return Failed, fmt.Sprintf("it reports %d tokens read and %d written", a.read(), a.wrote())
	}
	return Passed, fmt.Sprintf("it reports %d tokens read and %d written", a.read(), a.wrote())
}

func streaming(ctx context.Context, m *model) (Verdict, string) {
	q := say("Count from one to ten.", m.atMost(usualTokens))
	q["stream"], q["stream_options"] = true, map[string]any{"include_usage": true}
	a, err := m.ask(ctx, q)
	switch {
	case err != nil:
		return Failed, reason(err)
	case !a.head.Stream:
		return Failed, "it answered as a whole though a stream was asked for"
	case len(a.got.Choices) == 0 || a.text() == "":
		return Failed, "its stream says nothing"
	case a.got.Choices[0].Stop.Reason == "":
		return Failed, "its stream ends without saying why"
	case a.read() <= 0 || a.wrote() <= 0:
		return Failed, "its stream does not report what was used"
	}
	return Passed, fmt.Sprintf("it streamed %d events, and how many tokens it used", a.pieces)
}

// capability tries what the card claims as plenum probe does.
func capability(r router.Capability) func(context.Context, *model) (Verdict, string) {
	return func(ctx context.Context, m *model) (Verdict, string) {
		p := &probe.Prober{Runner: m, Dialect: m.trial.desk.chat, Caller: m.caller(), Now: m.trial.desk.clock.Now}
		fs, err := p.Run(ctx, m.trial.card.ID(), m.target, []router.Capability{r})
		if err != nil {
			return Failed, reason(err)
		}
		if len(fs) == 0 {
			return Failed, "it was not tried"
		}
		f := &fs[0]
		if f.Can == plenum.Yes {
			return Passed, f.Why
		}
		return Failed, f.Why
	}
}

// maxOutput asks for as much as the card claims, and for little.
func maxOutput(ctx context.Context, m *model) (Verdict, string) {
	if _, err := m.ask(ctx, say("Say the word yes and nothing else.", m.trial.card.MaxOutput)); err != nil {
		return Failed, "asked for as much as it claims: " + reason(err)
	}
	return Passed, "it takes a request for as much as it claims"
}

// capTokens is how many tokens the check of the cap asks for at most, and slack what counters differ by.
const (
	capTokens = 24
	slack     = 8
)

func outputCap(ctx context.Context, m *model) (Verdict, string) {
	a, err := m.ask(ctx, say("Count from 1 to 1000, one number a line.", m.atMost(capTokens)))
	switch {
	case err != nil:
		return Failed, reason(err)
	case a.wrote() > capTokens+slack:
		return Failed, fmt.Sprintf("asked for %d tokens at most it wrote %d", capTokens, a.wrote())
	}
	return Passed, fmt.Sprintf("asked for %d tokens at most it wrote %d", capTokens, a.wrote())
}

func (m *model) atMost(n int) int { return min(n, m.trial.card.MaxOutput) }

// The most that a run sends to see whether a context is as large as it is said to be.
const (
	mostSent  = 16_000
	leastSent = 64
)

// contextSize sends as long a prompt as the claim, time and money allow, and looks whether it was read.
func contextSize(ctx context.Context, m *model) (Verdict, string) {
	card := m.trial.card
	n := min(mostSent, card.Context*3/4)
	if rate := int64(m.target.Offer.Price.Input); rate > 0 {
		left := int64(m.trial.most) - m.trial.spent.Load()
		n = int(min(int64(n), max(left/2, 0)*1_000_000/rate))
	}
	if n = max(n, leastSent); n > card.Context {
		n = card.Context / 2
	}
	q := say(strings.Repeat("yes ", n)+"\nSay the word yes and nothing else.", m.atMost(capTokens))
	a, err := m.ask(ctx, q)
	switch {
	case err != nil:
		return Failed, fmt.Sprintf("sent about %d tokens: %s", n, reason(err))
	case a.read() < int64(n)/2:
		return Failed, fmt.Sprintf("sent about %d tokens, it says that it read %d", n, a.read())
	}
	return Passed, fmt.Sprintf("sent about %d tokens of the %d that it claims, it read %d", n, card.Context, a.read())
}

func unknownModel(ctx context.Context, m *model) (Verdict, string) {
	_, err := m.ask(ctx, say("Say yes.", m.atMost(capTokens)))
	if err == nil {
		return Noted, "it answers whatever model is asked for"
	}
	return m.refused(err, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity)
}

func badKey(ctx context.Context, m *model) (Verdict, string) {
	_, err := m.ask(ctx, say("Say yes.", m.atMost(capTokens)))
	if err == nil {
		return Failed, "it answers with a wrong credential: whoever finds its address uses it"
	}
	return m.refused(err, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden)
}

// refused judges how the last request was refused.
func (m *model) refused(err error, good ...int) (Verdict, string) {
	status, body := m.heard.reply()
	switch {
	case status == 0:
		return Failed, reason(err)
	case !slices.Contains(good, status):
		return Failed, fmt.Sprintf("it refuses with status %d", status)
	case !m.shaped(body):
		return Failed, fmt.Sprintf("it refuses with status %d, and not in the words of its dialect", status)
	}
	return Passed, fmt.Sprintf("it refuses with status %d in the words of its dialect", status)
}

// shaped reports whether an error is said as its dialect says errors: all of them have an object or a text under error.
func (m *model) shaped(body []byte) bool {
	var v map[string]json.RawMessage
	if json.Unmarshal(body, &v) != nil {
		return false
	}
	var text string
	if m.trial.card.Dialect == "ollama" && json.Unmarshal(v["error"], &text) == nil {
		return text != "" // at its own paths; those that are OpenAI's have an object
	}
	var e struct {
		Message string
		Type    string
		Status  string
	}
	if json.Unmarshal(v["error"], &e) != nil || e.Message == "" {
		return false
	}
	switch m.trial.card.Dialect {
	case "messages":
		return e.Type != ""
	case "gemini":
		return e.Status != ""
	}
	return true
}

// reason is an error in words for the publisher.
func reason(err error) string {
	e := llm.AsError(err)
	switch {
	case e.Upstream != nil:
		return fmt.Sprintf("it answers with status %d: %s", e.Upstream.Status, e.Message)
	case e.Message != "" && e.Err != nil:
		return e.Message + ": " + e.Err.Error()
	}
	return e.Error()
}
