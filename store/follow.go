package store

import "context"

// Follower is a store that can say at once that something has changed which nodes follow: keys, what is declared,
// settings, imported tables. It is said whoever changed it, another node or another program.
type Follower interface {
	// Follow calls changed after every change, and whenever changes may have been missed, until ctx ends. It calls
	// hears when it has made sure that changes are said, and when they no longer are. None of them may wait.
	Follow(ctx context.Context, changed func(), hears func(bool))
}
