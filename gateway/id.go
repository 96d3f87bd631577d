package gateway

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// idDigits are in the order of their values, so that ids sort as the times in them do.
const idDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newID returns the id of a call that begins now: ten digits of milliseconds and sixteen of chance. Calls
// that are near in time are near in every index of a database, which makes keeping them several times
// cheaper.
func newID(now time.Time) string {
	const prefix = "req_"
	var b [len(prefix) + 26]byte
	copy(b[:], prefix)
	ms := uint64(now.UnixMilli())
	for i := 13; i >= len(prefix); i-- {
		b[i] = idDigits[ms&31]
		ms >>= 5
	}
	var chance [10]byte
	_, _ = rand.Read(chance[:]) // never fails
	high, low := binary.BigEndian.Uint64(chance[:]), uint64(binary.BigEndian.Uint16(chance[8:]))
	for i := 14; i < 26; i++ {
		b[i] = idDigits[high&31]
		high >>= 5
	}
	low = low<<4 | high // the four bits that are left
	for i := 26; i < len(b); i++ {
		b[i] = idDigits[low&31]
		low >>= 5
	}
	return string(b[:])
}
