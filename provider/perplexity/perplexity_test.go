package perplexity_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/perplexity"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, perplexity.Kind) }
