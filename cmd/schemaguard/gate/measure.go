package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/load"
	"waybill/cmd/schemaguard/queries"
	"waybill/cmd/schemaguard/server"
)

// Depth is how much is asked of a change.
type Depth int

// The depths.
const (
	Whole       Depth = iota
	WithoutRows       // new migrations are not tried on a database with rows, and no document is compared
	TextsOnly         // only the files are read, and facts of the base
)

// Measure says how the new migrations are tried on a database with rows.
type Measure struct {
	Depth Depth
	Rows  int  // of the tables that grow; 0: none
	Fill  Fill // nil: the file of the settings
	Quick bool // no program of the base is built
	InCI  bool // what is not installed is refused, where elsewhere it is told
	load.Options
	clock *clock
}

// Fill makes rows in a database of the base, as the owner of the schema. statements are the files of the
// setting fill, as the base has them.
type Fill func(ctx context.Context, conn *pgx.Conn, statements fs.FS, rows int) error

// attempts is how often a lock may be held, or waited for, too long before that is refused: another process may have
// had the processor.
const attempts = 3

// Many migrations at once are tried on fewer rows: each is tried alone, so that they would take as much longer as there
// are more of them, and CI would not end. Two have all the rows, more share twice as many, and none has less than a
// sixth: what rewrites or reads a table under its lock holds it for more than the time allowed there, too.
const (
	withAllRows = 2
	leastShare  = 6
)

// sharing returns the measure for a number of migrations.
func (m Measure) sharing(migrations int) Measure {
	if migrations > withAllRows {
		m.Rows = max(m.Rows*withAllRows/migrations, m.Rows/leastShare)
	}
	return m
}

// check tries the new migrations. It calls settle before it measures times.
func (m Measure) check(ctx context.Context, c *change.Change, s *server.Server, settle func(),
) (all []finding.Finding, err error) {
	for range attempts {
		if all, err = m.try(ctx, c, s, settle); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, load.IsTooSlow) {
			break
		}
	}
	return all, nil
}

func (m Measure) try(ctx context.Context, c *change.Change, s *server.Server, settle func(),
) (all []finding.Finding, err error) {
	changed := len(queries.Changed(c)) > 0 && m.Rows > 0
	if len(c.New) == 0 && !changed {
		return nil, nil
	}
	d, err := m.filled(ctx, c, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Drop(ctx)) }()
	var before queries.Plans
	if len(c.New) > 0 {
		if before, err = m.plans(ctx, c, d); err != nil {
			return nil, err
		}
		settle()
		var through bool
		end := m.clock.begin("rows")
		all, through, err = load.Check(ctx, c, d, m.Options)
		end()
		if err != nil || !through {
			return all, err
		}
	}
	if changed || len(before) > 0 {
		defer m.clock.begin("plans")()
		found, err := queries.CheckPlans(ctx, c, d, before)
		return append(all, found...), err
	}
	return all, nil
}

// plans returns the plans of the base's statements on the rows, none if there are no rows.
func (m Measure) plans(ctx context.Context, c *change.Change, d *server.Database) (queries.Plans, error) {
	if m.Rows == 0 {
		return nil, nil
	}
	defer m.clock.begin("plans")()
	return queries.Before(ctx, c, d, m.state(d))
}

// filled returns a database of the base with rows.
func (m Measure) filled(ctx context.Context, c *change.Change, s *server.Server) (*server.Database, error) {
	empty, err := s.Migrated(ctx, c.Old)
	if err != nil || m.Rows == 0 || c.Settings.Fill == "" {
		return empty, err
	}
	key, schema := m.state(empty), empty.Schema
	defer m.clock.begin("making rows")()
	filled, err := s.Prepared(ctx, key, func() (*server.Database, error) { return empty, m.fill(ctx, c, empty) })
	if err == nil {
		filled.Schema = schema
	}
	return filled, err
}

// state tells a database of the base with the measure's rows from others.
func (m Measure) state(d *server.Database) string {
	return d.Schema + " with rows " + strconv.Itoa(m.Rows)
}

func (m Measure) fill(ctx context.Context, c *change.Change, d *server.Database) error {
	conn, err := d.Owner(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	do := m.Fill
	if do == nil {
		do = func(ctx context.Context, conn *pgx.Conn, _ fs.FS, rows int) error {
			text := strings.ReplaceAll(c.Base[c.Settings.Fill], ":rows", strconv.Itoa(rows))
			_, err := conn.Exec(ctx, text)
			return err
		}
	}
	if err := do(ctx, conn, c.Base.FS(c.Settings.Fill), m.Rows); err != nil {
		return fmt.Errorf("no rows could be made on the base's schema (setting fill): %w", err)
	}
	return nil
}
