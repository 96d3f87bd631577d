package openai

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// losses collects what could not be said.
type losses struct{ dialect.Losses }

// extra names the members that only another dialect can say, below a path.
func (l *losses) extra(path string, e llm.Extra) {
	if e.Dialect == Name {
		return
	}
	l.AddExtra(path, e)
}

// usage names what of a usage report cannot be said.
func (l *losses) usage(u llm.Usage) {
	l.AddUsage(Name, u, llm.ClassCacheRead, llm.ClassCacheWrite5m, llm.ClassReasoning, llm.ClassInputAudio, llm.ClassOutputAudio)
}

// mark names a cache mark, once however many there are: hosts of this dialect that cache do so by
// themselves.
func (l *losses) mark(c *llm.CacheMark) {
	if c != nil {
		l.Add("cache_control", "the host caches by itself, or not at all")
	}
}
