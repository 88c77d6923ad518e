package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"waybill/db"
)

// migrateSettings are the flags of migrate.
type migrateSettings struct {
	url         string
	config      db.MigratorConfig
	yesLoseData bool
}

func (s *migrateSettings) register(env *environment) {
	env.secret(&s.url, "database-url", "DATABASE_URL", "", "database URL, as the owner of the schema")
	f := env.flags
	f.DurationVar(&s.config.LockTimeout, "lock-timeout", 500*time.Millisecond,
		"up, down: longest wait for a lock that requests would queue behind; then they go first, and it tries again")
	f.IntVar(&s.config.LockAttempts, "lock-attempts", 30, "up, down: how often it tries to get a migration's locks")
	f.DurationVar(&s.config.StatementTimeout, "statement-timeout", time.Minute,
		"up, down: time limit of each statement that may keep requests waiting, unless its file has another")
	f.BoolVar(&s.config.AllowMissing, "allow-missing", false,
		"up: also apply migrations that come before one that is applied")
	f.BoolVar(&s.yesLoseData, "yes-lose-data", false, "down: revert the newest migration, with the data that is in it")
}

// migrateVerbs are the subcommands.
var migrateVerbs = map[string]func(context.Context, *db.Migrator, *migrateSettings, io.Writer) error{
	"up": migrateUp, "down": migrateDown, "status": migrateStatus, "version": migrateVersion,
}

func runMigrate(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "check" {
		return runMigrateCheck(ctx, args[1:], out)
	}
	var s migrateSettings
	flags := newFlags("migrate", out)
	s.register(&environment{flags: flags})
	var verb string
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		verb, args = args[0], args[1:]
	}
	if err := parse(flags, args); err != nil {
		return err
	}
	do, ok := migrateVerbs[verb]
	switch {
	case !ok:
		return errors.New("migrate needs one of: up, down, status, version, check")
	case s.url == "":
		return errors.New("migrate needs a database: set DATABASE_URL or --database-url")
	case s.config.LockTimeout < time.Millisecond || s.config.StatementTimeout < time.Millisecond ||
		s.config.LockAttempts < 1:
		return errors.New("--lock-timeout, --statement-timeout and --lock-attempts must be positive")
	}
	s.config.Tell = func(line string) { fmt.Fprintln(os.Stderr, line) }
	m, err := db.NewMigratorWith(s.url, s.config)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := do(ctx, m, &s, out); err != nil {
		return inOneLine(err)
	}
	return nil
}

// inOneLine returns an error in one line, with the name of a failed migration.
func inOneLine(err error) error {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return fmt.Errorf("cannot use the database: %s", oneLine(connect))
	}
	return errors.New(oneLine(err))
}

func migrateUp(ctx context.Context, m *db.Migrator, _ *migrateSettings, out io.Writer) error {
	results, err := m.Up(ctx)
	for _, r := range results {
		fmt.Fprintln(out, r)
	}
	if err == nil && len(results) == 0 {
		fmt.Fprintln(out, "nothing to do")
	}
	return err
}

// migrateDown reverts one migration. It refuses unless it was said that data may be lost: the programs
// that need the migration fail, and what it holds is gone.
func migrateDown(ctx context.Context, m *db.Migrator, s *migrateSettings, out io.Writer) error {
	name, lost, err := m.Losses(ctx)
	if errors.Is(err, goose.ErrNoNextVersion) {
		fmt.Fprintln(out, "nothing to revert")
		return nil
	}
	if err != nil {
		return err
	}
	if !s.yesLoseData {
		return fmt.Errorf("to revert %s loses %s, and fails the requests of each program that needs it: if that is "+
			"meant, waybill migrate down --yes-lose-data", name, lossText(lost))
	}
	result, err := m.Down(ctx)
	if err == nil {
		fmt.Fprintln(out, result)
	}
	return err
}

func lossText(lost []string) string {
	if len(lost) == 0 {
		return "no rows and no columns"
	}
	return strings.Join(lost, ", ")
}

func migrateStatus(ctx context.Context, m *db.Migrator, _ *migrateSettings, out io.Writer) error {
	rows, err := m.Status(ctx)
	for _, r := range rows {
		when := ""
		if !r.AppliedAt.IsZero() {
			when = r.AppliedAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		line := fmt.Sprintf("%-8s  %-20s  %s", r.State, when, r.Name)
		if r.Note != "" {
			line += "  (" + r.Note + ")"
		}
		fmt.Fprintln(out, line)
	}
	return err
}

func migrateVersion(ctx context.Context, m *db.Migrator, _ *migrateSettings, out io.Writer) error {
	version, err := m.GetDBVersion(ctx)
	if err == nil {
		fmt.Fprintln(out, version)
	}
	return err
}
