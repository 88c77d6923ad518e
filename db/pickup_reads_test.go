package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// recorded returns an error unless the record of a patient has these reads, "operation by role", and their
// create.
func (w *fixture) recorded(ctx context.Context, patient uuid.UUID, want ...string) error {
	rows := must(w.owner.Query(ctx, `SELECT r.operation || ' by ' || u.role FROM phi_reads AS r
		JOIN users AS u ON u.tenant_id = r.tenant_id AND u.id = r.user_id WHERE r.tenant_id = $1 AND r.patient_id = $2
		    AND r.operation <> 'create-patient'`, w.tenant, patient))
	var got []string
	var read string
	for rows.Next() {
		w.must(rows.Scan(&read))
		got = append(got, read)
	}
	w.must(rows.Err())
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("recorded are %q, want %q", got, want)
	}
	return nil
}

// ofAPatient makes a pickup of a new patient, and deletes the record of it.
func (w *fixture) ofAPatient(ctx context.Context, status db.PickupStatus) (pickup, patient uuid.UUID) {
	pickup, patient = w.at(ctx, status), w.patient(ctx)
	must(w.owner.Exec(ctx, "UPDATE pickups SET patient_id = $2 WHERE id = $1", pickup, patient))
	return pickup, patient
}

func (w *fixture) listPage(
	ctx context.Context, v db.Viewer, edits ...func(*db.ListPickupsParams),
) (ids []uuid.UUID, more bool, err error) {
	last := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	ask := db.ListPickupsParams{
		TenantID: w.tenant, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		CreatedTo: last, BeforeCreatedAt: last, BeforeID: uuid.Max, MaxRows: 50,
	}
	for _, edit := range edits {
		edit(&ask)
	}
	rows, err := w.Raw.ListPickups(ctx, ask)
	for _, r := range rows {
		ids, more = append(ids, r.Pickup.ID), r.More
	}
	return ids, more, err
}

// lists returns an error unless a list has these, in their order.
func (w *fixture) lists(
	ctx context.Context, want []uuid.UUID, v db.Viewer, edits ...func(*db.ListPickupsParams),
) error {
	got, _, err := w.listPage(ctx, v, edits...)
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("%s lists %v, want %v", v.Role, got, want)
	}
	return err
}

func inStatus(s db.PickupStatus) func(*db.ListPickupsParams) {
	return func(p *db.ListPickupsParams) { p.Statuses = []string{string(s)} }
}

var pickupReadRules = []check{
	{"GetPickups", "a viewer reads a pickup they may not see", func(ctx context.Context, w *fixture) error {
		id, patient := w.ofAPatient(ctx, db.PickupStatusASSIGNED)
		get := func(v db.Viewer) error { _, err := w.GetOne(ctx, v, id); return err }
		return first(
			refused(get(w.stranger), db.NotFound), refused(get(w.hub), db.NotFound),
			refused(get(w.driver(ctx, 1, 1)), db.NotFound),
			w.recorded(ctx, patient),
			get(w.driverOf(ctx, id)), get(w.staff), get(w.admin),
			w.recorded(ctx, patient, "get-pickup by driver", "get-pickup by staff", "get-pickup by admin"))
	}},
	{"GetPickups", "a look that shows nothing is recorded", func(ctx context.Context, w *fixture) error {
		id, patient := w.ofAPatient(ctx, db.PickupStatusSUBMITTED)
		_, err := w.GetOne(ctx, w.staff, w.pickup(ctx)) // names no patient
		return first(err, w.SeesPickup(ctx, w.staff, id), refused(w.SeesPickup(ctx, w.stranger, id), db.NotFound),
			w.recorded(ctx, patient))
	}},
	{"ListPickups", "a list ignores its filters", func(ctx context.Context, w *fixture) error {
		driver, other := w.driver(ctx, 1, 1), w.driver(ctx, 2, 2)
		var made []uuid.UUID // newest first
		for range 3 {
			made = append([]uuid.UUID{w.submitted(ctx)}, made...)
		}
		assigned, taken := w.assigned(ctx, driver), w.assigned(ctx, other)
		draft := w.pickup(ctx)
		pickups, _, err := w.as.CreateDrafts(ctx, w.dispatcher,
			[]db.Draft{w.draft(func(d *db.Draft) { d.FacilityID = w.hidden })})
		w.must(err)
		hidden := pickups[0].ID
		staffs := slices.Concat(ids(draft, taken, assigned), made)
		all := append(ids(hidden), staffs...)
		created := scan[time.Time](ctx, w.owner, "SELECT created_at FROM pickups WHERE id = $1", made[1])
		two := func(p *db.ListPickupsParams) { p.MaxRows = 2 }
		return first(
			w.lists(ctx, all[:2], w.dispatcher, two),
			w.lists(ctx, made[:2], w.dispatcher, two, inStatus(db.PickupStatusSUBMITTED)),
			w.lists(ctx, all, w.dispatcher), w.lists(ctx, staffs, w.staff),
			w.lists(ctx, nil, w.stranger), w.lists(ctx, nil, w.hub),
			w.lists(ctx, ids(assigned), driver), w.lists(ctx, nil, driver, inStatus(db.PickupStatusSUBMITTED)),
			w.lists(ctx, made, w.dispatcher, inStatus(db.PickupStatusSUBMITTED)),
			w.lists(ctx, made, w.staff, inStatus(db.PickupStatusSUBMITTED)),
			w.lists(ctx, ids(hidden), w.dispatcher, func(p *db.ListPickupsParams) { p.FacilityID = &w.hidden }),
			w.lists(ctx, ids(taken), w.dispatcher, func(p *db.ListPickupsParams) { p.DriverID = &other.DriverID }),
			w.lists(ctx, append(slices.Clone(all[:4]), made[:2]...), w.dispatcher,
				func(p *db.ListPickupsParams) { p.CreatedFrom = created }),
			w.lists(ctx, made[2:], w.dispatcher, func(p *db.ListPickupsParams) { p.CreatedTo = created }),
			w.lists(ctx, made[2:], w.dispatcher,
				func(p *db.ListPickupsParams) { p.BeforeCreatedAt, p.BeforeID = created, made[1] }),
			w.lists(ctx, made[:2], w.dispatcher, inStatus(db.PickupStatusSUBMITTED),
				func(p *db.ListPickupsParams) { p.CreatedFrom = created }),
			w.lists(ctx, made[2:], w.dispatcher, inStatus(db.PickupStatusSUBMITTED),
				func(p *db.ListPickupsParams) { p.CreatedTo = created }),
			w.lists(ctx, made[2:], w.dispatcher, inStatus(db.PickupStatusSUBMITTED),
				func(p *db.ListPickupsParams) { p.BeforeCreatedAt, p.BeforeID = created, made[1] }))
	}},
	{"ListPickups", "a list is not what its viewer sees, newest first", listsOfEveryViewer},
	{"ListPickups", "a list of a driver's pickups leaves out one behind those of others", driversNewest},
	{"ListPickups", "a list of many facilities looks into each", listsLookAtFew},
	{"ListPickups", "what is not shown is recorded", func(ctx context.Context, w *fixture) error {
		older, unread := w.ofAPatient(ctx, db.PickupStatusDRAFT)
		newer, shown := w.ofAPatient(ctx, db.PickupStatusSUBMITTED)
		newest := w.submitted(ctx)
		must(w.owner.Exec(ctx, "UPDATE pickups SET patient_id = $2 WHERE id = $1", newest, shown))
		page, more, err := w.listPage(ctx, w.staff, func(p *db.ListPickupsParams) { p.MaxRows = 2 })
		if err != nil || !slices.Equal(page, ids(newest, newer)) || !more {
			return fmt.Errorf("a page of two has %v, more %v, %v", page, more, err)
		}
		if err := first(w.recorded(ctx, unread), w.recorded(ctx, shown, "list-pickups by staff")); err != nil {
			return err
		}
		if rest, more, err := w.listPage(ctx, w.hub); err != nil || len(rest) > 0 || more {
			return fmt.Errorf("the hub has %v, more %v, %v", rest, more, err)
		}
		page, more, err = w.listPage(ctx, w.admin, inStatus(db.PickupStatusDRAFT),
			func(p *db.ListPickupsParams) { p.MaxRows = 1 })
		if err != nil || !slices.Equal(page, ids(older)) || more {
			return fmt.Errorf("the drafts are %v, more %v, %v", page, more, err)
		}
		return first(w.recorded(ctx, unread, "list-pickups by admin"), w.recorded(ctx, shown, "list-pickups by staff"))
	}},
	{"ListFoundPickups", "a viewer finds a pickup that they may not see, or what is shown is not recorded",
		func(ctx context.Context, w *fixture) error {
			id, patient := w.ofAPatient(ctx, db.PickupStatusASSIGNED)
			none := w.submitted(ctx) // names no patient
			show := func(v db.Viewer, want int) error {
				rows, err := w.Raw.ListFoundPickups(ctx,
					db.ListFoundPickupsParams{TenantID: w.tenant, ViewerID: v.UserID,
						ViewerRole: v.Role, ViewerDriverID: v.DriverID, Ids: ids(id, none)})
				if err == nil && len(rows) != want {
					err = fmt.Errorf("%s is shown %d, want %d", v.Role, len(rows), want)
				}
				return err
			}
			return first(show(w.stranger, 0), show(w.hub, 0), show(w.driver(ctx, 1, 1), 0), w.recorded(ctx, patient),
				show(w.driverOf(ctx, id), 1), show(w.staff, 2), show(w.admin, 2),
				w.recorded(ctx, patient, "list-pickups by driver", "list-pickups by staff", "list-pickups by admin"))
		}},
	{"CreatePickups", "what a create shows is not recorded", func(ctx context.Context, w *fixture) error {
		patient := w.patient(ctx)
		drafts := []db.Draft{w.draft(func(d *db.Draft) { d.PatientID = &patient }), w.draft()}
		batch := slices.Clone(drafts)
		for i := range batch {
			batch[i].ID, batch[i].Operation = newID(), "create-pickups"
		}
		return first(
			created(ctx, w.Raw, w.staff, drafts), created(ctx, w.Raw, w.staff, drafts),
			created(ctx, w.Raw, w.staff, batch),
			w.recorded(ctx, patient, "create-pickup by staff", "create-pickup by staff", "create-pickups by staff"))
	}},
	{"EditPickup", "what an edit shows is recorded", func(ctx context.Context, w *fixture) error {
		id, patient := w.ofAPatient(ctx, db.PickupStatusDRAFT)
		return first(
			refused(editPickup(ctx, w.Raw, w.staff, id, 9, 700), db.NotFound), w.recorded(ctx, patient),
			editPickup(ctx, w.Raw, w.staff, id, 1, 700), w.recorded(ctx, patient, "edit-pickup by staff"),
			editPickup(ctx, w.Raw, w.staff, w.pickup(ctx), 1, 700)) // names no patient
	}},
	{"TransitionPickups", "what a submit shows is not recorded", func(ctx context.Context, w *fixture) error {
		id, patient := w.ofAPatient(ctx, db.PickupStatusDRAFT)
		return first(move(ctx, w.Raw, w.staff, db.TransitionNameSubmit, id),
			w.recorded(ctx, patient, "submit-pickup by staff"))
	}},
	{"TransitionPickups", "what an assign shows is not recorded", func(ctx context.Context, w *fixture) error {
		id, patient := w.ofAPatient(ctx, db.PickupStatusSUBMITTED)
		return first(assign(ctx, w.Raw, w.dispatcher, id, w.driver(ctx, 1, 1)),
			w.recorded(ctx, patient, "assign-pickup by dispatcher"))
	}},
	{"DispatchPickup", "what a dispatch shows is not recorded", func(ctx context.Context, w *fixture) error {
		id, patient := w.ofAPatient(ctx, db.PickupStatusSUBMITTED)
		w.driver(ctx, 1, 1)
		return first(w.moving(ctx, db.TransitionNameDispatch, id)(w.Raw),
			w.recorded(ctx, patient, "dispatch-pickup by dispatcher"))
	}},
	{"TransitionPickups", "only what a transition shows is recorded",
		func(ctx context.Context, w *fixture) error {
			id, patient := w.ofAPatient(ctx, db.PickupStatusPACKED)
			driver := w.driverOf(ctx, id)
			return first(
				move(ctx, w.Raw, w.hub, db.TransitionNameShip, id), w.recorded(ctx, patient, "ship-pickup by hub"),
				// The driver no longer sees the pickup.
				move(ctx, w.Raw, driver, db.TransitionNameDeliver, id),
				w.recorded(ctx, patient, "ship-pickup by hub"))
		}},
	{"ExplainTransition", "only what an answer shows is recorded",
		func(ctx context.Context, w *fixture) error {
			id, patient := w.ofAPatient(ctx, db.PickupStatusSUBMITTED)
			w.shows(ctx, w.hub, w.facility) // which does not decide what the hub sees
			driver, key := w.driver(ctx, 1, 1), withKey("once")
			w.must(assign(ctx, w.as, w.dispatcher, id, driver, key))
			once := []string{"assign-pickup by dispatcher"}
			if err := first(
				refused(move(ctx, w.Raw, w.stranger, db.TransitionNameCancel, id, ifMatch(99)), db.NotFound),
				refused(move(ctx, w.Raw, w.hub, db.TransitionNameReceive, id), db.NotFound),
				refused(move(ctx, w.Raw, w.dispatcher, db.TransitionNameSubmit, id), db.IllegalTransition),
				refused(assign(ctx, w.Raw, w.staff, id, driver, key), db.Forbidden),
				w.recorded(ctx, patient, once...),
				assign(ctx, w.Raw, w.dispatcher, id, driver, key),
				w.recorded(ctx, patient, append(once, once...)...),
			); err != nil {
				return err
			}
			none := w.submitted(ctx) // names no patient
			w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameCancel, none, key))
			if err := move(ctx, w.Raw, w.dispatcher, db.TransitionNameCancel, none, key); err != nil {
				return err
			}
			shipped, theirs := w.ofAPatient(ctx, db.PickupStatusSHIPPED)
			for status, pickup := range map[db.PickupStatus]uuid.UUID{db.PickupStatusASSIGNED: id,
				db.PickupStatusSHIPPED: shipped} {
				_, _, err := w.MoveOne(ctx, w.dispatcher,
					db.Transition{Name: db.TransitionNameSubmit, PickupID: pickup, Digest: digest("submit")})
				var refusal *db.Error
				if !errors.As(err, &refusal) || !slices.Equal(refusal.Allowed, allowed(status, w.dispatcher.Role)) {
					return fmt.Errorf("%s: %w", status, err)
				}
			}
			deliver := func(s *db.Raw) error {
				return move(ctx, s, w.driverOf(ctx, shipped), db.TransitionNameDeliver, shipped, key)
			}
			w.must(deliver(w.as))
			return first(deliver(w.Raw), w.recorded(ctx, theirs))
		}},
	{"GetMovedPickup", "what an outcome that is looked up shows is not recorded",
		func(ctx context.Context, w *fixture) error {
			id, patient := w.ofAPatient(ctx, db.PickupStatusSHIPPED)
			driver := w.driverOf(ctx, id)
			found := func(v db.Viewer, transition db.TransitionName, pickup uuid.UUID) (seen bool, err error) {
				event := scan[uuid.UUID](ctx, w.owner,
					"SELECT id FROM pickup_events WHERE pickup_id = $1 AND transition = $2", pickup, transition)
				r, err := w.GetMovedPickup(ctx, db.GetMovedPickupParams{
					TenantID: w.tenant, EventID: event, ViewerID: v.UserID,
					ViewerRole: v.Role, ViewerDriverID: v.DriverID,
				})
				return r.Seen, err
			}
			w.must(move(ctx, w.as, driver, db.TransitionNameDeliver, id))
			if seen, err := found(driver, db.TransitionNameDeliver, id); seen || err != nil {
				return fmt.Errorf("the driver: seen %v, %w", seen, err)
			}
			if seen, err := found(w.hub, db.TransitionNameShip, id); !seen || err != nil {
				return fmt.Errorf("the hub: seen %v, %w", seen, err)
			}
			other := w.pickup(ctx) // names no patient
			w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameSubmit, other))
			if seen, err := found(w.dispatcher, db.TransitionNameSubmit, other); !seen || err != nil {
				return fmt.Errorf("the dispatcher: seen %v, %w", seen, err)
			}
			_, err := found(w.stranger, db.TransitionNameShip, id)
			return first(refused(err, db.NotFound), w.recorded(ctx, patient, "ship-pickup by hub"))
		}},
}
