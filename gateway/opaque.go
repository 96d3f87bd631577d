package gateway

import (
	"fmt"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// Screened returns nil if a guardrail can read what the call says and what comes of it, or may let it pass unread:
// it is the one rule for what a stage cannot read.
func (c *Call) Screened() error {
	what := unreadable(c.Op)
	if what == "" || c.seenThrough() {
		return nil
	}
	return &llm.Error{
		Kind: llm.Forbidden, Op: "guardrail", Code: "guardrail_cannot_read",
		Message: fmt.Sprintf("the guardrail of this deployment cannot read %s, so such calls are refused unless the deployment lets them pass (opaque: allow)", what),
	}
}

// Budgeted returns nil if what an attempt will cost can be told afterwards, or need not be: it is the one rule for
// what a stage cannot price. Another target may have a price.
func (c *Call) Budgeted() error {
	if c.seenThrough() || priceable(c.Op, &c.Try.Target.Offer.Price) {
		return nil
	}
	return &llm.Error{
		Kind: llm.Quota, Op: "budget", Code: "price_unknown", Upstream: &llm.Upstream{NoRetry: true},
		Message: "nobody knows what this would cost, and a budget holds here: the target needs a price, or the deployment must let such calls pass (opaque: allow)",
	}
}

// seenThrough reports whether the deployment lets pass what cannot be looked into.
func (c *Call) seenThrough() bool {
	d := c.Deployment
	return d.Opaque || d.Lifecycle && (c.Op == llm.OpLifecycle || c.Op == llm.OpRealtime || c.Op == llm.OpTurn)
}

// unreadable says what of an operation has no text that a guardrail could read; "" for one that is text.
func unreadable(op llm.Op) string {
	switch op {
	case llm.OpGenerate, llm.OpCountTokens, llm.OpEmbed, llm.OpRerank, llm.OpModerate, llm.OpModels, llm.OpWarm, llm.OpCompact:
		return ""
	case llm.OpSpeak:
		return "" // what is said is the text of the request
	case llm.OpTranscribe, llm.OpTranslate:
		return "sound"
	case llm.OpImage, llm.OpImageEdit, llm.OpImageVary:
		return "images"
	case llm.OpRealtime, llm.OpTurn:
		return "a realtime session"
	case llm.OpLifecycle:
		return "what passes on to the upstream as it is"
	}
	return fmt.Sprintf("the operation %q", op)
}

// priceable reports whether a price has a rate for what the operation consumes. One that is all zero is a price: that of
// one's own machine.
func priceable(op llm.Op, p *plenum.Price) bool {
	var units []plenum.Rate
	switch op {
	case llm.OpCountTokens, llm.OpModels, llm.OpRealtime, llm.OpWarm: // nothing is billed; a session by its turns
		return true
	case llm.OpGenerate, llm.OpTurn, llm.OpEmbed, llm.OpCompact:
		return p.Known
	case llm.OpModerate:
		return true // vendors do not bill it
	case llm.OpRerank:
		units = []plenum.Rate{p.Search, p.Input}
	case llm.OpImage, llm.OpImageEdit, llm.OpImageVary:
		units = []plenum.Rate{p.Image, p.OutputImage, p.Output}
	case llm.OpSpeak:
		units = []plenum.Rate{p.Character, p.OutputAudio, p.Output}
	case llm.OpTranscribe, llm.OpTranslate:
		units = []plenum.Rate{p.Second, p.InputAudio, p.Input}
	default:
		return false
	}
	for _, r := range units {
		if r > 0 {
			return p.Known
		}
	}
	return p.Known && p.Free()
}
