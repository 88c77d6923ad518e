//go:build !race

// These tests run SQL in PostgreSQL, which the race detector does not see.

package prove_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/prove"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/verdict"
	"waybill/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m, dbtest.Empty{}, dbtest.Parallel(2))) }

const schema = `
CREATE TYPE state AS ENUM ('new', 'on', 'off');
CREATE TYPE address AS (city text, zip int);
CREATE DOMAIN code AS text CHECK (length(VALUE) > 4);
CREATE TABLE heads (id int PRIMARY KEY, team_id uuid);
CREATE TABLE teams (id uuid PRIMARY KEY, name varchar(40) NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('small', 'large')), head int REFERENCES heads);
ALTER TABLE heads ADD FOREIGN KEY (team_id) REFERENCES teams; -- round in a circle
CREATE TABLE papers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id uuid NOT NULL REFERENCES teams, state state NOT NULL,
    code code NOT NULL, title text, home address, tags text[] NOT NULL, data jsonb NOT NULL,
    version int NOT NULL DEFAULT 1, taken_by text, taken_until timestamptz, seq bigint NOT NULL, cap int,
    score numeric(6, 2) CHECK (score > 10),
    full_title text GENERATED ALWAYS AS (coalesce(title, '') || '!') STORED, UNIQUE (team_id, seq));
CREATE TABLE notes (paper_id bigint NOT NULL REFERENCES papers, body text NOT NULL);
CREATE TABLE seats (id int PRIMARY KEY, worker text, state text NOT NULL);
`

// proofs are queries and the outcome for two callers: the columns in which the first one's write is lost,
// "twice" where both took one row, "" where nothing is lost, or "no row".
var proofs = map[string]struct{ query, lost, advised string }{
	"an overwrite": {"UPDATE papers SET title = @title WHERE id = @id;", "title", ""},
	"through types and keys": {"UPDATE papers SET title = @title FROM teams t WHERE t.id = papers.team_id AND " +
		"t.kind = 'large' AND papers.state = 'on' AND papers.id = @id;", "title", ""},
	"a reference":         {"UPDATE papers SET team_id = @team WHERE id = @id;", "team_id", ""},
	"an enum":             {"UPDATE papers SET state = @state WHERE id = @id AND title IS NULL;", "state", ""},
	"a composite's field": {"UPDATE papers SET home.city = @city WHERE id = @id;", "home", ""},
	"arrays and documents": {"UPDATE papers SET tags = @tags, data = @data WHERE id = ANY (@ids::bigint[]);",
		"tags data", "no advice"},
	"a guard": {"UPDATE papers SET title = @title, version = version + 1 WHERE id = @id AND version " +
		"= @version;", "", "no advice"},
	"a guard that is left out": {"UPDATE papers SET title = @title, version = version + 1 WHERE id = @id AND " +
		"(sqlc.narg('v')::int IS NULL OR version = sqlc.narg('v'));", "title", ""},
	"a relative write": {"UPDATE papers SET seq = seq + 1 WHERE id = @id;", "", "no advice"},
	"a stale test": {"UPDATE seats SET state = 'taken', worker = @worker WHERE id = (SELECT id FROM " +
		"seats WHERE state = 'free' LIMIT 1);", "worker", ""},
	"a stale test of a fixed": {"UPDATE seats SET state = 'taken' WHERE id = (SELECT id FROM seats WHERE state = " +
		"'free' LIMIT 1);", "twice", ""},
	"an upsert": {"INSERT INTO seats (id, worker, state) VALUES (@id, @worker, 'new') ON CONFLICT " +
		"(id) DO UPDATE SET worker = EXCLUDED.worker;", "worker", ""},
	"a child's parent": {"UPDATE notes SET body = @body WHERE paper_id = @id;", "body", "no advice"},
	"a step of another": {"UPDATE seats SET state = 'on' WHERE id = @id;\n-- name: Off :execrows\n" +
		"UPDATE seats SET state = 'off' WHERE id = @id AND worker IS NULL;", "state", ""},
	"nothing that is so": {"UPDATE papers SET title = @title WHERE id = @id AND score < 10;", "no row", ""},
}

func TestProofs(t *testing.T) {
	t.Parallel()
	for name, c := range proofs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			d := &project.Database{
				Schema:  project.Statements(project.NewFile("schema.sql", schema)),
				Queries: project.Queries(project.NewFile("queries.sql", "-- name: A :execrows\n"+c.query+"\n")),
			}
			judged, errs := verdict.Judge(d, verdict.Options{})
			for _, err := range errs {
				t.Fatal(err)
			}
			w := judged.Queries[0].Writes[0]
			var finding *rules.Finding
			for _, f := range rules.Check(judged, &rules.Options{}) {
				if f.Write == w && f.Advice != nil && len(f.Advice.Edits) > 0 {
					finding = &f
				}
			}
			proof, err := prove.Write(ctx, dbtest.New(t).Owner(), d.Schema, w, finding)
			if got := told(proof, err); got != c.lost {
				t.Fatalf("lost %q, want %q: %v\n%s", got, c.lost, err, text(proof))
			}
			switch {
			case c.lost == "no row":
			case c.advised == "no advice":
				if proof.Advised != nil {
					t.Errorf("there is a suggestion: %s", proof.Advice.Text)
				}
			case proof.Advised == nil:
				t.Error("there is no suggestion")
			case proof.Advised.Loses():
				t.Errorf("the suggestion does not help\n%s", proof)
			}
		})
	}
}

// told returns the outcome of the race without the suggestion.
func told(p *prove.Proof, err error) string {
	switch {
	case errors.Is(err, prove.ErrNoRow):
		return "no row"
	case err != nil:
		return err.Error()
	case p.Plain.BothTook:
		return "twice"
	}
	slices.Sort(p.Plain.Lost)
	slices.Reverse(p.Plain.Lost)
	return strings.Join(p.Plain.Lost, " ")
}

func text(p *prove.Proof) string {
	if p == nil || p.Plain == nil {
		return ""
	}
	return p.String()
}

// TestSuggestionsOfThePagesHelp runs the failing example of each rule's page that is about the write of
// one row.
func TestSuggestionsOfThePagesHelp(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"blind-overwrite", "stale-test", "noop-guard", "tautology-guard",
		"optional-guard", "liveness-overwrite", "unguarded-transition",
		"cursor-can-move-back"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			rule := rules.ByID(id)
			d := &project.Database{
				Schema:  project.Statements(project.NewFile("schema.sql", rule.Block("sql schema"))),
				Queries: project.Queries(project.NewFile("queries.sql", rule.Block("sql fails"))),
			}
			judged, _ := verdict.Judge(d, verdict.Options{})
			for _, f := range rules.Check(judged, &rules.Options{}) {
				if f.Rule != rule {
					continue
				}
				proof, err := prove.Write(ctx, dbtest.New(t).Owner(), d.Schema, f.Write, &f)
				if err != nil {
					t.Fatal(err)
				}
				if !proof.Plain.Loses() || f.Advice != nil && (proof.Advised == nil || proof.Advised.Loses()) {
					t.Errorf("got\n%s", proof)
				}
				return
			}
			t.Error("there is no finding")
		})
	}
}
