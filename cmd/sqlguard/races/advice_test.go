//go:build !race

// These tests run SQL in PostgreSQL, which the race detector does not see.

package races_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/races"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/verdict"
	"waybill/db/dbtest"
)

// values are a caller's parameters, by name.
type values = map[string]any

// advised is a query that gets a suggestion, and a race that it loses without it.
type advised struct {
	name    string
	kind    rules.AdviceKind
	schema  string
	queries string // the first is the one that is found
	rows    string // what is there before
	against string // the query that comes first, if not the same; its name
	a, b    values // of the first caller and of the second, who runs the found query
	check   string // says in one text what has become of the rows
	lost    string
	closed  string
	refused string // SQLSTATE that the second gets once it is closed
}

// played are the kinds whose suggestion cannot be applied mechanically: the tests of the rule's page run
// them, lost and closed.
var played = map[rules.AdviceKind]string{
	rules.ReadAfresh: "same-statement-explanation", rules.LockInOrder: "unordered-locks",
	rules.WriteOnce: "written-twice", rules.TellLoss: "silent-loss",
}

// TestEverySuggestionClosesItsRace runs each query that gets a finding with the suggestion and without:
// two sessions, the second begins while the first is not yet committed.
func TestEverySuggestionClosesItsRace(t *testing.T) {
	t.Parallel()
	for _, c := range suggestions {
		t.Run(string(c.kind)+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			before, after, schema := c.advice(t)
			c.duel(t, "", before, c.lost, "")
			c.duel(t, schema, after, c.closed, c.refused)
		})
	}
}

func TestEveryKindOfSuggestionIsRun(t *testing.T) {
	t.Parallel()
	for _, kind := range rules.AdviceKinds {
		rule := rules.ByID(played[kind])
		if rule != nil && rule.Block("race lost") != "" && rule.Block("race closed") != "" {
			continue
		}
		if !slices.ContainsFunc(suggestions, func(c advised) bool { return c.kind == kind }) {
			t.Errorf("no test runs %s", kind)
		}
	}
}

// advice judges the queries; it returns the text of the query with a finding, the text with the suggestion
// applied, and the change of the schema that this needs.
func (c advised) advice(t *testing.T) (before, after, schema string) {
	t.Helper()
	db, errs := verdict.Judge(&project.Database{
		Schema:  project.Statements(project.NewFile("schema.sql", c.schema)),
		Queries: project.Queries(project.NewFile("queries.sql", c.queries)),
	}, verdict.Options{Scopes: []string{"tenant_id"}})
	for _, err := range errs {
		t.Fatal(err)
	}
	query := db.Queries[0]
	for _, f := range rules.Check(db, &rules.Options{Tenant: []string{"tenant_id"}}) {
		if f.Query == query && f.Advice != nil && f.Advice.Kind == c.kind {
			if len(f.Advice.Edits) == 0 {
				t.Fatal("the suggestion has no edits")
			}
			return query.Text, sqltext.Apply(query.Text, f.Advice.Edits), f.Advice.Schema
		}
	}
	t.Fatalf("no finding of %s suggests %s", query.Name, c.kind)
	return "", "", ""
}

// duel runs the query with the finding as the second, and as the first too unless another comes first.
func (c advised) duel(t *testing.T, schema, query, want, refused string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	pool := dbtest.New(t).Owner()
	for _, sql := range []string{c.schema, schema, c.rows} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			t.Fatalf("%s\n%v", sql, err)
		}
	}
	first := query
	if c.against != "" {
		_, first, _ = strings.Cut(c.queries, "-- name: "+c.against+" ")
		_, first, _ = strings.Cut(first, "\n")
	}
	out, err := races.Duel(ctx, pool, races.Statement{Query: first, Args: c.a},
		races.Statement{Query: query, Args: c.b})
	if err != nil {
		t.Fatalf("%s\n%v", first, err)
	}
	if got := sqlState(out.Err); got != refused {
		t.Fatalf("%s\nthe second: %v", query, out.Err)
	}
	var got string
	if err := pool.QueryRow(ctx, c.check).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%s\ngot %q, want %q (%+v)", query, got, want, out)
	}
}
