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
	for i, err := range together(24, func(i int) error {
		for n := range 8 {
			v := []db.Viewer{w.staff, w.stranger}[n%2]
			var err error
			many := int64(1)
			switch (i + n/2) % 4 {
			case 0:
				err = w.getPatient(ctx, d.Store, v, patients[n%4])
			case 1:
				err = w.getPickupPatient(ctx, d.Store, v, pickups[n%4])
			case 2:
				phone := "+19998000000000"[:12]
				err = w.editPatient(ctx, d.Store, v, patients[n%4], int64(1+i%3), func(p *db.EditPatientParams) { p.SetPhone, p.Phone = true, &phone })
			case 3:
				var rows []db.ListPatientsRow
				rows, err = d.As(v).ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant, ViewerID: v.UserID, MaxRows: 3})
				many = int64(len(rows))
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
			pickup := w.pickup(ctx, func(draft *db.Draft) { draft.PatientID = &id })
			must(w.owner.Exec(ctx, "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'"))
			must(w.owner.Exec(ctx, fail))
			given := "Other"
			listed, err := d.As(w.staff).ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant, ViewerID: w.staff.UserID, MaxRows: 3})
			for what, err := range map[string]error{
				"GetPatient":       w.getPatient(ctx, d.Store, w.staff, id),
				"GetPickupPatient": w.getPickupPatient(ctx, d.Store, w.staff, pickup),
				"ListPatients":     err,
				"EditPatient":      w.editPatient(ctx, d.Store, w.staff, id, 1, func(p *db.EditPatientParams) { p.GivenName = &given }),
				"CreatePatient":    w.createPatient(ctx, d.Store, w.staff, w.newPatient(newID())),
				"SyncAppointments": w.fed(ctx, w.list(1, record(1))),
			} {
				if err := refused(err, db.Internal); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			if len(listed) > 0 {
				t.Errorf("%d rows with the error", len(listed))
			}
			if name := scan[string](ctx, w.owner, "SELECT given_name FROM patients WHERE id = $1", id); name == given {
				t.Error("the edit went through")
			}
			w.must(w.audited(ctx, id, 1)) // when they were created
			if n := scan[int](ctx, w.owner, "SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM appointments)"); n != 1 {
				t.Errorf("%d patients and appointments, want the one from before", n)
			}
		})
	}
}
