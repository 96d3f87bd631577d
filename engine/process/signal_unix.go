//go:build unix

package process

import "syscall"

// guarded says whether a shell can watch standard input here.
const guarded = true

// signalGroup ends the group led by pid, or asks it to end.
func signalGroup(pid int, force bool) error {
	if force {
		return syscall.Kill(-pid, syscall.SIGKILL)
	}
	return syscall.Kill(-pid, syscall.SIGTERM)
}
