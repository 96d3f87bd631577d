package gateway

import (
	"bytes"
	"errors"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// hidden stands where a place repeated a credential of ours.
const hidden = "[secret]"

// shortestSecret is the length from which a configured value is looked for in what a place says:
// "x" as the key of a server that wants none is in every answer.
const shortestSecret = 6

// scrub takes the connection's credentials out of an error. Some places repeat in their errors what they
// were sent, and an error goes to the caller, to the log and into the record.
func (c *Connection) scrub(e *llm.Error) {
	e.Message = c.hide(e.Message)
	if e.Err != nil {
		if said := e.Err.Error(); c.hide(said) != said {
			e.Err = errors.New(c.hide(said))
		}
	}
	if u := e.Upstream; u != nil {
		u.Body = c.hideBytes(u.Body)
	}
}

func (c *Connection) hide(s string) string {
	for _, secret := range c.Secrets {
		if v := secret.Reveal(); len(v) >= shortestSecret {
			s = strings.ReplaceAll(s, v, hidden)
		}
	}
	return s
}

func (c *Connection) hideBytes(b []byte) []byte {
	for _, secret := range c.Secrets {
		if v := []byte(secret.Reveal()); len(v) >= shortestSecret && bytes.Contains(b, v) {
			b = bytes.ReplaceAll(b, v, []byte(hidden))
		}
	}
	return b
}
