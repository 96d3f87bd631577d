package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// scenario is one kind of traffic and the targets it is sent to.
type scenario struct {
	name   string
	title  string
	kind   kind
	goal   float64 // the most CPU as a ratio to nginx, or for a crossing to the same dialect; 0 is none
	base   string  // the run that the others are compared with
	runs   []runner
	stream bool
}

type kind int

const (
	cpuPerRequest kind = iota
	cpuPerChunk
	latency
	memory
)

// runner is one way of sending a scenario's traffic.
type runner struct {
	name   string
	target *target
	load   *load
}

// shape is what a scenario's requests look like, before it is known whom they go to.
type shape struct {
	model  string
	prompt int
	image  int
	flight int
}

func (s shape) style() style {
	for _, st := range styles() {
		if st.model == s.model {
			return st
		}
	}
	panic("no style " + s.model)
}

// load returns what is sent: from is the tongue of the caller and to that of the upstream.
func (s shape) load(model string, from, to tongue) *load {
	st := s.style()
	a := to.answer(st)
	return &load{
		form:   ask{tongue: from, model: model, prompt: s.prompt, image: s.image, stream: st.stream}.form(),
		answer: a, want: a.whole(), path: from.path(), tongue: from, cross: from != to, flight: s.flight,
	}
}

func scenarios(b *bed) []scenario {
	small := shape{model: "unary", prompt: 200, flight: 64}
	large := shape{model: "unary", prompt: 100_000, flight: 16}
	image := shape{model: "unary", prompt: 1000, image: 1 << 20, flight: 8}
	paced := shape{model: "paced", prompt: 200, flight: 64}
	burst := shape{model: "burst", prompt: 200, flight: 16}
	held := shape{model: "held", prompt: 200, flight: 256}
	list := []scenario{
		b.beside("memory", "256 in flight, held 100 ms", memory, 0, held),
		b.beside("small", "0.3 KB, 64 in flight", cpuPerRequest, 4, small),
		b.beside("100k", "100 KB, 16 in flight", cpuPerRequest, 2.5, large),
		b.beside("image", "1 MB with an image, 8 in flight", cpuPerRequest, 1.6, image),
		b.beside("paced", "stream, an event each 20 ms, 64 in flight", cpuPerChunk, 2, paced),
		b.beside("burst", "stream, 200 events at once, 16 in flight", cpuPerRequest, 1.6, burst),
		b.beside("rate", "0.3 KB, 200 a second", latency, 1.5, shape{model: "unary", prompt: 200, flight: 32}),
	}
	for _, x := range []struct {
		name, title string
		kind        kind
		shape       shape
	}{
		{"cross-small", "0.3 KB", cpuPerRequest, small},
		{"cross-100k", "100 KB", cpuPerRequest, large},
		{"cross-image", "1 MB with an image", cpuPerRequest, image},
		{"cross-paced", "paced stream", cpuPerChunk, paced},
		{"cross-burst", "burst stream", cpuPerRequest, burst},
	} {
		list = append(list, b.across(x.name, x.title, x.kind, x.shape))
	}
	return list
}

// beside sends the same to every target.
func (b *bed) beside(name, title string, k kind, goal float64, s shape) scenario {
	sc := scenario{name: name, title: title, kind: k, goal: goal, base: "nginx", stream: s.style().stream}
	if k == latency {
		sc.base = "direct"
	}
	own := s.load(s.model, openAI, openAI)
	sc.runs = append(sc.runs, runner{"direct", b.direct, own})
	if b.nginx != nil {
		sc.runs = append(sc.runs, runner{"nginx", b.nginx, own})
	}
	if b.bare != nil {
		sc.runs = append(sc.runs, runner{bareName, b.bare, own})
	}
	ours := s.load("openai-"+s.model, openAI, openAI)
	if b.before != nil {
		sc.runs = append(sc.runs, runner{"before", b.before, ours})
	}
	if b.many != nil {
		sc.runs = append(sc.runs, runner{b.many.name, b.many, ours})
	}
	sc.runs = append(sc.runs, runner{"plenum", b.plenum, ours})
	return sc
}

// across compares the crossings between dialects with staying in each.
func (b *bed) across(name, title string, k kind, s shape) scenario {
	sc := scenario{name: name, title: title, kind: k, goal: 2, base: "openai", stream: s.style().stream}
	for _, r := range []struct {
		name, model string
		from, to    tongue
	}{
		{"openai", "openai-", openAI, openAI},
		{"anthropic", "anthropic-", anthropic, anthropic},
		{"openai to anthropic", "anthropic-", openAI, anthropic},
		{"anthropic to openai", "openai-", anthropic, openAI},
	} {
		sc.runs = append(sc.runs, runner{r.name, b.plenum, s.load(r.model+s.model, r.from, r.to)})
	}
	return sc
}

// sample is one measurement.
type sample struct {
	Requests int64
	Chunks   int64
	Wrong    int64
	Why      string  `json:",omitempty"`
	CPU      float64 // microseconds for each request or chunk
	PerSec   float64
	P50, P99 float64 // milliseconds
	RSS      float64 // MB, the most seen
}

// measure runs a scenario, its targets in a new order each round.
func measure(ctx context.Context, s scenario, rep *report) error {
	res := &result{Name: s.name, Title: s.title, Goal: s.goal, Base: s.base, kind: s.kind, Samples: map[string][]sample{}}
	for _, r := range s.runs {
		res.order = append(res.order, r.name)
	}
	for round := range rep.plan.rounds {
		for i := range s.runs {
			r := s.runs[(i+round)%len(s.runs)]
			x, err := s.once(ctx, r, rep.plan)
			if err != nil {
				return err
			}
			res.Samples[r.name] = append(res.Samples[r.name], x)
			if x.Wrong > 0 {
				fmt.Fprintf(os.Stderr, "bench: %s through %s: %d wrong: %s\n", s.name, r.name, x.Wrong, x.Why)
			}
		}
	}
	rep.add(res)
	return nil
}

// once measures one target in one round.
func (s *scenario) once(ctx context.Context, r runner, p plan) (sample, error) {
	addr := r.target.at(s.stream)
	if s.kind == latency {
		return s.timed(open(ctx, addr, r.load, 200, 2*p.each), 0, 0), nil
	}
	// A stream's length is its own warming up.
	if !s.stream {
		closed(ctx, addr, r.load, p.warm)
	}
	before, err := r.target.usage()
	if err != nil {
		return sample{}, err
	}
	watch := watchMemory(r.target)
	began := time.Now()
	t := closed(ctx, addr, r.load, p.each)
	took := time.Since(began)
	rss := watch()
	after, err := r.target.usage()
	if err != nil {
		return sample{}, err
	}
	x := s.timed(t, after.cpu-before.cpu, took)
	x.RSS = float64(rss) / 1e6
	return x, nil
}

func (s *scenario) timed(t *tally, cpu, took time.Duration) sample {
	x := sample{Requests: t.Requests, Chunks: t.Chunks, Wrong: t.Wrong}
	if why := t.why.Load(); why != nil {
		x.Why = *why
	}
	per := t.Requests
	if s.kind == cpuPerChunk {
		per = t.Chunks
	}
	if per > 0 {
		x.CPU = float64(cpu.Microseconds()) / float64(per)
	}
	if took > 0 {
		x.PerSec = float64(per) / took.Seconds()
	}
	x.P50, x.P99 = t.quantile(0.5).Seconds()*1e3, t.quantile(0.99).Seconds()*1e3
	return x
}

func (t *target) usage() (usage, error) {
	if t.pid == 0 {
		return usage{}, nil
	}
	return tree(t.pid)
}

// watchMemory samples a target's memory until the returned function is called, which returns the most.
func watchMemory(t *target) func() int64 {
	if t.pid == 0 {
		return func() int64 { return 0 }
	}
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		var high int64
		for {
			if u, err := tree(t.pid); err == nil {
				high = max(high, u.rss)
			}
			select {
			case <-stop:
				most <- high
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-most
	}
}
