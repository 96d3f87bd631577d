//go:build !unix

package process

import (
	"os"
	"os/exec"
)

// guarded says whether a shell can watch standard input here.
const guarded = false

// isolate does nothing where there are no process groups: the pipe alone ends the child.
func isolate(*exec.Cmd) {}

// signalGroup kills the process: there is no gentler signal here.
func signalGroup(pid int, _ bool) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}
