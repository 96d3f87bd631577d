//go:build linux || darwin || freebsd

package app

import "golang.org/x/sys/unix"

// freeBytes returns how much an ordinary user may still write on the disk of a directory.
func freeBytes(dir string) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true //nolint:unconvert // the types differ by system
}
