package api_test

import (
	"testing"
	"time"
)

// Every other test holds its answers against this rule too: see TestMain and validate.
func TestTimesAreUTCInWhateverZoneTheProcessIs(t *testing.T) {
	t.Parallel()
	if _, offset := time.Now().Zone(); offset == 0 {
		t.Fatal("the tests run in UTC")
	}
	s := start(t)
	const at = "2030-01-01T05:30:00.25+05:30"
	made := s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"window_start": at})).want(201)
	read := s.do(s.staff, "GET", made.header.Get("Location"), nil).want(200)
	for _, a := range []*answer{made, read} {
		created := scan[string](s, `SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') FROM pickups WHERE id = $1`, a.str("id"))
		if a.str("window_start") != "2030-01-01T00:00:00.25Z" || a.str("created_at")[:len(created)] != created {
			t.Errorf("%s: %s, and not of %s", a.request, a, created)
		}
	}
	located := s.do(s.driver, "PUT", "/v1/drivers/"+s.driverID.String()+"/location",
		object{"latitude": 1, "longitude": 1, "located_at": "2024-01-01T05:30:00+05:30"}).want(200)
	s.do(s.dispatcher, "GET", "/v1/drivers/"+s.driverID.String(), nil).want(200)
	if at := located.object()["driver"].(object)["located_at"].(string); at[len(at)-1] != 'Z' {
		t.Errorf("located_at is %s", at)
	}
}
