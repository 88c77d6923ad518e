package gate_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are the rules that no change of this repository can plant, each with its test.
var elsewhere = map[string]string{
	"lock-held-long":    "TestALockIsMeasured",
	"old-client-fails":  "TestClientsOfTheBaseAreTriedOnTheNewServer",
	"old-race-fails":    "TestRaceTestsOfTheBaseAreReplayed",
	"old-server-fails":  "TestServersOfTheBaseAreCalledWhileMigrationsAreApplied",
	"release-rewritten": "TestAReleasesStatementsStay",
	"squawk-missing":    "TestSquawkIsAskedInCI",
}

// notes are the rules that tell, and refuse nothing.
var notes = []string{"api-change", "callers-waited", "deploy-order", "down-drops-data", "drops-data",
	"lock-not-granted", "locks", "number-may-overflow", "old-server-answers", "serial-column", "squawk",
	"varying-text"}

// Each rule has a mistake that it refuses.
func TestEachRuleHasItsMistake(t *testing.T) {
	t.Parallel()
	rules := namesIn(t, "../*/*.go", `Name: +"([a-z-]+)"`)
	planted := namesIn(t, "testdata/planted/*.txt", `(?m)^refused: ([a-z-]+):`)
	tests := namesIn(t, "../*/*_test.go", `func (Test\w+)`)
	if len(rules) < 80 {
		t.Errorf("%d rules are found", len(rules))
	}
	for _, rule := range rules {
		test, known := elsewhere[rule]
		switch {
		case slices.Contains(planted, rule) != (!known && !slices.Contains(notes, rule)):
			t.Errorf("%s: planted: %v", rule, slices.Contains(planted, rule))
		case known && !slices.Contains(tests, test):
			t.Errorf("%s: there is no %s", rule, test)
		}
	}
	for _, rule := range planted {
		if !slices.Contains(rules, rule) {
			t.Errorf("%s is planted, and no rule", rule)
		}
	}
}

// namesIn returns what the pattern's group matches in files, each once; of Go without tests, unless they are asked
// for.
func namesIn(t *testing.T, files, pattern string) (all []string) {
	t.Helper()
	paths, err := filepath.Glob(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(files, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
