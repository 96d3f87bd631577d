package llm

import (
	"slices"
	"strings"
)

// Collect folds a stream into the whole answer. It returns what was said up to an error together with
// that error; a Fault in the stream is such an error.
//
// The law is Collect(Replay(r)) == r for every r whose empty slices are nil.
func Collect(s Stream) (*Response, error) {
	f := NewFolder()
	for ev, err := range s {
		if err != nil {
			return f.Response(), err
		}
		if fault, ok := ev.(Fault); ok {
			return f.Response(), fault.Err
		}
		f.Add(ev)
	}
	return f.Response(), nil
}

// Folder folds events into a Response as they come. The zero Folder is not ready: use NewFolder.
type Folder struct {
	r       Response
	choices []*choiceFold
}

type choiceFold struct {
	choice Choice
	blocks []*blockFold
}

type blockFold struct {
	index int
	block Block
	// text collects the deltas of the block's main string; it is joined once, at the end, so that a
	// long answer is not copied at every delta.
	text, signature, sealed strings.Builder
}

// NewFolder returns an empty Folder.
func NewFolder() *Folder { return &Folder{} }

// Add folds one event in.
func (f *Folder) Add(ev Event) {
	switch e := ev.(type) {
	case Start:
		f.r.ID, f.r.Model, f.r.Created, f.r.Tier = e.ID, e.Model, e.Created, e.Tier
		f.r.Extra = merge(f.r.Extra, e.Extra)
	case BlockStart:
		c := f.choice(e.Choice)
		c.blocks = append(c.blocks, &blockFold{index: e.Index, block: e.Block})
	case TextDelta:
		f.delta(e.Choice, e.Index, Text{}, e.Text)
	case ThoughtDelta:
		b := f.delta(e.Choice, e.Index, Thought{}, e.Text)
		b.signature.WriteString(e.Signature)
		b.sealed.WriteString(e.Sealed)
	case ArgsDelta:
		f.delta(e.Choice, e.Index, ToolUse{Kind: ToolFunction}, e.JSON)
	case MediaDelta:
		f.delta(e.Choice, e.Index, Media{}, e.Data)
	case CiteDelta:
		f.cite(e)
	case BlockEnd:
		f.end(e)
	case LogprobsDelta:
		f.logprobs(e)
	case Finish:
		c := f.choice(e.Choice)
		c.choice.Stop = e.Stop
		c.choice.Extra = merge(c.choice.Extra, e.Extra)
		c.choice.Message = merge(c.choice.Message, e.Message)
	case UsageReport:
		f.r.Usage = e.Usage
	case End:
		if e.Tier != "" {
			f.r.Tier = e.Tier
		}
		f.r.Extra = merge(f.r.Extra, e.Extra)
	case OpaqueDelta, Ping, Fault, OpaqueEvent:
		// An opaque delta is folded by the dialect that knows it, in its BlockEnd.
	}
}

// Response returns the answer as folded so far. The Folder can go on afterwards.
func (f *Folder) Response() *Response {
	r := f.r
	for _, c := range f.choices {
		choice := c.choice
		blocks := slices.Clone(c.blocks)
		slices.SortStableFunc(blocks, func(a, b *blockFold) int { return a.index - b.index })
		for _, b := range blocks {
			choice.Blocks = append(choice.Blocks, b.whole())
		}
		r.Choices = append(r.Choices, choice)
	}
	return &r
}

func (f *Folder) choice(index int) *choiceFold {
	for _, c := range f.choices {
		if c.choice.Index == index {
			return c
		}
	}
	c := &choiceFold{choice: Choice{Index: index}}
	f.choices = append(f.choices, c)
	return c
}

// block returns the newest block of that index; a delta whose block was never started starts one of
// the kind that it belongs to, so that nothing said is lost.
func (f *Folder) block(choice, index int, kind Block) *blockFold {
	c := f.choice(choice)
	for i := len(c.blocks) - 1; i >= 0; i-- {
		if c.blocks[i].index == index {
			return c.blocks[i]
		}
	}
	b := &blockFold{index: index, block: kind}
	c.blocks = append(c.blocks, b)
	return b
}

func (f *Folder) delta(choice, index int, kind Block, text string) *blockFold {
	b := f.block(choice, index, kind)
	b.text.WriteString(text)
	return b
}

func (f *Folder) cite(e CiteDelta) {
	b := f.block(e.Choice, e.Index, Text{})
	if t, ok := b.block.(Text); ok {
		t.Citations = append(slices.Clone(t.Citations), e.Citation)
		b.block = t
	}
}

func (f *Folder) end(e BlockEnd) {
	if e.Block == nil {
		return
	}
	b := f.block(e.Choice, e.Index, e.Block)
	*b = blockFold{index: b.index, block: e.Block}
}

func (f *Folder) logprobs(e LogprobsDelta) {
	c := f.choice(e.Choice)
	if c.choice.Logprobs == nil {
		c.choice.Logprobs = &Logprobs{}
	}
	l := c.choice.Logprobs
	l.Content = append(l.Content, e.Logprobs.Content...)
	l.Refusal = append(l.Refusal, e.Logprobs.Refusal...)
	for _, n := range e.Logprobs.Null {
		if !slices.Contains(l.Null, n) {
			l.Null = append(l.Null, n)
		}
	}
	l.Extra = merge(l.Extra, e.Logprobs.Extra)
}

func (b *blockFold) whole() Block {
	switch k := b.block.(type) {
	case Text:
		k.Text += b.text.String()
		return k
	case Refusal:
		k.Text += b.text.String()
		return k
	case Thought:
		k.Text += b.text.String()
		k.Signature += b.signature.String()
		k.Sealed += b.sealed.String()
		return k
	case ToolUse:
		k.Args += b.text.String()
		return k
	case Media:
		k.Data += b.text.String()
		return k
	default:
		return b.block
	}
}

// merge joins two Extras; a key said again is replaced in its place.
func merge(a, b Extra) Extra {
	switch {
	case a.Empty() && b.Dialect != "":
		return b
	case b.Empty():
		return a
	}
	out := Extra{Dialect: a.Dialect, Fields: slices.Clone(a.Fields)}
	for _, f := range b.Fields {
		i := slices.IndexFunc(out.Fields, func(g Field) bool { return g.Key == f.Key })
		if i >= 0 {
			out.Fields[i] = f
		} else {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}
