package vertex_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/providertest"
	"github.com/plenum-foundry/plenum/provider/vertex"
)

func TestKind(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent")
	providertest.Run(t, vertex.Kind)
}
