package report

import (
	"context"
	"errors"
	"slices"

	"github.com/plenum-foundry/plenum/store"
)

// cells are the sums of a period, by group.
type cells struct {
	width  int
	at     []int32 // of each group: where its sums begin; -1 where there are none
	used   []int32 // the groups that there are sums of
	values []int64
}

func newCells(groups, width int) *cells {
	c := &cells{width: width, at: make([]int32, groups)}
	for i := range c.at {
		c.at[i] = -1
	}
	return c
}

// place returns where the sums of a group begin.
func (c *cells) place(group int32) int32 {
	if c.at[group] < 0 {
		c.at[group] = int32(len(c.values))
		c.used = append(c.used, group)
		c.values = append(c.values, make([]int64, c.width)...)
	}
	return c.at[group]
}

func (c *cells) sum(group int32) []int64 {
	at := int(c.at[group])
	return c.values[at : at+c.width]
}

// addTo adds some columns of each group to the sums of the groups.
func (c *cells) addTo(sums []int64, columns []int) {
	for _, g := range c.used {
		values := c.sum(g)
		for _, i := range columns {
			sums[g] += values[i]
		}
	}
}

// live are the periods of which some, but not all, is read.
type live struct {
	r  *run
	by map[int]*cells
}

// at returns the sums of the period that an hour is in.
func (l *live) at(hour int64) *cells {
	p := l.r.window.period(hour)
	c := l.by[p]
	if c == nil {
		c = newCells(len(l.r.groups), len(l.r.columns))
		l.by[p] = c
	}
	return c
}

// read reads the time day by day, and hands on each period of which there is something when all of it is read.
func (r *run) read(ctx context.Context, s store.Rollups, done func(period int, c *cells) error) error {
	l := &live{r, map[int]*cells{}}
	for _, d := range r.days {
		from, to := max(d.Slot, r.window.from), min(store.Day.Next(d.Slot), r.window.to)
		if from >= to {
			continue
		}
		if err := l.finish(r.window.period(from), done); err != nil {
			return err
		}
		if err := r.readDay(ctx, s, d, from, to, l); err != nil {
			return err
		}
	}
	return l.finish(len(r.window.begins), done)
}

// finish hands on the periods before one.
func (l *live) finish(before int, done func(period int, c *cells) error) error {
	var over []int
	for p := range l.by {
		if p < before {
			over = append(over, p)
		}
	}
	slices.Sort(over)
	for _, p := range over {
		if err := done(p, l.by[p]); err != nil {
			return err
		}
		delete(l.by, p)
	}
	return nil
}

// readDay adds up some hours of a day.
func (r *run) readDay(ctx context.Context, s store.Rollups, d store.DaySums, from, to int64, l *live) error {
	if d.Packed {
		p, err := s.Packed(ctx, d.Slot, r.columns)
		if err == nil {
			return r.readPack(p, d.Slot, from, to, l)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	q := store.RollupQuery{Coarse: r.coarse, From: from, To: to, Mixes: r.mixes, Columns: r.columns}
	return s.Rollup(ctx, q, func(slot, mix int64, values []int64) error {
		g, ok := r.groupOf[mix]
		if !ok {
			return nil // it was added since: the next report has it
		}
		c := l.at(slot)
		addTo(c.values[c.place(g):], values)
		return nil
	})
}

// readPack adds up some hours of a packed day: first it finds out where each sum belongs, and then it takes column by
// column.
func (r *run) readPack(p *store.Pack, day, from, to int64, l *live) error {
	groups := make([]int32, len(p.Mixes))
	for i, mix := range p.Mixes {
		g, ok := r.groupOf[mix]
		if !ok {
			g = -1
		}
		groups[i] = g
	}
	first, last := int(from-day), int(to-day)
	begin, _ := p.Hour(first)
	var places []int32
	type hour struct {
		cells *cells
		end   int
	}
	var hours []hour
	for h := first; h < last; h++ {
		at, of := p.Hour(h)
		c := l.at(day + int64(h))
		for _, m := range of {
			place := int32(-1)
			if g := groups[m]; g >= 0 {
				place = c.place(g)
			}
			places = append(places, place)
		}
		hours = append(hours, hour{c, at + len(of)})
	}
	for column, name := range r.columns {
		left := hours
		err := p.Column(name, first, last, func(sum int, v int64) {
			for sum >= left[0].end {
				left = left[1:]
			}
			if place := places[sum-begin]; place >= 0 {
				left[0].cells.values[int(place)+column] += v
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
