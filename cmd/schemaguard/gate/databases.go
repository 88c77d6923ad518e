package gate

import (
	"context"
	"errors"
	"fmt"
	"path"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/catalog"
	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/queries"
	"waybill/cmd/schemaguard/server"
	"waybill/cmd/schemaguard/shape"
	"waybill/cmd/schemaguard/statements"
)

// Fails is the rule that PostgreSQL takes each migration.
var Fails = finding.Rule{
	Name: "migration-fails",
	Load: "the deployment stops in the middle: what was not in the failed transaction stays",
	Safe: "correct the statement; task test applies all migrations to an empty database",
}

// onServer runs the checks that need a database. It is through with them unless a migration fails.
func onServer(
	ctx context.Context, c *change.Change, s *server.Server, measure Measure,
) (all []finding.Finding, through bool, err error) {
	end := measure.clock.begin("shape")
	all, err = onFacts(ctx, c, s)
	end()
	if err != nil || measure.Depth == TextsOnly {
		return all, false, err
	}
	end = measure.clock.begin("schema and statements")
	d, err := s.Migrated(ctx, c.Old)
	if err != nil {
		return nil, false, fmt.Errorf("the base cannot be migrated%s: %w", inGo(c), err)
	}
	defer func() { err = errors.Join(err, d.Drop(ctx)) }()
	old, err := faultsOfBase(ctx, c, d)
	if err != nil {
		return nil, false, err
	}
	guards, err := guardsOf(ctx, d)
	if err != nil {
		return nil, false, err
	}
	found, err := statements.CheckSides(ctx, c, d) // and leaves d at the head
	all = append(all, found...)
	var failure *server.Failure
	if errors.As(err, &failure) && failure.Err != nil {
		return append(all, failed(c, failure)), false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if found, err = onHead(ctx, c, d); err != nil {
		return nil, false, err
	}
	found = told(found, old)
	kept, err := guardsOf(ctx, d)
	if err != nil {
		return nil, false, err
	}
	found = append(found, catalog.CheckGuards(c, guards, kept)...)
	end()
	return append(all, found...), true, nil
}

// guardsOf returns what refuses rows in a database.
func guardsOf(ctx context.Context, d *server.Database) (*catalog.Guards, error) {
	conn, err := d.Super(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return catalog.ReadGuards(ctx, conn)
}

// onFacts runs the checks of how the migrations are written, which ask what the base is like.
func onFacts(ctx context.Context, c *change.Change, s *server.Server) (all []finding.Finding, err error) {
	if len(c.New) == 0 {
		return nil, nil
	}
	facts, err := s.Facts(ctx, c.Old, func(conn *pgx.Conn) (any, error) {
		return shape.Look(ctx, conn, c.Settings.Role)
	})
	if err != nil {
		return nil, fmt.Errorf("the base cannot be migrated%s: %w", inGo(c), err)
	}
	return shape.Check(c, facts.(*shape.Facts)), nil
}

// inGo tells of migrations that are programs: they are not run, and what follows may rest on them.
func inGo(c *change.Change) string {
	n := 0
	for _, p := range c.Base.Below(c.Settings.Migrations, ".go") {
		if first, _ := utf8.DecodeRuneInString(path.Base(p)); unicode.IsDigit(first) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of its migrations are written in Go, which this does not run)", n)
}

// onHead runs the checks of a database of the head.
func onHead(ctx context.Context, c *change.Change, d *server.Database) ([]finding.Finding, error) {
	conn, err := d.Super(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	all, err := catalog.Check(ctx, c, conn)
	if err != nil {
		return nil, err
	}
	found, err := statements.CheckHead(ctx, c, d)
	if err != nil {
		return nil, err
	}
	all = append(all, found...)
	found, err = queries.CheckRecords(ctx, c, d)
	return append(all, found...), err
}

// failed is the finding of a migration that PostgreSQL refused.
func failed(c *change.Change, f *server.Failure) finding.Finding {
	line := 1
	for _, m := range c.All {
		if m.Path == f.Path && len(m.Up) > 0 {
			line = m.Up[0].Line
		}
	}
	return Fails.At(f.Path, line, f.Path, f.Error())
}
