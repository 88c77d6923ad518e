package jobs

import (
	"testing"

	"waybill/cmd/waybill/texts"
)

// Workers fold what requests appended, in several batches; what is counted stays the same.
func TestWorkersFoldPickupCounts(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.submit(7)
	const changes = "SELECT count(*) FROM pickup_count_changes"
	const submitted = "SELECT coalesce(sum(pickups), 0) FROM pickup_counts WHERE status = 'SUBMITTED' AND " +
		"facility_id = '00000000-0000-0000-0000-000000000000'"
	if n := c.count(changes); n < 3 {
		t.Fatalf("%d changes to fold", n)
	}
	if err := foldCounts(t.Context(), c.store, 2); err != nil {
		t.Fatal(err)
	}
	if left, n := c.count(changes), c.count(submitted); left != 0 || n != 7 {
		t.Errorf("%d changes are left, and %d pickups are counted", left, n)
	}
	c.submit(2)
	c.work(texts.Log{Logger: quiet})
	c.eventually("the workers fold by themselves", func() bool {
		return c.count(changes) == 0 && c.count(submitted) == 9
	})
}
