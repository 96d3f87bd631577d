package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
	"github.com/plenum-foundry/plenum/test/specs"
)

func rate(n int64) *record.Rate {
	r := record.Rate(n)
	return &r
}

// of returns a price of so many dollars a million tokens read and written.
func of(in, out int64) *record.Price {
	return &record.Price{Input: rate(in * 1e6), Output: rate(out * 1e6)}
}

func TestRatesAreReadExactly(t *testing.T) {
	tests := []struct {
		text  string
		times int64
		want  *record.Rate
	}{
		{"2.5e-06", 1_000_000, rate(2_500_000)},
		{"7.5e-08", 1_000_000, rate(75_000)},
		{"0.1", 1, rate(100_000)},
		{"3.6250000000000004e-09", 1_000_000, rate(3_625)},
		{"0", 1, rate(0)},
		{"-1", 1, nil},
		{"", 1, nil},
		{"null", 1, nil},
		{"1e40", 1, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, table.Exact(tt.text, tt.times)); diff != "" {
			t.Errorf("%s: %s", tt.text, diff)
		}
	}
}

func TestRatesAreWrittenExactly(t *testing.T) {
	for micros, want := range map[int64]string{2_500_000: "2.5", 0: "0", 3_625: "0.003625", 15_000_000: "15", 10: "0.00001"} {
		got, err := json.Marshal(rate(micros))
		var back record.Rate
		if err != nil || string(got) != want || json.Unmarshal(got, &back) != nil || int64(back) != micros {
			t.Errorf("%d is written %s and read %d, %v", micros, got, back, err)
		}
	}
}

func TestThePriceIsSettledByThoseWhoAgree(t *testing.T) {
	cached := of(3, 15)
	cached.CacheRead = rate(300_000)
	tests := []struct {
		name     string
		quotes   []quote
		want     *record.Price
		disputed bool
	}{
		{"none", nil, nil, false},
		{"one", []quote{{fromDev, "", of(1, 2)}}, of(1, 2), false},
		{"two against one", []quote{{fromDev, "", of(3, 15)}, {fromGenai, "", of(1, 2)}, {fromLitellm, "", cached}}, cached, false},
		{"one against one", []quote{{fromDev, "", of(1, 2)}, {fromGenai, "", of(3, 15)}}, nil, true},
		{"all differ", []quote{{fromDev, "", of(1, 2)}, {fromGenai, "", of(3, 15)}, {fromLitellm, "", of(4, 4)}}, nil, true},
		{"newer than the others", []quote{{fromDev, "", of(1, 2)}, {fromGenai, "2026-09-01", of(3, 15)}, {fromLitellm, "", of(1, 2)}}, of(3, 15), false},
		{"older than the others", []quote{{fromDev, "", of(1, 2)}, {fromGenai, "2026-01-01", of(3, 15)}, {fromLitellm, "", of(1, 2)}}, of(1, 2), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, disputed := settle(tt.quotes)
			if diff := cmp.Diff(tt.want, got); diff != "" || disputed != tt.disputed {
				t.Error(disputed, diff)
			}
		})
	}
}

func TestAClassOnWhichSourcesDifferCostsTheMore(t *testing.T) {
	a, b, c := of(3, 15), of(3, 15), of(3, 15)
	a.CacheRead, b.CacheRead = rate(100), rate(200)
	if got, _, _ := settle([]quote{{0, "", a}, {1, "", b}}); *got.CacheRead != 200 {
		t.Errorf("got %d", *got.CacheRead)
	}
	c.CacheRead = rate(100)
	if got, _, _ := settle([]quote{{0, "", a}, {1, "", b}, {2, "", c}}); *got.CacheRead != 100 {
		t.Errorf("got %d", *got.CacheRead)
	}
	a.CacheWrite5m = rate(0)
	if got, _, _ := settle([]quote{{0, "", a}}); got.CacheWrite5m != nil {
		t.Error("writing to the cache is free")
	}
}

func TestLongPromptsCostMoreUnlessAFlatPriceBegan(t *testing.T) {
	long := of(3, 15)
	long.Over = of(6, 22)
	long.Over.Above = 200_000
	if got, _, _ := settle([]quote{{fromGenai, "", of(3, 15)}, {fromLitellm, "", long}}); got.Over == nil || got.Over.Above != 200_000 {
		t.Error("the rates of long prompts are lost")
	}
	if got, _, _ := settle([]quote{{fromGenai, "2026-03-13", of(3, 15)}, {fromLitellm, "", long}}); got.Over != nil {
		t.Error("a flat price that began is not believed")
	}
}

// TestTheDataIsWhatTheGeneratorWrites makes the data anew where the tables are at hand.
func TestTheDataIsWhatTheGeneratorWrites(t *testing.T) {
	tables := specs.Folder(t, "")
	made := filepath.Join("..", "data")
	var f record.File
	text, err := os.ReadFile(filepath.Join(made, "xai.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	anew := t.TempDir()
	if err := run(tables, f.Made, anew); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(made)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		want, err := os.ReadFile(filepath.Join(anew, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(made, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what the generator writes", e.Name())
		}
	}
}
