package compatible_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/compatible"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestOpenAI(t *testing.T) { providertest.Run(t, compatible.OpenAI) }

func TestAnthropic(t *testing.T) { providertest.Run(t, compatible.Anthropic) }
