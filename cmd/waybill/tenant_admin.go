package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
)

// runTenantAdmin gives a tenant an admin with a new password: the way back in if no admin can log in.
func runTenantAdmin(ctx context.Context, args []string, out io.Writer) error {
	var url string
	var cost int32
	flags := newFlags("tenant reset-admin", out)
	env := &environment{flags: flags}
	env.secret(&url, "database-url", "DATABASE_URL", "", "database URL, as the owner of the schema")
	env.number(&cost, "bcrypt-cost", "WAYBILL_BCRYPT_COST", int32(bcrypt.DefaultCost),
		"bcrypt cost of the password hash")
	slug := flags.String("slug", "", "slug of the tenant")
	email := flags.String("email", "",
		"email address of the admin, whose new password is read from standard input; an existing user becomes an "+
			"active admin, otherwise one is created")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cmp.Or(env.err, checkCost(cost)); err != nil {
		return err
	}
	if url == "" || *slug == "" || *email == "" {
		return errors.New(
			"tenant reset-admin needs --slug, --email, and a database: set DATABASE_URL or --database-url")
	}
	hash, err := hashOfInput(cost)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := makeAdmin(ctx, db.New(conn), *slug, *email, hash); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "tenant %s, admin %s: log in with the new password; all earlier sessions are revoked\n",
		*slug, *email)
	return err
}

func makeAdmin(ctx context.Context, q *db.Queries, slug, email, hash string) error {
	epoch, err := q.GetPasswordEpoch(ctx, db.GetPasswordEpochParams{Slug: slug, Email: email})
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("no tenant has the slug %q", slug)
	}
	if err != nil {
		return describeDatabaseError(err)
	}
	_, err = q.MakeAdmin(ctx, db.MakeAdminParams{
		Slug: slug, ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: hash, PasswordEpoch: epoch,
		RequestDigest: []byte("waybill tenant admin"),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return errors.New(
			"the user's password was changed concurrently: check whether that was intended, then try again")
	}
	return describeDatabaseError(err)
}

func checkCost(cost int32) error {
	if cost < int32(bcrypt.MinCost) || cost > 16 {
		return fmt.Errorf("--bcrypt-cost (WAYBILL_BCRYPT_COST) must be between %d and 16", bcrypt.MinCost)
	}
	return nil
}

// hashOfInput reads a new password from standard input, and returns its hash.
func hashOfInput(cost int32) (string, error) {
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read the password on standard input: %w", err)
	}
	hash, wrong, err := api.HashPassword(strings.TrimRight(line, "\r\n"), int(cost))
	if wrong != "" {
		return "", fmt.Errorf("the password on standard input is not accepted: %s", wrong)
	}
	return hash, err
}
