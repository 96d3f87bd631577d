package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/app"
	"github.com/plenum-foundry/plenum/internal/testkit"
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

// bounds are two budgets and three limits that hold for every call and refuse none.
const bounds = `budgets:
  - {name: company, amount_usd: 1000000}
  - {name: each key, per: key, amount_usd: 1000000, window: 24h}
limits:
  - {name: often, per: key, counts: requests, amount: 100000000}
  - {name: much, counts: tokens, amount: 1000000000000, window: day}
  - {name: at once, counts: concurrent, amount: 100000}
`

// BenchmarkBounds tells what budgets and limits cost a call: none, those kept in memory, in a Valkey server on the same machine, and with shares of
// those put by for when it is away.
//
//	go test ./bench -run '^$' -bench Bounds
func BenchmarkBounds(b *testing.B) {
	for _, x := range []struct{ name, more string }{
		{"none", ""},
		{"memory", bounds},
		{"valkey", bounds + "valkey: %q\n"},
		{"shares", bounds + "valkey: %q\nvalkey_away: {mode: share}\n"},
	} {
		b.Run(x.name, func(b *testing.B) {
			more := x.more
			if strings.Contains(more, "%q") {
				more = fmt.Sprintf(more, testkit.Valkey(b))
			}
			mock := localMock(b)
			addr := localPlenumWith(b, mock, more)
			for name, s := range map[string]shape{"small": {model: "unary", prompt: 200}, "burst": {model: "burst", prompt: 200}} {
				b.Run(name, func(b *testing.B) { hammer(b, addr, s.load("openai-"+s.model, openAI, openAI)) })
			}
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

func localPlenum(b *testing.B, mock string) string { return localPlenumWith(b, mock, "") }

// localPlenumWith starts one with more in its configuration.
func localPlenumWith(b *testing.B, mock, more string) string {
	dir := b.TempDir()
	addr, err := freeAddr()
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(dir, "plenum.yaml")
	conf := strings.ReplaceAll(plenumConf(addr, dir, mock), "price: {", "context: 200000, max_output: 4096, price: {")
	if err := os.WriteFile(file, []byte(conf+more), 0o600); err != nil {
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
