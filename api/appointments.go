package api

import (
	"context"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerAppointments() {
	register(a, operation{
		id: "list-appointments", method: http.MethodGet, path: "/v1/appointments", tag: "appointments",
		summary: "List a facility's appointments in a time range",
		about: "Lists appointments that overlap the range from (inclusive) to to (exclusive), ordered by start. " +
			"The range is limited to 31 days and one hour, a month in which the clocks are set back. Requires, " +
			"whatever the role, that the facility is in one of your groups. The read is audited for each " +
			"patient shown: see list-patient-reads.",
		roles: patientRoles, codes: []db.Code{rangeTooWide}, asNotFound: []db.Code{db.FacilityNotFound},
	}, a.listAppointments)
	register(a, operation{
		id: "list-patient-appointments", method: http.MethodGet, path: "/v1/patients/{patient_id}/appointments",
		tag:     "appointments",
		summary: "List a patient's appointments",
		about: "Ordered by start; with from and to those that overlap the range. Requires, whatever the role, that " +
			"you see the patient, and lists the appointments at facilities of your groups that the patient allows to " +
			"see them. The read is audited if an appointment is shown: see list-patient-reads.",
		roles: patientRoles, codes: []db.Code{db.NotFound},
	}, a.listPatientAppointments)
}

// Appointment is an appointment of a facility with its patient.
type Appointment struct {
	ID         uuid.UUID            `json:"id" format:"uuid"`
	FacilityID uuid.UUID            `json:"facility_id" format:"uuid"`
	ExternalID string               `json:"external_id" example:"4711"`
	PatientID  uuid.UUID            `json:"patient_id" format:"uuid"`
	GivenName  string               `json:"given_name" doc:"Of the patient"`
	FamilyName string               `json:"family_name" doc:"Of the patient"`
	StartsAt   time.Time            `json:"starts_at"`
	EndsAt     time.Time            `json:"ends_at"`
	Status     db.AppointmentStatus `json:"status"`
	CreatedAt  time.Time            `json:"created_at"`
	UpdatedAt  time.Time            `json:"updated_at"`
}

type listAppointmentsInput struct {
	ByStart
	FacilityID uuid.UUID            `query:"facility_id" format:"uuid" required:"true" doc:"The facility"`
	From       Time                 `query:"from" required:"true" doc:"Only appointments that end after this time" example:"2030-01-01T00:00:00Z"`
	To         Time                 `query:"to" required:"true" doc:"Only appointments that start before this time; at most 31 days and one hour after from" example:"2030-01-02T00:00:00Z"`
	Status     db.AppointmentStatus `query:"status" doc:"Only those with this status"`
}

// widestRange is the longest range of one list. It covers a month of any calendar: in a month of 31
// days in which the clocks are set back, one hour comes twice.
const widestRange = 31*24*time.Hour + time.Hour

// Resolve implements huma.Resolver.
func (in *listAppointmentsInput) Resolve(ctx huma.Context) []error {
	errs := in.ByStart.Resolve(ctx)
	switch {
	case len(errs) > 0 || ctx.Query("from") == "" || ctx.Query("to") == "": // reported by huma
	case len(checkRange("from", in.From, "to", in.To)) > 0:
		errs = append(errs, checkRange("from", in.From, "to", in.To)...)
	case in.To.Sub(in.From.Time) > widestRange:
		errs = append(errs, problem(rangeTooWide, "to", ""))
	}
	return errs
}

func (a *server) listAppointments(
	ctx context.Context, v db.Viewer, in *listAppointmentsInput,
) (*ListOf[Appointment], error) {
	rows, err := a.store.As(v).ListAppointments(ctx, db.ListAppointmentsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, FacilityID: in.FacilityID, FromTime: in.From.Time, ToTime: in.To.Time,
		AfterStartsAt: in.after, AfterID: in.afterID, Status: given(in.Status), MaxRows: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		sees, err := a.store.SeesFacility(ctx,
			db.SeesFacilityParams{TenantID: v.TenantID, FacilityID: in.FacilityID, ViewerID: v.UserID})
		if err == nil && !sees {
			err = problem(db.FacilityNotFound, "", "")
		}
		if err != nil {
			return nil, err
		}
	}
	return in.page(rows), nil
}

// page is a page of appointments.
func (p ByStart) page(rows []db.ListAppointmentsRow) *ListOf[Appointment] {
	page := &Page[Appointment]{Items: make([]Appointment, len(rows))}
	for i, r := range rows {
		page.Items[i] = Appointment{
			ID: r.ID, FacilityID: r.FacilityID, ExternalID: r.ExternalID, PatientID: r.PatientID,
			GivenName: r.GivenName, FamilyName: r.FamilyName,
			StartsAt: r.StartsAt, EndsAt: r.EndsAt, Status: r.Status, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
		}
		if r.More {
			page.NextCursor = p.cursorAfter(r.StartsAt, r.ID)
		}
	}
	return &ListOf[Appointment]{page}
}

type listPatientAppointmentsInput struct {
	PatientPath
	ByStart
	TimeRange
	Status db.AppointmentStatus `query:"status" doc:"Only those with this status"`
}

// Resolve implements huma.Resolver.
func (in *listPatientAppointmentsInput) Resolve(ctx huma.Context) []error {
	return append(in.ByStart.Resolve(ctx), in.check()...)
}

func (a *server) listPatientAppointments(
	ctx context.Context, v db.Viewer, in *listPatientAppointmentsInput,
) (*ListOf[Appointment], error) {
	found, err := a.store.As(v).ListPatientAppointments(ctx, db.ListPatientAppointmentsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, PatientID: in.PatientID, FromTime: in.From.Time, ToTime: in.until(),
		AfterStartsAt: in.after, AfterID: in.afterID, Status: given(in.Status), MaxRows: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		sees, err := a.store.SeesPatient(ctx,
			db.SeesPatientParams{TenantID: v.TenantID, PatientID: in.PatientID, ViewerID: v.UserID})
		if err == nil && !sees {
			err = problem(db.NotFound, "", "")
		}
		if err != nil {
			return nil, err
		}
	}
	rows := make([]db.ListAppointmentsRow, len(found))
	for i, r := range found {
		rows[i] = db.ListAppointmentsRow(r)
	}
	return in.page(rows), nil
}

// ByStart paginates rows by (starts_at, id), in ascending order.
type ByStart struct {
	Paging

	after   time.Time
	afterID uuid.UUID
}

// Resolve implements huma.Resolver.
func (p *ByStart) Resolve(ctx huma.Context) []error {
	p.after = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC) // before every row
	place, err := p.open(ctx)
	if err != nil || place == "" {
		return asErrors(err)
	}
	if len(place) != 8+len(p.afterID) {
		return []error{badCursor()}
	}
	p.after = time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(place)))).UTC()
	copy(p.afterID[:], place[8:])
	if p.after.After(endOfTime) || p.after.Year() < 1 {
		return []error{badCursor()}
	}
	return nil
}

func (p ByStart) cursorAfter(starts time.Time, id uuid.UUID) string {
	return p.cursor(string(append(binary.BigEndian.AppendUint64(nil, uint64(starts.UnixMicro())), id[:]...)))
}
