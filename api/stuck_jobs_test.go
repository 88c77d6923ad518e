package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
)

// job inserts a job of a text about a pickup, and returns its id.
func (s *server) job(of *tenant, pickup uuid.UUID, state string, attempt, snoozes int, errors string) float64 {
	s.t.Helper()
	event := scan[uuid.UUID](s, "SELECT id FROM pickup_events WHERE pickup_id = $1 ORDER BY version LIMIT 1", pickup)
	return float64(scan[int64](s,
		`INSERT INTO river_job (kind, queue, args, state, finalized_at, attempt, metadata, errors)
		SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', $1::uuid, 'message_id', $2::uuid),
			$3::river_job_state, CASE WHEN $3 IN ('cancelled', 'completed', 'discarded') THEN now() END, $4,
			CASE WHEN $5 > 0 THEN jsonb_build_object('snoozes', $5::int) ELSE '{}' END,
			CASE WHEN $6 <> '' THEN ARRAY[$6::jsonb] END
		RETURNING id`, of.id, event, state, attempt, snoozes, errors))
}

// What does not get done is shown, of the tenant alone, and no word of what its errors say.
func TestJobsThatAreStuckAreListed(t *testing.T) {
	t.Parallel()
	s := start(t)
	pickup := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, uuid.Nil)
	foreign := s.pickupIn(s.foreign, db.PickupStatusSUBMITTED, s.foreign.facility, uuid.Nil)
	said := fmt.Sprintf(`{"attempt": 1, "error": "duplicate key: (%s)", "trace": ""}`, newCanary())
	type shown struct {
		ended bool
		tries float64
		error any
	}
	want := map[float64]shown{
		s.job(s.tenant, pickup, "discarded", 25, 0, said):                                  {true, 25, "failed"},
		s.job(s.tenant, pickup, "cancelled", 1, 0, said):                                   {true, 1, "canceled"},
		s.job(s.tenant, pickup, "retryable", 3, 0, strings.Replace(said, `""`, `"go"`, 1)): {false, 3, "panic"},
		s.job(s.tenant, pickup, "scheduled", 0, 3, ""):                                     {false, 3, nil},
	}
	for _, state := range []string{"available", "completed", "running"} {
		s.job(s.tenant, pickup, state, 3, 3, "")
	}
	s.job(s.tenant, pickup, "scheduled", 1, 2, "")
	s.job(s.tenant, pickup, "retryable", 2, 0, said)
	s.job(s.foreign, foreign, "discarded", 25, 0, said)

	var order []float64
	for path := "/v1/stuck-jobs?limit=3"; path != ""; {
		a := s.do(s.admin, "GET", path, nil).want(200)
		for _, item := range a.items() {
			id := item["id"].(float64)
			got := shown{item["has_ended"].(bool), item["tries"].(float64), item["last_error"]}
			if want[id] != got || item["pickup_id"] != pickup.String() || item["kind"] != "send_text" ||
				(item["next_try_at"] == nil) != got.ended {
				t.Errorf("job %v is %v, want %v", id, item, want[id])
			}
			order = append(order, id)
		}
		next, _ := a.object()["next_cursor"].(string)
		if path = ""; next != "" {
			path = "/v1/stuck-jobs?limit=3&cursor=" + next
		}
	}
	if len(order) != len(want) || !slices.IsSortedFunc(order, func(a, b float64) int { return int(b - a) }) {
		t.Errorf("listed: %v, want the newest first of %v", order, want)
	}
}

// A job that somebody has inserted by hand, or whose rows there are not, is shown without a pickup.
func TestAStuckJobOfNothingIsListedToo(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, args := range []string{`{}`, `{"message_id": "7"}`, fmt.Sprintf(`{"event_id": "%s"}`, newID())} {
		s.exec(`INSERT INTO river_job (kind, queue, args, state, finalized_at)
			VALUES ('dispatch_pickup', 'dispatches', $1::jsonb || jsonb_build_object('tenant_id', $2::uuid),
			'discarded', now())`, args, s.tenant.id)
	}
	items := s.do(s.admin, "GET", "/v1/stuck-jobs", nil).want(200).items()
	if len(items) != 3 {
		t.Fatalf("listed: %v", items)
	}
	for _, item := range items {
		if item["pickup_id"] != nil || item["tries"] != 0.0 || item["last_error"] != nil {
			t.Errorf("shown: %v", item)
		}
	}
}
