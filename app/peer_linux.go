package app

import (
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// peer names the user at the other end of a socket.
func peer(c net.Conn) string {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return "somebody"
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return "somebody"
	}
	uid := -1
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil { //nolint:gosec // a descriptor
			uid = int(cred.Uid)
		}
	})
	if uid < 0 {
		return "somebody"
	}
	id := strconv.Itoa(uid)
	if known, err := user.LookupId(id); err == nil {
		return known.Username
	}
	return id
}
