//go:build !unix

package h1

import (
	"net"
	"syscall"
)

// canWatch says that here net/http answers everything.
const canWatch = false

type readiness struct{}

func (*readiness) init(syscall.RawConn) {}
func (*readiness) ready(net.Conn) error { return nil }
func (*readiness) await() error         { return nil }

type watch struct{}

func (*watch) init(*serving) {}
func (*watch) begin(func())  {}
func (*watch) arm()          {}
func (*watch) end()          {}
func (*watch) gone()         {}
