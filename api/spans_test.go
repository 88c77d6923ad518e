package api_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// spans are the pairs of members by which a row says from when to when it lasts; a range that is asked for is from and
// to. There is one way to say each: see the guide.
var spans = map[string]string{"starts_at": "ends_at", "window_start": "window_end"}

// moments are the members of a time that do not end in _at.
var moments = []string{"as_of", "timestamp"}

// partOfARange returns the other name of a range's, if the name is one of a range that is asked for.
func partOfARange(name string) (other string, ok bool) {
	for _, pair := range [][2]string{{"from", "to"}, {"to", "from"}} {
		if stem, ok := strings.CutSuffix(name, pair[0]); ok && (stem == "" || strings.HasSuffix(stem, "_")) {
			return stem + pair[1], true
		}
	}
	return "", false
}

func isTime(schema object) bool { return schema["format"] == "date-time" }

func TestARangeOfTimeThatIsAskedForIsFromAndTo(t *testing.T) {
	t.Parallel()
	ranges := 0
	for _, op := range theDocument().operations {
		times := map[string]bool{}
		for _, p := range op.parameters {
			if p["in"] == "query" && isTime(p["schema"].(object)) && !slices.Contains(moments, p["name"].(string)) {
				times[p["name"].(string)] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(times)) {
			ranges++
			if other, ok := partOfARange(name); !ok || !times[other] {
				t.Errorf("%s has the parameter %s, and not both from and to", op.id, name)
			}
		}
	}
	if ranges < 10 {
		t.Errorf("only %d parameters of a time were looked at", ranges)
	}
}

func TestARowSaysItsSpanInOneWay(t *testing.T) {
	t.Parallel()
	d := theDocument()
	guide, err := os.ReadFile("guide.md")
	if err != nil {
		t.Fatal(err)
	}
	begins := maps.Clone(spans)
	for start, end := range spans {
		begins[end] = start
		if !strings.Contains(string(guide), "`"+start+"` and `"+end+"`") {
			t.Errorf("the guide does not explain %s and %s", start, end)
		}
	}
	seen := map[string]bool{}
	for name, schema := range d.root["components"].(object)["schemas"].(object) {
		members, _ := schema.(object)["properties"].(object)
		for member, property := range members {
			if !isTime(property.(object)) {
				continue
			}
			other, isSpan := begins[member]
			if asked, ok := partOfARange(member); ok { // an answer that repeats what was asked for
				other, isSpan = asked, true
			}
			switch {
			case isSpan && members[other] == nil:
				t.Errorf("%s has %s without %s", name, member, other)
			case !isSpan && !strings.HasSuffix(member, "_at") && !slices.Contains(moments, member):
				t.Errorf("%s.%s is no moment (…_at), and no part of a span that the guide explains", name, member)
			}
			seen[member] = true
		}
	}
	for member := range begins {
		if !seen[member] {
			t.Errorf("no row has %s", member)
		}
	}
}
