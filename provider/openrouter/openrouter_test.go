package openrouter_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/openrouter"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, openrouter.Kind) }
