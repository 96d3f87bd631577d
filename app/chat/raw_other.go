//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package chat

import (
	"os"

	"golang.org/x/term"
)

// raw has a terminal hand over each key as it is, and no longer write it to the screen. The function that
// it returns ends that.
func raw(f *os.File) (func(), error) {
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(int(f.Fd()), before) }, nil
}
