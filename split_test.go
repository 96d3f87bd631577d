package plenum

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plenum-foundry/plenum/llm"
)

func TestThePartsOfACostAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		p := Price{Known: true, Input: Rate(r.Int64N(20_000_000)), CacheRead: Rate(r.Int64N(300_000)), Output: Rate(r.Int64N(99_000_000)), Search: Rate(r.Int64N(1e10))}
		p.Reasoning, p.CacheWrite5m = p.Output, p.Input*5/4
		u := llm.Usage{Input: r.Int64N(9999), CacheRead: r.Int64N(3), CacheWrite5m: r.Int64N(50), Output: r.Int64N(700), Reasoning: r.Int64N(2), Searches: r.Int64N(2)}
		var sum int64
		for _, n := range Tokens(p.Split(u)).Classes() {
			sum += n
		}
		if want := p.Cost(u); sum != int64(want) {
			t.Fatalf("the parts of %+v at %+v are %+v, which add up to %d and not %d", u, p, p.Split(u), sum, want)
		}
	}
	p := Price{Known: true, Input: 1e18, Output: 3}
	if got := p.Split(llm.Usage{Input: math.MaxInt64, Output: 7}); got.Input != math.MaxInt64 || got.Output != 0 {
		t.Errorf("the parts of an absurd cost are %+v", got)
	}
	p = Price{Known: true, Input: 1_250_000, Output: 10_000_000}
	if got, want := p.Split(llm.Usage{Input: 1001, Output: 3}), (Costs{Input: 1251, Output: 30}); got != want {
		t.Errorf("the parts are %+v, want %+v", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { p.Split(llm.Usage{Input: 1001, Output: 3}) }); n > 0 {
		t.Errorf("it allocates %v times", n)
	}
}
