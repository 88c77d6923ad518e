//go:build !race

package sqltext_test

import (
	"strings"
	"testing"

	"waybill/cmd/sqlguard/sqltext"
)

// In these texts ^ is where the table's name begins, and each | where SET, WHERE and the statement end, in
// this order.
func TestClausesEndWhereTheNextBegins(t *testing.T) {
	t.Parallel()
	for _, marked := range []string{
		"UPDATE ^t SET a = 1||| ",
		"UPDATE ^t SET a = b IS DISTINCT FROM c| WHERE x = (SELECT 1 FROM t WHERE y)| RETURNING a| -- end",
		"UPDATE ^t SET a = 1| FROM u WHERE a OR b -- why\n AND c|| ; SELECT",
		"WITH x AS (UPDATE ^t SET a = extract(day FROM b)| WHERE c|| ) SELECT 1 WHERE d",
		"DELETE FROM ^t| USING u WHERE a|| -- end",
		"SELECT * FROM ^t|| ORDER BY a LIMIT 1|;",
		"INSERT INTO u SELECT a FROM ^t JOIN v ON b WHERE c| ON CONFLICT (a) WHERE d DO NOTHING|",
		"INSERT INTO u SELECT a FROM ^t| ON CONFLICT DO NOTHING|",
		"SELECT * FROM (SELECT * FROM ^t| WHERE a| FOR UPDATE| ) q WHERE b",
	} {
		text, ends := strings.ReplaceAll(marked, "^", ""), []int{}
		for i := range marked {
			if marked[i] == '|' {
				ends = append(ends, i-1-len(ends))
			}
		}
		text = strings.ReplaceAll(text, "|", "")
		c := sqltext.ClausesOf(text, strings.Index(marked, "^"), false)
		if c.WhereEnd != ends[len(ends)-2] || c.End != ends[len(ends)-1] ||
			strings.HasPrefix(text, "UPDATE") && c.SetEnd != ends[0] {
			t.Errorf("%s\n got %+v\nwant %v", text, c, ends)
		}
	}
}

func TestClausesOfAnUpsertAreThoseBehindDoUpdate(t *testing.T) {
	t.Parallel()
	const text = "INSERT INTO t AS x (a) SELECT a FROM u WHERE b ON CONFLICT (a) WHERE c DO UPDATE SET d = 1 WHERE e " +
		"RETURNING a"
	c := sqltext.ClausesOf(text, 12, true)
	if got := sqltext.Apply(text, c.And("f")); !strings.HasSuffix(got, "SET d = 1 WHERE ( e) AND f RETURNING a") {
		t.Error(got)
	}
}

func TestValueIsWhatAnAssignmentSets(t *testing.T) {
	t.Parallel()
	const text = "UPDATE t SET a = f(b, c) + 1, d = 2 WHERE e = 3"
	for start, want := range map[int]string{strings.Index(text, "a ="): "f(b, c) + 1",
		strings.Index(text, "d ="): "2"} {
		s := sqltext.Value(text, start)
		if got := strings.TrimSpace(text[s.Start:s.End]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEditsAreMadeFromTheFront(t *testing.T) {
	t.Parallel()
	got := sqltext.Apply("abc", []sqltext.Edit{{Start: 3, End: 3, Text: "!"}, {Start: 1, End: 2, Text: "x"},
		{Start: 0, End: 0, Text: "1"}, {Start: 0, End: 0, Text: "2"}})
	if got != "12axc!" {
		t.Error(got)
	}
}
