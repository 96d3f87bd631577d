package app

import (
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/redact"
)

// redactor makes what takes out of what is kept.
func redactor(c *config.Content) (any, error) {
	own := make([]redact.Pattern, len(c.Patterns))
	for i, p := range c.Patterns {
		own[i] = redact.Pattern{Name: p.Name, Pattern: p.Pattern}
	}
	return redact.New(c.Redact, own...)
}

// redactorOf is that of a project by the configuration in force; nil where nothing is taken out.
func (n *Node) redactorOf(project string) *redact.Redactor {
	r, _ := n.current.Load().RedactorOf(project).(*redact.Redactor)
	return r
}
