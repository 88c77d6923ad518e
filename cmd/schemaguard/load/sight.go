package load

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/server"
)

// sight is what a database has at one time.
type sight struct {
	schema []string            // a line for each thing
	tables map[string][]string // their columns, by the name that SQL has for each
	rows   map[string]string   // a digest of each table's rows
	files  map[string]int64    // where the tables that have rows are stored
}

// see looks at the database. The digests are of the columns given, and of no table that lacks one of them; of
// all columns, if none are given.
func (t *trial) see(ctx context.Context, of map[string][]string) (s *sight, err error) {
	s = &sight{tables: map[string][]string{}}
	rows, err := t.super.Query(ctx, sql("schema"))
	if err != nil {
		return nil, err
	}
	if s.schema, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, err
	}
	if rows, err = t.super.Query(ctx, sql("tables")); err != nil {
		return nil, err
	}
	var table string
	var columns []string
	if _, err = pgx.ForEachRow(rows, []any{&table, &columns}, func() error {
		s.tables[table] = slices.Clone(columns)
		return nil
	}); err != nil {
		return nil, err
	}
	if s.files, err = t.storage(ctx); err != nil {
		return nil, err
	}
	if of == nil {
		of = s.tables
	}
	s.rows, err = t.digest(ctx, present(of, s.tables))
	return s, err
}

// present returns the tables that have all their columns still.
func present(of, now map[string][]string) map[string][]string {
	all := map[string][]string{}
	for table, columns := range of {
		if len(lacks(columns, now[table])) == 0 {
			all[table] = columns
		}
	}
	return all
}

func (t *trial) storage(ctx context.Context) (map[string]int64, error) {
	rows, err := t.super.Query(ctx, sql("files"))
	if err != nil {
		return nil, err
	}
	all := map[string]int64{}
	var table string
	var file int64
	_, err = pgx.ForEachRow(rows, []any{&table, &file}, func() error {
		all[table] = file
		return nil
	})
	return all, err
}

// digested is a table's digest, as of a state of the table.
type digested struct{ columns, state, sum string }

// digest returns, of each table, the number of its rows and the sum of their hashes. The callers of the base
// leave no row behind. A table that nobody has written since it was last asked for is not read again: that costs the
// most, for each of many migrations.
func (t *trial) digest(ctx context.Context, tables map[string][]string) (map[string]string, error) {
	states, err := t.states(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for table, columns := range tables {
		now := digested{strings.Join(columns, " "), states[table], ""}
		if was := t.digests[table]; now.state != "" && was.columns == now.columns && was.state == now.state {
			all[table] = was.sum
			continue
		}
		if now.sum, err = t.sum(ctx, table, columns); err != nil {
			return nil, err
		}
		all[table], t.digests[table] = now.sum, now
	}
	return all, nil
}

// sum reads a table.
func (t *trial) sum(ctx context.Context, table string, columns []string) (sum string, err error) {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = pgx.Identifier{c}.Sanitize()
	}
	if err = t.super.QueryRow(ctx, fmt.Sprintf(
		"SELECT count(*) || ' ' || coalesce(sum(hashtextextended(ROW(%s)::text, 0)::numeric), 0) FROM %s",
		strings.Join(quoted, ", "), table)).Scan(&sum); err != nil {
		return "", fmt.Errorf("%s: %w", table, err)
	}
	return sum, nil
}

// states returns of each table what changes whenever its rows do.
func (t *trial) states(ctx context.Context) (map[string]string, error) {
	for migrating := true; migrating; {
		if err := t.super.QueryRow(ctx, sql("migrating"), server.Migrator).Scan(&migrating); err != nil {
			return nil, err
		}
	}
	rows, err := t.super.Query(ctx, sql("unchanged"))
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	var table, state string
	_, err = pgx.ForEachRow(rows, []any{&table, &state}, func() error {
		all[table] = state
		return nil
	})
	return all, err
}

// count returns the number of rows in a digest.
func count(digest string) string {
	n, _, _ := strings.Cut(digest, " ")
	return n
}

// lacks returns the lines of a that b does not have.
func lacks(a, b []string) (all []string) {
	for _, line := range a {
		if !slices.Contains(b, line) {
			all = append(all, line)
		}
	}
	return all
}

// mention returns the line of the first statement, of Up or Down, that names a table.
func mention(m *migration.Migration, table string) int {
	for _, s := range slices.Concat(m.Up, m.Down) {
		if strings.Contains(s.Text, table) {
			return s.Line
		}
	}
	return first(m.Up)
}
