package mistral_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/mistral"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, mistral.Kind) }
