package anthropic

import (
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// losses collects what could not be said.
type losses struct{ dialect.Losses }

// extra names the members that only another dialect can say, below a path.
func (l *losses) extra(path string, e llm.Extra) {
	if e.Dialect == Name || e.Dialect == oldFormat {
		return
	}
	l.AddExtra(path, e)
}

// mark names what is foreign about a cache mark.
func (l *losses) mark(path string, c *llm.CacheMark) {
	if c != nil {
		l.extra(path+".cache_control", c.Extra)
	}
}

// plain reports whether a block is a text and nothing else, which every dialect can say.
func plain(b llm.Block) bool {
	t, ok := b.(llm.Text)
	return ok && !blank(t.Text) && t.Cache == nil && len(t.Citations) == 0 && t.Extra.Empty()
}

// usage names what of a usage report cannot be said.
func (l *losses) usage(u llm.Usage) {
	l.AddUsage(Name, u, llm.ClassCacheRead, llm.ClassCacheWrite5m, llm.ClassCacheWrite1h, llm.ClassReasoning, llm.ClassSearch)
}

// fitText names the citations that cannot be said and leaves them out.
func (l *losses) fitText(b llm.Text, path string) llm.Text {
	l.extra(path, b.Extra)
	l.mark(path, b.Cache)
	if b.Signature != "" {
		l.Add(path+".signature", dialect.Foreign)
	}
	var keep []llm.Citation
	for i, c := range b.Citations {
		if c.Opaque.Dialect == Name || c.Kind == llm.CiteURL && c.URL != "" {
			keep = append(keep, c)
			continue
		}
		l.Add(path+".annotations["+itoa(i)+"]", "")
	}
	b.Citations = keep
	return b
}

// fitArgs makes the arguments of a tool an object, which they must be here.
func (l *losses) fitArgs(b llm.ToolUse, path string) llm.ToolUse {
	l.extra(path, b.Extra)
	l.mark(path, b.Cache)
	if b.Signature != "" {
		l.Add(path+".signature", dialect.Foreign)
	}
	return dialect.FitArgs(&l.Losses, b, path)
}
