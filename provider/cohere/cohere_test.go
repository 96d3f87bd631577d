package cohere_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/cohere"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, cohere.Kind) }
