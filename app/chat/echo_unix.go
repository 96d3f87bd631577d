//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package chat

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// quiet keeps what is typed during an answer from being written into it. It is not lost: the editor
// reads it afterwards. The function that it returns ends that.
func quiet(out io.Writer) func() {
	f, ok := out.(*os.File)
	if !ok {
		return func() {}
	}
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return func() {} // no terminal
	}
	during := *before
	during.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, setTermios, &during); err != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }
}
