package xai_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/providertest"
	"github.com/plenum-foundry/plenum/provider/xai"
)

func TestKind(t *testing.T) { providertest.Run(t, xai.Kind) }
