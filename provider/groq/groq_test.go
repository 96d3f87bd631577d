package groq_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/groq"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, groq.Kind) }
