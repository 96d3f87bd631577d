package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum"
)

// Rollups are the sums that reports are made from: of every mix of what a call has to do with, by the hour. They are kept
// with the records, in one transaction, so that a record which comes twice counts once, and they stay when records go.
// Those of a day that is over are packed besides (see Pack): so they are read a hundred times as fast.
type Rollups interface {
	// Mixes hands every mix to a function, with some of MixColumns, or all where none are named.
	Mixes(ctx context.Context, columns []string, do func(id int64, m *Mix) error) error
	// Rollup hands sums of hours to a function, which must not keep the values: they are those of the query's columns.
	Rollup(ctx context.Context, q RollupQuery, do func(slot, mix int64, values []int64) error) error
	// Days returns the days that there are sums of, in their order. What is not packed is to be had by the hour alone.
	Days(ctx context.Context) ([]DaySums, error)
	// Pack packs the sums of a day. It is false where somebody added to the day meanwhile: it is to be tried again later. It
	// keeps nobody waiting: what takes long only reads.
	Pack(ctx context.Context, day int64) (bool, error)
	// Packed returns the pack of a day with some of the columns of a Share; ErrNotFound where there is none. It may lack what
	// was added since Days said that the day is packed.
	Packed(ctx context.Context, day int64, columns []string) (*Pack, error)
	// Lag returns the hours in which fewer calls are summed than in the usage, because another release kept them.
	Lag(ctx context.Context) ([]int64, error)
	// Hours returns the hours of which there are records.
	Hours(ctx context.Context) ([]int64, error)
	// Rebuild sums the records of an hour anew; its day is not packed then. It is false where records of that hour
	// are gone: its sums stay.
	Rebuild(ctx context.Context, hour int64) (bool, error)
}

// Mix is all that a call, or one of its attempts, is summed by, besides its time.
type Mix struct {
	Project, Member, Key, Deployment, Op, Dialect string
	// Target is the offer's id; Model its name in the catalog, Upstream the one at the connection.
	Target, Provider, Upstream, Model, Region string
	Tags                                      string
}

// MixColumns are the columns that a Mix is kept in, in the order of its Fields.
const MixColumns = "project, member, key, deployment, op, dialect, target, provider, upstream, model, region, tags"

// Fields returns pointers to what a mix is made of.
func (m *Mix) Fields() []*string {
	return []*string{
		&m.Project, &m.Member, &m.Key, &m.Deployment, &m.Op, &m.Dialect,
		&m.Target, &m.Provider, &m.Upstream, &m.Model, &m.Region, &m.Tags,
	}
}

// Some returns pointers to some of MixColumns: of all, with their names, where none are named.
func (m *Mix) Some(columns []string) ([]string, []*string, error) {
	all, fields := strings.Split(MixColumns, ", "), m.Fields()
	if len(columns) == 0 {
		return all, fields, nil
	}
	some := make([]*string, 0, len(columns))
	for _, c := range columns {
		i := slices.Index(all, c)
		if i < 0 {
			return nil, nil, fmt.Errorf("there is no %q that usage is summed by", c)
		}
		some = append(some, fields[i])
	}
	return columns, some, nil
}

// ID returns the number that a mix goes by: the same on every node, with nobody to hand it out.
func (m *Mix) ID() int64 {
	h := sha256.New()
	var size [4]byte
	for _, f := range m.Fields() {
		binary.BigEndian.PutUint32(size[:], uint32(len(*f)))
		h.Write(size[:])
		h.Write([]byte(*f))
	}
	var sum [sha256.Size]byte
	return int64(binary.BigEndian.Uint64(h.Sum(sum[:0])) >> 1)
}

// coarse returns the mix without what there is most of: who called, and what for.
func (m *Mix) coarse() Mix {
	c := *m
	c.Member, c.Key, c.Tags = "", "", ""
	return c
}

// Coarse reports whether a mix is one that coarse sums are of.
func (m *Mix) Coarse() bool { return m.Member == "" && m.Key == "" && m.Tags == "" }

// Connection returns the connection of the target.
func (m *Mix) Connection() string {
	return strings.TrimSuffix(strings.TrimSuffix(m.Target, m.Upstream), "/")
}

// Publisher returns whose model it is; "" where the catalog does not know the model.
func (m *Mix) Publisher() string {
	p, _, ok := strings.Cut(m.Model, "/")
	if !ok {
		return ""
	}
	return p
}

// MostTagSets is how many different sets of tags of one project are summed one by one; OtherTags stands for those
// beyond it. A caller that puts a different tag on every call makes no table grow with its calls.
const (
	MostTagSets = 1000
	OtherTags   = "(other)"
)

// Share is what is summed: of calls, where they ended, and of their attempts, where those were made.
type Share struct {
	Sum
	Attempts int64 // with tokens or a cost
	Refused  int64
	Costs    plenum.Costs // the parts of Cost that are known by class
	Took     [Buckets]int64
}

// Buckets is how many lengths of time calls are told apart by; see BucketEnd.
const Buckets = 14

// firstBucket is where the first bucket ends.
const firstBucket = 50 * time.Millisecond

// BucketEnd returns the time that the calls of a bucket took less than. Each is twice as long as the one before it,
// and the last takes all that is longer.
func BucketEnd(i int) time.Duration { return firstBucket << i }

// bucketOf returns the bucket of a time in microseconds.
func bucketOf(us int64) int {
	for i := range Buckets - 1 {
		if us < BucketEnd(i).Microseconds() {
			return i
		}
	}
	return Buckets - 1
}

// ShareColumns are the columns that a Share is kept in, in the order of its values.
const ShareColumns = SumColumns + ", attempts, refused, c_input, c_cache_read, c_cache_write_5m, c_cache_write_1h, c_input_audio, " +
	"c_input_image, c_output, c_reasoning, c_output_audio, c_output_image, c_searches, c_images, c_characters, c_seconds, " +
	"t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13"

// ShareWidth is how many columns that is.
const ShareWidth = 19 + 2 + 14 + Buckets

// fields returns pointers to the values of a share, in the order of ShareColumns.
func (s *Share) fields() [ShareWidth]*int64 {
	var out [ShareWidth]*int64
	sum := s.Sum.fields()
	n := copy(out[:], sum[:])
	c := &s.Costs
	n += copy(out[n:], []*int64{
		&s.Attempts, &s.Refused, &c.Input, &c.CacheRead, &c.CacheWrite5m, &c.CacheWrite1h, &c.InputAudio,
		&c.InputImage, &c.Output, &c.Reasoning, &c.OutputAudio, &c.OutputImage, &c.Searches, &c.Images, &c.Characters, &c.Seconds,
	})
	for i := range s.Took {
		out[n+i] = &s.Took[i]
	}
	return out
}

// Pointers returns where the columns are scanned to.
func (s *Share) Pointers() []any {
	fs := s.fields()
	out := make([]any, len(fs))
	for i, f := range fs {
		out[i] = f
	}
	return out
}

// Values returns the values of the columns.
func (s *Share) Values() []int64 {
	out := make([]int64, ShareWidth)
	for i, f := range s.fields() {
		out[i] = *f
	}
	return out
}

// add adds n times another share.
func (s *Share) add(o *Share, n int64) {
	to, from := s.fields(), o.fields()
	for i := range to {
		*to[i] += n * *from[i]
	}
}

// Span is a length of time that hours make.
type Span int

// The spans.
const (
	Hour Span = iota
	Day
	Month
)

// OpenSpan is a day or a month that was added to. The release before this one sums them up into rows of their own, and
// must know.
type OpenSpan struct {
	Span Span
	Slot int64
}

// The grains that sums are kept under.
const (
	grainFine   = 0
	grainCoarse = 1 // of mixes without member, key and tags
)

// Slot returns the first hour of the span that an hour is in, in hours since 1970 (UTC).
func (s Span) Slot(hour int64) int64 {
	switch s {
	case Hour:
	case Day:
		return hour - hour%hoursOfDay
	case Month:
		t := time.Unix(hour*3600, 0).UTC()
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).Unix() / 3600
	}
	return hour
}

// Next returns the slot after one.
func (s Span) Next(slot int64) int64 {
	switch s {
	case Hour:
	case Day:
		return slot + 24
	case Month:
		return s.Slot(slot + 32*24)
	}
	return slot + 1
}

// RollupQuery chooses sums.
type RollupQuery struct {
	Coarse   bool     // of mixes without member, key and tags
	From, To int64    // hours; To is not included
	Mixes    []int64  // nil is all
	Columns  []string // of ShareColumns
}

// Grain returns the number that the sums are kept under.
func (q *RollupQuery) Grain() int {
	if q.Coarse {
		return grainCoarse
	}
	return grainFine
}

// Check reports a column that there is not.
func (q *RollupQuery) Check() error {
	known := strings.Split(ShareColumns, ", ")
	for _, c := range q.Columns {
		if !slices.Contains(known, c) {
			return fmt.Errorf("there is no sum of %q", c)
		}
	}
	return nil
}

// Rolled is one sum as it is kept.
type Rolled struct {
	Grain int
	Slot  int64
	Mix   int64
	Share *Share
}

// rolls gathers the sums of some calls by hour and mix.
type rolls map[rollKey]*Share

type rollKey struct {
	hour int64
	mix  Mix
}

// count counts a call n times.
func (rs rolls) count(r *Row, n int64) {
	h := hourOf(r.Start)
	for i := range r.Shares {
		rs.at(h, &r.Shares[i].Mix).add(&r.Shares[i].Share, n)
	}
}

func (rs rolls) at(hour int64, m *Mix) *Share {
	k := rollKey{hour, *m}
	p := rs[k]
	if p == nil {
		p = new(Share)
		rs[k] = p
	}
	return p
}

// TagSets returns the sets of tags that calls were counted with, by project.
func (t *Tally) TagSets() map[string][]string {
	out := map[string][]string{}
	for k := range t.rolls {
		if k.mix.Tags != "" && k.mix.Tags != OtherTags && !slices.Contains(out[k.mix.Project], k.mix.Tags) {
			out[k.mix.Project] = append(out[k.mix.Project], k.mix.Tags)
		}
	}
	for _, sets := range out {
		slices.Sort(sets)
	}
	return out
}

// Untag counts the calls of a project with a set of tags among the others.
func (t *Tally) Untag(project string, sets map[string]bool) {
	for k, p := range t.rolls {
		if k.mix.Project == project && sets[k.mix.Tags] {
			delete(t.rolls, k)
			k.mix.Tags = OtherTags
			t.rolls.at(k.hour, &k.mix).add(p, 1)
		}
	}
}

// Rolled returns the sums by the hour, fine and coarse, in one order for everybody, the mixes that they are of, and the
// days and months that they are of.
func (t *Tally) Rolled() ([]Rolled, map[int64]Mix, []OpenSpan) {
	type place struct {
		grain     int
		slot, mix int64
	}
	sums, mixes, open := map[place]*Share{}, map[int64]Mix{}, map[OpenSpan]bool{}
	for k, p := range t.rolls {
		open[OpenSpan{Day, Day.Slot(k.hour)}], open[OpenSpan{Month, Month.Slot(k.hour)}] = true, true
		rough := k.mix.coarse()
		for _, m := range []*Mix{&k.mix, &rough} {
			id := m.ID()
			mixes[id] = *m
			at := place{grainFine, k.hour, id}
			if m == &rough {
				at.grain = grainCoarse
			}
			if sums[at] == nil {
				sums[at] = new(Share)
			}
			sums[at].add(p, 1)
		}
	}
	out := make([]Rolled, 0, len(sums))
	for at, p := range sums {
		out = append(out, Rolled{at.grain, at.slot, at.mix, p})
	}
	slices.SortFunc(out, func(a, b Rolled) int {
		return cmp.Or(cmp.Compare(a.Grain, b.Grain), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Mix, b.Mix))
	})
	spans := slices.SortedFunc(maps.Keys(open), func(a, b OpenSpan) int {
		return cmp.Or(cmp.Compare(a.Span, b.Span), cmp.Compare(a.Slot, b.Slot))
	})
	return out, mixes, spans
}

// RolledColumns returns the columns that are not zero in all of some sums, and their values, sum by sum: of the many
// classes of usage, calls know few.
func RolledColumns(rolled []Rolled) ([]string, [][]int64) {
	all := strings.Split(ShareColumns, ", ")
	used := make([]bool, len(all))
	values := make([][]int64, len(rolled))
	for i := range rolled {
		values[i] = rolled[i].Share.Values()
		for n, v := range values[i] {
			used[n] = used[n] || v != 0
		}
	}
	var columns []string
	for n, c := range all {
		if used[n] {
			columns = append(columns, c)
		}
	}
	for i := range values {
		kept := values[i][:0]
		for n, v := range values[i] {
			if used[n] {
				kept = append(kept, v)
			}
		}
		values[i] = kept
	}
	return columns, values
}

// Less takes a sum of an hour, as it was kept, out of what is counted.
func (t *Tally) Less(hour int64, m *Mix, s *Share) {
	if t.rolls == nil {
		t.usage, t.charges, t.rolls = map[Bucket]*Sum{}, map[place]int64{}, rolls{}
	}
	t.rolls.at(hour, m).add(s, -1)
}

// NewTagSets returns which sets of tags a project gets beside those that it has, and which are too many.
func NewTagSets(known, sets []string) (fresh []string, beyond map[string]bool) {
	have := map[string]bool{}
	for _, s := range known {
		have[s] = true
	}
	beyond = map[string]bool{}
	for _, s := range sets {
		switch {
		case have[s]:
		case len(have) < MostTagSets:
			have[s] = true
			fresh = append(fresh, s)
		default:
			beyond[s] = true
		}
	}
	return fresh, beyond
}
