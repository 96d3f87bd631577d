package bedrock_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/bedrock"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) {
	bedrock.NoAWS(t)
	providertest.Run(t, bedrock.Kind)
}
