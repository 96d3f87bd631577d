package openai_test

import (
	"fmt"
	"iter"
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/llm"
)

// conversation makes a streamed request of about size bytes.
func conversation(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"mine","stream":true,"temperature":0.7,"messages":[{"role":"system","content":"Be brief."}`)
	turn := `,{"role":"user","content":"` + strings.Repeat("What is the weather \\\"there\\\"? ", 30) + `"}`
	for b.Len() < size-len(turn) {
		b.WriteString(turn)
	}
	b.WriteString(`,{"role":"user","content":"Hi"}]}`)
	return []byte(b.String())
}

func BenchmarkPeekAndEdit(b *testing.B) {
	shape := dialect.Shape{Meter: true, Offer: &plenum.Offer{Upstream: "gpt-x"}}
	for _, size := range []int{300, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			in := dialect.Inbound{Body: conversation(size)}
			b.SetBytes(int64(len(in.Body)))
			c := chat()
			b.ReportAllocs()
			for b.Loop() {
				h, err := c.Peek(in, dialect.Bounds{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.EditRequest(in, h, shape); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// repeat says a head, then one frame over and over.
func repeat(head, piece string, n int) iter.Seq2[dialect.Frame, error] {
	return func(yield func(dialect.Frame, error) bool) {
		for f, err := range frame.NewReader(strings.NewReader(head+piece), 0).All() {
			if !yield(f, err) {
				return
			}
			for i := 0; string(f.Raw) == piece && i < n; i++ {
				if !yield(f, nil) {
					return
				}
			}
		}
	}
}

const benchDelta = `{"content":"Hello, "}`

func benchmarkChunks(b *testing.B, want dialect.Want, delta string) {
	head := chunk(`{"role":"assistant","content":"x"}`, `null`) +
		chunk(`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`, `null`)
	piece := chunk(delta, `null`)
	b.ReportAllocs()
	b.SetBytes(int64(len(piece)))
	for range chat().DecodeStream(repeat(head, piece, b.N), want) {
	}
}

func BenchmarkChunk(b *testing.B) {
	call := `{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\""}}]}`
	b.Run("pass", func(b *testing.B) { benchmarkChunks(b, dialect.Want{Meter: true}, benchDelta) })
	b.Run("pass/call", func(b *testing.B) { benchmarkChunks(b, dialect.Want{Meter: true}, call) })
	b.Run("read", func(b *testing.B) { benchmarkChunks(b, dialect.Want{}, benchDelta) })
	b.Run("read/call", func(b *testing.B) { benchmarkChunks(b, dialect.Want{}, call) })
	b.Run("say", func(b *testing.B) {
		e := chat().NewEncoder(&llm.Request{}, dialect.Meta{CallID: "x"})
		for _, ev := range []llm.Event{llm.Start{ID: "chatcmpl-1", Model: "m"}, llm.BlockStart{Block: llm.Text{}}} {
			if _, err := e.Encode(ev); err != nil {
				b.Fatal(err)
			}
		}
		var ev llm.Event = llm.TextDelta{Text: "Hello, "}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Encode(ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	in := dialect.Inbound{Body: conversation(100 << 10)}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(in.Body)))
		for b.Loop() {
			if _, err := chat().DecodeRequest(in); err != nil {
				b.Fatal(err)
			}
		}
	})
	p, err := chat().DecodeRequest(in)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("say", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(in.Body)))
		for b.Loop() {
			if _, _, err := chat().EncodeRequest(p, dialect.Shape{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
