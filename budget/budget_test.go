package budget_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/budgettest"
)

func TestMemory(t *testing.T) {
	budgettest.Run(t, func(*testing.T) budget.Book { return budget.NewMemory() })
}
