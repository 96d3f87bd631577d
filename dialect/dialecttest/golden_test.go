package dialecttest_test

import (
	"path/filepath"
	"testing"

	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
)

func TestFixturesOfOpenAI(t *testing.T) {
	dialecttest.Golden(t, chat(), filepath.Join("..", openai.Name, "testdata"), dialecttest.Other{Name: anthropic.Name, Codec: messages()})
}
