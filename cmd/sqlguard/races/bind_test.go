//go:build !race

package races_test

import (
	"slices"
	"testing"

	"waybill/cmd/sqlguard/races"
)

func TestBindNumbersWhatSqlcNames(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]string{
		"SELECT @a, @bee, @a":                      {"SELECT $1, $2 , $1", "a", "bee"},
		"SELECT $2, $1":                            {"SELECT $2, $1", "1", "2"},
		"SELECT sqlc.narg('a')::int + sqlc.arg(b)": {"SELECT $1::int + $2", "a", "b"},
		"SELECT sqlc.arg(x), $1, '@no'":            {"SELECT $1, $2, '@no'", "x", "1"},
		"SELECT sqlc.embed(t) FROM t":              {"SELECT t.* FROM t"},
	} {
		sql, names := races.Bind(query)
		if got := append([]string{sql}, names...); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", query, got, want)
		}
	}
}
