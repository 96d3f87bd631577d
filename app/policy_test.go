package app

import (
	"errors"
	"log/slog"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/file"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/stage/policy"
)

// noUploads is a policy by which files may be seen and not made.
type noUploads struct{}

var _ policy.OwnDecider = noUploads{}

func (noUploads) Allow(*gateway.Call, *plenum.Target) error { return nil }

func (noUploads) AllowOwn(c *gateway.Call) error {
	if c.Op == llm.OpFileCreate {
		return errors.New("no uploads")
	}
	return nil
}

func TestAPolicyDecidesOnFilesToo(t *testing.T) {
	up := testkit.NewUpstream(t)
	keeper := file.New(openDB(t, t.TempDir()+"/plenum.db"), clock.Real, slog.New(slog.DiscardHandler))
	w := newWorld(t, Mechanisms{Policy: noUploads{}, Own: keeper.Handlers()}, oneTarget, up.URL)
	ct, body := form("purpose", "user_data", "file", "x")
	if resp, got := w.post("/v1/files", body, "Content-Type", ct); resp.StatusCode != 403 {
		t.Errorf("an upload: %d %s", resp.StatusCode, got)
	}
	if resp, got := w.do("GET", "/v1/files"); resp.StatusCode != 200 {
		t.Errorf("the list: %d %s", resp.StatusCode, got)
	}
}
