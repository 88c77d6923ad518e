package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	files "waybill/sql"
)

// Migrator migrates the schema up and down. It connects as the schema's owner; the application's role
// may not change the schema.
type Migrator struct {
	*goose.Provider
	conn   *sql.DB
	config *pgconn.Config
}

// NewMigrator opens the database at ownerURL for migrations. Concurrent migrators are serialized by an
// advisory lock.
func NewMigrator(ownerURL string) (*Migrator, error) {
	config, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return nil, fmt.Errorf("the database URL (DATABASE_URL) %w", withoutPassword(err))
	}
	oneOff(config)
	SetConnectDefaults(&config.Config, ownerURL)
	alsoValidate(&config.Config, new(Lineage).validate)
	conn := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(_ context.Context, conn *pgx.Conn) error {
		return CheckEncoding(conn.PgConn())
	}))
	provider, err := newProvider(conn, config)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Migrator{provider, conn, &config.Config}, nil
}

func newProvider(conn *sql.DB, config *pgx.ConnConfig) (*goose.Provider, error) {
	folder, err := fs.Sub(files.Migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := newLocker(config)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, conn, folder, goose.WithSessionLocker(locker))
}

// Close closes the connections.
func (m *Migrator) Close() error { return m.conn.Close() }

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

// NewestMigration returns the schema version that this program needs.
func NewestMigration() int64 {
	names, err := fs.Glob(files.Migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		panic("the program has no migrations") // embedded, so never missing
	}
	version, err := goose.NumericComponent(names[len(names)-1]) // Glob sorts
	if err != nil {
		panic(err)
	}
	return version
}

// schemaVersion only reads. [goose.Provider.GetVersions] would create a missing table, which fails after
// three seconds with the application's role.
func schemaVersion(ctx context.Context, conn *sql.DB) (int64, error) {
	table, err := database.NewStore(goose.DialectPostgres, goose.DefaultTablename)
	if err != nil {
		return 0, err
	}
	version, err := table.GetLatestVersion(ctx, conn)
	var refused *pgconn.PgError
	if errors.Is(err, database.ErrVersionNotFound) ||
		errors.As(err, &refused) && refused.Code == "42P01" { // undefined table
		return 0, nil
	}
	return version, err
}
