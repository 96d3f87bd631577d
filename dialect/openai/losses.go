package openai

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// losses collects what could not be said, each once and in the order in which it was met.
type losses struct {
	list []dialect.Loss
	seen map[dialect.Loss]bool
}

func (l *losses) add(what, why string) {
	x := dialect.Loss{What: what, Why: why}
	if l.seen[x] {
		return
	}
	if l.seen == nil {
		l.seen = make(map[dialect.Loss]bool)
	}
	l.seen[x] = true
	l.list = append(l.list, x)
}

// extra names the members that only another dialect can say, below a path.
func (l *losses) extra(path string, e llm.Extra) {
	if e.Dialect == Name {
		return
	}
	if path != "" {
		path += "."
	}
	for _, f := range e.Fields {
		if f.Telling() {
			l.add(path+f.Key, "")
		}
	}
}

// mark names a cache mark, once however many there are: hosts of this dialect that cache do so by
// themselves.
func (l *losses) mark(c *llm.CacheMark) {
	if c != nil {
		l.add("cache_control", "the host caches by itself, or not at all")
	}
}

// foreign is the reason given for what belongs to another vendor.
const foreign = "belongs to another dialect"
