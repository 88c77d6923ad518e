package dbtest

import (
	"errors"
	"os"

	"waybill/db/localpg"
	"waybill/db/pgbouncer"
)

// PgBouncer is a connection pooler in front of the test's database.
type PgBouncer struct {
	*pgbouncer.Pooler
	AppURL, OwnerURL string // through the pooler
}

// PgBouncer runs one until the end of the test, with settings such as pool_mode, for the usual logins and others.
// Where none is installed it skips the test, or fails it in CI.
func (d *DB) PgBouncer(settings map[string]string, logins ...string) *PgBouncer {
	d.t.Helper()
	if d.cluster.server == nil {
		d.t.Skip("needs a server of its own, whose roles log in without a password")
	}
	p, err := pgbouncer.Start(d.AppURL, settings, logins...)
	if errors.Is(err, pgbouncer.ErrNotInstalled) && os.Getenv("CI") == "" {
		d.t.Skip(err)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if d.t.Failed() {
			d.t.Log("pgbouncer's log:\n" + p.Log())
		}
		if err := p.Stop(); err != nil {
			d.t.Error(err)
		}
	})
	return &PgBouncer{p, p.URL(localpg.App, d.name), p.URL(localpg.Owner, d.name)}
}

// Name returns the name of the database.
func (d *DB) Name() string { return d.name }
