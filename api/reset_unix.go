//go:build unix

package api

import (
	"net"
	"syscall"
)

// isReset reports whether the peer has reset the connection. A read would not show it: it has already
// returned the end of the input.
func isReset(c net.Conn) bool {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	var reset bool
	err = raw.Control(func(fd uintptr) {
		_, err := syscall.Getpeername(int(fd)) // a reset connection has no peer
		reset = err != nil
	})
	return reset || err != nil
}
