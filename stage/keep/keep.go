// Package keep has what is asked and answered gathered in the calls of projects that want it kept.
//
// It stands right behind auth, so that a call is kept that policies, limits or targets refuse. Nothing is gathered of what has
// a place of its own (files, batches) or is no single answer (lists, sessions).
package keep

import (
	"context"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// Keeper is given what was said when a call has ended. It must not make the call wait.
type Keeper interface {
	Keep(c *gateway.Call, h *gateway.Heard)
}

// New returns the stage. A nil keeper keeps nothing.
func New(k Keeper) gateway.Stage {
	return gateway.Stage{Name: "keep", Wrap: func(next gateway.Handler) gateway.Handler {
		if k == nil {
			return next
		}
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			if said(c.Op) && c.Config.KeepsCalls(c.Caller.Project) {
				c.Listen(int(c.Config.Declared.Content.CallBytes), k.Keep)
			}
			return next(ctx, c, out)
		}
	}}
}

// said reports whether something is said in an operation that is kept with the call.
func said(op llm.Op) bool {
	switch op {
	case llm.OpGenerate, llm.OpCompact, llm.OpEmbed, llm.OpRerank, llm.OpModerate,
		llm.OpImage, llm.OpImageEdit, llm.OpImageVary, llm.OpSpeak, llm.OpTranscribe, llm.OpTranslate:
		return true
	}
	return false
}
