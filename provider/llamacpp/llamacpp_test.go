package llamacpp_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/llamacpp"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, llamacpp.Kind) }
