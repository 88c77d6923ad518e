//go:build !race

package dbtest

import "os"

// UnderRace reports whether the race detector is on.
const UnderRace = false

// Exit ends the process with the code of [Run].
func Exit(code int) { os.Exit(code) }
