package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// demoSteps is the way of a pickup, and the role of the demo user who takes each step.
var demoSteps = []struct {
	name db.TransitionName
	by   db.UserRole
}{
	{db.TransitionNameSubmit, db.UserRoleDispatcher},
	{db.TransitionNameAssign, db.UserRoleDispatcher},
	{db.TransitionNameCollect, db.UserRoleDispatcher},
	{db.TransitionNameReceive, db.UserRoleHub},
	{db.TransitionNamePack, db.UserRoleHub},
	{db.TransitionNameShip, db.UserRoleHub},
	{db.TransitionNameDeliver, db.UserRoleHub},
}

// demoPlaces are where a day's pickups start, and how many of demoSteps each has taken. All of them have one driver,
// who is free for the next one once a pickup is collected: the one that stays assigned is the last.
var demoPlaces = []struct {
	address string
	steps   int
}{
	{"8 Howard St", 7}, {"9 Howard St", 6}, {"10 Howard St", 5}, {"11 Howard St", 4}, {"77 Noe St", 3},
	{"5 Sanchez St", 2},
	{"1 Mission St", 1}, {"22 Castro St", 1}, {"303 Valencia St", 1}, {"4 Dolores St", 1}, {"55 Guerrero St", 1},
}

// demoDigest stands for the content of the demo's requests: a repeated one is always a replay.
var demoDigest = []byte("demo")

// loadDemoPickups books a day's pickups and takes them along their way. Each request has an id or a key of its day: a
// second load on the same day changes nothing.
func loadDemoPickups(ctx context.Context, store *db.System, made demo) error {
	now := time.Now().UTC()
	var drafts []db.Draft
	for i, place := range demoPlaces {
		start := now.Truncate(time.Hour).Add(time.Duration(i) * 20 * time.Minute)
		end := start.Add(time.Hour)
		drafts = append(drafts, db.Draft{
			ID:         demoID(fmt.Sprintf("pickup %s %d", now.Format(time.DateOnly), i)),
			FacilityID: mission.facility, AccountID: demoID("account Mission Clinic"), PriceCents: 45_00,
			PickupAddress: place.address + ", San Francisco", DropoffAddress: "1 Lab Way, San Francisco",
			WindowStart: &start, WindowEnd: &end, Note: "Two vials, on ice", Digest: demoDigest,
		})
	}
	if _, _, err := store.CreateDrafts(ctx, made.viewer(db.UserRoleDispatcher), drafts); err != nil {
		return err
	}
	for i, place := range demoPlaces {
		if err := takeDemoPickup(ctx, store, made, drafts[i].ID, place.steps); err != nil {
			return err
		}
	}
	return nil
}

// takeDemoPickup takes a pickup some steps of its way, or as far as users let it, who may have changed it since.
func takeDemoPickup(ctx context.Context, store *db.System, made demo, id uuid.UUID, steps int) error {
	for _, step := range demoSteps[:steps] {
		t := db.Transition{Name: step.name, PickupID: id, Key: "demo-" + string(step.name), Digest: demoDigest}
		if step.name == db.TransitionNameAssign {
			t.DriverID = made.driverID()
		}
		_, _, err := store.MoveOne(ctx, made.viewer(step.by), t)
		if refused := (*db.Error)(nil); errors.As(err, &refused) && demoRefusals[refused.Code] {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// demoRefusals are those of steps that users have made impossible.
var demoRefusals = map[db.Code]bool{db.DriverBusy: true, db.DriverNotFound: true, db.IllegalTransition: true,
	db.InsufficientFunds: true, db.NotFound: true}
