package huggingface_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/huggingface"
	"github.com/plenum-foundry/plenum/provider/providertest"
)

func TestKind(t *testing.T) { providertest.Run(t, huggingface.Kind) }
