package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// mendIndexes finds the indexes that an interrupted statement left invalid: no query uses them, and
// every write maintains them. One that a pending migration makes is dropped, others are made anew
// beside the requests. It returns an error for those that cannot be made, such as a unique one over rows
// with the same key.
func (m *Migrator) mendIndexes(ctx context.Context, pending []migrationFile) error {
	invalid, err := New(m.admin).ListInvalidIndexes(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, i := range invalid {
		if err := m.mend(ctx, i, pending); err != nil {
			err = fmt.Errorf("the index %s on %s is invalid, and cannot be made: %w", *i.Name, *i.TableName, err)
			m.tell("%s", err)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (m *Migrator) mend(ctx context.Context, i ListInvalidIndexesRow, pending []migrationFile) error {
	m.step = &step{name: "index " + *i.Name}
	defer func() { m.step = nil }()
	isPending := slices.ContainsFunc(pending, func(f migrationFile) bool { return f.makesIndex(*i.Name) })
	statement, done := *i.ReindexStatement, "made anew"
	if *i.IsLeftover || isPending {
		statement, done = *i.DropStatement, "dropped"
	}
	m.tell("index %s on %s is invalid: it was interrupted, no query uses it, each write maintains it", *i.Name,
		*i.TableName)
	began := time.Now()
	if _, err := m.conn.ExecContext(ctx, statement); err != nil {
		return err
	}
	m.tell("index %s: %s in %s%s", *i.Name, done, rounded(time.Since(began)), m.step.seen.line())
	return nil
}

// indexName is the name of the index that a statement creates.
var indexName = regexp.MustCompile(`(?is)\bCONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)"?\s+ON\b`)

// dropInvalid drops the index that the statement is to create if it is there and invalid: the statement
// would fail, or with IF NOT EXISTS pass over it.
func (m *Migrator) dropInvalid(ctx context.Context, c *migrationConn, statement string) error {
	name := indexName.FindStringSubmatch(statement)
	if name == nil {
		return nil
	}
	invalid, err := New(m.admin).ListInvalidIndexes(ctx)
	if err != nil {
		return err
	}
	for _, i := range invalid {
		if *i.Name != name[1] {
			continue
		}
		m.tell("%s: the index %s is invalid: it was interrupted, and is dropped before it is made",
			m.step.name, *i.Name)
		if _, err := c.Conn.ExecContext(ctx, *i.DropStatement, []driver.NamedValue{}); err != nil {
			return err
		}
	}
	return nil
}
