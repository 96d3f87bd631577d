// Command bench measures what Plenum costs, beside nginx's proxy_pass and no gateway at all.
//
//	go run ./bench              a full run, about five minutes
//	go run ./bench -quick       under a minute, for a first look
//	go run ./bench -only small  some scenarios
//	go run ./bench -pairs       from every dialect to every other
//	go run ./bench -many        also a Plenum with 10,000 keys, 1,000 projects and 5,000 deployments
//
// It starts an upstream of its own on the loopback interface and asks it the same questions directly,
// through nginx and through Plenum, in alternation: what counts is the ratio within a round, since other
// work on the machine moves the absolute figures of all of them. CPU is the user and system time of the
// target's whole process tree. Plenum runs as in production: it authenticates, meters, writes ledger, audit
// and metrics, and logs each call. Every answer is checked byte for byte, or by its text where it crossed
// from one dialect to the other.
//
// The figures are printed as a table and written to bench/results as Markdown and JSON. Nothing here fails
// because something was slow; wrong answers do fail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	quick   bool
	only    string
	rounds  int
	seconds float64
	out     string
	profile string
	nginx   string
	plenum  string
	against string
	bare    bool
	many    bool
	pairs   bool
	page    string
	from    string
	to      string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == mockRole {
		exit(serveMock())
		return
	}
	if len(os.Args) > 1 && os.Args[1] == vendorsRole {
		exit(serveVendors())
		return
	}
	if len(os.Args) > 2 && os.Args[1] == proxyRole {
		exit(serveProxy(os.Args[2]))
		return
	}
	var o options
	flag.BoolVar(&o.quick, "quick", false, "few and short rounds")
	flag.StringVar(&o.only, "only", "", "comma-separated `scenarios`; all if empty")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds; 0 is as the mode says")
	flag.Float64Var(&o.seconds, "seconds", 0, "of each measurement; 0 is as the mode says")
	flag.StringVar(&o.out, "out", "bench/results", "`directory` for the reports")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of Plenum to this `file`; its figures are then a little higher")
	flag.StringVar(&o.nginx, "nginx", "nginx", "the nginx `binary`; without one there are no ratios")
	flag.StringVar(&o.plenum, "plenum", "", "the plenum `binary`; built if empty")
	flag.StringVar(&o.against, "against", "", "another plenum `binary`, measured beside: what it was before a change")
	flag.BoolVar(&o.bare, "bare", false, "also measure Go's own reverse proxy, which does none of a gateway's work")
	flag.BoolVar(&o.many, "many", false, "also measure a Plenum with 10,000 keys, 1,000 projects and 5,000 deployments")
	flag.BoolVar(&o.pairs, "pairs", false, "measure the way from every dialect to every other instead, about ten minutes")
	flag.StringVar(&o.from, "from", "", "with -pairs: comma-separated `dialects` of callers; all if empty")
	flag.StringVar(&o.to, "to", "", "with -pairs: comma-separated `dialects` of vendors; all if empty")
	flag.StringVar(&o.page, "page", "", "the `file` into which the table of -pairs is written, between its marks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is how much is measured.
type plan struct {
	rounds int
	each   time.Duration
	warm   time.Duration
}

func (o options) plan() plan {
	p := plan{rounds: 5, each: 1500 * time.Millisecond, warm: 250 * time.Millisecond}
	if o.quick {
		p = plan{rounds: 2, each: 350 * time.Millisecond, warm: 100 * time.Millisecond}
	}
	if o.rounds > 0 {
		p.rounds = o.rounds
	}
	if o.seconds > 0 {
		p.each = time.Duration(o.seconds * float64(time.Second))
	}
	return p
}

// leaves reports whether a scenario is left out: it was not asked for, or is too slow for a quick look.
func (o options) leaves(name string) bool {
	if o.only != "" {
		return !listed(o.only, name)
	}
	return o.quick && strings.Contains(name, "image")
}

// listed reports whether a list has a name; an empty one has all.
func listed(list, name string) bool {
	return list == "" || strings.Contains(","+list+",", ","+name+",")
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "plenum-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.pairs {
		b := &bed{}
		defer b.close()
		return runPairs(ctx, o, b, dir)
	}
	began := time.Now()
	bed, err := setUp(ctx, o, dir)
	if bed != nil {
		defer bed.close()
	}
	if err != nil {
		return err
	}
	rep := &report{Began: began, plan: o.plan()}
	for _, s := range scenarios(bed) {
		if o.leaves(s.name) {
			continue
		}
		if err := measure(ctx, s, rep); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	rep.Took = time.Since(began)
	rep.peak()
	if err := rep.write(o.out); err != nil {
		return err
	}
	if rep.wrong() > 0 {
		return errors.New("some answers were wrong: see the table")
	}
	return bed.agree()
}
