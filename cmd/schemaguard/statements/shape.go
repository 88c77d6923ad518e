package statements

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/server"
	"waybill/cmd/sqlguard/syntax"
)

// shape is what a schema makes of a statement.
type shape struct {
	err     *pgconn.PgError // why it cannot run
	columns []uint32        // the types of its result
	lacks   []string        // columns without a default that its INSERTs do not set
}

// lost returns what a statement had before and has no more, or "".
func (before shape) lost(now shape) string {
	switch {
	case before.err != nil:
		return ""
	case now.err != nil:
		return "fails after this migration: " + describe(now.err)
	case !slices.Equal(before.columns, now.columns):
		return "gives columns of other types after this migration: the program cannot read them"
	}
	for _, column := range now.lacks {
		if !slices.Contains(before.lacks, column) {
			return withoutColumn(column)
		}
	}
	return ""
}

func withoutColumn(column string) string {
	return "inserts rows without " + column + ", which refuses NULL and has no default (SQLSTATE 23502)"
}

// look plans the statements as the application, and returns what becomes of each, by its ID.
func look(ctx context.Context, d *server.Database, all []query.Query) (map[string]shape, error) {
	conn, err := planner(ctx, d.Application)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	owner, err := planner(ctx, d.Owner)
	if err != nil {
		return nil, err
	}
	defer owner.Close(context.WithoutCancel(ctx))
	required, err := requiredColumns(ctx, conn)
	if err != nil {
		return nil, err
	}
	shapes, seen := map[string]shape{}, &d.Server().Memory
	for _, q := range all {
		key := d.Schema + " " + q.SQL
		if known, ok := seen.Load(key); ok {
			shapes[q.ID()] = known.(shape)
			continue
		}
		as := conn
		if d.Settings().SentByOwner(q.Name, q.Path) {
			as = owner
		}
		s, err := plan(ctx, as, q)
		if !errors.As(err, &s.err) && err != nil {
			return nil, fmt.Errorf("%s: %w", q.Name, err)
		}
		s.lacks = lacking(q, required)
		shapes[q.ID()] = s
		seen.Store(key, s)
	}
	return shapes, nil
}

// planner connects, to plan for any arguments.
func planner(ctx context.Context, connect func(context.Context) (*pgx.Conn, error)) (*pgx.Conn, error) {
	conn, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan"); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// plan prepares a statement, and has it explained, by which PostgreSQL checks the grants. Nothing is run but what
// has no plan.
func plan(ctx context.Context, conn *pgx.Conn, q query.Query) (s shape, err error) {
	name := "gate_" + strings.ToLower(q.Name)
	prepared, err := conn.Prepare(ctx, name, q.SQL)
	if err != nil {
		return s, err
	}
	for _, f := range prepared.Fields {
		s.columns = append(s.columns, read(f.DataTypeOID))
	}
	nulls := ""
	if n := len(prepared.ParamOIDs); n > 0 {
		nulls = "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	if unplanned(q.SQL) {
		err = tryOut(ctx, conn, q.SQL)
	} else {
		_, err = conn.Exec(ctx, "EXPLAIN EXECUTE "+pgx.Identifier{name}.Sanitize()+nulls,
			pgx.QueryExecModeSimpleProtocol)
	}
	return s, errors.Join(err, conn.Deallocate(ctx, name))
}

// unplanned reports whether a statement is one of which PostgreSQL looks at nothing before it runs.
func unplanned(text string) bool {
	nodes, err := syntax.Parse(text)
	if err != nil || len(nodes) != 1 {
		return false
	}
	n := nodes[0]
	return n.GetRefreshMatViewStmt() != nil || n.GetTruncateStmt() != nil || n.GetLockStmt() != nil
}

// tryOut runs a statement on a database without rows, and takes it back.
func tryOut(ctx context.Context, conn *pgx.Conn, text string) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, text)
	return errors.Join(err, tx.Rollback(ctx))
}

// read returns the type as which a program reads a column: texts are one type.
func read(oid uint32) uint32 {
	if oid == pgtype.VarcharOID || oid == pgtype.BPCharOID {
		return pgtype.TextOID
	}
	return oid
}

func describe(e *pgconn.PgError) string { return fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.Code) }

// blame returns the line of a migration's statement that has a name that PostgreSQL's error, or the finding's
// message, has too.
func blame(m *migration.Migration, e *pgconn.PgError, message string) int {
	if e != nil {
		message = e.Message
	}
	for _, name := range names(message) {
		for _, s := range m.Up {
			if strings.Contains(s.Text, name) {
				return s.Line
			}
		}
	}
	return m.Up[0].Line
}

// names returns the quoted words of a message, and then the others that may be names.
func names(message string) (all []string) {
	for i, part := range strings.Split(message, `"`) {
		if i%2 == 1 {
			all = append(all, part)
		}
	}
	words := strings.FieldsFunc(message, func(r rune) bool { return strings.ContainsRune(` ".(),:`, r) })
	for _, word := range words {
		if len(word) > 3 && !common[word] {
			all = append(all, word)
		}
	}
	return all
}

// common are words of messages that are no names.
var common = map[string]bool{"column": true, "relation": true, "table": true, "function": true, "type": true,
	"inserts": true, "rows": true, "without": true, "gives": true, "columns": true, "other": true, "types": true,
	"after": true, "this": true, "migration": true, "NULL": true, "does": true, "exist": true}
