package azure_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/azure"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, azure.Kind) }
