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

// AddUsage names the classes of a usage report that the other side has no word for. They are counted still,
// with those that they are a part of.
func (l *Losses) AddUsage(path string, u llm.Usage, unsaid ...llm.Class) {
	for class, n := range u.Classes() {
		if n > 0 && slices.Contains(unsaid, class) {
			l.Add(path+"."+string(class), "counted with the rest")
		}
	}
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
