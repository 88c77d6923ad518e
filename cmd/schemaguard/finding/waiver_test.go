package finding_test

import (
	"strings"
	"testing"
	"time"

	"waybill/cmd/schemaguard/finding"
)

var today = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

const reason = "drivers has some hundred rows in the largest tenant, counted on 2026-11-20"

// end is the last line of a statement that has three.
func end(line int) int { return line + 3 }

func TestAWaiverAllowsItsRuleInItsStatement(t *testing.T) {
	t.Parallel()
	text := "-- gate:allow alter-type until 2027-03-31: drivers has some hundred rows\n-- in the largest tenant, " +
		"counted on 2026-11-20\nALTER\nTABLE\ndrivers;\n"
	waivers, bad := finding.Waivers("a.sql", text, today, end)
	if len(waivers) != 1 || len(bad) != 0 || waivers[0].Reason != reason {
		t.Fatalf("got %v, %v", waivers, bad)
	}
	for _, c := range []struct {
		f       finding.Finding
		allowed bool
	}{
		{finding.Finding{Rule: "alter-type", File: "a.sql", Line: 3}, true},
		{finding.Finding{Rule: "alter-type", File: "a.sql", Line: 9}, false},
		{finding.Finding{Rule: "alter-type", File: "b.sql", Line: 3}, false},
		{finding.Finding{Rule: "set-not-null", File: "a.sql", Line: 3}, false},
	} {
		waivers, _ := finding.Waivers("a.sql", text, today, end)
		left := finding.Allow([]finding.Finding{c.f}, waivers, true)
		want := 2 // the finding, and the waiver that allows nothing
		if c.allowed {
			want = 0
		}
		if len(left) != want {
			t.Errorf("%v: %d left", c.f, len(left))
		}
	}
}

func TestAWaiverOfAnObjectIsOfThatObject(t *testing.T) {
	t.Parallel()
	text := "-- gate:allow key drivers until 2027-03-31: " + reason + "\n"
	of := func(object string) []finding.Finding {
		return []finding.Finding{{Rule: "key", File: "a.sql", Line: 1, Object: object}}
	}
	for object, want := range map[string]int{"drivers": 0, "pickups": 2} {
		waivers, _ := finding.Waivers("waivers.sql", text, today, func(int) int { return 0 })
		got := finding.Allow(of(object), waivers, true)
		if len(got) != want {
			t.Errorf("%s: %d left", object, len(got))
		}
	}
	general := strings.Replace(text, " drivers until", " until", 1)
	waivers, _ := finding.Waivers("waivers.sql", general, today, func(int) int { return 0 })
	if got := finding.Allow(of("drivers"), waivers, true); len(got) != 2 {
		t.Error("a waiver of the file of waivers allows a rule everywhere")
	}
	waivers, _ = finding.Waivers("waivers.sql", text, today, func(int) int { return 0 })
	if got := finding.Allow(nil, waivers, false); len(got) != 0 {
		t.Error("a waiver is called unused though not all rules were asked")
	}
}

func TestABadWaiverIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"gate:allow alter-type":                                                                "names its rule",
		"gate:allow alter-type: " + reason:                                                     "names its rule",
		"gate:allow alter-type until soon: " + reason:                                          "names its rule",
		"gate:allow alter-type until 2027-02-30: " + reason:                                    "there is no day",
		"gate:allow alter-type until 2026-11-30: " + reason:                                    "ended",
		"gate:allow alter-type until 2099-01-01: " + reason:                                    "no end",
		"gate:allow alter-type until 2027-03-31:":                                              "says nothing",
		"gate:allow alter-type until 2027-03-31: todo":                                         "says nothing",
		"gate:allow alter-type until 2027-03-31: this is fine, please trust us for now":        "says nothing",
		"gate:allow alter-type until 2027-03-31: needed because it is required for the change": "says nothing",
	} {
		waivers, bad := finding.Waivers("a.sql", "-- "+text+"\nSELECT 1;\n", today, end)
		if len(waivers) != 0 || len(bad) != 1 || !strings.Contains(bad[0].Message, want) || bad[0].Line != 1 {
			t.Errorf("%s: got %v, %v", text, waivers, bad)
		}
	}
	waivers, bad := finding.Waivers("a.sql", "-- gate:allow alter-type until 2026-12-01: "+reason, today, end)
	if len(waivers) != 1 || len(bad) != 0 {
		t.Errorf("on its last day: %v, %v", waivers, bad)
	}
}
