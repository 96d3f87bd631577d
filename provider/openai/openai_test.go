package openai_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/openai"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, openai.Kind) }
