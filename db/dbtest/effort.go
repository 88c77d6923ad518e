package dbtest

import (
	"fmt"
	"os"
	"testing"
)

// roundsVariable says how often to try what goes by chance: "all", or nothing.
const roundsVariable = "WAYBILL_TEST_ROUNDS"

// Rounds is how many of n rounds a test makes of what goes by chance, where one more round
// is one more chance to find something: all of them with WAYBILL_TEST_ROUNDS=all, as CI
// has it once; otherwise a quarter, and an eighth under the race detector, which makes them
// slow. It is 1 at least.
func Rounds(n int) int {
	switch value := os.Getenv(roundsVariable); {
	case value == "all":
		return n
	case value != "":
		panic(fmt.Sprintf("%s is %q: it is all, or empty", roundsVariable, value))
	case UnderRace:
		return max(n/8, 1)
	default:
		return max(n/4, 1)
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
