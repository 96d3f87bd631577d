//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// isolate puts the child in a process group of its own, out of reach of the terminal's signals.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
