package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DaySums is a day (UTC) of which there are sums.
type DaySums struct {
	Slot   int64 // its first hour, since 1970
	Packed bool  // nothing was added to it since it was packed
}

// hoursOfDay is how many slots a day has.
const hoursOfDay = 24

// The columns of a pack beside those of a Share: what its sums are of.
const (
	packMixes = "mix"
	packHours = "hour"
)

// Pack is all sums of a day, hour by hour, column by column: what would be hundreds of thousands of rows is a few values to
// a database, of which a report takes those that it needs. The sums of an hour are beside each other.
type Pack struct {
	Mixes   []int64               // what the sums are of
	of      []int32               // of each sum, which of Mixes
	begins  [hoursOfDay + 1]int32 // where the sums of each hour begin
	columns map[string][]byte
}

// errPack is said of a pack that cannot have been made by Packer.
var errPack = errors.New("the packed sums are damaged")

// PackColumns returns under which names the columns of a pack are kept that a report of some columns of a Share reads.
func PackColumns(columns []string) []string {
	return append([]string{packMixes, packHours}, columns...)
}

// OpenPack makes a pack of the columns that were kept. It takes them over.
func OpenPack(columns map[string][]byte) (*Pack, error) {
	p := &Pack{columns: columns}
	mixes := columns[packMixes]
	if len(mixes)%8 != 0 {
		return nil, errPack
	}
	for ; len(mixes) > 0; mixes = mixes[8:] {
		p.Mixes = append(p.Mixes, int64(binary.BigEndian.Uint64(mixes)))
	}
	left := columns[packHours]
	p.of = make([]int32, 0, len(left)) // each takes a byte or more
	for h := range hoursOfDay {
		n, size := number(left)
		if size <= 0 || n > uint64(len(left)) {
			return nil, errPack
		}
		left = left[size:]
		at := int64(0)
		for range n {
			step, size := number(left)
			if size <= 0 {
				return nil, errPack
			}
			left = left[size:]
			if at += unzigzag(step); at < 0 || at >= int64(len(p.Mixes)) {
				return nil, errPack
			}
			p.of = append(p.of, int32(at))
		}
		p.begins[h+1] = int32(len(p.of))
	}
	return p, nil
}

// Hour returns the sums of an hour of the day, from 0 to 23: the number of the first one, and which of Mixes each is of.
func (p *Pack) Hour(h int) (first int, of []int32) {
	return int(p.begins[h]), p.of[p.begins[h]:p.begins[h+1]]
}

// Column hands those values of a column that are not zero to a function, with the number of their sum: of the hours from
// one up to another.
func (p *Pack) Column(name string, fromHour, toHour int, do func(sum int, v int64)) error {
	left := p.columns[name] // none: it is zero in all sums
	from, to := int(p.begins[fromHour]), int(p.begins[toHour])
	for i := 0; len(left) > 0 && i < to; {
		u, size := number(left)
		if size <= 0 {
			return fmt.Errorf("column %s: %w", name, errPack)
		}
		left = left[size:]
		if u != 0 {
			if i >= from {
				do(i, unzigzag(u))
			}
			i++
			continue
		}
		zeros, size := number(left)
		if size <= 0 {
			return fmt.Errorf("column %s: %w", name, errPack)
		}
		left = left[size:]
		i += int(min(zeros, uint64(len(p.of))))
	}
	return nil
}

// number reads a number, and says how many bytes it takes: none where it is not whole.
func number(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 { // most are
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// Packer makes a pack of the sums of a day, which are added in the order of their hours. It holds what it makes and no more.
type Packer struct {
	day     int64
	known   map[int64]int32
	mixes   []byte
	hours   [hoursOfDay]packedHour
	names   []string
	columns []packedColumn
}

type packedHour struct {
	n    uint64
	last int32
	of   []byte
}

type packedColumn struct {
	body  []byte
	zeros uint64 // that are not written yet
}

// NewPacker begins the pack of a day.
func NewPacker(day int64) *Packer {
	names := strings.Split(ShareColumns, ", ")
	return &Packer{day: day, known: map[int64]int32{}, names: names, columns: make([]packedColumn, len(names))}
}

// Add adds a sum: its values are those of ShareColumns.
func (p *Packer) Add(slot, mix int64, values []int64) error {
	if slot < p.day || slot >= p.day+hoursOfDay || len(values) != len(p.columns) {
		return fmt.Errorf("the sum of hour %d is not one of the day that begins with %d", slot, p.day)
	}
	if !slices.ContainsFunc(values, func(v int64) bool { return v != 0 }) {
		return nil // what was counted and taken back
	}
	at, ok := p.known[mix]
	if !ok {
		at = int32(len(p.known))
		p.known[mix] = at
		p.mixes = binary.BigEndian.AppendUint64(p.mixes, uint64(mix))
	}
	h := &p.hours[slot-p.day]
	h.n++
	h.of = binary.AppendVarint(h.of, int64(at)-int64(h.last))
	h.last = at
	for i, v := range values {
		p.columns[i].add(v)
	}
	return nil
}

// add appends a value: zeros as a zero and how many.
func (c *packedColumn) add(v int64) {
	if v == 0 {
		c.zeros++
		return
	}
	if c.zeros > 0 {
		c.body = binary.AppendUvarint(append(c.body, 0), c.zeros)
		c.zeros = 0
	}
	c.body = binary.AppendVarint(c.body, v)
}

// Columns returns what is to be kept, by name: the columns that are not zero in all sums.
func (p *Packer) Columns() map[string][]byte {
	var hours []byte
	for i := range p.hours {
		hours = append(binary.AppendUvarint(hours, p.hours[i].n), p.hours[i].of...)
	}
	out := map[string][]byte{packMixes: p.mixes, packHours: hours}
	if p.mixes == nil {
		out[packMixes] = []byte{}
	}
	for i, c := range p.columns {
		if len(c.body) > 0 {
			out[p.names[i]] = c.body
		}
	}
	return out
}

// Unpacked returns those days which end at an hour at the latest and are not packed.
func Unpacked(days []DaySums, end int64) []int64 {
	var out []int64
	for _, d := range days {
		if !d.Packed && d.Slot+hoursOfDay <= end {
			out = append(out, d.Slot)
		}
	}
	return out
}

// sortedKeys is what writers of a pack go by: everybody writes the columns in one order.
func sortedKeys(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }

// InOrder returns the columns of a pack, each with its name, in one order for everybody.
func InOrder(columns map[string][]byte) (names []string, bodies [][]byte) {
	for _, n := range sortedKeys(columns) {
		names, bodies = append(names, n), append(bodies, columns[n])
	}
	return names, bodies
}
