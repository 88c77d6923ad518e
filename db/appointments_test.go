package db_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"waybill/db"
)

var appointmentRules = []check{
	{"ListAppointments", "a list has what overlaps its time, in order, whole, once each, and recorded as shown",
		func(ctx context.Context, w *fixture) error {
			w.must(w.fed(ctx, w.list(1,
				lasting(1, -db.LongestAppointment, db.LongestAppointment), // ends as the range begins
				lasting(2, -db.LongestAppointment+time.Second, db.LongestAppointment),
				// the longest appointment that overlaps the range
				lasting(3, 0, time.Hour),               // begins with it
				lasting(4, 5*time.Hour, time.Hour),     // two at one moment
				lasting(5, 5*time.Hour, time.Hour),     //
				lasting(6, day-time.Second, time.Hour), // extends beyond the range
				lasting(7, day, time.Hour),             // begins as it ends
				with(lasting(8, time.Hour, time.Hour), canceled),
			)))
			got, err := w.listed(ctx, db.ListAppointmentsParams{})
			if err != nil {
				return err
			}
			// Appointments that start together are ordered by id, which is random.
			if len(got) == 6 && got[3] == "5" {
				got[3], got[4] = got[4], got[3]
			}
			if want := []string{"2", "3", "8", "4", "5", "6"}; !slices.Equal(got, want) {
				return fmt.Errorf("listed %v, want %v", got, want)
			}
			if n := scan[int](ctx, w.owner,
				"SELECT count(*) FROM phi_reads WHERE tenant_id = $1 AND operation = 'list-appointments'",
				w.tenant); n != len(got) {
				return fmt.Errorf("%d reads are recorded of %d patients", n, len(got))
			}
			status := db.AppointmentStatusCANCELED
			if got, err = w.listed(ctx, db.ListAppointmentsParams{Status: &status}); err == nil &&
				!slices.Equal(got, []string{"8"}) {
				err = fmt.Errorf("listed %v as canceled", got)
			}
			return err
		}},
	{"ListAppointments", "a facility whose consent was revoked reads appointments",
		func(ctx context.Context, w *fixture) error {
			w.must(w.fed(ctx, w.list(1, lasting(1, time.Hour, time.Hour), lasting(2, 2*time.Hour, time.Hour))))
			id := w.patientOf(ctx, "p1")
			w.allow(ctx, id, w.hidden)
			w.disallow(ctx, id, w.facility)
			for _, by := range []string{"who does not see the patient", "who sees them by another facility"} {
				got, err := w.listed(ctx, db.ListAppointmentsParams{})
				if err == nil && !slices.Equal(got, []string{"2"}) {
					err = fmt.Errorf("listed %v by %s", got, by)
				}
				if err != nil {
					return err
				}
				w.shows(ctx, w.staff, w.hidden)
			}
			return nil
		}},
	{"ListAppointments", "who does not see the facility reads who comes", func(ctx context.Context, w *fixture) error {
		w.must(w.fed(ctx, w.list(1, lasting(1, time.Hour, time.Hour))))
		rows, err := w.As(w.staff).ListAppointments(ctx, db.ListAppointmentsParams{ // the policies are of staff
			TenantID: w.tenant, FacilityID: w.facility, ViewerID: w.stranger.UserID, MaxRows: 2,
			FromTime: feedDay, ToTime: feedDay.Add(day)})
		if err == nil && len(rows) > 0 {
			err = fmt.Errorf("listed %d appointments", len(rows))
		}
		return err
	}},
}

// patientAppointmentRules are those of the list of one patient's appointments.
var patientAppointmentRules = []check{
	{"ListPatientAppointments", "a patient's list has what overlaps its time, in order, whole, once each",
		func(ctx context.Context, w *fixture) error {
			w.must(w.fed(ctx, w.list(1,
				ofPatient1(1, -db.LongestAppointment, db.LongestAppointment), // ends as the range begins
				ofPatient1(2, -db.LongestAppointment+time.Second, db.LongestAppointment),
				ofPatient1(3, 0, time.Hour),
				lasting(4, time.Hour, time.Hour), // another patient's
				ofPatient1(5, 5*time.Hour, time.Hour),
				ofPatient1(6, 5*time.Hour, time.Hour),
				ofPatient1(7, day-time.Second, time.Hour),
				ofPatient1(8, day, time.Hour), // begins as it ends
				with(ofPatient1(9, time.Hour, time.Hour), canceled),
			)))
			got, pages, err := w.listedOfPatient(ctx, w.staff, db.ListPatientAppointmentsParams{})
			if err != nil {
				return err
			}
			if len(got) == 6 && got[3] == "6" { // they start together
				got[3], got[4] = got[4], got[3]
			}
			if want := []string{"2", "3", "9", "5", "6", "7"}; !slices.Equal(got, want) {
				return fmt.Errorf("listed %v, want %v", got, want)
			}
			if n := scan[int](ctx, w.owner,
				"SELECT count(*) FROM phi_reads WHERE tenant_id = $1 AND operation = 'list-patient-appointments'",
				w.tenant); n != pages {
				return fmt.Errorf("%d reads are recorded of %d pages", n, pages)
			}
			status := db.AppointmentStatusCANCELED
			got, _, err = w.listedOfPatient(ctx, w.staff, db.ListPatientAppointmentsParams{Status: &status})
			if err == nil && !slices.Equal(got, []string{"9"}) {
				err = fmt.Errorf("listed %v as canceled", got)
			}
			return err
		}},
	{"ListPatientAppointments", "a facility whose consent was revoked reads a patient's appointments",
		func(ctx context.Context, w *fixture) error {
			w.must(w.fed(ctx, w.list(1, ofPatient1(1, time.Hour, time.Hour))))
			id := w.patientOf(ctx, "p1")
			w.allow(ctx, id, w.hidden)
			w.disallow(ctx, id, w.facility)
			w.shows(ctx, w.staff, w.hidden)
			got, _, err := w.listedOfPatient(ctx, w.staff, db.ListPatientAppointmentsParams{})
			if err == nil && len(got) > 0 {
				err = fmt.Errorf("listed %v", got)
			}
			return err
		}},
	{"ListPatientAppointments", "who sees a patient by another facility reads their appointments",
		func(ctx context.Context, w *fixture) error {
			w.must(w.fed(ctx, w.list(1, ofPatient1(1, time.Hour, time.Hour))))
			w.allow(ctx, w.patientOf(ctx, "p1"), w.hidden)
			w.shows(ctx, w.stranger, w.hidden)
			rows, err := w.As(w.staff).
				ListPatientAppointments(ctx, db.ListPatientAppointmentsParams{ // the policies are of staff
					TenantID: w.tenant, PatientID: w.patientOf(ctx, "p1"), ViewerID: w.stranger.UserID, MaxRows: 2,
					ToTime: endOfTime})
			if err == nil && len(rows) > 0 {
				err = fmt.Errorf("listed %d appointments", len(rows))
			}
			return err
		}},
}

// ofPatient1 is an appointment of the patient of record 1.
func ofPatient1(n int, after, lasts time.Duration) db.FeedRecord {
	first := record(1)
	return with(lasting(n, after, lasts), func(r *db.FeedRecord) {
		r.PatientExternalID, r.GivenName, r.FamilyName = first.PatientExternalID, first.GivenName, first.FamilyName
		r.BirthDate, r.Phone = first.BirthDate, first.Phone
	})
}

// listedOfPatient returns the external ids of patient p1's appointments on feedDay, read in pages of two, and how many
// pages had any.
func (w *fixture) listedOfPatient(
	ctx context.Context, v db.Viewer, p db.ListPatientAppointmentsParams,
) (ids []string, pages int, err error) {
	p.TenantID, p.PatientID, p.ViewerID, p.MaxRows = w.tenant, w.patientOf(ctx, "p1"), v.UserID, 2
	p.FromTime, p.ToTime = feedDay, feedDay.Add(day)
	for more := true; more && len(ids) < 20; {
		rows, err := w.As(v).ListPatientAppointments(ctx, p)
		if err != nil {
			return nil, 0, err
		}
		if more = false; len(rows) > 0 {
			pages++
		}
		for _, r := range rows {
			ids, p.AfterStartsAt, p.AfterID, more = append(ids, r.ExternalID), r.StartsAt, r.ID, r.More
		}
	}
	return ids, pages, nil
}

const day = 24 * time.Hour

// lasting returns an appointment that starts this long after feedDay.
func lasting(n int, after, lasts time.Duration) db.FeedRecord {
	return with(record(n), func(r *db.FeedRecord) {
		r.StartsAt, r.EndsAt = feedDay.Add(after), feedDay.Add(after+lasts)
	})
}

// listed returns the external ids of the facility's appointments on feedDay, read in pages of two.
func (w *fixture) listed(ctx context.Context, p db.ListAppointmentsParams) (ids []string, err error) {
	p.TenantID, p.FacilityID, p.ViewerID, p.MaxRows = w.tenant, w.facility, w.staff.UserID, 2
	p.FromTime, p.ToTime = feedDay, feedDay.Add(day)
	for more := true; more && len(ids) < 20; {
		rows, err := w.As(w.staff).ListAppointments(ctx, p)
		if err != nil {
			return nil, err
		}
		more = false
		for _, r := range rows {
			ids, p.AfterStartsAt, p.AfterID, more = append(ids, r.ExternalID), r.StartsAt, r.ID, r.More
		}
	}
	return ids, nil
}
