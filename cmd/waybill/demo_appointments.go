package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// loadDemoAppointments loads appointments of both clinics, as the dispatcher, who sees both.
func loadDemoAppointments(ctx context.Context, store *db.System, made demo) error {
	told := made.viewer(db.UserRoleDispatcher)
	for name, c := range map[string]clinic{"castro": castro, "mission": mission} {
		if err := loadClinicAppointments(ctx, store, told, c.facility, name); err != nil {
			return err
		}
	}
	return nil
}

// loadClinicAppointments loads patients and appointments of a clinic from today on, through a feed. There is one
// list per day, as of an hour before midnight, so that it is older than what is sent soon after midnight; a second
// load on the same day is superseded, which is a success.
func loadClinicAppointments(ctx context.Context, store *db.System, v db.Viewer, clinic uuid.UUID, name string) error {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	_, err := store.SyncFeed(ctx, v,
		db.Feed{FacilityID: clinic, AsOf: today.Add(-time.Hour), Records: func(yield func(db.FeedRecord, error) bool) {
			birth, err := db.ParseDate("1985-03-14")
			for n := range 40 {
				starts := today.AddDate(0, 0, n/8).Add(time.Duration(16+n%8) * 30 * time.Minute)
				slot := starts.Unix() / 1800 // the same appointment keeps its id in tomorrow's list
				if !yield(db.FeedRecord{
					ExternalID:        fmt.Sprintf("%s-%d", name, slot),
					PatientExternalID: fmt.Sprintf("%s-%d", name, slot%12+1),
					GivenName:         demoNames[slot%12], FamilyName: "Example", BirthDate: birth,
					StartsAt: starts, EndsAt: starts.Add(30 * time.Minute), Status: db.AppointmentStatusBOOKED,
				}, err) {
					return
				}
			}
		}})
	return err
}

// demoNames are fictional patients.
var demoNames = [12]string{"Ada", "Alan", "Barbara", "Claude", "Dorothy", "Edsger",
	"Frances", "Grace", "Hedy", "John", "Katherine", "Niklaus"}
