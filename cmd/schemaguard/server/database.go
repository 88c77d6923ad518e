package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/settings"
	"waybill/db/localpg"
)

// Database is a database of the server.
type Database struct {
	Name   string
	Schema string // equal where the same migrations were applied
	server *Server
}

// Bare returns the name of a table, as SQL has it, without its schema and quotes.
func Bare(table string) string {
	return strings.Trim(table[strings.LastIndexByte(table, '.')+1:], `"`)
}

// Settings returns the project's settings.
func (d *Database) Settings() *settings.Settings { return d.server.settings }

// Server returns the database's server.
func (d *Database) Server() *Server { return d.server }

// Migrator is the application_name of the sessions that migrate.
const Migrator = "schemaguard migrates"

// Drop deletes the database.
func (d *Database) Drop(ctx context.Context) error {
	return d.server.run(context.WithoutCancel(ctx), "postgres", "DROP DATABASE "+d.Name+" WITH (FORCE)")
}

// Owner connects as the owner of the schema.
func (d *Database) Owner(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, d.server.pg.URL(localpg.Owner, d.Name))
}

// Super connects as the superuser, who sees everything.
func (d *Database) Super(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, d.server.pg.URL(localpg.Superuser, d.Name))
}

// Application connects as the role that the queries run as: the owner, if the settings name none.
func (d *Database) Application(ctx context.Context) (*pgx.Conn, error) {
	role := d.server.settings.Role
	if role == "" {
		return d.Owner(ctx)
	}
	conn, err := d.Super(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SET SESSION AUTHORIZATION "+pgx.Identifier{role}.Sanitize()); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// URLs returns how programs reach the database: as the role that the queries run as, and as the owner of the schema.
func (d *Database) URLs() (application, owner string) {
	owner = d.server.pg.URL(localpg.Owner, d.Name)
	if role := d.server.settings.Role; role != "" {
		return d.server.pg.URL(role, d.Name), owner
	}
	return owner, owner
}

// Failure is a migration that PostgreSQL refused.
type Failure struct {
	Path string
	Err  *pgconn.PgError // nil if it was not the server that refused
	all  error
}

func (f *Failure) Error() string {
	if f.Err != nil {
		return fmt.Sprintf("%s: %s (SQLSTATE %s)", path.Base(f.Path), f.Err.Message, f.Err.Code)
	}
	return fmt.Sprintf("%s: %v", path.Base(f.Path), f.all)
}

// Up applies the migrations that the database does not have yet. It returns a [Failure] of the first that
// fails.
func (d *Database) Up(ctx context.Context, all []*migration.Migration) error {
	d.Schema = schemaOf(all)
	return d.goose(ctx, all, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
}

// DownTo reverts the migrations above a number.
func (d *Database) DownTo(ctx context.Context, all []*migration.Migration, to int64) error {
	d.Schema = fmt.Sprint(schemaOf(all), " down to ", to)
	return d.goose(ctx, all, func(p *goose.Provider) error {
		_, err := p.DownTo(ctx, to)
		return err
	})
}

func (d *Database) goose(ctx context.Context, all []*migration.Migration, do func(*goose.Provider) error) error {
	files := fstest.MapFS{}
	paths := map[string]string{}
	for _, m := range all {
		if m.Number > 0 && len(m.Up) > 0 {
			files[path.Base(m.Path)] = &fstest.MapFile{Data: []byte(m.Text)}
			paths[path.Base(m.Path)] = m.Path
		}
	}
	config, err := pgx.ParseConfig(d.server.pg.URL(localpg.Owner, d.Name))
	if err != nil {
		return err
	}
	config.RuntimeParams["application_name"] = Migrator
	config.RuntimeParams["lock_timeout"] = "500ms"
	conn := stdlib.OpenDB(*config)
	defer conn.Close()
	return failure(run(conn, files, do), paths)
}

func run(conn *sql.DB, files fstest.MapFS, do func(*goose.Provider) error) error {
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, files, goose.WithAllowOutofOrder(true))
	if err != nil {
		return err
	}
	return do(provider)
}

func failure(err error, paths map[string]string) error {
	var partial *goose.PartialError
	if !errors.As(err, &partial) {
		return err
	}
	f := &Failure{Path: paths[path.Base(partial.Failed.Source.Path)], all: partial.Err}
	errors.As(partial.Err, &f.Err)
	return f
}
