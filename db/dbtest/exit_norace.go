//go:build !race

package dbtest

import "os"

// Exit ends the process with the code of [Run].
func Exit(code int) { os.Exit(code) }
