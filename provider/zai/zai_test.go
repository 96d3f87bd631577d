package zai_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/providertest"
	"github.com/plenum-foundry/plenum/provider/zai"
)

func TestKind(t *testing.T) { providertest.Run(t, zai.Kind) }
