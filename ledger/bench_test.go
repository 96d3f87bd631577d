package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/plenum-foundry/plenum"
)

// typical is a record as a streamed call through one target leaves it.
func typical(id string) plenum.Record {
	use := plenum.Tokens{Input: 1204, CacheRead: 1024, Output: 311, Reasoning: 64}
	return plenum.Record{
		ID: id, Start: 1795377600123456, End: 1795377602345678, Op: "generate", Dialect: "anthropic",
		Method: "POST", Path: "/v1/messages", Remote: "10.1.2.3", UserAgent: "anthropic-python/0.86.0",
		KeyID: "key_01JD3Z", Project: "search", Asked: "grok", Deployment: "grok", Config: "a1b2c3d4e5f6",
		Stream: true, Status: 200, Outcome: plenum.OutcomeOK, FirstByte: 312345, Stop: "end_turn", Usage: use,
		Cost: 12345, Priced: true, Target: "xai/grok-4.7", Changed: []string{"model"}, BytesIn: 5120,
		BytesOut: 20480, Attempts: []plenum.Attempt{{
			N: 1, Target: "xai/grok-4.7", Provider: "xai", Upstream: "grok-4.7", Start: 1795377600125000,
			End: 1795377602345000, Status: 200, RequestID: "req_011CUabcdefgh", Usage: use, Cost: 12345,
			Priced: true, Won: true,
		}},
	}
}

func BenchmarkEncode(b *testing.B) {
	r := typical("call_01JD3ZK8Q2W7X5")
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = appendRecord(buf[:0], &r)
		}
	})
	b.Run("encoding json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkEndAlone is what a call pays whose answer is known before its first byte.
func BenchmarkEndAlone(b *testing.B) {
	l, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	r := typical("call_01JD3ZK8Q2W7X5")
	b.ReportAllocs()
	for b.Loop() {
		if err := l.End(&r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCall is what one call pays: its begin and its end.
func BenchmarkCall(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.ReportAllocs()
			cpu := cpuTime()
			defer func() { b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1e3/float64(b.N), "cpu-µs/call") }()
			var n atomic.Int64
			plain := typical("")
			one := func() {
				r := plain
				r.ID = "call_" + strconv.FormatInt(1e12+n.Add(1), 10)
				if err := l.Begin(BeginOf(&r)); err != nil {
					b.Error(err)
				}
				if err := l.End(&r); err != nil {
					b.Error(err)
				}
			}
			if callers == 1 {
				for b.Loop() {
					one()
				}
				return
			}
			b.SetParallelism(callers / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					one()
				}
			})
		})
	}
}
