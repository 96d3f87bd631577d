//go:build !unix

package h1

// alive cannot tell here; a closed connection shows when it is written to.
func (c *conn) alive() bool { return true }

// await cannot wait here without reading.
func (c *conn) await() error { return nil }

// waiter is nothing here.
type waiter struct{}
