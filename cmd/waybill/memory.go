package main

import (
	"cmp"
	"os"
	"runtime/debug"
)

// memoryPerBody is the default soft limit of the process's memory, in multiples of --body-memory. What lives
// is about 25 MiB, and five times the large bodies that are held: a body, its decoded form, and the statement's
// arguments. Measured with 12 callers each of two users who sent batches of 3.1 MB, all that their tenant may
// (peak of resident memory, Debian 12, Go 1.26):
//
//	GOGC=25                        125 MiB, about what lives
//	GOGC=400                       479 MiB
//	GOGC=400, GOMEMLIMIT=192MiB    214 MiB
//
// Beside 40 batches of one user (waybill bench crowd --phase batches), the other tenant's p50 was 270 ms without
// a limit and 26 ms with one of 256 MiB: pages that are used again need not be got.
const memoryPerBody = 8

// setGCPercent lets the heap grow to five times what lives in it, unless GOGC is set. The live heap is only a
// few MB: with the default of 100 % the collector ran every few hundred requests and took a fifth of
// their CPU time (BenchmarkRequest, GOGC=100 and 400).
func setGCPercent() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// setMemoryLimit makes the garbage collector run more often as the memory comes near a limit, unless
// GOMEMLIMIT is set. What lives beyond it is served all the same.
func (s *settings) setMemoryLimit() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(cmp.Or(s.memoryLimit, memoryPerBody*s.bodyMemory)) << 20)
	}
}
