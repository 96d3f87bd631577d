//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package chat

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// quiet keeps what is typed during an answer from being written into it. It is not lost: the terminal
// holds it, key by key, until the editor reads it. Ctrl-C still is a signal. The function that it returns
// ends that.
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
	during.Lflag &^= unix.ECHO | unix.ICANON
	during.Iflag &^= unix.ICRNL // Enter stays what the editor knows as Enter
	if err := unix.IoctlSetTermios(fd, setTermios, &during); err != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }
}
