//go:build race

package dbtest

import "syscall"

// UnderRace reports whether the race detector is on.
const UnderRace = true

// Exit ends the process with the code of [Run]. os.Exit would wait another second for races, which
// m.Run does not report any more.
func Exit(code int) { syscall.Exit(code) }
