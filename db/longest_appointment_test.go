package db_test

import (
	"testing"
	"time"

	"waybill/db"
	"waybill/db/dbtest"
)

// The queries and the constraint use longest_appointment(), the feed's reader db.LongestAppointment.
func TestLongestAppointmentIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if longest := scan[time.Duration](t.Context(), d.Owner(),
		"SELECT longest_appointment()"); longest != db.LongestAppointment {
		t.Errorf("%s in SQL, %s in Go", longest, db.LongestAppointment)
	}
	rule := scan[string](t.Context(), d.Owner(),
		"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'appointments_range_check'")
	if want := "CHECK (((starts_at < ends_at) AND ((ends_at - starts_at) <= longest_appointment())))"; rule != want {
		t.Errorf("the constraint is %s, want %s", rule, want)
	}
}
