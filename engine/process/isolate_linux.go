package process

import (
	"os/exec"
	"syscall"
)

// isolate puts the child in a process group of its own, out of reach of the terminal's signals, and has
// the kernel kill it when the thread that started it ends.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
