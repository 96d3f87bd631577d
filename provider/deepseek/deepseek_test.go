package deepseek_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/deepseek"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, deepseek.Kind) }
