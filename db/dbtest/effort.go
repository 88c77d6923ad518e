package dbtest

import (
	"fmt"
	"os"
	"testing"
)

// effortVariable selects the amount of testing: "thorough", which CI uses once, or empty.
const effortVariable = "WAYBILL_TEST"

func thorough() bool {
	switch value := os.Getenv(effortVariable); value {
	case "", "thorough":
		return value != ""
	default:
		panic(fmt.Sprintf("%s is %q: it is thorough, or empty", effortVariable, value))
	}
}

// Rounds returns how many of n rounds a randomized test runs: all with WAYBILL_TEST=thorough, otherwise
// a quarter, and an eighth under the race detector, which slows them down. It returns at least 1.
func Rounds(n int) int {
	switch {
	case thorough():
		return n
	case UnderRace:
		return max(n/8, 1)
	default:
		return max(n/4, 1)
	}
}

// Thorough skips the test unless WAYBILL_TEST=thorough is set: it takes long, and what it tests rarely
// changes.
func Thorough(t testing.TB, about string) {
	t.Helper()
	if !thorough() {
		t.Skipf("%s: %s=thorough runs it", about, effortVariable)
	}
}

// IsThorough reports whether tests are to spare nothing.
func IsThorough() bool { return thorough() }

// WithoutRace skips the test under the race detector, if it is not about memory shared by goroutines
// but, say, a query plan. The run without the detector includes it.
func WithoutRace(t testing.TB, about string) {
	t.Helper()
	if UnderRace {
		t.Skipf("%s: the race detector learns nothing from it", about)
	}
}
