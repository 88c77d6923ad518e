package gate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/gate"
)

// alike returns n findings of one kind: one line of a document has them all.
func alike(n, line int, note bool) (all []finding.Finding) {
	for i := range n {
		all = append(all, finding.Finding{Rule: "api-change", File: "openapi.yaml", Line: line, Kind: "items-increased",
			Message: fmt.Sprintf("GET /%d of %d: more items", i, line), Load: "a load", Safe: "a way", Note: note})
	}
	return all
}

func text(t *testing.T, all []finding.Finding, whole bool) string {
	t.Helper()
	var out strings.Builder
	if err := gate.Text(&out, &gate.Result{Findings: all}, whole); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFindingsThatAreAlikeFitAScreen(t *testing.T) {
	t.Parallel()
	for _, note := range []bool{true, false} {
		var all []finding.Finding
		for line := range 20 {
			all = append(all, alike(100, line+1, note)...)
		}
		short := text(t, all, false)
		if lines := strings.Count(short, "\n"); lines > 20 {
			t.Errorf("%d lines for 2000 findings of one kind:\n%s", lines, short)
		}
		for _, want := range []string{"items-increased", "GET /0 of 1: more items\n", "GET /0 of 2: more items\n",
			"and 1997 more\n", "1997 findings left out: --all prints them", "a load"} {
			if !strings.Contains(short, want) {
				t.Errorf("it does not say %q:\n%s", want, short)
			}
		}
		long := text(t, all, true)
		for _, f := range all {
			if !strings.Contains(long, f.Message+"\n") {
				t.Fatalf("--all leaves out %q", f.Message)
			}
		}
		if strings.Contains(long, "left out") {
			t.Error("--all says that it leaves some out")
		}
	}
}

// One statement of a migration can break dozens of statements of servers: it is one paragraph.
func TestWhatOneLineBreaksIsOneParagraph(t *testing.T) {
	t.Parallel()
	var all []finding.Finding
	for i := range 40 {
		all = append(all, finding.Finding{Rule: "old-statement-fails", File: "00001.sql", Line: 2 + i/20,
			Message: fmt.Sprintf("Get%d fails", i), Safe: "expand and contract"})
	}
	out := text(t, all, false)
	if n := strings.Count(out, "expand and contract"); n != 2 || !strings.Contains(out, "Get1 fails") ||
		!strings.Contains(out, "Get20 fails") || strings.Count(out, "and 17 more\n") != 2 {
		t.Errorf("%d paragraphs: %s", n, out)
	}
}

// What refuses is shown with its line, unless its rule says that it is alike; and it comes last, by the verdict.
func TestEachRefusalIsShown(t *testing.T) {
	t.Parallel()
	var all []finding.Finding
	for i := range 30 {
		all = append(all, finding.Finding{Rule: "volatile-default", File: "00001.sql", Line: i + 1,
			Message: fmt.Sprintf("column %d", i)})
	}
	all = append(all, alike(50, 7, true)...)
	out := text(t, all, false)
	for i := range 30 {
		if want := fmt.Sprintf("00001.sql:%d: volatile-default (refused)\n  column %d\n",
			i+1, i); !strings.Contains(out,
			want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Index(out, "volatile-default") < strings.Index(out, "items-increased") {
		t.Error("a refusal is before a note")
	}
	if !strings.Contains(out, "30 findings refused, 50 notes told") {
		t.Errorf("not counted: %s", out)
	}
}

func TestJSONHasEachFinding(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := gate.JSON(&out, &gate.Result{Findings: alike(50, 7, true)}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(out.String()) {
		var f finding.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.Kind != "items-increased" {
			t.Errorf("%s: %v", line, err)
		}
		n++
	}
	if n != 50 {
		t.Errorf("%d lines", n)
	}
}
