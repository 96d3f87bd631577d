package gateway

import (
	"net/http"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/frame"
)

// lists reports whether the caller asked for its stream as one list of JSON objects, written as they come.
func (o *edgeOut) lists() bool { return o.c.Head.Stream && o.c.Head.Media == dialect.JSONList }

// element appends a frame as an element of the list: its data alone. What has none is nothing.
func (o *edgeOut) element(dst []byte, f dialect.Frame) []byte {
	if len(f.Data) == 0 {
		return dst
	}
	return append(o.between(dst), f.Data...)
}

// appendFrame appends a frame that was made here.
func (o *edgeOut) appendFrame(dst []byte, f dialect.Frame) []byte {
	switch {
	case o.lists():
		return o.element(dst, f)
	case o.c.Dialect.Wrap != nil:
		return o.c.Dialect.Wrap(dst, f)
	case len(f.Raw) > 0:
		return append(dst, f.Raw...)
	}
	return frame.Append(dst, f)
}

// between appends what stands before an element of the list.
func (o *edgeOut) between(dst []byte) []byte {
	if !o.listed {
		o.listed = true
		return append(dst, '[')
	}
	return append(dst, ",\r\n"...)
}

// closeList ends the list of a stream.
func (o *edgeOut) closeList() {
	if !o.lists() || !o.wrote || o.c.Trail.Record.Status != http.StatusOK {
		return
	}
	if !o.listed {
		o.buf = append(o.buf, '[')
	}
	o.buf = append(o.buf, ']')
}

// inList puts an error that comes instead of a list into one.
func (o *edgeOut) inList(r dialect.Reply) dialect.Reply {
	if o.lists() && r.Status >= http.StatusBadRequest && len(r.Body) > 0 && r.Body[0] == '{' {
		r.Body = append(append([]byte{'['}, r.Body...), ']')
	}
	return r
}
