//go:build !race

// Sequential code: the race detector checks it in the tests of cmd/sqlguard.

package sqltext_test

import (
	"slices"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/sqltext"
)

func TestStatementsEndAtTheirOwnSemicolon(t *testing.T) {
	t.Parallel()
	text := `-- first; not here
SELECT ';' , "a;b", E'\';', $$;$$, $x$ $$;$$ $x$ /* ; /* ; */ ; */ ;
;
CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC
  UPDATE t SET a = CASE WHEN b THEN 1 END; SELECT 1;
END;
CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);
SELECT 3`
	var got []string
	for _, s := range sqltext.Statements(text) {
		got = append(got, strings.Fields(text[s.Start:s.End])[1])
	}
	want := []string{"';'", "FUNCTION", "RULE", "3"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNumberKeepsEveryByteInItsPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a = @kennel_id AND b = @x":    "a = $1001      AND b = $1",
		"a = @kennel_id OR @kennel_id": "a = $1001      OR $1001     ",
		"tags @> @tags::text[]":        "tags @> $1001::text[]",
		"a <@ b AND a @@ q":            "a <@ b AND a @@ q",
		"a =@id":                       "a =$11",
		"'@not' \"@nor\" -- @this":     "'@not' \"@nor\" -- @this",
		"@naïve + 1":                   "$1001   + 1",
	} {
		got, _ := sqltext.Number(text)
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", text, got, want)
		}
		if len(got) != len(text) {
			t.Errorf("%q: %d bytes became %d", text, len(text), len(got))
		}
	}
}

func TestNumberNamesItsParameters(t *testing.T) {
	t.Parallel()
	_, names := sqltext.Number("@kennel_id @x @id")
	if names[1001] != "kennel_id" || names[11] != "id" || len(names) != 3 {
		t.Errorf("got %v", names)
	}
}

func TestPositionCountsCharacters(t *testing.T) {
	t.Parallel()
	lines := sqltext.NewLines("é = 1\n  x")
	if l, c := lines.Position(3); l != 1 || c != 3 {
		t.Errorf("got %d:%d, want 1:3", l, c)
	}
	if l, c := lines.Position(9); l != 2 || c != 3 {
		t.Errorf("got %d:%d, want 2:3", l, c)
	}
	if got := lines.Line(2); got != "  x" {
		t.Errorf("got %q", got)
	}
}

func TestBlankKeepsLinesAndLength(t *testing.T) {
	t.Parallel()
	if got := sqltext.Blank("ab\né\ncd", sqltext.Span{Start: 1, End: 6}); got != "a \n \n cd" || len(got) != 8 {
		t.Errorf("got %q", got)
	}
}
