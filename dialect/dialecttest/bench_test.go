package dialecttest_test

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
	"syscall"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// prose is text as people write it to a model: lines of a hundred letters, with quotes, dashes and umlauts
// here and there.
const prose = `She said \"it is nothing\", looked at the sea for a while – grey, as in März – and went on with it.\n` +
	`The list of what was left to do was long: the letters, the lamp, the boat, and after that the house.\n`

// talk makes a request of about size bytes in several turns; one with an image where image is set.
func talk(d string, size int, image bool) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"mine","max_tokens":1024,"temperature":0.7,"messages":[`)
	if image {
		data := strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA/+q9", size/28)
		if d == "openai" {
			b.WriteString(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + data + `"}},{"type":"text","text":"What is this?"}]},`)
		} else {
			b.WriteString(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}},{"type":"text","text":"What is this?"}]},`)
		}
	}
	for i := 0; b.Len() < size; i++ {
		role := [...]string{"user", "assistant"}[i%2]
		b.WriteString(`{"role":"` + role + `","content":"` + strings.Repeat(prose, 20) + `"},`)
	}
	b.WriteString(`{"role":"user","content":"Go on."}]}`)
	return []byte(b.String())
}

// cpu returns how much time the processor has spent on this process, which other processes do not change.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// each returns the time of the processor for one run of f, of about n.
func each(b *testing.B, n int, f func() error) time.Duration {
	start := cpu()
	for range n {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	return (cpu() - start) / time.Duration(n)
}

// benchmarkCross reports what it costs to read a request in one dialect and say it in another, beside
// what handing it on in its own dialect costs.
func benchmarkCross(b *testing.B, size int, image bool) {
	for _, x := range []struct {
		name     string
		from, to dialect.Codec
	}{{"openai", chat(), messages()}, {"anthropic", messages(), chat()}} {
		b.Run(x.name, func(b *testing.B) {
			in := dialect.Inbound{Body: talk(x.name, size, image)}
			shape := dialect.Shape{Meter: true, Offer: &plenum.Offer{Upstream: "upstream-model"}}
			same := func() error {
				h, err := x.from.Peek(in, dialect.Bounds{})
				if err == nil {
					_, err = x.from.EditRequest(in, h, shape)
				}
				return err
			}
			cross := func() error {
				p, err := x.from.DecodeRequest(in)
				if err == nil {
					_, _, err = x.to.EncodeRequest(p, shape)
				}
				return err
			}
			b.SetBytes(int64(len(in.Body)))
			b.ReportAllocs()
			base := each(b, 1+(20<<20)/len(in.Body), same)
			start := cpu()
			for b.Loop() {
				if err := cross(); err != nil {
					b.Fatal(err)
				}
			}
			spent := (cpu() - start) / time.Duration(b.N)
			b.ReportMetric(float64(spent.Nanoseconds())/1e3, "cpu-µs/op")
			b.ReportMetric(float64(base.Nanoseconds())/1e3, "same-µs/op")
		})
	}
}

func BenchmarkCross1KB(b *testing.B)   { benchmarkCross(b, 1<<10, false) }
func BenchmarkCross100KB(b *testing.B) { benchmarkCross(b, 100<<10, false) }
func BenchmarkCross1MB(b *testing.B)   { benchmarkCross(b, 1<<20, true) }

// flow returns the frames of a stream, the one that holds piece n times.
func flow(stream, piece string, n int) iter.Seq2[dialect.Frame, error] {
	return func(yield func(dialect.Frame, error) bool) {
		for f, err := range frame.NewReader(strings.NewReader(stream), 0).All() {
			times := 1
			if bytes.Contains(f.Data, []byte(piece)) {
				times = n
			}
			for range times {
				if !yield(f, err) {
					return
				}
			}
		}
	}
}

// BenchmarkCrossChunk reports what it costs to read a frame of text in one dialect and say it in another.
func BenchmarkCrossChunk(b *testing.B) {
	told := []llm.Event{
		llm.Start{ID: "msg_1", Model: "a-model", Created: 1},
		llm.BlockStart{Block: llm.Text{}},
		llm.TextDelta{Text: "Well"},
		llm.TextDelta{Text: " over there"},
		llm.BlockEnd{},
		llm.Finish{Stop: llm.Stop{Reason: llm.StopEnd}},
		llm.End{},
	}
	for _, x := range []struct {
		name     string
		from, to dialect.Codec
	}{{"openai", chat(), messages()}, {"anthropic", messages(), chat()}} {
		b.Run(x.name, func(b *testing.B) {
			stream, err := dialecttest.Encode(x.from.NewEncoder(&llm.Request{}, dialect.Meta{CallID: "c"}), told, nil)
			if err != nil {
				b.Fatal(err)
			}
			e := x.to.NewEncoder(&llm.Request{}, dialect.Meta{CallID: "c"})
			n := 0
			b.ReportAllocs()
			start := cpu()
			for ch, err := range x.from.DecodeStream(flow(string(stream), " over there", b.N), dialect.Want{}) {
				if err != nil {
					b.Fatal(err)
				}
				for _, ev := range ch.Events {
					frames, err := e.Encode(ev)
					if err != nil {
						b.Fatal(err)
					}
					n += len(frames)
				}
			}
			b.ReportMetric(float64((cpu()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
			if n < b.N {
				b.Fatal(fmt.Errorf("%d frames of %d chunks", n, b.N))
			}
		})
	}
}
