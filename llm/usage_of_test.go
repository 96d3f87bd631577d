package llm_test

import (
	"testing"

	"github.com/plenum-foundry/plenum/llm"
)

func TestAUsageOfOneClassIsOfThatClassAlone(t *testing.T) {
	for class := range (llm.Usage{}).Classes() {
		for c, n := range llm.UsageOf(class, 3).Classes() {
			if want := map[bool]int64{true: 3}[c == class]; n != want {
				t.Errorf("a usage of %s has %d of %s", class, n, c)
			}
		}
	}
}
