package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// feedDemo gives both clinics of the demo tenant appointments, told by the dispatcher,
// who sees both.
func feedDemo(ctx context.Context, store *db.System, made demo) error {
	told := db.SystemViewer(made.tenantID, uuid.Nil, db.UserRoleDispatcher)
	for _, u := range made.users {
		if u.Role == told.Role {
			told.UserID = u.ID
		}
	}
	for name, c := range map[string]clinic{"castro": castro, "mission": mission} {
		if err := feedClinic(ctx, store, told, c.facility, name); err != nil {
			return err
		}
	}
	return nil
}

// feedClinic gives a clinic patients and appointments, from today on, as its records would: by a feed of somebody who sees it. Once a day it is a new list;
// on the same day again it is superseded, which is as good.
func feedClinic(ctx context.Context, store *db.System, v db.Viewer, clinic uuid.UUID, name string) error {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	_, err := store.SyncFeed(ctx, v,
		db.Feed{FacilityID: clinic, AsOf: today, Records: func(yield func(db.FeedRecord, error) bool) {
			birth, err := db.ParseDate("1985-03-14")
			for n := range 40 {
				starts := today.AddDate(0, 0, n/8).Add(time.Duration(16+n%8) * 30 * time.Minute)
				slot := starts.Unix() / 1800 // the same appointment in tomorrow's list
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

// demoNames are nobody's.
var demoNames = [12]string{"Ada", "Alan", "Barbara", "Claude", "Dorothy", "Edsger",
	"Frances", "Grace", "Hedy", "John", "Katherine", "Niklaus"}
