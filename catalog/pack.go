package catalog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"sync"

	plenum "github.com/plenum-foundry/plenum"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// pack is a file of facts whose items are read one by one, when they are asked for. In memory it is an index: where
// each line stands, and which line an id is on. Lines are one item each, as the generator writes them.
type pack struct {
	rank  Rank
	head  record.File
	read  func(into []byte, at int64) error
	lines []span
	ids   []spot // by the hash of an id in lower case, sorted
	named []spot // by the hash of publisher/name, sorted
	seen  sync.Map
}

// span is where a line stands.
type span struct{ at, size uint32 }

// spot says on which line something is whose name has this hash.
type spot struct {
	hash uint64
	line uint32
}

func bySpot(a, b spot) int {
	return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.line, b.line))
}

// newPack makes the index of a text, whose lines are read again through read.
func newPack(rank Rank, text []byte, read func([]byte, int64) error) (*pack, error) {
	p := &pack{rank: rank, read: read}
	begin := bytes.Index(text, []byte("\"offers\":["))
	if begin < 0 {
		return nil, fmt.Errorf("there are no offers")
	}
	begin += len("\"offers\":[")
	if err := json.Unmarshal(append(bytes.Clone(text[:begin]), "]}"...), &p.head); err != nil {
		return nil, err
	}
	for at, line := range linesOf(text, begin) {
		var o struct {
			Host, ID string
			Also     []string
			Model    string
		}
		if err := json.Unmarshal(line, &o); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(p.lines)+1, err)
		}
		n := uint32(len(p.lines))
		p.lines = append(p.lines, span{uint32(at), uint32(len(line))})
		for _, id := range append(o.Also, o.ID) {
			p.ids = append(p.ids, spot{hash(p.key(o.Host, id)), n})
		}
		if o.Model != "" {
			p.named = append(p.named, spot{hash(o.Model), n})
		}
	}
	for _, s := range [][]spot{p.ids, p.named} {
		slices.SortFunc(s, bySpot)
	}
	p.lines, p.ids, p.named = slices.Clip(p.lines), slices.Clip(p.ids), slices.Clip(p.named)
	return p, nil
}

// linesOf yields the items of a list that stand on a line each, and where they begin.
func linesOf(text []byte, begin int) func(func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		at := begin
		for line := range bytes.Lines(text[begin:]) {
			item := bytes.TrimRight(line, "\n,")
			if len(item) > 0 && item[0] == '{' && !yield(at, item) {
				return
			}
			at += len(line)
		}
	}
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, strings.ToLower(s))
	return h.Sum64()
}

// offer reads the offer on a line.
func (p *pack) offer(line uint32) *Offer {
	s := p.lines[line]
	text := make([]byte, s.size)
	o := &Offer{}
	if err := p.read(text, int64(s.at)); err != nil || json.Unmarshal(text, o) != nil {
		return o // it was read when the index was made
	}
	p.complete(o)
	if p.rank == Seed {
		lived(o)
	}
	return o
}

// complete gives an offer what the head of its file says of all, and its sources by name.
func (p *pack) complete(o *Offer) {
	o.Host = cmp.Or(o.Host, p.head.Provider)
	if o.Life != nil {
		o.Life.Sources, o.Life.From = sourcesOf(p.head.Sources, o.Life.From, o.Life.Sources), nil
	}
	o.Terms = cmp.Or(o.Terms, p.head.Terms)
	if o.Data == nil {
		o.Data = p.head.Data
	}
	o.Sources, o.From = sourcesOf(p.head.Sources, o.From, o.Sources), nil
	for _, q := range []*[]Price{&o.Past, &o.Quotes} {
		for i := range *q {
			price := &(*q)[i]
			price.Sources, price.From = sourcesOf(p.head.Sources, price.From, price.Sources), nil
		}
	}
	if o.Price != nil {
		o.Price.Sources, o.Price.From = sourcesOf(p.head.Sources, o.Price.From, cmpSources(o.Price.Sources, o)), nil
	}
}

// lived says of an offer that no source says anything else of that it is generally available: a table lists it.
func lived(o *Offer) {
	if o.Life == nil {
		o.Life = &Lifecycle{Stage: GA, Sources: o.Sources}
	}
}

// cmpSources returns the sources of a price; where it names none they are those of its offer.
func cmpSources(own []Source, o *Offer) []Source {
	if own == nil && o.Price.From == nil {
		return o.Sources
	}
	return own
}

func sourcesOf(all []Source, from []int, own []Source) []Source {
	for _, n := range from {
		if n >= 0 && n < len(all) {
			own = append(own, all[n])
		}
	}
	return own
}

// item is an offer that was asked for, with its price as calls are charged.
type item struct {
	*Offer
	price *plenum.Price
}

// key is what an id is found under: a file of many hosts has it with its host.
func (p *pack) key(host, id string) string {
	if p.head.Provider != "" {
		return id
	}
	return host + " " + id
}

// byID returns the offer of an id. What was asked for once is kept: an offer that deployments use is there once.
func (p *pack) byID(host, id string) *item {
	is := func(a string) bool { return strings.EqualFold(a, id) }
	for _, s := range at(p.ids, hash(p.key(host, id))) {
		if o := p.kept(s.line); o.Host == host && (is(o.ID) || slices.ContainsFunc(o.Also, is)) {
			return o
		}
	}
	return nil
}

// look returns the offer of an id, and keeps nothing.
func (p *pack) look(host, id string) *Offer {
	is := func(a string) bool { return strings.EqualFold(a, id) }
	for _, s := range at(p.ids, hash(p.key(host, id))) {
		if o := p.offer(s.line); o.Host == host && (is(o.ID) || slices.ContainsFunc(o.Also, is)) {
			return o
		}
	}
	return nil
}

// has reports whether there may be offers of a model.
func (p *pack) has(model string) bool { return len(at(p.named, hash(model))) > 0 }

// ofModel returns the offers of a model.
func (p *pack) ofModel(model string) []*item {
	var out []*item
	for _, s := range at(p.named, hash(model)) {
		if o := p.kept(s.line); o.Model == model {
			out = append(out, o)
		}
	}
	return out
}

func (p *pack) kept(line uint32) *item {
	if o, ok := p.seen.Load(line); ok {
		return o.(*item)
	}
	fresh := &item{Offer: p.offer(line)}
	if fresh.Price != nil {
		fresh.price = pricesOf(fresh.Offer, p.origin(fresh.Offer))
	}
	o, _ := p.seen.LoadOrStore(line, fresh)
	return o.(*item)
}

// origin says where the price of an offer is from.
func (p *pack) origin(o *Offer) string {
	if p.rank == Seed {
		return "catalog " + p.head.Made
	}
	from := p.head.Made
	if len(o.Sources) > 0 {
		from = o.Sources[0].Name + " " + o.Sources[0].Date
	}
	return string(p.rank) + " " + from
}

// all yields every offer; none of them is kept.
func (p *pack) all(yield func(*Offer) bool) {
	for n := range p.lines {
		if !yield(p.offer(uint32(n))) {
			return
		}
	}
}

// at returns the part of a sorted list that has a hash.
func at(list []spot, h uint64) []spot {
	from, ok := slices.BinarySearchFunc(list, h, func(s spot, h uint64) int { return cmp.Compare(s.hash, h) })
	to := from
	for ok && to < len(list) && list[to].hash == h {
		to++
	}
	return list[from:to]
}
