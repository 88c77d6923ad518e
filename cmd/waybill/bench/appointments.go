package bench

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
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
	store  *db.Store
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
	c := &clinic{group: uuid.New()}
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
	return c, c.newViewer(ctx)
}

func (c *clinic) newViewer(ctx context.Context) error {
	q, digest := db.New(c.owner), []byte("bench")
	c.viewer = db.SystemViewer(uuid.New(), uuid.New(), db.UserRoleStaff)
	tenant := c.viewer.TenantID
	if _, err := q.CreateTenant(ctx,
		db.CreateTenantParams{ID: tenant, Slug: "bench-" + tenant.String()[:8], Name: "Bench"}); err != nil {
		return err
	}
	if _, err := q.CreateUser(ctx, db.CreateUserParams{
		TenantID: tenant, ID: c.viewer.UserID, Email: "bench@bench.example", Name: "Bench",
		Role: c.viewer.Role, PasswordHash: "none", RequestDigest: digest,
	}); err != nil {
		return err
	}
	if _, err := q.CreateGroup(ctx,
		db.CreateGroupParams{TenantID: tenant, ID: c.group, Name: "Bench", RequestDigest: digest}); err != nil {
		return err
	}
	_, err := q.AddGroupMember(ctx,
		db.AddGroupMemberParams{TenantID: tenant, GroupID: c.group, UserID: c.viewer.UserID})
	return err
}

// facility creates a facility that the viewer can see.
func (c *clinic) facility(ctx context.Context) (uuid.UUID, error) {
	q, id := db.New(c.owner), uuid.New()
	if _, err := q.CreateFacility(ctx, db.CreateFacilityParams{
		TenantID: c.viewer.TenantID, ID: id, Name: "Clinic", Address: "1 Main St", Latitude: 1,
		Longitude: 1, RequestDigest: []byte("bench"),
	}); err != nil {
		return id, err
	}
	_, err := q.AddGroupFacility(ctx,
		db.AddGroupFacilityParams{TenantID: c.viewer.TenantID, GroupID: c.group, FacilityID: id})
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
	if _, err := tx.Exec(ctx, statement("patients_fill"), c.viewer.TenantID, facility); err != nil {
		return err
	}
	bulk := rows > 100_000
	if bulk {
		if _, err := tx.Exec(ctx, statement("keys_drop")); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, statement("appointments_fill"), c.viewer.TenantID, facility,
		from, rows, apart.Seconds(), prefix); err != nil {
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
