//go:build unix

package ledger

import (
	"syscall"
	"time"
)

// cpuTime is what the process has used so far, in user and system time.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
