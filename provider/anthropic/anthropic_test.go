package anthropic_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/anthropic"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, anthropic.Kind) }
