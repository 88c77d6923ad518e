package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/prove"
	"waybill/cmd/sqlguard/report"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/verdict"
	"waybill/db/localpg"
)

// proofTimeout includes the download of PostgreSQL where none is installed.
const proofTimeout = 10 * time.Minute

// prove runs the race of each write of the named query on a throwaway PostgreSQL.
func (c *command) prove() int {
	if c.path == "" {
		return unreadable
	}
	projects, err := project.Load(c.path)
	if err != nil {
		c.fail(err)
	}
	for _, p := range projects {
		s, err := readSettings(c.config, p.Folder(), c.path)
		if err != nil {
			return c.fail(err)
		}
		r := &report.Report{}
		c.judge(r, p, s)
		for i, d := range r.Databases {
			for _, q := range d.Queries {
				if q.Name == c.proven {
					return c.proveQuery(q, p.Databases[i].Schema, r.Findings)
				}
			}
		}
	}
	return c.fail(fmt.Errorf("no query is named %s", c.proven))
}

// proveQuery starts the server, and creates a database for each write.
func (c *command) proveQuery(q *verdict.Query, schema []*project.Statement, findings []rules.Finding) int {
	ctx, cancel := context.WithTimeout(context.Background(), proofTimeout)
	defer cancel()
	if len(q.Writes) == 0 || len(q.Statements) != 1 {
		return c.fail(fmt.Errorf("%s is not a single writing statement", q.Name))
	}
	server, err := localpg.Start(ctx, localpg.Options{})
	if err != nil {
		return c.fail(err)
	}
	defer server.Stop()
	status := clean
	for i, w := range q.Writes {
		if w.Function != "" {
			fmt.Fprintf(c.out, "%s writes %s in the function %s: writes inside functions are not run\n",
				q.Name, w.Table(), w.Function)
			continue
		}
		proof, err := c.proveWrite(ctx, server, fmt.Sprintf("proof_%d", i), w, schema, findingOf(w, findings))
		if err != nil {
			return c.fail(err)
		}
		fmt.Fprintf(c.out, "%s writes %s (%s)\n\n%s\n", q.Name, w.Table(), w.Verdict, proof)
		if proof.Plain.Loses() {
			status = found
		}
	}
	return status
}

func (c *command) proveWrite(
	ctx context.Context, server *localpg.Server, database string, w *verdict.Write,
	schema []*project.Statement, f *rules.Finding,
) (*prove.Proof, error) {
	admin, err := pgxpool.New(ctx, server.URL(localpg.Superuser, "postgres"))
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(ctx, server.URL(localpg.Superuser, database))
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	return prove.Write(ctx, pool, schema, w, f)
}

// findingOf returns the finding for the write: the first with an applicable suggestion, or else the
// first.
func findingOf(w *verdict.Write, findings []rules.Finding) *rules.Finding {
	var first *rules.Finding
	for i, f := range findings {
		if f.Write != w {
			continue
		}
		if f.Advice != nil && len(f.Advice.Edits) > 0 {
			return &findings[i]
		}
		if first == nil {
			first = &findings[i]
		}
	}
	return first
}
