package bench

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/seed"
)

//go:embed sql/*.sql
var statements embed.FS

// statement returns the text of a file in the folder sql.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// clinic is a tenant with a user who can see its facilities.
type clinic struct {
	owner  *pgx.Conn
	store  *db.System
	app    *pgx.Conn
	viewer db.Viewer
	group  uuid.UUID
}

// clinic opens a database, and creates a tenant and a user in one of its groups.
func (e *Env) clinic(ctx context.Context) (*clinic, error) {
	owner, app, err := e.Database(ctx)
	if err != nil {
		return nil, err
	}
	c := &clinic{}
	if c.owner, err = pgx.Connect(ctx, owner); err != nil {
		return nil, err
	}
	e.stops = append(e.stops, func() error { return c.owner.Close(context.WithoutCancel(ctx)) })
	if c.store, err = db.Open(ctx, db.Config{URL: app, StatementTimeout: time.Minute}); err != nil {
		return nil, err
	}
	e.stops = append(e.stops, func() error { c.store.Close(); return nil })
	config, err := pgx.ParseConfig(app)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["role"], config.RuntimeParams["jit"] = db.AppRole, "off"
	if c.app, err = pgx.ConnectConfig(ctx, config); err != nil {
		return nil, err
	}
	e.stops = append(e.stops, func() error { return c.app.Close(context.WithoutCancel(ctx)) })
	_, err = newTenant(ctx, owner, func(r *seed.Rows) {
		c.viewer, c.group = r.User(db.UserRoleStaff).Viewer, r.Group()
		r.Members(c.group, c.viewer.UserID)
	})
	return c, err
}

// facility creates a facility that the viewer can see.
func (c *clinic) facility(ctx context.Context) (id uuid.UUID, err error) {
	err = seed.Make(ctx, c.owner, c.viewer.TenantID, func(r *seed.Rows) {
		id = r.Facility()
		r.Shows(c.group, id)
	})
	return id, err
}

// fill gives a facility 10,000 patients and the given number of appointments, starting at a time.
func (c *clinic) fill(
	ctx context.Context, facility uuid.UUID, from time.Time, rows int, apart time.Duration, prefix string,
) error {
	tx, err := c.owner.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	const patients = 10_000
	if err := seed.Make(ctx, tx, c.viewer.TenantID, func(r *seed.Rows) {
		r.Patients(facility, patients)
	}); err != nil {
		return err
	}
	bulk := rows > 100_000
	if bulk {
		if _, err := tx.Exec(ctx, statement("keys_drop")); err != nil {
			return err
		}
	}
	if err := seed.Make(ctx, tx, c.viewer.TenantID, func(r *seed.Rows) {
		r.Appointments(facility, seed.Appointments{Patients: patients, From: from, Every: apart, N: rows,
			Prefix: prefix})
	}); err != nil {
		return err
	}
	if bulk {
		if _, err := tx.Exec(ctx, statement("keys_make")); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	for _, table := range []string{"patients", "patient_facilities", "appointments"} {
		if _, err := c.owner.Exec(ctx, fmt.Sprintf("VACUUM (ANALYZE) %s", table)); err != nil {
			return err
		}
	}
	return nil
}
