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

// await waits until there is something to read, before a buffer is taken to read it into: most calls to a
// model wait long for the first byte, and thousands of them may do so at a time.
func (c *conn) await() error {
	s, ok := c.nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) // what else there is, reading will tell
	})
}
