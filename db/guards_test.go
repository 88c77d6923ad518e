package db_test

import (
	"slices"
	"strings"
	"testing"
)

const aStatement = `WITH asked AS (
    SELECT * FROM unnest($1::uuid[]) AS u (id) -- FOR nobody
), locked AS MATERIALIZED (
    SELECT s.id, (SELECT n.number FROM numbers AS n WHERE n.id = s.id ORDER BY n.at LIMIT 1) AS number
    FROM asked AS a
    JOIN slots AS s ON s.id = a.id AND s.on_duty
    WHERE s.tenant_id = $2 AND s.status = ANY ($3::text[]) AND s.at BETWEEN $4 AND now()
        AND ($5 = 0 OR s.version = $5) AND $6::bool AND (s.tenant_id, s.id) IN (SELECT x.tenant_id, x.id FROM x)
        AND NOT EXISTS (SELECT FROM events AS e WHERE e.id = s.id AND e.at > s.at) AND s.at < now() - interval '1 day'
    ORDER BY s.tenant_id, s.id
    FOR UPDATE OF s /* TakeFree: SKIP LOCKED */
), kept AS (
    INSERT INTO kept (id, number)
    SELECT DISTINCT l.id, l.number FROM locked AS l ORDER BY l.id
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING *
)
UPDATE slots AS s SET taken = true FROM kept AS k WHERE s.id = k.id AND NOT s.taken RETURNING s.*;
`

func TestGuardsAreNamedByWhereTheyStandAndWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	want := []string{
		"locked order of n.at", "locked condition of s.on_duty", "locked condition of s.status",
		"locked condition of s.at", "locked condition of s.version", "locked condition of parameters",
		"locked condition of events", "locked condition of s.at (2)", "locked condition of e.at, s.at",
		"locked order of s.id", "locked FOR UPDATE OF s", "kept order of l.id", "kept conflict of id",
		"condition of s.taken",
	}
	for how, text := range map[string]string{
		"as it is":         aStatement,
		"in one line":      strings.Join(strings.Fields(strings.ReplaceAll(aStatement, " -- FOR nobody", "")), " "),
		"by other numbers": strings.NewReplacer("$5", "$9", "$2", "$5").Replace(aStatement),
		"by other operators": strings.NewReplacer(
			"NOT s.taken", "s.taken IS FALSE", "e.at > s.at", "e.at >= s.at").Replace(aStatement),
	} {
		var got []string
		for _, p := range guards(text) {
			got = append(got, p.name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%q\nwant\n%q", how, got, want)
		}
	}
}

func TestWhatIsTakenOutLeavesWhatPostgreSQLMayDo(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, p := range guards(aStatement) {
		got[p.name] = p.instead
	}
	for name, want := range map[string]string{
		"locked condition of s.version": "((($5 = 0 OR s.version = $5)) OR true)",
		"locked order of s.id":          "ORDER BY random()",
		"kept order of l.id":            "ORDER BY l.id DESC", // SELECT DISTINCT takes no other key
		"locked FOR UPDATE OF s":        "",
		"kept conflict of id":           "",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

// Each variant is what cmd/variants generates from its source: the two differ only in the marked text.
func TestVariantsAreTheirSourcesWithTheMarkedText(t *testing.T) {
	t.Parallel()
	texts := statements(t)
	body := func(sql string) string {
		_, body, _ := strings.Cut(sql, "\n")
		return strings.Join(strings.Fields(body), " ") // marks stand in lines of their own
	}
	all := variants(texts)
	for name, source := range all {
		want := variant.ReplaceAllStringFunc(body(texts[source]), func(mark string) string {
			if m := variant.FindStringSubmatch(mark); m[1] == name {
				return m[2]
			}
			return ""
		})
		if got := body(texts[name]); got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s is not %s with its text:\n%s", name, source, got)
		}
	}
	if len(all) == 0 {
		t.Error("no statement has a variant")
	}
}
