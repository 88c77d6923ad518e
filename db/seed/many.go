package seed

import (
	"context"
	"embed"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// Rows that no statement of the application makes: appointments without a feed, and thousands of rows at
// once.

//go:embed sql/*.sql
var statements embed.FS

// run runs the statement of a file in sql, which makes n rows in its last table. Its first argument is the
// tenant.
func (r *Rows) run(name string, n int, args ...any) {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	r.fail(err)
	exec := func(_ *db.Queries, ctx context.Context, args []any) (any, error) {
		return r.conn.Exec(ctx, string(text), args...)
	}
	createAll(r, n, exec, append([]any{r.TenantID}, args...))
}

// FacilitiesSeenBy makes n facilities, which the user sees by several groups.
func (r *Rows) FacilitiesSeenBy(userID uuid.UUID, n, groups int) {
	r.run("facilities", n, userID, n, groups)
}

// Patients makes n patients of a facility, whose ids in its records are p0, p1 and so on.
func (r *Rows) Patients(facility uuid.UUID, n int) { r.run("patients", n, facility, n) }

// Appointment is an hour of a patient's, at the facility in whose records they are.
type Appointment struct {
	ID         uuid.UUID
	Patient    uuid.UUID
	ExternalID string
	StartsAt   time.Time
}

// Appointment makes an appointment, and returns its id.
func (r *Rows) Appointment(a Appointment) uuid.UUID {
	if a.ID == uuid.Nil {
		a.ID = newID()
	}
	r.run("appointment", 1, a.ID, a.Patient, a.ExternalID, a.StartsAt)
	return a.ID
}

// Appointments are half hours at a facility, one after another.
type Appointments struct {
	Patients int // the first so many that [Rows.Patients] made, in turn
	From     time.Time
	Every    time.Duration
	N        int
	Prefix   string // of their ids in the facility's records, before the number
}

// Appointments makes them.
func (r *Rows) Appointments(facility uuid.UUID, a Appointments) {
	r.run("appointments", a.N, facility, a.Patients, a.From, a.Every.Seconds(), a.N, a.Prefix)
}
