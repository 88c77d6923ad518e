package api_test

import (
	"strings"
	"testing"
	"time"
)

// A write that the database refuses for want of storage is 503 with a code of its own, and /readyz names
// the reason for a while. Then everything continues.
func TestFullStorageHasACodeAndIsOver(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.exec(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$`)
	for _, table := range []string{"accounts", "pickups"} {
		s.exec("CREATE TRIGGER full_disk BEFORE INSERT ON " + table + " EXECUTE FUNCTION full_disk()")
	}
	for _, a := range s.writes(24) { // with statements of their own, and shared ones
		a.refused(503, "storage_full", "")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	ready := s.do(nil, "GET", "/readyz", nil).refused(503, "storage_full")
	if detail := ready.str("detail"); !strings.Contains(detail, "storage") {
		t.Errorf("readyz says: %s", detail)
	}
	s.do(s.admin, "GET", "/v1/session", nil).want(200)
	s.exec("DROP FUNCTION full_disk() CASCADE")
	for _, a := range s.writes(24) {
		a.want(201)
	}
	for s.do(nil, "GET", "/readyz", nil).status != 200 { // until the test times out
		time.Sleep(50 * time.Millisecond)
	}
}
