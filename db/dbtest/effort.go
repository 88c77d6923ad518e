package dbtest

import (
	"fmt"
	"os"
	"testing"
)

// effortVariable says how much to try: "thorough", as CI does it once, or nothing.
const effortVariable = "WAYBILL_TEST"

func thorough() bool {
	switch value := os.Getenv(effortVariable); value {
	case "", "thorough":
		return value != ""
	default:
		panic(fmt.Sprintf("%s is %q: it is thorough, or empty", effortVariable, value))
	}
}

// Rounds is how many of n rounds a test makes of what goes by chance, where one more round
// is one more chance to find something: all of them with WAYBILL_TEST=thorough; otherwise a
// quarter, and an eighth under the race detector, which makes them slow. It is 1 at least.
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

// Thorough skips the test but with WAYBILL_TEST=thorough: it takes long for how seldom
// something that it is about changes.
func Thorough(t testing.TB, about string) {
	t.Helper()
	if !thorough() {
		t.Skipf("%s: %s=thorough runs it", about, effortVariable)
	}
}

// WithoutRace skips the test under the race detector, which learns nothing from it: what
// the test is about is not Go that shares memory, but, say, a plan of PostgreSQL's. The run
// without the detector has it.
func WithoutRace(t testing.TB, about string) {
	t.Helper()
	if UnderRace {
		t.Skipf("%s: the race detector learns nothing from it", about)
	}
}
