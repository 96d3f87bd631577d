package app

import (
	"context"
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// keyInfo answers callers who ask about the key that they call with.
func keyInfo(_ context.Context, c *gateway.Call, out gateway.Out) error {
	k, ok := c.Config.KeyByID(c.Caller.KeyID)
	tells, speaks := c.Codec.(dialect.KeyTeller)
	if !ok || !speaks {
		return &llm.Error{Kind: llm.NotFound, Op: "keys", Message: "nothing is known of this key"}
	}
	return gateway.SendJSON(c, out, http.StatusOK, tells.TellKey(*k))
}
