package gemini

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// losses collects what could not be said.
type losses struct{ dialect.Losses }

// extra names the members that only another dialect can say, below a path.
func (l *losses) extra(path string, e llm.Extra) {
	if e.Dialect != Name {
		l.AddExtra(path, e)
	}
}

// mark names a cache mark: caches are made here by a call of their own.
func (l *losses) mark(path string, c *llm.CacheMark) {
	if c != nil {
		l.Add("cache_control", "a cache is made by a call of its own here")
		l.extra(path+".cache_control", c.Extra)
	}
}

// usage names what of a usage report cannot be said.
func (l *losses) usage(u llm.Usage) {
	l.AddUsage(Name, u, llm.ClassCacheRead, llm.ClassReasoning, llm.ClassInputAudio, llm.ClassInputImage, llm.ClassOutputAudio, llm.ClassOutputImage)
}

// fitArgs makes the arguments of a tool an object, which they must be here.
func (l *losses) fitArgs(b llm.ToolUse, path string) llm.ToolUse {
	l.extra(path, b.Extra)
	return dialect.FitArgs(&l.Losses, b, path)
}
