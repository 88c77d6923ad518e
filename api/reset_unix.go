//go:build unix

package api

import (
	"net"
	"syscall"
)

// isReset tells whether the other side has reset a connection. Reads would not: they found the
// end of what it sent before.
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
		_, err := syscall.Getpeername(int(fd)) // a connection that is reset has no other side
		reset = err != nil
	})
	return reset || err != nil
}
