package cerebras_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/cerebras"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, cerebras.Kind) }
