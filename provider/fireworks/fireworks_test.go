package fireworks_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/fireworks"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, fireworks.Kind) }
