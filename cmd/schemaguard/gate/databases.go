package gate

import (
	"context"
	"errors"
	"fmt"

	"waybill/cmd/schemaguard/catalog"
	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
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
	ctx context.Context, c *change.Change, s *server.Server,
) (all []finding.Finding, through bool, err error) {
	d, err := s.Migrated(ctx, c.Old)
	if err != nil {
		return nil, false, fmt.Errorf("the base cannot be migrated: %w", err)
	}
	defer func() { err = errors.Join(err, d.Drop(ctx)) }()
	if all, err = onBase(ctx, c, d); err != nil {
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
	found, err = onHead(ctx, c, d)
	return append(all, found...), true, err
}

// onBase runs the checks that ask what the base is like.
func onBase(ctx context.Context, c *change.Change, d *server.Database) ([]finding.Finding, error) {
	conn, err := d.Super(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	facts, err := shape.Look(ctx, conn, c.Settings.Role)
	if err != nil {
		return nil, err
	}
	return shape.Check(c, facts), nil
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
