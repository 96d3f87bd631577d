package store

import (
	"context"
	"errors"
)

// EachSum hands sums of hours to a function, as Rollups.Rollup does, and reads them from the packs of the days that are
// packed. Those of an hour come together, and the hours in their order. The query is not of coarse sums.
func EachSum(ctx context.Context, s Rollups, q RollupQuery, do func(slot, mix int64, values []int64) error) error {
	if err := q.Check(); err != nil {
		return err
	}
	days, err := s.Days(ctx)
	if err != nil {
		return err
	}
	for _, d := range days {
		part := q
		part.From, part.To = max(d.Slot, q.From), min(d.Slot+hoursOfDay, q.To)
		if part.From >= part.To {
			continue
		}
		if err := sumsOfDay(ctx, s, d, part, do); err != nil {
			return err
		}
	}
	return nil
}

func sumsOfDay(ctx context.Context, s Rollups, d DaySums, q RollupQuery, do func(slot, mix int64, values []int64) error) error {
	if !d.Packed {
		return s.Rollup(ctx, q, do)
	}
	p, err := s.Packed(ctx, d.Slot, q.Columns)
	if errors.Is(err, ErrNotFound) {
		return s.Rollup(ctx, q, do)
	}
	if err != nil {
		return err
	}
	return p.each(d.Slot, q, do)
}

// each hands the sums of a pack to a function.
func (p *Pack) each(day int64, q RollupQuery, do func(slot, mix int64, values []int64) error) error {
	from, to, width := int(q.From-day), int(q.To-day), len(q.Columns)
	wanted := p.wanted(q.Mixes)
	begin, _ := p.Hour(from)
	var places []int // of each sum: where its values are; -1 is nowhere
	n := 0
	for h := from; h < to; h++ {
		_, of := p.Hour(h)
		for _, m := range of {
			if !wanted[m] {
				places = append(places, -1)
				continue
			}
			places = append(places, n)
			n += width
		}
	}
	values := make([]int64, n)
	for c, name := range q.Columns {
		err := p.Column(name, from, to, func(i int, v int64) {
			if at := places[i-begin]; at >= 0 {
				values[at+c] = v
			}
		})
		if err != nil {
			return err
		}
	}
	for h := from; h < to; h++ {
		_, of := p.Hour(h)
		for _, m := range of {
			if !wanted[m] {
				continue
			}
			if err := do(day+int64(h), p.Mixes[m], values[:width]); err != nil {
				return err
			}
			values = values[width:]
		}
	}
	return nil
}

// wanted says which of the mixes of a pack are among some; all are where none are named.
func (p *Pack) wanted(mixes []int64) []bool {
	some := make(map[int64]bool, len(mixes))
	for _, m := range mixes {
		some[m] = true
	}
	out := make([]bool, len(p.Mixes))
	for i, m := range p.Mixes {
		out[i] = mixes == nil || some[m]
	}
	return out
}
