package splice

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plenum-foundry/plenum/internal/bufs"
)

// Edit collects changes to a body. All offsets are those of the body as it was, however many changes
// there are; Bytes applies them in one copy. The body must have passed Scan, and the values given must
// be JSON; then what comes out is JSON. The bytes that are given are not copied before that.
type Edit struct {
	body []byte
	ops  []op
	err  error
}

// op replaces body[start:end]. For an insertion start is that of the closing bracket, until it is laid
// out.
type op struct {
	kind       kind
	start, end int
	comma      bool
	key        string
	raw        []byte
}

type kind byte

const (
	set kind = iota
	remove
	insertMember
	insertElem
)

// NewEdit returns an edit of a body, which is never written to.
func NewEdit(body []byte) *Edit { return &Edit{body: body} }

// Changed reports whether any change was asked for.
func (e *Edit) Changed() bool { return len(e.ops) > 0 }

// Set replaces the value at a span. Of two changes of the same span the later counts; spans that
// overlap otherwise are an error.
func (e *Edit) Set(at Span, raw []byte) {
	e.add(at, op{kind: set, start: at.Start, end: at.End, raw: raw})
}

// SetString replaces the value at a span by a string.
func (e *Edit) SetString(at Span, s string) { e.Set(at, Quote(nil, s)) }

// Delete removes a member of an object, with its comma. Changes within it are dropped.
func (e *Edit) Delete(m Member) {
	e.add(m.Value, op{kind: remove, start: m.Key.Start, end: m.Value.End})
}

// DeleteElem removes an element of an array, with its comma. Changes within it are dropped.
func (e *Edit) DeleteElem(el Span) { e.add(el, op{kind: remove, start: el.Start, end: el.End}) }

// Insert adds a member at the end of an object. The key is not looked for: Set is for one that exists.
func (e *Edit) Insert(obj Span, key string, raw []byte) {
	e.insert(obj, '}', op{kind: insertMember, key: key, raw: raw})
}

// Append adds an element at the end of an array.
func (e *Edit) Append(arr Span, raw []byte) {
	e.insert(arr, ']', op{kind: insertElem, raw: raw})
}

func (e *Edit) insert(in Span, closer byte, o op) {
	if in.End < 1 || in.End > len(e.body) || e.body[in.End-1] != closer {
		e.fail(fmt.Errorf("no %q ends at offset %d", closer, in.End))
		return
	}
	o.start, o.end = in.End-1, in.End-1
	e.ops = append(e.ops, o)
}

func (e *Edit) add(at Span, o op) {
	if !at.Found() || o.start < 0 || o.start >= o.end || o.end > len(e.body) {
		e.fail(errors.New("edit of a value that is not there"))
		return
	}
	e.ops = append(e.ops, o)
}

func (e *Edit) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// Bytes returns the body with the changes made: the body itself where there are none. An error says
// that changes contradict each other or were not of this body.
func (e *Edit) Bytes() ([]byte, error) {
	if e.err == nil && len(e.ops) == 0 {
		return e.body, nil
	}
	n := len(e.body)
	for _, o := range e.ops {
		n += len(o.raw) + len(o.key) + len(`,"":`)
	}
	return e.AppendTo(bufs.Get(n))
}

// AppendTo appends the body with the changes made.
func (e *Edit) AppendTo(dst []byte) ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	ops, err := e.layOut()
	if err != nil {
		return nil, err
	}
	at := 0
	for _, o := range ops {
		dst = append(dst, e.body[at:o.start]...)
		if o.comma {
			dst = append(dst, ',')
		}
		if o.kind == insertMember {
			dst = append(Quote(dst, o.key), ':')
		}
		dst = append(dst, o.raw...)
		at = o.end
	}
	return append(dst, e.body[at:]...), nil
}

// layOut turns the changes into replacements in the order of the body that do not overlap.
func (e *Edit) layOut() ([]op, error) {
	cuts := e.cuts()
	ops := slices.Clone(cuts)
	for i, o := range e.ops {
		if o.kind == remove || within(o, cuts) || o.kind == set && e.setAgain(o, i+1) {
			continue
		}
		if o.kind != set {
			e.place(&o, cuts, e.ops[:i])
		}
		ops = append(ops, o)
	}
	slices.SortStableFunc(ops, func(a, b op) int { return a.start - b.start })
	for i := 1; i < len(ops); i++ {
		if ops[i].start < ops[i-1].end {
			return nil, fmt.Errorf("edits overlap at offset %d", ops[i].start)
		}
	}
	return ops, nil
}

// setAgain reports whether a later change sets the same span.
func (e *Edit) setAgain(o op, from int) bool {
	return slices.ContainsFunc(e.ops[from:], func(p op) bool {
		return p.kind == set && p.start == o.start && p.end == o.end
	})
}

// within reports whether a change is made to something that is cut out anyway.
func within(o op, cuts []op) bool {
	return slices.ContainsFunc(cuts, func(c op) bool { return c.start <= o.start && o.end <= c.end && o.start < c.end })
}

// place puts an insertion behind the last item before its closing bracket, with a comma unless nothing
// stands before it.
func (e *Edit) place(o *op, cuts, earlier []op) {
	closer := o.start
	at := e.back(closer)
	o.start, o.end = at, at
	o.comma = !opens(e.body[at-1])
	for _, c := range cuts {
		if c.end == at && opens(e.body[e.back(c.start)-1]) {
			o.comma = false
		}
	}
	for _, p := range earlier {
		if (p.kind == insertMember || p.kind == insertElem) && p.start == closer {
			o.comma = true
		}
	}
}

func opens(c byte) bool { return c == '{' || c == '[' }

// back returns the offset behind the last byte before i that is not space.
func (e *Edit) back(i int) int {
	for i > 0 && isSpace(e.body[i-1]) {
		i--
	}
	return i
}

func (e *Edit) forth(i int) int {
	for i < len(e.body) && isSpace(e.body[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// cuts returns what the removals take out. Removals of neighbours are one cut, for which comma goes with
// them depends on who is left: the one behind them, else the one before them, else none.
func (e *Edit) cuts() []op {
	var cuts []op
	for _, o := range e.ops {
		if o.kind == remove {
			cuts = append(cuts, o)
		}
	}
	slices.SortFunc(cuts, func(a, b op) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	runs := cuts[:0]
	for _, c := range cuts {
		if n := len(runs); n > 0 && (c.start < runs[n-1].end || e.follows(runs[n-1].end, c.start)) {
			runs[n-1].end = max(runs[n-1].end, c.end)
			continue
		}
		runs = append(runs, c)
	}
	for i := range runs {
		e.takeComma(&runs[i])
	}
	return runs
}

// follows reports whether only a comma stands between two offsets.
func (e *Edit) follows(end, start int) bool {
	i := e.forth(end)
	return i < start && e.body[i] == ',' && e.forth(i+1) == start
}

func (e *Edit) takeComma(c *op) {
	if i := e.forth(c.end); i < len(e.body) && e.body[i] == ',' {
		c.end = e.forth(i + 1)
		return
	}
	if i := e.back(c.start); i > 0 && e.body[i-1] == ',' {
		c.start = i - 1
	}
}
