package api_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// A range in which no time is is the same error in every list.
func TestAnEmptyRangeIsOneError(t *testing.T) {
	t.Parallel()
	s := start(t)
	patient := s.patientFor(db.UserRoleAdmin, "own", s.tenant)
	pickup := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, uuid.Nil)
	s.shows(s.tenant, s.facility, s.admin)
	for path, prefix := range map[string]string{
		"/v1/appointments?facility_id=" + s.facility.String() + "&": "",
		fmt.Sprint("/v1/patients/", patient, "/appointments?"):      "",
		fmt.Sprint("/v1/patients/", patient, "/reads?"):             "",
		"/v1/patient-reads?user_id=" + s.staff.id.String() + "&":    "",
		fmt.Sprint("/v1/pickups/", pickup, "/events?"):              "",
		"/v1/pickups?": "created_",
	} {
		in := func(from, to string) *answer {
			return s.do(s.admin, "GET", path+prefix+"from="+from+"&"+prefix+"to="+to, nil)
		}
		const early, late = "2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z"
		for _, from := range []string{late, early} {
			a := in(from, early).refused(422, "validation_failed", prefix+"to")
			if want := prefix + "to must be after " + prefix + "from."; a.str("detail") != want {
				t.Errorf("%s: %s, want %s", path, a.str("detail"), want)
			}
		}
		in(early, late).want(200)
	}
}

// What a user read of a patient, and did to a pickup, is listed by the user and the time.
func TestReadsAreListedByUserAndRange(t *testing.T) {
	t.Parallel()
	s := start(t)
	patient := s.patientFor(db.UserRoleStaff, "own", s.tenant)
	s.exec("DELETE FROM phi_reads")
	s.exec("DELETE FROM patient_reads")
	for n, reader := range []*user{s.staff, s.admin, s.staff, s.admin, s.staff} {
		s.exec(`INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation, created_at)
			VALUES ($1, $2, $3, $4, $5)`, s.tenant.id, patient, reader.id, fmt.Sprint("read-", n), second(n))
	}
	reads := fmt.Sprint("/v1/patients/", patient, "/reads")
	for _, q := range []struct {
		query, want string
	}{
		{"", "[read-4 read-3 read-2 read-1 read-0]"},
		{"?user_id=" + s.staff.id.String(), "[read-4 read-2 read-0]"},
		{"?from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:04Z", "[read-3 read-2 read-1]"},
		{"?to=2026-01-01T00:00:02Z&user_id=" + s.staff.id.String(), "[read-0]"},
		{"?from=2026-01-01T00:00:04Z", "[read-4]"},
		{"?user_id=" + newID().String(), "[]"},
	} {
		if got := fmt.Sprint(s.values(s.admin, reads+q.query, "operation")); got != q.want {
			t.Errorf("%s: listed %s, want %s", q.query, got, q.want)
		}
	}
	all := s.pages(s.admin, reads, 5, nil)
	if got := s.pagesIn(s.admin, reads+"?to=2026-01-01T00:00:04Z&limit=1"); !slices.Equal(got, all[1:]) {
		t.Errorf("in pages %v, want %v", got, all[1:])
	}

	ofUser := "/v1/patient-reads?user_id=" + s.staff.id.String()
	for query, want := range map[string]string{
		"": "[read-4 read-2 read-0]", "&from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:04Z": "[read-2]",
		"&to=2026-01-01T00:00:02Z": "[read-0]", "&from=2026-01-01T00:00:04Z": "[read-4]",
	} {
		if got := fmt.Sprint(s.values(s.admin, ofUser+query, "operation")); got != want {
			t.Errorf("%s: listed %s, want %s", query, got, want)
		}
	}
	if got := fmt.Sprint(s.values(s.admin, ofUser+"&limit=1", "patient_ids")); got != fmt.Sprintf("[[%s]]", patient) {
		t.Errorf("the patients read are %s, want %s", got, patient)
	}
	s.do(s.admin, "GET", "/v1/patient-reads", nil).refused(422, "validation_failed", "user_id")
	if n := len(s.do(s.foreign.admin, "GET", ofUser, nil).want(200).items()); n != 0 {
		t.Errorf("another tenant's admin lists %d reads", n)
	}
}

func TestEventsAreListedByActorAndRange(t *testing.T) {
	t.Parallel()
	s := start(t)
	pickup := s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, s.driverID)
	events := s.do(s.dispatcher, "GET", fmt.Sprint("/v1/pickups/", pickup, "/events"), nil).want(200).items()
	s.exec("UPDATE pickup_events SET created_at = '2026-01-01T00:00:00Z'::timestamptz + version * interval '1 second' "+
		"WHERE pickup_id = $1", pickup)
	for n, e := range events {
		at := second(int(e["version"].(float64)))
		next := at.Add(time.Second)
		path := fmt.Sprintf("/v1/pickups/%s/events?from=%s&to=%s", pickup,
			at.Format(time.RFC3339), next.Format(time.RFC3339))
		if got := s.do(s.dispatcher, "GET", path, nil).want(200).ids(); len(got) != 1 || got[0] != e["id"] {
			t.Errorf("event %d: listed %v, want %v", n, got, e["id"])
		}
		path = fmt.Sprintf("/v1/pickups/%s/events?actor_id=", pickup)
		if got := s.do(s.dispatcher, "GET", path+fmt.Sprint(e["actor_id"]), nil).want(200).ids(); !slices.Contains(got,
			fmt.Sprint(e["id"])) {
			t.Errorf("event %d: the actor's are %v, without %v", n, got, e["id"])
		}
	}
	if got := s.do(s.dispatcher, "GET", fmt.Sprintf("/v1/pickups/%s/events?actor_id=%s", pickup, newID()), nil).
		want(200).ids(); len(got) > 0 || len(events) == 0 {
		t.Errorf("nobody's events are %v of %d", got, len(events))
	}
}

func second(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC) }

// values are those of a member of the rows of a list.
func (s *server) values(as *user, path, member string) []any {
	s.t.Helper()
	values := []any{}
	for _, row := range s.do(as, "GET", path, nil).want(200).items() {
		values = append(values, row[member])
	}
	return values
}

// pagesIn reads a list with a query to its end, and returns the ids.
func (s *server) pagesIn(as *user, path string) (ids []string) {
	s.t.Helper()
	for cursor := ""; ; {
		a := s.do(as, "GET", path+cursor, nil).want(200)
		ids = append(ids, a.ids()...)
		next := a.str("next_cursor")
		if next == "" || len(ids) > 1000 {
			return ids
		}
		cursor = "&cursor=" + next
	}
}
