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
