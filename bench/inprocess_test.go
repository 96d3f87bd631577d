package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/app"
)

// BenchmarkInProcess runs Plenum, its upstream and its callers in one process, over real connections: for
// profiles and for counting allocations, not for timing. Callers and upstream allocate next to nothing.
//
//	go test ./bench -run '^$' -bench InProcess/small -cpuprofile cpu.out
func BenchmarkInProcess(b *testing.B) {
	mock := localMock(b)
	addr := localPlenum(b, mock)
	small := shape{model: "unary", prompt: 200}
	large := shape{model: "unary", prompt: 100_000}
	burst := shape{model: "burst", prompt: 200}
	for _, x := range []struct {
		name     string
		shape    shape
		from, to tongue
	}{
		{"small", small, openAI, openAI},
		{"small-anthropic", small, anthropic, anthropic},
		{"100k", large, openAI, openAI},
		{"image", shape{model: "unary", prompt: 1000, image: 1 << 20}, openAI, openAI},
		{"burst", burst, openAI, openAI},
		{"burst-anthropic", burst, anthropic, anthropic},
		{"small-openai-to-anthropic", small, openAI, anthropic},
		{"small-anthropic-to-openai", small, anthropic, openAI},
		{"100k-openai-to-anthropic", large, openAI, anthropic},
		{"100k-anthropic-to-openai", large, anthropic, openAI},
		{"burst-openai-to-anthropic", burst, openAI, anthropic},
		{"burst-anthropic-to-openai", burst, anthropic, openAI},
	} {
		b.Run(x.name, func(b *testing.B) {
			vendor := map[tongue]string{openAI: "openai-", anthropic: "anthropic-"}[x.to]
			l := x.shape.load(vendor+x.shape.model, x.from, x.to)
			hammer(b, addr, l)
		})
	}
}

func hammer(b *testing.B, addr string, l *load) {
	t := &tally{}
	warm := &client{addr: addr, l: l, t: t}
	warm.once()
	warm.close()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		c := &client{addr: addr, l: l, t: t}
		defer c.close()
		for pb.Next() {
			c.once()
		}
	})
	if why := t.why.Load(); why != nil {
		b.Fatalf("%d wrong: %s", t.Wrong, *why)
	}
}

func localMock(b *testing.B) string {
	l, err := loopback(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go newMock().listen(l)
	return l.Addr().String()
}

func localPlenum(b *testing.B, mock string) string {
	dir := b.TempDir()
	addr, err := freeAddr()
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(dir, "plenum.yaml")
	if err := os.WriteFile(file, []byte(plenumConf(addr, dir, mock)), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := app.Command(app.Parts{Dialects: all.Dialects(), Providers: all.Providers()})
	cmd.SetArgs([]string{"serve", "--config", file})
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	cmd.SetErr(log)
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(ctx) }()
	b.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				b.Error(err)
			}
		case <-time.After(20 * time.Second):
			b.Error("Plenum did not stop")
		}
		log.Close()
	})
	if err := reachable(addr); err != nil {
		b.Fatal(err)
	}
	return addr
}
