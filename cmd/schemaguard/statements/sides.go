package statements

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/server"
)

// Old is the rule that statements of servers that still run stay possible.
var Old = finding.Rule{
	Name: "old-statement-fails",
	Load: "servers of the release before run during the deployment, and again after a rollback: each call of the " +
		"statement is answered by 500 until the last of them is gone",
	Safe: "expand and contract: add the new beside the old, deploy servers that use it, and remove the old a release " +
		"after its last reader",
}

// New is told of statements that need the new schema.
var New = finding.Rule{
	Name: "deploy-order",
	Safe: "migrate first, then deploy the servers",
}

// CheckSides applies the new migrations to a database of the base, one by one, and after each has the old
// statements planned. It leaves the database at the head. The error is a [server.Failure] if PostgreSQL
// refuses a migration.
func CheckSides(ctx context.Context, c *change.Change, d *server.Database) (all []finding.Finding, err error) {
	if len(c.New) == 0 {
		return nil, nil
	}
	if all, err = tellOrder(ctx, c, d); err != nil {
		return nil, err
	}
	sets, err := oldSets(c)
	if err != nil {
		return nil, err
	}
	for i := range sets {
		if sets[i].shape, err = look(ctx, d, sets[i].queries); err != nil {
			return nil, err
		}
		all = append(all, sets[i].unproved()...)
	}
	applied := slices.Clone(c.Old)
	for _, m := range c.New {
		applied = append(applied, m)
		if err := d.Up(ctx, applied); err != nil {
			return all, err
		}
		for i := range sets {
			s := &sets[i]
			s.done(c, m)
			found, err := s.after(ctx, m, d)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// set is the statements of one state of the program.
type set struct {
	name    string
	queries []query.Query
	shape   map[string]shape // what they were before, by their IDs
	isProof bool             // migrations may declare that its programs can serve

	areBackfills bool // which workers of the base send, until they are done
}

// done leaves out the backfills that a migration requires to be done before it.
func (s *set) done(c *change.Change, m *migration.Migration) {
	if !s.areBackfills || c.Settings.Requires == "" {
		return
	}
	for _, line := range regexp.MustCompile(`(?m)^--\s*`+regexp.QuoteMeta(c.Settings.Requires)+`:\s*(\S+)`).
		FindAllStringSubmatch(m.Text, -1) {
		s.queries = slices.DeleteFunc(s.queries, func(q query.Query) bool { return q.Name == line[1] })
	}
}

// unproved returns the statements that fail already: nothing proves that programs which send them can serve.
func (s *set) unproved() (all []finding.Finding) {
	for _, q := range s.queries {
		if e := s.shape[q.ID()].err; s.isProof && e != nil {
			all = append(all, Old.At(q.Path, q.Line, q.Name, fmt.Sprintf(
				"%s, a statement of %s, fails on the schema of the base already: %s", q.Name, s.name, describe(e))))
		}
	}
	return all
}

// oldSets returns the statements of the base, and those of the last releases.
func oldSets(c *change.Change) ([]set, error) {
	base, err := query.Sent(c.Base, c.Settings.Generated, c.Settings.Queries)
	if err != nil {
		return nil, err
	}
	sets := []set{{name: "the base", queries: base}}
	if backfills := query.Whole(c.Base, c.Settings.Backfills); len(backfills) > 0 {
		sets = append(sets, set{name: "the backfills of the base", queries: backfills, areBackfills: true})
	}
	for _, r := range Releases(c.Head, c.Settings.Releases) {
		sets = append(sets, set{name: "release " + r.Version, queries: r.Queries, isProof: r.Newest > 0})
	}
	return sets, nil
}

// after returns what no longer works after a migration, and counts it as known from then on.
func (s *set) after(ctx context.Context, m *migration.Migration, d *server.Database) (all []finding.Finding,
	err error) {
	now, err := look(ctx, d, s.queries)
	if err != nil {
		return nil, err
	}
	for _, q := range s.queries {
		if why := s.shape[q.ID()].lost(now[q.ID()]); why != "" {
			all = append(all, Old.At(m.Path, blame(m, now[q.ID()].err, why), q.Name,
				fmt.Sprintf("%s, a statement of %s, %s", q.Name, s.name, why)))
		}
	}
	maps.Copy(s.shape, now)
	return all, nil
}

// tellOrder tells which statements of the head need its schema.
func tellOrder(ctx context.Context, c *change.Change, d *server.Database) (all []finding.Finding, err error) {
	queries := query.Read(c.Head, c.Settings.Queries)
	shapes, err := look(ctx, d, queries)
	if err != nil {
		return nil, err
	}
	for _, q := range queries {
		if e := shapes[q.ID()].err; e != nil && e.Code != insufficientPrivilege {
			all = append(all, New.At(q.Path, q.Line, q.Name, fmt.Sprintf(
				"%s cannot run on the schema of the base: %s", q.Name, describe(e))).Told())
		}
	}
	return all, nil
}
