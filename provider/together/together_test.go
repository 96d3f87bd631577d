package together_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/providertest"
	"github.com/plenum-foundry/plenum/provider/together"
)

func TestKind(t *testing.T) { providertest.Run(t, together.Kind) }
