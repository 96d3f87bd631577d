package store

import (
	"context"
	"fmt"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/ledger"
)

// Records are the ended calls and the usage summed from them.
//
// Every entry of the ledger is kept as it was written, so that the chain can be proved; see Verify. A
// call counts once: should its id come a second time (a restored copy settles as lost what the original
// has ended), the record that tells how it really ended counts, and the other is kept for the proof.
type Records interface {
	ledger.Sink
	// Call returns the record of a call, or ErrNotFound.
	Call(ctx context.Context, id string) (plenum.Record, error)
	// Calls returns records, the latest first.
	Calls(ctx context.Context, f Filter) ([]plenum.Record, error)
	// Usage returns sums over a window, ordered by name.
	Usage(ctx context.Context, q UsageQuery) ([]Usage, error)
	// Charges returns what the counted records spent of accounts, in slots that begin at a moment or after (Unix
	// milliseconds) and in slot 0, which is that of windows without an end.
	Charges(ctx context.Context, since int64) ([]plenum.Charge, error)
	// Audits returns entries of the audit, the latest first.
	Audits(ctx context.Context, f AuditFilter) ([]ledger.Audit, error)
	// Entries returns what the ledger sent, ordered by node, seq and chain, from the one after on.
	Entries(ctx context.Context, after ledger.Entry, limit int) ([]ledger.Entry, error)
}

// Filter chooses among calls. A zero field chooses all.
type Filter struct {
	Project    string
	KeyID      string
	Deployment string
	From, To   int64 // of the start, in Unix microseconds; To is not included
	Before     int64 // the start of the last one on the page before
	BeforeID   string
	Limit      int // 0 is 100
}

// Each hands the calls that a filter chooses to a function, the latest first, until it returns false, without holding
// them all.
func Each(ctx context.Context, s Records, f Filter, do func(*plenum.Record) bool) error {
	f.Limit = 1000
	for {
		page, err := s.Calls(ctx, f)
		if err != nil {
			return fmt.Errorf("reading the calls: %w", err)
		}
		for i := range page {
			if !do(&page[i]) {
				return nil
			}
		}
		if len(page) < f.Limit {
			return nil
		}
		last := &page[len(page)-1]
		f.Before, f.BeforeID = last.Start, last.ID
	}
}

// Max returns the most calls to return.
func (f *Filter) Max() int {
	if f.Limit <= 0 {
		return 100
	}
	return f.Limit
}

// AuditFilter chooses among the entries of the audit. A zero field chooses all.
type AuditFilter struct {
	Project, Organization string

	Actor    string
	Noun     string
	Decision ledger.Decision
	From, To int64 // Unix microseconds; To is not included
	Before   int64 // the time of the last one on the page before
	BeforeID string
	Limit    int // 0 is 100
}

// Max returns the most entries to return.
func (f *AuditFilter) Max() int {
	if f.Limit <= 0 {
		return 100
	}
	return f.Limit
}

// By is what usage is summed by.
type By string

// The ways to sum usage.
const (
	ByNothing    By = "" // one sum of all
	ByProject    By = "project"
	ByKey        By = "key"
	ByDeployment By = "deployment"
)

// UsageQuery chooses what is summed. A zero field chooses all.
//
// Usage is kept by the hour in which a call started: the window is widened to whole hours (UTC).
type UsageQuery struct {
	By         By
	Project    string
	KeyID      string
	Deployment string
	From, To   int64 // Unix microseconds; To is not included
}

// Hours returns the first hour of the window and the one after its last.
func (q *UsageQuery) Hours() (from, to int64) {
	from, to = hourOf(q.From), 1<<62
	if q.To != 0 {
		to = hourOf(q.To - 1 + hour)
	}
	return from, to
}

// Usage is the sum of some calls.
type Usage struct {
	Name string // the project, key or deployment
	Sum
}

// Sum adds up calls.
type Sum struct {
	Calls     int64
	Errors    int64 // ended in an error, or lost
	Unpriced  int64 // used tokens whose price was not known
	Estimated int64
	Cost      plenum.Micros
	Tokens    plenum.Tokens
}

// SumColumns are the columns that a Sum is kept in, in the order of its Values.
const SumColumns = "calls, errors, unpriced, estimated, cost_micros, input, cache_read, cache_write_5m, " +
	"cache_write_1h, input_audio, input_image, output, reasoning, output_audio, output_image, searches, images, characters, seconds"

// fields returns pointers to the values of a sum, in the order of SumColumns.
func (s *Sum) fields() [19]*int64 {
	t := &s.Tokens
	return [...]*int64{
		&s.Calls, &s.Errors, &s.Unpriced, &s.Estimated, (*int64)(&s.Cost), &t.Input, &t.CacheRead,
		&t.CacheWrite5m, &t.CacheWrite1h, &t.InputAudio, &t.InputImage, &t.Output, &t.Reasoning,
		&t.OutputAudio, &t.OutputImage, &t.Searches, &t.Images, &t.Characters, &t.Seconds,
	}
}

// Values returns the values of the columns.
func (s *Sum) Values() []any {
	f := s.fields()
	vs := make([]any, len(f))
	for i, p := range f {
		vs[i] = *p
	}
	return vs
}

// Pointers returns where the columns are scanned to.
func (s *Sum) Pointers() []any {
	f := s.fields()
	ps := make([]any, len(f))
	for i, p := range f {
		ps[i] = p
	}
	return ps
}

// add adds n times another sum.
func (s *Sum) add(o *Sum, n int64) {
	to, from := s.fields(), o.fields()
	for i := range to {
		*to[i] += n * *from[i]
	}
}
