package vllm_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/provider/providertest"
	"github.com/plenum-foundry/plenum/provider/vllm"
)

func TestKind(t *testing.T) { providertest.Run(t, vllm.Kind) }
