// Package meter is the stage that counts what each attempt consumed and what it cost. What the upstream
// reported wins; what it did not is estimated and marked.
package meter

import (
	"context"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// New returns the stage.
func New() gateway.Stage {
	return gateway.Stage{Name: "meter", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			o := &meterOut{next: out, call: c}
			err := next(ctx, c, o)
			o.settle(err)
			return err
		}
	}}
}

type meterOut struct {
	next    gateway.Out
	call    *gateway.Call
	begun   bool
	settled bool
}

func (o *meterOut) Begin(h gateway.Head) error {
	o.begun = true
	return o.next.Begin(h)
}

func (o *meterOut) Chunk(ch dialect.Chunk) error {
	t := o.call.Try
	t.Text += ch.Text
	last := ch.Body != nil || ch.Result != nil
	for _, ev := range ch.Events {
		switch e := ev.(type) {
		case llm.UsageReport:
			t.Usage = e.Usage
		case llm.Start:
			o.served(e.Tier)
		case llm.End:
			o.served(e.Tier)
			last = true
		}
	}
	if r, ok := ch.Result.(*llm.Response); ok {
		o.served(r.Tier)
	}
	if last {
		o.settle(nil)
	}
	return o.next.Chunk(ch)
}

func (o *meterOut) served(tier string) {
	if tier != "" {
		o.call.Try.Tier = tier
	}
}

// settle writes down what the attempt consumed. It is called at the end of the answer, before its last
// byte goes out, and again when the attempt is over; only the first of the two counts, unless the
// attempt went on.
func (o *meterOut) settle(err error) {
	if o.settled {
		return
	}
	o.settled = err == nil
	t := o.call.Try
	u, estimated := t.Usage, false
	switch {
	case !o.mayCost(err):
	case o.call.Op == llm.OpGenerate, o.call.Op == llm.OpTurn, o.call.Op == llm.OpCompact:
		u, estimated = complete(t.Usage, o.call, o.begun)
	default:
		u, estimated = consumed(t.Usage, o.call)
	}
	rec := &t.Record
	rec.Usage, rec.Estimated = plenum.TokensOf(u), estimated
	price := &t.Target.Offer.Price
	rec.Priced = price.Known
	if price.Known {
		terms := price.For(o.call.Terms())
		rec.Cost, rec.Costs = terms.Cost(u), terms.Split(u)
	}
}

// mayCost reports whether the upstream may bill the attempt though it did not say so: it has begun to
// answer, or it was at work when the attempt was called off. An error answer costs nothing.
func (o *meterOut) mayCost(err error) bool {
	switch o.call.Op {
	case llm.OpCountTokens, llm.OpLifecycle, llm.OpWarm, llm.OpRealtime: // a session costs by its turns
		return false
	}
	if o.begun || err == nil {
		return true
	}
	if e := llm.AsError(err); e.Upstream != nil {
		return false
	}
	return o.call.Try.Sent && (llm.IsKind(err, llm.Canceled) || llm.IsKind(err, llm.Timeout))
}

// consumed counts what an operation besides answers consumed, in its own unit: the request tells of itself
// what the upstream does not report.
func consumed(u llm.Usage, c *gateway.Call) (llm.Usage, bool) {
	switch c.Op {
	case llm.OpEmbed, llm.OpRerank, llm.OpModerate:
		if u.Reported != 0 {
			return u, false // and the request, which may be large, need not be read
		}
	}
	p, err := c.Payload()
	if err != nil {
		return u, false
	}
	price := &c.Try.Target.Offer.Price
	return llm.Consumed(p, u, func(class llm.Class) bool { return !price.Known || price.Rate(class) > 0 })
}

// complete estimates the sides of a usage that were not reported, and only those.
func complete(u llm.Usage, c *gateway.Call, begun bool) (llm.Usage, bool) {
	estimated := false
	if u.Reported&llm.InSide == 0 && u.In() == 0 {
		u.Input = llm.EstimateText(len(c.In.Body))
		estimated = true
	}
	if u.Reported&llm.OutSide == 0 && begun {
		if n := llm.EstimateText(c.Try.Text); n > u.Out() {
			u.Output += n - u.Out()
		}
		estimated = true
	}
	return u, estimated
}
