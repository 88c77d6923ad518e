//go:build !race

// Sequential code: the race detector checks it in the tests of cmd/sqlguard.

package syntax_test

import (
	"errors"
	"testing"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

// expression parses one expression.
func expression(t *testing.T, text string) *pg.Node {
	t.Helper()
	statements, err := syntax.Parse("SELECT " + text)
	if err != nil {
		t.Fatal(err)
	}
	return statements[0].GetSelectStmt().GetTargetList()[0].GetResTarget().GetVal()
}

func TestKeyIgnoresCastsAndPlaces(t *testing.T) {
	t.Parallel()
	a, b := expression(t, "coalesce($1::text,  k.name)"), expression(t, "COALESCE($1, k.name::text)")
	if syntax.Key(a) != syntax.Key(b) {
		t.Errorf("differ:\n%s\n%s", syntax.Key(a), syntax.Key(b))
	}
	for _, other := range []string{"coalesce($2, k.name)", "coalesce($1, name)", "coalesce($1, k.name, 1)"} {
		if syntax.Key(a) == syntax.Key(expression(t, other)) {
			t.Errorf("%s has the same key", other)
		}
	}
}

func TestParamKnowsSqlcsMacros(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"$1": true, "sqlc.arg('x')": true, "sqlc.narg(x)": true, "sqlc.slice('x')": true,
		"sqlc.embed(x)": false, "arg('x')": false, "x": false,
	} {
		if got := syntax.Param(expression(t, text)); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestParseSaysWhereItFails(t *testing.T) {
	t.Parallel()
	_, err := syntax.Parse("SELECT 'é', FROM")
	var where *syntax.Error
	if !errors.As(err, &where) || where.Offset != 13 {
		t.Errorf("got %v", err)
	}
}

func TestStartIsTheFirstByte(t *testing.T) {
	t.Parallel()
	if got := syntax.Start(expression(t, "(a + 1) * 2")); got != 8 {
		t.Errorf("got %d", got)
	}
	if got := syntax.Start(nil); got != -1 {
		t.Errorf("got %d", got)
	}
}
