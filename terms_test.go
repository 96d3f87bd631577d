package plenum_test

import (
	"testing"

	plenum "github.com/plenum-foundry/plenum"
)

func TestTheDearestRatesAreThoseThatNoTermsExceed(t *testing.T) {
	p := plenum.Price{
		Known: true, Input: 3, Output: 10, Image: 5, Above: 100, Over: &plenum.Price{Known: true, Input: 6, Output: 9},
		Tiers:    &plenum.Tiers{Priority: &plenum.Price{Known: true, Input: 5, Output: 20}, Batch: &plenum.Price{Known: true, Input: 1, Output: 5}},
		Hours:    &plenum.Hours{Price: &plenum.Price{Known: true, Input: 2, CacheRead: 7}},
		Pictures: &plenum.Pictures{List: []plenum.Picture{{Size: "big", Rate: 80}}},
	}
	for read, want := range map[int64]plenum.Price{
		100: {Known: true, Input: 5, Output: 20, CacheRead: 7, Image: 80, Above: 100},
		101: {Known: true, Input: 6, Output: 20, CacheRead: 7, Image: 80},
	} {
		if got := *p.Dearest(read); got != want {
			t.Errorf("of %d tokens: %+v, want %+v", read, got, want)
		}
	}
}
