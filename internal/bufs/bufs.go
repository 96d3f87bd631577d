// Package bufs keeps buffers that are used again. What passes through a gateway is mostly held for a
// moment and as large as it is short-lived: leaving it to the garbage collector costs more than the work.
//
// A buffer that is put back must not be looked at again by anybody: it may be filled for another caller.
// [Poison] makes tests see who does.
package bufs

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// The sizes of buffers are powers of two. Smaller ones are not worth keeping, larger ones are too rare.
const (
	minShift = 12
	maxShift = 23
	tiny     = 2 << 10
)

var pools [maxShift - minShift + 1]sync.Pool

// slots are what buffers are kept in, so that keeping one allocates nothing.
var slots = sync.Pool{New: func() any { return new([]byte) }}

// Poison makes Put overwrite what it is given, for tests.
var Poison atomic.Bool

// Get returns an empty buffer with room for at least n bytes.
func Get(n int) []byte {
	i := class(n)
	if n < tiny || i >= len(pools) {
		return make([]byte, 0, n)
	}
	if slot, ok := pools[i].Get().(*[]byte); ok {
		b := *slot
		*slot = nil
		slots.Put(slot)
		return b[:0]
	}
	return make([]byte, 0, 1<<(minShift+i))
}

// Put gives a buffer back. One that is of no use again, and nil, is left to the garbage collector.
func Put(b []byte) {
	c := cap(b)
	if c < 1<<minShift || c > 1<<maxShift || c&(c-1) != 0 {
		return
	}
	if Poison.Load() {
		b = b[:c]
		b[0] = 0xDD
		for n := 1; n < len(b); n *= 2 {
			copy(b[n:], b[:n]) // byte by byte is slow under the race detector
		}
	}
	slot := slots.Get().(*[]byte) //nolint:forcetypeassert // New makes nothing else
	*slot = b[:0]
	pools[class(c)].Put(slot)
}

// Grow returns a buffer with the same content and room for n bytes more. The one that it was given is
// put back if it had to be left.
func Grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	bigger := append(Get(max(len(b)+n, 2*cap(b))), b...)
	Put(b)
	return bigger
}

// class returns the place of the smallest size that holds n bytes.
func class(n int) int {
	if n <= 1<<minShift {
		return 0
	}
	return bits.Len(uint(n-1)) - minShift
}
