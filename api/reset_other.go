//go:build !unix

package api

import "net"

// isReset treats a half-closed connection as closed.
func isReset(net.Conn) bool { return true }
