package store_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/store"
)

// TestAPackHasWhatWasPacked packs sums made up by chance, large and negative ones among them, and reads parts of the day.
func TestAPackHasWhatWasPacked(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	names := strings.Split(store.ShareColumns, ", ")
	const day = 24 * 1000
	p := store.NewPacker(day)
	type sum struct {
		hour   int
		mix    int64
		values []int64
	}
	var want []sum
	for h := range 24 {
		for range r.IntN(30) {
			s := sum{h, r.Int64N(40) << 50, make([]int64, len(names))}
			for i := range s.values {
				switch r.IntN(8) {
				case 0:
					s.values[i] = r.Int64N(1000)
				case 1:
					s.values[i] = []int64{math.MaxInt64, math.MinInt64, -1, 127, 128}[r.IntN(5)]
				}
			}
			if err := p.Add(day+int64(h), s.mix, s.values); err != nil {
				t.Fatal(err)
			}
			want = append(want, s)
		}
	}
	if err := p.Add(day+3, 1, make([]int64, len(names))); err != nil { // nothing: it is left out
		t.Fatal(err)
	}
	if err := p.Add(day+24, 1, want[0].values); err == nil {
		t.Error("an hour of the next day is packed")
	}
	pack, err := store.OpenPack(p.Columns())
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range [][2]int{{0, 24}, {5, 6}, {23, 24}, {9, 17}} {
		first, _ := pack.Hour(span[0])
		var got []sum
		for h := span[0]; h < span[1]; h++ {
			_, of := pack.Hour(h)
			for _, m := range of {
				got = append(got, sum{h, pack.Mixes[m], make([]int64, len(names))})
			}
		}
		for c, name := range names {
			if err := pack.Column(name, span[0], span[1], func(i int, v int64) { got[i-first].values[c] = v }); err != nil {
				t.Fatal(err)
			}
		}
		some := slices.DeleteFunc(slices.Clone(want), func(s sum) bool { return s.hour < span[0] || s.hour >= span[1] })
		if !slices.EqualFunc(some, got, func(a, b sum) bool { return a.hour == b.hour && a.mix == b.mix && slices.Equal(a.values, b.values) }) {
			t.Errorf("of the hours %v are read %d sums of %d, or others", span, len(got), len(some))
		}
	}
}

// TestAPackThatIsDamaged cuts columns off and changes bytes: it is told, or read as numbers, and nothing worse.
func TestAPackThatIsDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p := store.NewPacker(0)
	values := make([]int64, store.ShareWidth)
	for h := range int64(24) {
		values[0], values[20] = r.Int64N(1e9), r.Int64N(3)
		if err := p.Add(h, r.Int64N(5), values); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for range 2000 {
		columns := map[string][]byte{}
		for name, body := range p.Columns() {
			body = slices.Clone(body)
			if r.IntN(3) == 0 && len(body) > 0 {
				body[r.IntN(len(body))] ^= byte(1 + r.IntN(255))
			}
			columns[name] = body[:len(body)-r.IntN(2)*r.IntN(len(body)+1)]
		}
		pack, err := store.OpenPack(columns)
		if err == nil {
			err = pack.Column("calls", 0, 24, func(int, int64) {})
		}
		if err != nil {
			told++
		}
	}
	if told < 100 {
		t.Errorf("of 2000 damaged packs %d are told", told)
	}
}
