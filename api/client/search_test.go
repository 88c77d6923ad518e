//go:build !race

// The server is api's to test with the race detector.

package client_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/api/client"
)

// A search is a list whose pages are asked for in bodies, also in a dry run, of which it is no part.
func TestASearchIsReadAPageAtATimeWithNothingInTheAddress(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	var addresses []string
	watched := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		addresses = append(addresses, r.Method+" "+r.URL.RequestURI())
		return http.DefaultTransport.RoundTrip(r)
	})}
	staff := s.as(s.staff, client.WithHTTPClient(watched))
	for range 5 {
		value(staff.Patients.Create(ctx, client.NewPatient{FacilityID: s.facility, GivenName: "Zoe",
			FamilyName: "Quill", BirthDate: client.Date{Year: 1990, Month: 5, Day: 17}}))(t)
	}
	search := client.PatientSearch{Name: new("quill"), Limit: new(2)}
	for _, by := range []*client.Client{staff, staff.DryRun()} {
		addresses = nil
		seen := map[uuid.UUID]bool{}
		for p, err := range by.Patients.Search(ctx, search) {
			check(t, err)
			seen[p.ID] = true
		}
		const page = "POST /v1/patients/search"
		if got := strings.Join(addresses, ", "); len(seen) != 5 || got != page+", "+page+", "+page {
			t.Errorf("found %d patients by %s", len(seen), got)
		}
	}
	first := value(staff.Patients.SearchPage(ctx, search, ""))(t)
	second := value(staff.Patients.SearchPage(ctx, search, first.NextCursor))(t)
	if len(first.Items) != 2 || len(second.Items) != 2 || first.Items[0].ID == second.Items[0].ID {
		t.Errorf("two pages of %d and %d patients", len(first.Items), len(second.Items))
	}
}
