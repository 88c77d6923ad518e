package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waybill/cmd/waybill/prove"
	"waybill/db"
	"waybill/db/localpg"
)

// runProveDeploys restarts servers behind haproxy, and workers, under load, on a database of its own.
func runProveDeploys(ctx context.Context, args []string, out io.Writer) error {
	var o prove.DeployOptions
	flags := newFlags("prove deploys", out)
	flags.IntVar(&o.Restarts, "restarts", 10, "number of restarts of servers, and of workers")
	flags.IntVar(&o.Callers, "callers", 16, "number of concurrent callers")
	flags.DurationVar(&o.Drain, "drain", 2*time.Second, "how long a server goes on after /readyz fails")
	asJSON := flags.Bool("json", false, "print only a line of JSON for each fault")
	if err := parse(flags, args); err != nil {
		return err
	}
	if o.Restarts < 1 || o.Callers < 1 || o.Drain < 0 {
		return errors.New("--restarts and --callers must be positive, --drain must not be negative")
	}
	server, err := localpg.Start(ctx, localpg.Options{Durable: true})
	if err != nil {
		return err
	}
	defer server.Stop()
	if err := deployOn(ctx, &o, server.URL(localpg.Owner, localpg.Database),
		server.URL(localpg.App, localpg.Database)); err != nil {
		return err
	}
	return printFaults(*asJSON, out, func(tell func(prove.Fault)) error { return prove.Deploys(ctx, o, tell) })
}

// deployOn migrates the database, and opens sessions of the demo tenant.
func deployOn(ctx context.Context, o *prove.DeployOptions, ownerURL, appURL string) (err error) {
	if o.Program, err = os.Executable(); err != nil {
		return err
	}
	if err := db.Migrate(ctx, ownerURL); err != nil {
		return fmt.Errorf("cannot migrate: %w", err)
	}
	made, err := loadDemo(ctx, ownerURL, bcrypt.MinCost)
	if err != nil {
		return err
	}
	users, err := loadDemoSessions(ctx, db.Config{URL: appURL}, made, loadDemoAppointments)
	if err != nil {
		return err
	}
	o.DatabaseURL = appURL
	for _, u := range users {
		switch u.Role {
		case db.UserRoleAdmin:
			o.Admin = string(u.Token)
		case db.UserRoleDispatcher:
			o.Dispatcher = string(u.Token)
		}
	}
	return nil
}

// printFaults prints each fault, and returns errNotHeld if one did not hold.
func printFaults(asJSON bool, out io.Writer, run func(tell func(prove.Fault)) error) error {
	all := true
	if !asJSON {
		prove.FaultHead(out)
	}
	err := run(func(f prove.Fault) {
		all = all && f.Held()
		if asJSON {
			json.NewEncoder(out).Encode(f)
			return
		}
		f.Line(out)
	})
	if err == nil && !all {
		return errNotHeld
	}
	return err
}
