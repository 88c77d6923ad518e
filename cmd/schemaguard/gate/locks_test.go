package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/gate"
	"waybill/cmd/schemaguard/tree"
)

// A lock that is held while the migration sleeps is held long, however fast or slow the machine is.
func TestALockIsMeasured(t *testing.T) {
	t.Parallel()
	const held = "-- +goose Up\nSET LOCAL lock_timeout = '500ms';\nALTER TABLE drivers ADD COLUMN color text;\n" +
		"SELECT pg_sleep(0.5);\n-- +goose Down\nALTER TABLE drivers DROP COLUMN color;\n"
	for _, longest := range []time.Duration{100 * time.Millisecond, time.Hour} {
		found := tried(t, held, longest)
		at := slices.IndexFunc(found, func(f finding.Finding) bool { return f.Rule == "lock-held-long" })
		if refused := at >= 0; refused != (longest < time.Second) {
			t.Errorf("%s at most: refused: %v", longest, refused)
		} else if refused && !strings.Contains(found[at].Message, "ACCESS EXCLUSIVE on drivers was held for") {
			t.Error(found[at].Message)
		}
		for _, rule := range []string{"locks", "callers-waited"} {
			if !slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Rule == rule && f.Note }) {
				t.Errorf("%s at most: nothing is told of %s", longest, rule)
			}
		}
	}
}

// tried returns the findings of a migration that holds no lock longer than that.
func tried(t *testing.T, text string, longest time.Duration) []finding.Finding {
	t.Helper()
	s, base := repository(t)
	head := tree.Tree{"sql/migrations/99999_a.sql": text}
	for p, was := range base {
		head[p] = was
	}
	m := at(gate.Whole)
	m.Longest = longest
	r, err := gate.Judge(t.Context(), change.Of(s, base, head, today), shared(t), nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return r.Findings
}
