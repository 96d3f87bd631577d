//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package chat

import (
	"os"

	"golang.org/x/sys/unix"
)

// raw has a terminal hand over each key as it is, and no longer write it to the screen. What is written to
// it stays text: a new line still begins at the left, which a raw mode as others mean it would end. The
// function that it returns ends that.
func raw(f *os.File) (func(), error) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	during := *before
	during.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	during.Iflag &^= unix.ICRNL | unix.INLCR | unix.IGNCR | unix.IXON | unix.ISTRIP | unix.BRKINT
	during.Cc[unix.VMIN], during.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, setTermios, &during); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }, nil
}
