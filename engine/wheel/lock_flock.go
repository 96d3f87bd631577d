//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package wheel

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockEvery is how often a busy lock is tried again.
const lockEvery = 100 * time.Millisecond

// lock takes the file's lock, which the kernel frees however its holder ends.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			_ = f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(lockEvery):
		}
	}
}
