//go:build !linux

package db

import (
	"syscall"
	"time"
)

// userTimeout returns no control function: this system has no such setting, and keepalives must do.
func userTimeout(time.Duration) func(network, address string, conn syscall.RawConn) error { return nil }
