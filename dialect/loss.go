package dialect

import (
	"slices"

	"github.com/plenum-foundry/plenum/llm"
)

// Loss is something that the other side's dialect cannot carry.
type Loss struct {
	What string // where it stood, as a path of the dialect it was said in: "thinking.budget_tokens"
	Why  string // a short sentence, or ""
}

// String returns the place, with the reason in brackets.
func (l Loss) String() string {
	if l.Why == "" {
		return l.What
	}
	return l.What + " (" + l.Why + ")"
}

// Foreign is the reason of a loss of what belongs to another vendor.
const Foreign = "belongs to another dialect"

// Losses collects what could not be said, each once and in the order in which it was met. The zero Losses
// is ready.
type Losses struct {
	list []Loss
	seen map[Loss]bool
}

// List returns what was lost.
func (l *Losses) List() []Loss { return l.list }

// Add names a loss: where it stood, and why it cannot be said or what is said instead; "" where that goes
// without saying.
func (l *Losses) Add(what, why string) {
	x := Loss{What: what, Why: why}
	if l.seen[x] {
		return
	}
	if l.seen == nil {
		l.seen = make(map[Loss]bool)
	}
	l.seen[x] = true
	l.list = append(l.list, x)
}

// AddUsage names the classes of a usage report that a dialect has no word for, besides those that it says. Tokens
// of them are counted still, with those that they are a part of. A report that was said in the dialect at home
// loses nothing.
func (l *Losses) AddUsage(home string, u llm.Usage, says ...llm.Class) {
	if u.Extra.Dialect == home {
		return
	}
	for class, n := range u.Classes() {
		if n == 0 || class == llm.ClassInput || class == llm.ClassOutput || slices.Contains(says, class) {
			continue
		}
		why := "counted with the rest"
		if class.Unit() {
			why = ""
		}
		l.Add("usage."+string(class), why)
	}
}

// AddLogprobs names the members of log probabilities that only another dialect can say.
func (l *Losses) AddLogprobs(home, path string, p *llm.Logprobs) {
	if p == nil {
		return
	}
	if p.Extra.Dialect != home {
		l.AddExtra(path, p.Extra)
	}
	l.addTokens(home, path+".content", p.Content)
	l.addTokens(home, path+".refusal", p.Refusal)
}

func (l *Losses) addTokens(home, path string, list []llm.Logprob) {
	for i := range list {
		if e := &list[i].Extra; e.Dialect != home && !e.Empty() {
			l.AddExtra(path, *e)
		}
		if len(list[i].Top) > 0 {
			l.addTokens(home, path+".top_logprobs", list[i].Top)
		}
	}
}

// PlainTier reports whether a service tier is the one that an answer has where nobody speaks of tiers: that it
// cannot be said loses nothing.
func PlainTier(tier string) bool {
	return slices.Contains([]string{"", "auto", "default", "standard", "on_demand"}, tier)
}

// AddExtra names the members of an Extra below a path, which only the dialect can say that they came in.
// What tells nothing is not lost: notes, and null.
func (l *Losses) AddExtra(path string, e llm.Extra) {
	if path != "" {
		path += "."
	}
	for _, f := range e.Fields {
		if f.Telling() {
			l.Add(path+f.Key, "")
		}
	}
}
