//go:build unix

package testkit

import "syscall"

// Pause stops it where it is, with its connections open, until Resume.
func (s *ValkeyServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (s *ValkeyServer) Resume() { s.signal(syscall.SIGCONT) }

func (s *ValkeyServer) signal(sig syscall.Signal) {
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}
