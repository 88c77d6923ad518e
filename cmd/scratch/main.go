// Command scratch runs a command with DATABASE_URL set to an empty, migrated database of its own, which
// is deleted afterwards:
//
//	go run ./cmd/scratch sqlc generate
//
// It must not import package db, which sqlc generates with its help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"waybill/db/localpg"
	"waybill/sql"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		os.Exit(max(1, failed.ExitCode())) // the command has printed its error
	case err != nil:
		fmt.Fprintln(os.Stderr, "scratch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command []string) (err error) {
	if len(command) == 0 {
		return errors.New("usage: scratch command [argument ...]")
	}
	server, err := localpg.Start(ctx, localpg.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	url := server.URL(localpg.Owner, localpg.Database)
	if err := migrate(ctx, url); err != nil {
		return fmt.Errorf("cannot migrate: %w", err)
	}
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Env = append(os.Environ(), "DATABASE_URL="+url)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	return c.Run()
}

func migrate(ctx context.Context, url string) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	folder, err := fs.Sub(sql.Migrations, "migrations")
	if err != nil {
		return err
	}
	conn := stdlib.OpenDB(*config)
	defer conn.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, folder)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
