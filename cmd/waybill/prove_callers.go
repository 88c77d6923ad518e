package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waybill/cmd/waybill/prove"
	"waybill/db"
)

// runProveCallers serves a migrated database, and has callers use it while something is done to it: "migrate check"
// applies migrations under them.
func runProveCallers(ctx context.Context, args []string, out io.Writer) error {
	var o prove.CallerOptions
	var owner string
	flags := newFlags("prove callers", out)
	env := &environment{flags: flags}
	env.secret(&o.DatabaseURL, "database-url", "DATABASE_URL", "", "database URL, as the role waybill_app")
	env.secret(&owner, "owner-url", "OWNER_DATABASE_URL", "", "database URL, as the owner of the schema")
	flags.IntVar(&o.Callers, "callers", 32, "number of concurrent callers")
	flags.DurationVar(&o.Pause, "pause", 50*time.Millisecond, "time between two requests of a caller")
	if err := parse(flags, args); err != nil {
		return err
	}
	if o.DatabaseURL == "" || owner == "" || o.Callers < 1 {
		return errors.New("prove callers needs a database (DATABASE_URL, OWNER_DATABASE_URL) and a caller")
	}
	made, err := loadDemo(ctx, owner, bcrypt.MinCost)
	if err != nil {
		return err
	}
	users, err := loadDemoSessions(ctx, db.Config{URL: o.DatabaseURL}, made, loadDemoAppointments)
	if err != nil {
		return err
	}
	o.Tokens = map[string]string{}
	for _, u := range users {
		o.Tokens[string(u.Role)] = string(u.Token)
	}
	if o.Program, err = os.Executable(); err != nil {
		return err
	}
	return prove.Callers(ctx, o, os.Stdin, out)
}
