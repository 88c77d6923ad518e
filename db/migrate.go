package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/pressly/goose/v3"

	files "waybill/sql"
)

// Migrator migrates the schema up and down. It connects as the schema's owner; the application's role
// may not change the schema.
type Migrator struct {
	*goose.Provider
	conn   *sql.DB // goose's, each a migrationConn
	pgx    *pgx.ConnConfig
	config *pgconn.Config
	limits MigratorConfig
	files  []migrationFile

	admin  *pgx.Conn // nil outside of connected
	pooled bool      // a connection pooler is in between
	step   *step     // that is being made
	place  string    // of the next step among those that are pending
}

// MigratorConfig is how a Migrator goes about it. The zero value stands for the defaults.
type MigratorConfig struct {
	Files     fs.FS // by default those of this program
	Backfills fs.FS // the statements of backfills, by default those of this program
	// LockTimeout bounds each wait for a lock that requests would queue behind, by default 500 ms.
	LockTimeout time.Duration
	// LockAttempts is how often a migration that did not get its locks is tried, by default 30 times:
	// with the waits in between about six minutes.
	LockAttempts int
	// StatementTimeout bounds each statement that may keep requests waiting, by default a minute. A
	// migration's file may ask for another one.
	StatementTimeout time.Duration
	// AllowMissing applies migrations with a number below the greatest that is applied.
	AllowMissing bool
	// Tell, if it is not nil, is called with a line about what is done or waited for.
	Tell func(line string)
}

// withDefaults returns c with what it leaves out.
func (c MigratorConfig) withDefaults() (MigratorConfig, error) {
	c.LockTimeout = cmp.Or(c.LockTimeout, 500*time.Millisecond)
	c.LockAttempts = cmp.Or(c.LockAttempts, 30)
	c.StatementTimeout = cmp.Or(c.StatementTimeout, time.Minute)
	if c.Tell == nil {
		c.Tell = func(string) {}
	}
	var err error
	if c.Files == nil {
		c.Files, err = fs.Sub(files.Migrations, "migrations")
	}
	if c.Backfills == nil && err == nil {
		c.Backfills, err = fs.Sub(files.Backfills, "backfills")
	}
	return c, err
}

// NewMigrator returns a migrator of the database at ownerURL, with the defaults.
func NewMigrator(ownerURL string) (*Migrator, error) {
	return NewMigratorWith(ownerURL, MigratorConfig{})
}

// NewMigratorWith returns a migrator of the database at ownerURL. It does not connect yet.
func NewMigratorWith(ownerURL string, c MigratorConfig) (*Migrator, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return nil, fmt.Errorf("the database URL (DATABASE_URL) %w", withoutPassword(err))
	}
	oneOff(config)
	SetConnectDefaults(&config.Config, ownerURL)
	alsoValidate(&config.Config, new(Lineage).validate)
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "waybill migrate"
	}
	// An interrupt cancels the statement on the server, and not only the wait for it.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 5 * time.Second}
	}
	m := &Migrator{pgx: config, config: &config.Config, limits: c}
	if m.files, err = readMigrationFiles(c.Files); err != nil {
		return nil, err
	}
	m.conn = sql.OpenDB(newMigrationConnector(m))
	// The lock of all migrators is held by locked.
	if m.Provider, err = goose.NewProvider(goose.DialectPostgres, m.conn, c.Files); err != nil {
		m.conn.Close()
		return nil, err
	}
	return m, nil
}

// Close closes the connections.
func (m *Migrator) Close() error { return m.conn.Close() }

// tell says a line.
func (m *Migrator) tell(format string, args ...any) { m.limits.Tell(fmt.Sprintf(format, args...)) }

// Migrate brings the database at ownerURL to the newest schema.
func Migrate(ctx context.Context, ownerURL string) error {
	m, err := NewMigrator(ownerURL)
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = m.Up(ctx)
	return err
}

// Up applies the pending migrations, each as soon as it gets its locks. Before the first one it checks
// the role's privileges, so that nothing is started that cannot be completed. It also makes invalid
// indexes anew, which were interrupted, and records what the files were. It returns what was done, and
// an error that says what is missing and how to fix it.
func (m *Migrator) Up(ctx context.Context) (results []*goose.MigrationResult, err error) {
	err = m.locked(ctx, func() error {
		done, err := m.applied(ctx)
		if err != nil {
			return err
		}
		if len(done) == 0 {
			if err := m.checkRights(ctx); err != nil {
				return err
			}
		}
		pending, err := m.pending(done)
		if err != nil {
			return err
		}
		results, err = m.up(ctx, done, pending)
		return err
	})
	return results, m.explain(err)
}

func (m *Migrator) up(ctx context.Context, done []int64, pending []migrationFile) (
	results []*goose.MigrationResult, err error) {
	if err := m.review(ctx, done); err != nil {
		return nil, err
	}
	m.mendIndexes(ctx, pending) // what cannot be made is told, and tried again at the end
	defer func() { m.place = "" }()
	for i, f := range pending {
		if err := m.requireBackfills(ctx, f); err != nil {
			return results, err
		}
		if len(pending) > 1 {
			m.place = fmt.Sprintf("; migration %d of %d", i+1, len(pending))
		}
		result, err := m.apply(ctx, f, true)
		if err != nil {
			return results, err
		}
		if err := m.declareBackfills(ctx, f); err != nil {
			return append(results, result), err
		}
		results = append(results, result)
		done = append(done, f.version)
	}
	if err := m.declareMissed(ctx, done); err != nil {
		return results, err
	}
	if err := m.recordFound(ctx, done); err != nil {
		return results, err
	}
	return results, m.mendIndexes(ctx, nil)
}

// pending lists the migrations that are not applied.
func (m *Migrator) pending(done []int64) (pending []migrationFile, err error) {
	for _, f := range m.files {
		if slices.Contains(done, f.version) {
			continue
		}
		if len(done) > 0 && f.version < slices.Max(done) && !m.limits.AllowMissing {
			return nil, fmt.Errorf("%s was never applied, but %05d was, which comes later: what came later may not "+
				"expect it; to apply it all the same: waybill migrate up --allow-missing", f.name, slices.Max(done))
		}
		pending = append(pending, f)
	}
	return pending, nil
}

// Down reverts the newest migration. It returns [goose.ErrNoNextVersion] if there is none.
func (m *Migrator) Down(ctx context.Context) (result *goose.MigrationResult, err error) {
	err = m.locked(ctx, func() error {
		f, err := m.newest(ctx)
		if err != nil {
			return err
		}
		if result, err = m.apply(ctx, f, false); err != nil {
			return err
		}
		return m.forget(ctx)
	})
	return result, m.explain(err)
}

// newest returns the newest migration that is applied, or [goose.ErrNoNextVersion].
func (m *Migrator) newest(ctx context.Context) (f migrationFile, err error) {
	done, err := m.applied(ctx)
	if err != nil {
		return f, err
	}
	if len(done) == 0 {
		return f, goose.ErrNoNextVersion
	}
	version := slices.Max(done)
	i := slices.IndexFunc(m.files, func(f migrationFile) bool { return f.version == version })
	if i < 0 {
		return f, fmt.Errorf("this program does not have the migration %05d, which is the newest: "+
			"a newer program can revert it", version)
	}
	return m.files[i], nil
}

// GetDBVersion returns the number of the newest migration that is applied, 0 if there is none.
func (m *Migrator) GetDBVersion(ctx context.Context) (version int64, err error) {
	err = m.connected(ctx, func() error {
		done, err := m.applied(ctx)
		if len(done) > 0 {
			version = slices.Max(done)
		}
		return err
	})
	return version, m.explain(err)
}
