//go:build unix

package h1

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// alive looks whether an idle connection is still open and silent, without waiting. One that was
// closed, or on which the upstream has said something unasked (a time-out, mostly), is of no more use.
func (c *conn) alive() bool {
	s, ok := c.nc.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
		return true
	})
	return err == nil && quiet
}

// waiter is what await needs, made once for each connection.
type waiter struct {
	raw    syscall.RawConn
	look   func(fd uintptr) bool
	looked bool
}

// await waits until there is something to read, before a buffer is taken to read it into: most calls to a
// model wait long for the first byte, and thousands of them may do so at a time. It costs what a read that
// comes too early does: one look, and another where it was too early.
func (c *conn) await() error {
	if c.raw == nil {
		s, ok := c.nc.(syscall.Conn)
		if !ok {
			return nil
		}
		raw, err := s.SyscallConn()
		if err != nil {
			return err
		}
		c.raw, c.look = raw, c.readable
	}
	c.looked = false
	return c.raw.Read(c.look)
}

// readable reports whether there is something to read, an end and an error included: which of them, reading
// will tell. It is asked again only when there is.
func (c *conn) readable(fd uintptr) bool {
	if c.looked {
		return true
	}
	c.looked = true
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	return n != 0 || err != nil
}
