package ollama_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/ollama"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, ollama.Kind) }
