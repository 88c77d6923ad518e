package query_test

import (
	"testing"

	"waybill/cmd/schemaguard/query"
)

func TestPlainIsWhatPostgreSQLTakes(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"SELECT 1":                                        "SELECT 1",
		"SELECT @b::int, @a, @b":                          "SELECT $1::int, $2, $1",
		"WHERE a = @a AND b=@b":                           "WHERE a = $1 AND b=$2",
		"SELECT sqlc.embed(p), sqlc.narg('x')::int":       "SELECT p.*, $1::int",
		"WHERE id = ANY(sqlc.arg(ids)::int[])":            "WHERE id = ANY($1::int[])",
		"WHERE a = @a AND b > @b LIMIT $1":                "WHERE a = $2 AND b > $3 LIMIT $1",
		"WHERE id IN (sqlc.slice('ids'))":                 "WHERE id IN ($1)",
		"SELECT '@a', -- @b\n $$sqlc.arg(x)$$, ids @> @c": "SELECT '@a', -- @b\n $$sqlc.arg(x)$$, ids @> $1",
	} {
		if got := query.Plain(source); got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
}

func TestQueriesHaveTheirLines(t *testing.T) {
	t.Parallel()
	all := query.Parse("q.sql", "-- About it.\n-- name: Get :one\nSELECT @id;\n\n-- name: List :many\n\nSELECT 1;\n")
	if len(all) != 2 || all[0].Line != 3 || all[1].Line != 7 || all[1].Name != "List" || all[0].SQL != "SELECT $1" {
		t.Errorf("got %+v", all)
	}
}
