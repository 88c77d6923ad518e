package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/seed"
)

// appointmentFor creates an appointment at the facility that the role sees, or at one that no role
// sees. It returns the patient.
func (s *server) appointmentFor(role db.UserRole, which string, t *tenant) uuid.UUID {
	s.t.Helper()
	patient := s.patientFor(role, which, t)
	external := newCanary()
	s.planted[external] = nil
	if which == "own" {
		s.planted[external] = roles
	}
	starts := time.Date(2030, 1, 2, 9, 0, 0, 0, time.UTC)
	s.make(t, func(r *seed.Rows) {
		r.Appointment(seed.Appointment{Patient: patient, ExternalID: external, StartsAt: starts})
	})
	return patient
}

// appointments lists a facility's in a range.
func (s *server) appointments(as *user, facility uuid.UUID, from, to string, more ...string) *answer {
	s.t.Helper()
	q := url.Values{"facility_id": {facility.String()}, "from": {from}, "to": {to}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return s.do(as, "GET", "/v1/appointments?"+q.Encode(), nil)
}

// externals are the external ids of the rows that an answer shows.
func externals(a *answer) (out []string) {
	for _, i := range a.want(200).items() {
		out = append(out, fmt.Sprint(i["external_id"]))
	}
	return out
}

// refusesWrongRanges lists appointments of ranges that are empty, too wide or incomplete.
func (s *server) refusesWrongRanges(from, to string) {
	s.t.Helper()
	s.appointments(s.staff, s.facility, to, from).refused(422, "validation_failed", "to")
	s.appointments(s.staff, s.facility, from, from).refused(422, "validation_failed", "to")
	if a := s.appointments(s.staff, s.facility, from, "2030-02-01T10:00:01Z").
		refused(422, "range_too_wide", "to"); !strings.Contains(a.str("detail"), "31 days and one hour") {
		s.t.Errorf("%s", a)
	}
	s.appointments(s.staff, s.facility, from, "2030-02-01T10:00:00Z").want(200)
	s.do(s.staff, "GET", "/v1/appointments?facility_id="+s.facility.String()+"&from="+from, nil).
		refused(422, "validation_failed", "to")
	s.do(s.staff, "GET", "/v1/appointments?from="+from+"&to="+to, nil).refused(422, "validation_failed", "facility_id")
}

func TestAppointmentsThatOverlapTheRangeAreListed(t *testing.T) {
	t.Parallel()
	s := start(t)
	at := func(n int, starts, ends string) object {
		return with(newRecord(n), object{"starts_at": starts, "ends_at": ends})
	}
	s.feed(s.staff, []object{
		at(1, "2030-01-01T08:00:00Z", "2030-01-01T09:00:00Z"), // ends as the range begins
		at(2, "2030-01-01T08:00:00Z", "2030-01-01T09:00:01Z"),
		at(3, "2029-12-31T10:00:00Z", "2030-01-01T10:00:00Z"), // the longest there can be
		at(4, "2030-01-01T12:00:00Z", "2030-01-01T13:00:00Z"),
		at(5, "2030-01-01T13:00:01+01:00", "2030-01-01T13:00:00Z"), // a second later
		at(6, "2030-01-01T16:59:59Z", "2030-01-02T01:00:00Z"),
		at(7, "2030-01-01T17:00:00Z", "2030-01-01T18:00:00Z"), // begins as the range ends
	}).want(200)
	want := []string{"3", "2", "4", "5", "6"}
	const from, to = "2030-01-01T09:00:00Z", "2030-01-01T17:00:00Z"
	if got := externals(s.appointments(s.staff, s.facility, from, to)); !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	var paged []string
	for cursor := ""; ; {
		more := []string{"limit", "2"}
		if cursor != "" {
			more = append(more, "cursor", cursor)
		}
		a := s.appointments(s.staff, s.facility, from, to, more...)
		paged = append(paged, externals(a)...)
		if cursor = a.str("next_cursor"); cursor == "" {
			break
		}
	}
	if !slices.Equal(paged, want) {
		t.Errorf("listed in pages %v, want %v", paged, want)
	}
	if n := scan[int](s, "SELECT count(*) FROM phi_reads WHERE operation = 'list-appointments'"); n != 2*len(want) {
		t.Errorf("%d reads are recorded, want %d", n, 2*len(want))
	}
	if got := externals(s.appointments(s.staff, s.facility, from, to, "status", "CANCELED")); len(got) > 0 {
		t.Errorf("canceled appointments: %v", got)
	}
	s.refusesWrongRanges(from, to)
	for _, facility := range []uuid.UUID{s.hidden, s.foreign.facility, newID()} {
		s.appointments(s.staff, facility, from, to).refused(404, "facility_not_found", "")
	}
	s.appointments(s.admin, s.facility, from, to).refused(404, "facility_not_found", "") // in none of its groups

	// Whom the patient no longer allows, does not see their appointments.
	patient := scan[uuid.UUID](s, "SELECT id FROM patients WHERE external_id = 'p4'")
	s.allow(patient, s.hidden)
	s.do(s.staff, "DELETE", fmt.Sprintf("/v1/patients/%s/facilities/%s", patient, s.facility), nil).want(204)
	if got := externals(s.appointments(s.staff, s.facility, from, to)); !slices.Equal(got,
		[]string{"3", "2", "5", "6"}) {
		t.Errorf("without the appointments of one patient, the list is %v", got)
	}
}

// Madrid's October, and its last Sunday, have an hour more than their days.
func TestDaysAndMonthsInWhichTheClocksAreSetBackAreWhole(t *testing.T) {
	t.Parallel()
	s := start(t)
	const from, to = "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"
	allDay := with(newRecord(1),
		object{"starts_at": "2026-10-25T00:00:00+02:00", "ends_at": "2026-10-26T00:00:00+01:00"})
	for _, late := range []object{
		with(allDay, object{"ends_at": "2026-10-26T00:00:00.000001+01:00"}),
		with(allDay, object{"starts_at": "2026-10-24T23:59:59+02:00"}),
	} {
		a := s.feedAsOf(s.staff, "2026-01-01T00:00:00Z", []object{late}).
			refused(422, "validation_failed", "[0].ends_at")
		if !strings.Contains(a.str("detail"), "25 hours") {
			t.Errorf("%s", a)
		}
	}
	if got := s.feedAsOf(s.staff, "2026-01-01T00:00:00Z", []object{allDay}).counts(); got != "1 0 0 0 false" {
		t.Errorf("an all-day appointment: %s", got)
	}
	if got := externals(s.appointments(s.staff, s.facility, from, to)); !slices.Equal(got, []string{"1"}) {
		t.Errorf("October has %v", got)
	}
	// A window of its last second, of which its start is 25 hours away.
	if got := externals(s.appointments(s.staff, s.facility, "2026-10-25T23:59:59+01:00",
		"2026-10-26T00:00:00+01:00")); !slices.Equal(got, []string{"1"}) {
		t.Errorf("October's last second has %v", got)
	}
}

// newRecord is a line of a feed.
func newRecord(n int) object {
	starts := time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	return object{
		"external_id": fmt.Sprint(n), "starts_at": starts, "ends_at": starts.Add(time.Hour),
		"patient": object{"external_id": fmt.Sprintf("p%d", n), "given_name": canary,
			"family_name": fmt.Sprint(canary, n), "birth_date": canaryBirth},
	}
}

// A patient's appointments are shown to those who see the patient and the facility, in the range asked for.
func TestThePatientsAppointmentsAreListed(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.feed(s.staff, []object{newRecord(1), newRecord(2)}).want(200)
	all := s.appointments(s.staff, s.facility, "2030-01-01T00:00:00Z", "2030-01-31T00:00:00Z").want(200).items()
	first := all[0]
	path := fmt.Sprint("/v1/patients/", first["patient_id"], "/appointments")
	if got := externals(s.do(s.staff, "GET", path, nil)); !slices.Equal(got,
		[]string{fmt.Sprint(first["external_id"])}) {
		t.Errorf("listed %v, want %v", got, first["external_id"])
	}
	reads := "SELECT count(*) FROM phi_reads WHERE operation = 'list-patient-appointments'"
	if n := scan[int](s, reads); n != 1 {
		t.Errorf("%d reads are recorded, want 1", n)
	}
	starts := fmt.Sprint(first["starts_at"])
	for query, want := range map[string]int{
		"?to=" + starts: 0, "?from=" + starts: 1, "?from=2030-02-01T00:00:00Z": 0, "?status=CANCELED": 0,
		"?from=2030-01-01T00:00:00Z&to=2030-01-31T00:00:00Z&status=BOOKED": 1,
	} {
		if got := s.do(s.staff, "GET", path+query, nil).want(200).items(); len(got) != want {
			t.Errorf("%s: listed %d, want %d", query, len(got), want)
		}
	}
	s.do(s.stranger, "GET", path, nil).refused(404, "not_found")
	if n := scan[int](s, reads); n != 3 {
		t.Errorf("%d reads are recorded, want 3", n)
	}
}
