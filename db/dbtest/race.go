//go:build race

package dbtest

import "syscall"

// UnderRace says whether the race detector is on.
const UnderRace = true

// Exit ends the process with the code of [Run]. os.Exit would wait another second for races
// to be found, of which m.Run no longer tells.
func Exit(code int) { syscall.Exit(code) }
