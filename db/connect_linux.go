package db

import (
	"strings"
	"syscall"
	"time"
)

// tcpUserTimeoutOption is TCP_USER_TIMEOUT, which package syscall does not name.
const tcpUserTimeoutOption = 18

// userTimeout returns a dialer's control function. It sets how long sent data may stay unacknowledged
// before the kernel gives up the connection: by default it retransmits for a quarter of an hour.
func userTimeout(limit time.Duration) func(network, address string, conn syscall.RawConn) error {
	return func(network, _ string, conn syscall.RawConn) (err error) {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		called := conn.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeoutOption, int(limit.Milliseconds()))
		})
		if called != nil {
			return called
		}
		return err
	}
}
