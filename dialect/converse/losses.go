package converse

import (
	"strings"

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

// mark names what is foreign about a cache mark.
func (l *losses) mark(path string, c *llm.CacheMark) {
	if c != nil {
		l.extra(path+".cache_control", c.Extra)
	}
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
		if citable(c) {
			keep = append(keep, c)
			continue
		}
		l.Add(path+".citations["+itoa(i)+"]", "")
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

// fitID makes an id one that the vendor takes. It depends on the id alone.
func fitID(id string) string {
	const most = 64
	if id != "" && len(id) <= most && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-") == "" {
		return id
	}
	return dialect.ToolNames{}.Fit(id, most)
}
