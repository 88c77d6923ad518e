package db_test

import (
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
)

// As many rows in the audit as patients were shown, whoever reads at once.
func TestEveryReadIsRecorded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.world(ctx)
	var patients, pickups []uuid.UUID
	for range 4 {
		id := w.patient(ctx)
		patients = append(patients, id)
		pickups = append(pickups, w.pickup(ctx, func(draft *db.Draft) { draft.PatientID = &id }))
	}
	var shown atomic.Int64
	shown.Store(int64(len(pickups))) // by their creates
	for i, err := range together(24, func(i int) error {
		for n := range 8 {
			v := []db.Viewer{w.staff, w.stranger}[n%2]
			var err error
			many := int64(1)
			switch (i + n/2) % 7 {
			case 0:
				err = w.getPatient(ctx, d.Raw, v, patients[n%4])
			case 1:
				err = w.getPickupPatient(ctx, d.Raw, v, pickups[n%4])
			case 2:
				phone := "+19998000000000"[:12]
				err = w.editPatient(ctx, d.Raw, v, patients[n%4], int64(1+i%3),
					func(p *db.EditPatientParams) { p.SetPhone, p.Phone = true, &phone })
			case 3:
				var rows []db.ListPatientsRow
				rows, err = d.As(v).
					ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant, ViewerID: v.UserID, MaxRows: 3})
				many = int64(len(rows))
			case 4:
				_, err = w.GetOne(ctx, v, pickups[n%4])
			case 5:
				var page []uuid.UUID
				page, _, err = w.listPage(ctx, v, func(p *db.ListPickupsParams) { p.MaxRows = 3 })
				many = int64(len(page))
			case 6:
				err = editPickup(ctx, w.Raw, v, pickups[n%4], int64(1+i%3), 700)
			}
			if err == nil {
				shown.Add(many)
			} else if err := refused(err, db.NotFound); err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	shown.Add(int64(len(patients))) // by their creates
	if n := scan[int64](ctx, w.owner, "SELECT count(*) FROM phi_reads"); n != shown.Load() {
		t.Errorf("%d were shown, %d are recorded", shown.Load(), n)
	}
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM phi_reads WHERE user_id <> $1", w.staff.UserID); n != 0 {
		t.Errorf("%d reads of who sees nothing are recorded", n)
	}
}

// No record, no data: also where the record fails at the very end.
func TestReadThatCannotBeRecordedShowsNothing(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]string{
		"no right": "REVOKE INSERT ON phi_reads FROM waybill_app",
		"an error": `CREATE TRIGGER fails BEFORE INSERT ON phi_reads FOR EACH ROW EXECUTE FUNCTION fails()`,
		"an error at the commit": `CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON phi_reads
			DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fails()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			d := open(t)
			w := d.world(ctx)
			id := w.patient(ctx)
			forPatient := func(draft *db.Draft) { draft.PatientID = &id }
			pickup, submitted, assigned := w.pickup(ctx, forPatient), w.submitted(ctx,
				forPatient), w.assigned(ctx, w.driver(ctx, 1, 1), forPatient)
			w.must(move(ctx, w.as, w.staff, db.TransitionNameSubmit, w.pickup(ctx, forPatient), withKey("once")))
			repeated := scan[uuid.UUID](ctx, w.owner,
				"SELECT pickup_id FROM pickup_events WHERE idempotency_key = 'once'")
			spare := w.driver(ctx, 2, 2)
			before := scan[int](ctx, w.owner, "SELECT count(*) FROM phi_reads")
			must(w.owner.Exec(
				ctx, "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'"))
			must(w.owner.Exec(ctx, fail))
			given := "Other"
			listed, err := d.As(w.staff).
				ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant, ViewerID: w.staff.UserID, MaxRows: 3})
			_, getting := w.GetOne(ctx, w.staff, pickup)
			page, _, listing := w.listPage(ctx, w.staff)
			for what, err := range map[string]error{
				"GetPickups":        getting,
				"ListPickups":       listing,
				"CreatePickups":     created(ctx, w.Raw, w.staff, []db.Draft{w.draft(forPatient)}),
				"EditPickup":        editPickup(ctx, w.Raw, w.staff, pickup, 1, 700),
				"TransitionPickups": move(ctx, w.Raw, w.staff, db.TransitionNameSubmit, pickup),
				"a take":            assign(ctx, w.Raw, w.dispatcher, submitted, spare),
				"DispatchPickup":    move(ctx, w.Raw, w.dispatcher, db.TransitionNameDispatch, submitted),
				"a release":         move(ctx, w.Raw, w.dispatcher, db.TransitionNameRelease, assigned),
				"ExplainTransition": move(ctx, w.Raw, w.staff, db.TransitionNameSubmit, repeated, withKey("once")),
				"GetPatient":        w.getPatient(ctx, d.Raw, w.staff, id),
				"GetPickupPatient":  w.getPickupPatient(ctx, d.Raw, w.staff, pickup),
				"ListPatients":      err,
				"EditPatient": w.editPatient(ctx, d.Raw, w.staff, id, 1,
					func(p *db.EditPatientParams) { p.GivenName = &given }),
				"CreatePatient":    w.createPatient(ctx, d.Raw, w.staff, w.newPatient(newID())),
				"SyncAppointments": w.fed(ctx, w.list(1, record(1))),
			} {
				if err := refused(err, db.Internal); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			if len(listed) > 0 || len(page) > 0 {
				t.Errorf("%d and %d rows with the error", len(listed), len(page))
			}
			for id, status := range map[uuid.UUID]db.PickupStatus{pickup: "DRAFT",
				submitted: "SUBMITTED", assigned: "ASSIGNED"} {
				if got := scan[db.PickupStatus](ctx, w.owner, "SELECT status FROM pickups WHERE id = $1",
					id); got != status {
					t.Errorf("a transition went through: %s", got)
				}
			}
			if name := scan[string](ctx, w.owner, "SELECT given_name FROM patients WHERE id = $1", id); name == given {
				t.Error("the edit went through")
			}
			if n := scan[int](ctx, w.owner, "SELECT count(*) FROM phi_reads"); n != before {
				t.Errorf("%d reads are recorded, want %d", n, before)
			}
			if n := scan[int](ctx, w.owner,
				"SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM appointments)"); n != 1 {
				t.Errorf("%d patients and appointments, want the one from before", n)
			}
		})
	}
}
