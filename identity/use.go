package identity

import (
	"sync"
	"sync/atomic"
)

// Uses remembers when keys were last used, until it is asked. The zero value is ready. It is safe for concurrent use.
type Uses struct{ last sync.Map } // *use by the key's id

type use struct {
	at    atomic.Int64 // Unix milliseconds
	taken atomic.Int64 // what at was when it was last taken
}

// Touch notes that a key is used now, in Unix milliseconds.
func (u *Uses) Touch(id string, now int64) {
	v, ok := u.last.Load(id)
	if !ok {
		v, _ = u.last.LoadOrStore(id, new(use))
	}
	v.(*use).at.Store(now)
}

// Take returns the uses since it was last asked, by the ids of the keys.
func (u *Uses) Take() map[string]int64 {
	out := map[string]int64{}
	u.last.Range(func(id, v any) bool {
		if at := v.(*use).at.Load(); v.(*use).taken.Swap(at) != at {
			out[id.(string)] = at
		}
		return true
	})
	return out
}

// Again gives uses back that could not be kept.
func (u *Uses) Again(used map[string]int64) {
	for id := range used {
		if v, ok := u.last.Load(id); ok {
			v.(*use).taken.Store(0)
		}
	}
}
