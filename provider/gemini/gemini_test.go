package gemini_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/gemini"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, gemini.Kind) }
