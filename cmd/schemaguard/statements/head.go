package statements

import (
	"context"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/server"
)

const insufficientPrivilege = "42501"

var (
	// Ungranted is the rule that the application may do what its statements do.
	Ungranted = finding.Rule{
		Name: "missing-grant",
		Load: "every call of the statement fails with permission denied (SQLSTATE 42501): 500",
		Safe: "GRANT to the application's role no more than the statement needs, in the migration that creates the " +
			"table",
	}
	// Broken is the rule that each statement can be run on the schema that it comes with.
	Broken = finding.Rule{
		Name: "statement-fails",
		Load: "every call of the statement fails: 500",
		Safe: "bring the statement and the schema together",
	}
)

// CheckHead has every statement of the head planned on a database of the head.
func CheckHead(ctx context.Context, c *change.Change, d *server.Database) (all []finding.Finding, err error) {
	queries := append(query.Read(c.Head, c.Settings.Queries), query.Whole(c.Head, c.Settings.Backfills)...)
	shapes, err := look(ctx, d, queries)
	if err != nil {
		return nil, err
	}
	for _, q := range queries {
		s := shapes[q.ID()]
		switch {
		case s.err != nil && s.err.Code == insufficientPrivilege:
			all = append(all, Ungranted.At(q.Path, q.Line, q.Name, q.Name+" fails on the schema of this change: "+
				describe(s.err)))
		case s.err != nil:
			all = append(all, Broken.At(q.Path, q.Line, q.Name, q.Name+" fails on the schema of this change: "+
				describe(s.err)))
		}
		for _, column := range s.lacks {
			all = append(all, Broken.At(q.Path, q.Line, q.Name, q.Name+" "+withoutColumn(column)))
		}
	}
	return all, nil
}
