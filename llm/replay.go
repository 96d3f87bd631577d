package llm

// Replay says a whole answer as a stream.
func Replay(r *Response) Stream {
	return func(yield func(Event, error) bool) {
		p := player{yield: yield, on: true}
		p.say(Start{ID: r.ID, Model: r.Model, Created: r.Created, Tier: r.Tier, Extra: r.Extra})
		for _, c := range r.Choices {
			p.choice(c)
		}
		p.say(UsageReport{Usage: r.Usage})
		p.say(End{})
	}
}

// player remembers whether the listener still listens, so that saying reads straight down.
type player struct {
	yield func(Event, error) bool
	on    bool
	// logprobs are said before the text ends that they are about.
	logprobs *LogprobsDelta
}

func (p *player) say(ev Event) { p.on = p.on && p.yield(ev, nil) }

func (p *player) choice(c Choice) {
	said := c.Logprobs == nil
	for i, b := range c.Blocks {
		if !said && i == lastText(c.Blocks) {
			p.logprobs, said = &LogprobsDelta{Choice: c.Index, Logprobs: *c.Logprobs}, true
		}
		p.block(c.Index, i, b)
	}
	if !said {
		p.say(LogprobsDelta{Choice: c.Index, Logprobs: *c.Logprobs})
	}
	p.say(Finish{Choice: c.Index, Stop: c.Stop, Extra: c.Extra, Message: c.Message})
}

// block says a block as its own stream would: an empty start, then what is in it.
func (p *player) block(choice, index int, b Block) {
	switch b := b.(type) {
	case Text:
		text, cites := b.Text, b.Citations
		b.Text, b.Citations = "", nil
		p.say(BlockStart{choice, index, b})
		p.text(choice, index, text)
		for _, c := range cites {
			p.say(CiteDelta{choice, index, c})
		}
	case Refusal:
		text := b.Text
		b.Text = ""
		p.say(BlockStart{choice, index, b})
		p.text(choice, index, text)
	case Thought:
		p.thought(choice, index, b)
	case ToolUse:
		args := b.Args
		b.Args = ""
		p.say(BlockStart{choice, index, b})
		if args != "" {
			p.say(ArgsDelta{choice, index, args})
		}
	default:
		p.say(BlockStart{choice, index, b})
	}
	if p.logprobs != nil { // of the text that ends here
		p.say(*p.logprobs)
		p.logprobs = nil
	}
	p.say(BlockEnd{Choice: choice, Index: index})
}

func lastText(blocks []Block) int {
	last := -1
	for i, b := range blocks {
		if _, ok := b.(Text); ok {
			last = i
		}
	}
	return last
}

func (p *player) text(choice, index int, text string) {
	if text != "" {
		p.say(TextDelta{choice, index, text})
	}
}

// thought says the signature after the text, as Anthropic does: a signature seals what precedes it.
func (p *player) thought(choice, index int, t Thought) {
	whole := t
	t.Text, t.Signature = "", ""
	p.say(BlockStart{choice, index, t})
	if whole.Text != "" {
		p.say(ThoughtDelta{Choice: choice, Index: index, Text: whole.Text})
	}
	if whole.Signature != "" {
		p.say(ThoughtDelta{Choice: choice, Index: index, Signature: whole.Signature})
	}
}
