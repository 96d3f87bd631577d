// Package metric counts calls for Prometheus.
package metric

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	plenum "github.com/plenum-foundry/plenum"
)

// Metrics holds the counters of one node. It is told of every call by the audit stage.
type Metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	tokens   *prometheus.CounterVec
	cost     *prometheus.CounterVec
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	first    *prometheus.HistogramVec
	reloads  *prometheus.CounterVec
}

// The buckets of durations, in seconds: answers take from milliseconds to many minutes.
var durations = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900}

// New returns the metrics of a node. What others count is read when it is asked for.
func New(inFlight func() float64, transcripts func() (kept, dropped int64)) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls:    counter("plenum_calls_total", "Calls that have ended.", "deployment", "dialect", "outcome", "status"),
		tokens:   counter("plenum_tokens_total", "Tokens consumed, by disjoint class.", "deployment", "provider", "class"),
		cost:     counter("plenum_cost_micros_total", "Cost in millionths of a US dollar.", "deployment", "provider"),
		attempts: counter("plenum_attempts_total", "Attempts at targets.", "provider", "result"),
		duration: histogram("plenum_call_duration_seconds", "From the request to the end of the answer."),
		first:    histogram("plenum_first_content_seconds", "From the request to the first content of the answer."),
		reloads:  counter("plenum_config_reloads_total", "Attempts to take a changed configuration over.", "result"),
	}
	m.registry.MustRegister(m.calls, m.tokens, m.cost, m.attempts, m.duration, m.first, m.reloads,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "plenum_calls_in_flight", Help: "Calls under way."}, inFlight),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "plenum_transcripts_kept_total", Help: "Transcripts of calls that were kept."},
			func() float64 { kept, _ := transcripts(); return float64(kept) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "plenum_transcripts_dropped_total", Help: "Transcripts of calls that were lost, since the store did not take them in time."},
			func() float64 { _, dropped := transcripts(); return float64(dropped) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: durations}, []string{"deployment"})
}

// Observe counts a call that has ended.
func (m *Metrics) Observe(r *plenum.Record) {
	m.calls.WithLabelValues(r.Deployment, r.Dialect, string(r.Outcome), strconv.Itoa(r.Status)).Inc()
	if r.Deployment == "" {
		return
	}
	m.duration.WithLabelValues(r.Deployment).Observe(float64(r.End-r.Start) / 1e6)
	if r.FirstByte > 0 {
		m.first.WithLabelValues(r.Deployment).Observe(float64(r.FirstByte) / 1e6)
	}
	for i := range r.Attempts {
		m.attempt(r.Deployment, &r.Attempts[i])
	}
}

func (m *Metrics) attempt(deployment string, a *plenum.Attempt) {
	result := "ok"
	if a.ErrorKind != "" {
		result = string(a.ErrorKind)
	}
	m.attempts.WithLabelValues(a.Provider, result).Inc()
	for class, n := range a.Usage.Classes() {
		if n > 0 {
			m.tokens.WithLabelValues(deployment, a.Provider, string(class)).Add(float64(n))
		}
	}
	if a.Cost > 0 {
		m.cost.WithLabelValues(deployment, a.Provider).Add(float64(a.Cost))
	}
}

// Reloaded counts an attempt to take a changed configuration over.
func (m *Metrics) Reloaded(ok bool) {
	if ok {
		m.reloads.WithLabelValues("ok").Inc()
	} else {
		m.reloads.WithLabelValues("refused").Inc()
	}
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
