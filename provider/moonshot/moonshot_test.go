package moonshot_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/moonshot"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, moonshot.Kind) }
