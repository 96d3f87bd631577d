// Command records fills a store with made-up records of calls, through the same door as a node does, and measures how
// fast reports are answered from them.
//
//	go run ./bench/records -store /srv/scratch/plenum.db
//	go run ./bench/records -store postgres://plenum@localhost/scale
//	go run ./bench/records -store ... -calls 0     only ask what is there
//	go run ./bench/records -store ... -sums        keep the sums and not the records, as if those had been kept for some time only
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/report"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/postgres"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

// What there is: as many as a large company has.
const (
	projects    = 1000
	keys        = 10_000
	deployments = 5000
	offers      = 60
	days        = 30
)

func main() {
	where := flag.String("store", "", "a file for SQLite, or the address of a PostgreSQL")
	calls := flag.Int("calls", 10_000_000, "how many calls to make up")
	sums := flag.Bool("sums", false, "keep no records")
	batch := flag.Int("batch", 5000, "how many the store is given at once")
	flag.Parse()
	if err := run(context.Background(), *where, *calls, *batch, *sums); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, where string, calls, batch int, sums bool) error {
	s, err := open(ctx, where)
	if err != nil {
		return err
	}
	defer s.Close()
	if calls == 0 {
		if err := pack(ctx, s); err != nil {
			return err
		}
	} else {
		began := time.Now()
		how := fill
		if sums {
			how = fillSums
		}
		if err := how(ctx, s, calls, batch); err != nil {
			return err
		}
		took := time.Since(began)
		if err := pack(ctx, s); err != nil {
			return err
		}
		fmt.Printf("filled       %d calls in %v, %.0f in a second; at most %d MB of memory\n", calls, took.Round(time.Second), float64(calls)/took.Seconds(), peak())
	}
	if st, err := os.Stat(where); err == nil {
		fmt.Printf("size         %d MB\n", st.Size()>>20)
	}
	return ask(ctx, s)
}

func open(ctx context.Context, where string) (store.Store, error) {
	if strings.HasPrefix(where, "postgres") {
		return postgres.Open(ctx, plenum.NewSecret(where))
	}
	return sqlite.Open(ctx, where)
}

// pack packs the days that are over, as a node does once each is.
func pack(ctx context.Context, s store.Store) error {
	days, err := s.Days(ctx)
	if err != nil {
		return err
	}
	began, n := time.Now(), 0
	var longest time.Duration
	for _, d := range store.Unpacked(days, end().Unix()/3600) {
		one := time.Now()
		if _, err := s.Pack(ctx, d); err != nil {
			return err
		}
		n++
		longest = max(longest, time.Since(one))
	}
	fmt.Printf("packed       %d days in %v, the longest in %v\n", n, time.Since(began).Round(time.Millisecond), longest.Round(time.Millisecond))
	return nil
}

// end is when the made-up calls end.
func end() time.Time { return time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC) }

// fill makes up calls in the order of their time, of which some keys make many and most few.
func fill(ctx context.Context, s store.Store, calls, batch int) error {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 20, keys-1)
	begin := end().AddDate(0, 0, -days).UnixMicro()
	step := int64(days*24*time.Hour/time.Microsecond) / int64(calls)
	entries := make([]ledger.Entry, 0, batch)
	for i := range calls {
		c := call(r, int(zipf.Uint64()), i, begin+int64(i)*step)
		body, err := json.Marshal(&c)
		if err != nil {
			return err
		}
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(i))
		entries = append(entries, ledger.Entry{Node: "made-up", Seq: uint64(i), Kind: ledger.KindCall, Chain: sha256.Sum256(n[:]), Body: body})
		if len(entries) == batch || i == calls-1 {
			if err := s.Append(ctx, entries); err != nil {
				return err
			}
			entries = entries[:0]
		}
		if i%1_000_000 == 999_999 {
			log.Printf("%d calls", i+1)
		}
	}
	return nil
}

// fillSums makes up the same calls, and keeps their sums alone.
func fillSums(ctx context.Context, s store.Store, calls, batch int) error {
	to, ok := s.(interface {
		AddSums(ctx context.Context, t *store.Tally) error
	})
	if !ok {
		return errors.New("this store takes no sums")
	}
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 20, keys-1)
	begin := end().AddDate(0, 0, -days).UnixMicro()
	step := int64(days*24*time.Hour/time.Microsecond) / int64(calls)
	var t store.Tally
	for i := range calls {
		c := call(r, int(zipf.Uint64()), i, begin+int64(i)*step)
		row := store.RowOfRecord(&c)
		t.Add(&row)
		if (i+1)%batch == 0 || i == calls-1 {
			if err := to.AddSums(ctx, &t); err != nil {
				return err
			}
			t = store.Tally{}
		}
		if i%1_000_000 == 999_999 {
			log.Printf("%d calls", i+1)
		}
	}
	return nil
}

// call makes one call up.
func call(r *rand.Rand, key, n int, at int64) plenum.Record {
	project := key % projects
	c := plenum.Record{
		ID: fmt.Sprintf("req_%022d", n), Start: at, End: at + 200_000 + r.Int64N(4_000_000), Op: llm.OpGenerate, Dialect: "openai",
		KeyID: fmt.Sprintf("key_%05d", key), Project: fmt.Sprintf("project-%03d", project), Outcome: plenum.OutcomeOK, Status: 200,
		Deployment: fmt.Sprintf("deployment-%04d", (project*5+r.IntN(1+key%3))%deployments),
	}
	if key%2 == 0 {
		c.Member = fmt.Sprintf("member-%04d", key%3000)
	}
	if project%3 == 0 {
		c.Tags = fmt.Sprintf("env=%s,team=team-%02d", []string{"dev", "prod"}[r.IntN(2)], project%40)
	}
	if r.IntN(50) == 0 {
		c.Add(attempt(r, (project+1)%offers, 1, false))
	}
	c.Add(attempt(r, (project+r.IntN(2))%offers, len(c.Attempts)+1, true))
	c.Target = c.Attempts[len(c.Attempts)-1].Target
	return c
}

func attempt(r *rand.Rand, offer, n int, won bool) plenum.Attempt {
	hosts := []string{"openai", "azure", "anthropic", "bedrock", "gemini", "vertex", "xai", "mistral"}
	model := offer % 20
	a := plenum.Attempt{
		N: n, Provider: hosts[offer%len(hosts)], Upstream: fmt.Sprintf("model-%02d", model), Won: won, Priced: true,
		Model: fmt.Sprintf("%s/model-%02d", hosts[model%len(hosts)], model), Region: []string{"", "eastus", "eu-central-1"}[offer%3],
	}
	a.Target = a.Provider + "/" + a.Upstream
	if won {
		a.Usage = plenum.Tokens{Input: r.Int64N(4000), CacheRead: r.Int64N(2000), Output: r.Int64N(900)}
	}
	p := plenum.Price{Known: true, Input: plenum.Rate(1e6 * (1 + model)), CacheRead: 100_000, Output: plenum.Rate(4e6 * (1 + model))}
	u := llm.Usage{Input: a.Usage.Input, CacheRead: a.Usage.CacheRead, Output: a.Usage.Output}
	a.Cost, a.Costs = p.Cost(u), p.Split(u)
	return a
}

// ask asks for reports that people ask for, each twice: the second time shows what a warm cache makes of it.
func ask(ctx context.Context, s store.Store) error {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		return err
	}
	month := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		name string
		q    report.Query
	}{
		{"this month, by project, the top 20", report.Query{By: []string{"project"}, From: month, Top: 20}},
		{"30 days, by day and model", report.Query{By: []string{"model"}, Per: report.PerDay}},
		{"30 days, by key, the top 50", report.Query{By: []string{"key"}, Top: 50}},
		{"30 days, one project by day, member and model", report.Query{By: []string{"member", "model"}, Per: report.PerDay, Filter: map[string][]string{"project": {"project-003"}}}},
		{"30 days, by week and team, all measures", report.Query{By: []string{"tag:team"}, Per: report.PerWeek, Measures: report.Measures()}},
		{"30 days, by day in Tokyo, vendor and host", report.Query{By: []string{"publisher", "provider"}, Per: report.PerDay, Zone: tokyo}},
	} {
		var took [2]time.Duration
		var lines int
		var total report.Line
		for i := range took {
			began := time.Now()
			r, err := report.Run(ctx, s, x.q, end())
			if err != nil {
				return err
			}
			took[i], lines, total = time.Since(began), len(r.Lines), r.Total
		}
		fmt.Printf("%6.2f s %6.2f s  %-48s %6d lines, %d calls, %s USD\n", took[0].Seconds(), took[1].Seconds(), x.name, lines, total.Calls, total.CostUSD)
	}
	fmt.Printf("memory       at most %d MB\n", peak())
	return nil
}

// peak returns the most memory that the process has had, in megabytes; 0 where the system does not tell.
func peak() (mb int) {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.SplitSeq(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, _ = fmt.Sscan(rest, &mb)
		}
	}
	return mb >> 10
}
