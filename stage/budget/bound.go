package budget

import (
	"fmt"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// slack is how many tokens of an answer may have no text: what opens and closes messages and calls.
const slack = 64

// slice is how many tokens more are held than an answer has, each time.
const slice = 1024

// bound is what an attempt may cost at most.
type bound struct {
	price plenum.Price // of a call that reads so much
	read  llm.Usage    // the most that can be read, in the class that costs most
	wrote llm.Class    // the class of what is written that costs most
	most  int64        // the most tokens that can be written; 0: nobody knows
	// choices are how many answers the tokens are shared by.
	choices int64
	// blind says that tokens may be written which nobody sees until the end: reasoning that is hidden.
	blind bool
	flat  plenum.Micros // for operations that write no tokens: all that they may cost
	// in and out are the tokens that are read at most, and those that are written besides the answer's.
	in, out int64
}

// boundOf returns what an attempt may cost at most, or an error where nobody can tell.
func boundOf(c *gateway.Call) (*bound, error) {
	o := &c.Try.Target.Offer
	if c.Op == llm.OpTurn {
		return boundOfTurn(c, o)
	}
	if c.Op == llm.OpLifecycle { // nobody can tell; it is here for its deployment lets it pass
		return &bound{}, nil
	}
	p, err := c.Payload()
	if err != nil {
		return nil, err
	}
	if r, ok := p.(*llm.Request); ok {
		return boundOfAnswer(c, o, r)
	}
	b := &bound{price: o.Price}
	u, err := consumes(c, p)
	if err != nil {
		return nil, err
	}
	b.price = *o.Price.For(c.Terms())
	b.flat = b.price.Cost(u)
	b.in, b.out = u.In(), u.Out()
	return b, nil
}

// boundOfTurn returns what a turn of a session may cost: all that its model can read and write, since nobody here
// knows what was said before.
func boundOfTurn(c *gateway.Call, o *plenum.Offer) (*bound, error) {
	if o.Context == 0 {
		if c.Deployment.Opaque {
			return &bound{}, nil
		}
		return nil, unbounded("how much the model of a session can read is not known", "Have the target's context declared")
	}
	b := &bound{price: *o.Price.On(c.Terms().At).Dearest(int64(o.Context)), most: mostOut(o, &llm.Request{})}
	b.classes(int64(o.Context))
	return b, nil
}

func boundOfAnswer(c *gateway.Call, o *plenum.Offer, r *llm.Request) (*bound, error) {
	if llm.Hosted(r) && !c.Deployment.Opaque {
		return nil, unbounded("tools that the vendor runs (such as a search on the web) read and write what nobody can tell before", "Leave them out")
	}
	read, bounded := llm.MostRead(r, len(c.In.Body))
	bounded = bounded && len(c.Head.Names.Things) == 0
	switch {
	case o.Context > 0 && (!bounded || read > int64(o.Context)):
		read = int64(o.Context)
	case !bounded:
		return nil, unbounded("it names files, addresses or earlier answers that are not in it, and how much its model can read is not known",
			"Put the content into the request, or have the target's context declared")
	}
	// Which tier a call is served at the vendor says afterwards, whatever was asked for.
	b := &bound{price: *o.Price.On(c.Terms().At).Dearest(read), choices: int64(max(1, r.N.Or(1))), blind: thinks(o, r)}
	b.most = mostOut(o, r) * b.choices
	b.classes(read)
	return b, nil
}

// mostOut returns the most tokens of one answer; 0 where that is not known.
func mostOut(o *plenum.Offer, r *llm.Request) int64 {
	most := int64(o.MaxOutput)
	if most == 0 {
		most = int64(o.Context)
	}
	if r.MaxOut.Set && (most == 0 || int64(r.MaxOut.V) < most) {
		most = int64(r.MaxOut.V)
	}
	return most
}

// thinks reports whether an answer may have reasoning that is billed and not shown: of a model that is known to think,
// unless it is told not to.
func thinks(o *plenum.Offer, r *llm.Request) bool {
	if t := r.Thinking; t != nil {
		if t.Mode == llm.ThinkOff || t.Effort == "none" || t.Budget.Set && t.Budget.V == 0 {
			return false
		}
		return true
	}
	return o.Traits.Capabilities.Thinking == plenum.Yes
}

// classes has what is read and written counted in the classes that cost most.
func (b *bound) classes(read int64) {
	b.in = read
	b.read = llm.UsageOf(b.dearest(llm.ClassInput, llm.ClassCacheWrite5m, llm.ClassCacheWrite1h, llm.ClassCacheRead, llm.ClassInputImage, llm.ClassInputAudio), read)
	b.wrote = b.dearest(llm.ClassOutput, llm.ClassReasoning, llm.ClassOutputAudio, llm.ClassOutputImage)
}

// dearest returns the class whose tokens cost most.
func (b *bound) dearest(classes ...llm.Class) llm.Class {
	best := classes[0]
	for _, c := range classes[1:] {
		if b.price.Rate(c) > b.price.Rate(best) {
			best = c
		}
	}
	return best
}

// cost returns what the attempt costs at most that writes so many tokens.
func (b *bound) cost(tokens int64) plenum.Micros {
	return b.flat + b.price.Cost(b.read.Add(llm.UsageOf(b.wrote, tokens)))
}

// fits returns the most tokens that can be written for so much money, and false where not one can.
func (b *bound) fits(money plenum.Micros, most int64) (int64, bool) {
	low, high := int64(0), most
	for low < high { // the largest count that costs no more than the money
		mid := low + (high-low+1)/2
		if b.cost(mid) <= money {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low, low > 0
}

// The most that operations besides answers are known to write or read of a thing.
const (
	mostPerPicture = 20000 // tokens of an image that is made
	leastSound     = 500   // bytes of a second of sound, of the tightest codec
	mostPerSecond  = 100   // tokens of a second of sound
	mostPerLetter  = 8     // tokens of sound of a letter that is spoken
)

// consumes returns the most that an operation besides answers consumes.
func consumes(c *gateway.Call, p llm.Payload) (u llm.Usage, err error) {
	bytes := int64(len(c.In.Body))
	switch p := p.(type) {
	case *llm.Embed, *llm.Moderate:
		u.Input = bytes
	case *llm.Rerank:
		u.Input, u.Searches = bytes, 1+int64(len(p.Documents))/100*4+bytes/2000
	case *llm.Draw:
		n := int64(max(1, p.N.Or(1)))
		u.Input, u.InputImage = bytes, bytes
		u.Images, u.OutputImage, u.Output = n, n*mostPerPicture, n*mostPerPicture
	case *llm.Speak:
		u.Input, u.Characters, u.OutputAudio = bytes, bytes, bytes*mostPerLetter
	case *llm.Transcribe:
		seconds := bytes/leastSound + 1
		u.Seconds, u.InputAudio, u.Output = seconds, seconds*mostPerSecond, seconds*mostPerSecond
	default:
		if c.Deployment.Opaque {
			return u, nil
		}
		return u, unbounded("nobody can tell before what it will cost", "Have the deployment let such calls pass (opaque: allow)")
	}
	return u, nil
}

func unbounded(why, do string) error {
	return &llm.Error{
		Kind: llm.Quota, Op: "budget", Code: "cost_unbounded", Upstream: &llm.Upstream{NoRetry: true},
		Message: fmt.Sprintf("a hard budget or limit holds here, and what this call may cost has no bound: %s. %s", why, do),
	}
}
