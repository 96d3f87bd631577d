package nvidia_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/nvidia"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, nvidia.Kind) }
