package gateway

import (
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/llm"
)

// Terms returns what the price of the attempt depends on besides what it consumes: the tier that it was served at,
// as far as that is known, the hour, and what images are to be like.
func (c *Call) Terms() plenum.Terms {
	t := plenum.Terms{Tier: c.Try.Tier, At: time.UnixMicro(c.Try.Record.Start)}
	if c.Op != llm.OpImage && c.Op != llm.OpImageEdit && c.Op != llm.OpImageVary {
		return t
	}
	if p, err := c.Payload(); err == nil {
		if d, ok := p.(*llm.Draw); ok {
			t.Quality, t.Size = own(d.Quality), own(d.Size)
		}
	}
	return t
}

// own returns what a caller says, where it leaves it to nobody else.
func own(word string) string {
	if word == "auto" {
		return ""
	}
	return word
}
