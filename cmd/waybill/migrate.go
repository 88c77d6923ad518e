package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"waybill/db"
)

func runMigrate(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "check" {
		return runMigrateCheck(ctx, args[1:], out)
	}
	var url string
	flags := newFlags("migrate", out)
	env := &environment{flags: flags}
	env.secret(&url, "database-url", "DATABASE_URL", "", "database URL, as the owner of the schema")
	var verb string
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		verb, args = args[0], args[1:]
	}
	if err := parse(flags, args); err != nil {
		return err
	}
	verbs := map[string]func(context.Context, *db.Migrator, io.Writer) error{
		"up": migrateUp, "down": migrateDown, "status": migrateStatus, "version": migrateVersion,
	}
	do, ok := verbs[verb]
	if !ok {
		return errors.New("migrate needs one of: up, down, status, version, check")
	}
	if url == "" {
		return errors.New("migrate needs a database: set DATABASE_URL or --database-url")
	}
	m, err := db.NewMigrator(url)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := do(ctx, m, out); err != nil {
		return inOneLine(err)
	}
	return nil
}

// inOneLine returns an error in one line, with the name of a failed migration.
func inOneLine(err error) error {
	var partial *goose.PartialError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &partial):
		why := strings.Replace(oneLine(err), oneLine(partial), oneLine(partial.Err), 1) // with a hint after it
		return fmt.Errorf("the migration %s failed: %s", path.Base(partial.Failed.Source.Path), why)
	case errors.As(err, &connect):
		return fmt.Errorf("cannot use the database: %s", oneLine(connect))
	}
	return errors.New(oneLine(err))
}

func migrateUp(ctx context.Context, m *db.Migrator, out io.Writer) error {
	results, err := m.Up(ctx)
	for _, r := range results {
		fmt.Fprintln(out, r)
	}
	if err == nil && len(results) == 0 {
		fmt.Fprintln(out, "nothing to do")
	}
	return err
}

// migrateDown reverts one migration.
func migrateDown(ctx context.Context, m *db.Migrator, out io.Writer) error {
	result, err := m.Down(ctx)
	if errors.Is(err, goose.ErrNoNextVersion) {
		fmt.Fprintln(out, "nothing to revert")
		return nil
	}
	if err == nil {
		fmt.Fprintln(out, result)
	}
	return err
}

func migrateStatus(ctx context.Context, m *db.Migrator, out io.Writer) error {
	rows, err := m.Status(ctx)
	for _, r := range rows {
		when := ""
		if r.State == goose.StateApplied {
			when = r.AppliedAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		fmt.Fprintf(out, "%-8s  %-20s  %s\n", r.State, when, r.Source.Path)
	}
	return err
}

func migrateVersion(ctx context.Context, m *db.Migrator, out io.Writer) error {
	version, err := m.GetDBVersion(ctx)
	if err == nil {
		fmt.Fprintln(out, version)
	}
	return err
}
