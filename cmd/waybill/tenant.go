package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"

	"waybill/db"
)

// runTenant creates a tenant and its first admin, who creates everything else over HTTP. With
// "reset-admin" before the flags, it creates or resets only an admin.
func runTenant(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && (args[0] == "reset-admin" || args[0] == "admin") { // its former name
		return runTenantAdmin(ctx, args[1:], out)
	}
	var url string
	flags := newFlags("tenant", out)
	env := &environment{flags: flags}
	env.secret(&url, "database-url", "DATABASE_URL", "", "database URL, as the owner of the schema")
	var cost int32
	env.number(&cost, "bcrypt-cost", "WAYBILL_BCRYPT_COST", int32(bcrypt.DefaultCost),
		"bcrypt cost of the password hash")
	slug := flags.String("slug", "", "slug of the tenant")
	name := flags.String("name", "", "name of the tenant")
	email := flags.String("admin-email", "",
		"email address of its first admin, whose password is read from standard input")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cmp.Or(env.err, checkCost(cost)); err != nil {
		return err
	}
	if url == "" || *slug == "" || *name == "" || *email == "" {
		return errors.New(
			"tenant needs --slug, --name, --admin-email, and a database: set DATABASE_URL or --database-url")
	}
	hash, err := hashOfInput(cost)
	if err != nil {
		return err
	}
	return createTenant(ctx, url, *slug, *name, *email, hash, out)
}

func createTenant(ctx context.Context, url, slug, name, email, hash string, out io.Writer) error {
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	// Creates the tenant and its admin, or neither.
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		q := db.New(tx)
		made, err := q.CreateTenant(ctx, db.CreateTenantParams{ID: uuid.Must(uuid.NewV7()), Slug: slug, Name: name})
		if err != nil {
			return describeDatabaseError(err)
		}
		_, err = q.CreateUser(ctx, db.CreateUserParams{
			TenantID: made.Tenant.ID, ID: uuid.Must(uuid.NewV7()), Email: email, Name: email, Role: db.UserRoleAdmin,
			PasswordHash: hash, RequestDigest: []byte("waybill tenant"),
		})
		if err != nil {
			return describeDatabaseError(err)
		}
		_, err = fmt.Fprintf(out, "tenant %s (%s), admin %s\n", slug, made.Tenant.ID, email)
		return err
	})
}

// connect opens one connection. Errors of pgx would repeat an invalid URL including its password.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL (DATABASE_URL) is not a PostgreSQL connection string")
	}
	db.SetConnectDefaults(&config.Config, url)
	conn, err := db.Connect(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("cannot use the database: %s", oneLine(err))
	}
	return conn, nil
}
