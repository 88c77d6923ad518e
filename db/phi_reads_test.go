package db_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
)

// readOrEdit makes one of seven requests that show patients, and returns how many it has shown.
func (w *fixture) readOrEdit(ctx context.Context, v db.Viewer, kind int, version int64, patient, pickup uuid.UUID) (
	many int64, err error) {
	many = 1
	switch kind {
	case 0:
		err = w.getPatient(ctx, w.Raw, v, patient)
	case 1:
		err = w.getPickupPatient(ctx, w.Raw, v, pickup)
	case 2:
		phone := "+19998000000000"[:12]
		err = w.editPatient(ctx, w.Raw, v, patient, version,
			func(p *db.EditPatientParams) { p.SetPhone, p.Phone = true, &phone })
	case 3:
		var rows []db.ListPatientsRow
		rows, err = w.As(v).
			ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant, ViewerID: v.UserID, MaxRows: 3})
		many = int64(len(rows))
	case 4:
		_, err = w.GetOne(ctx, v, pickup)
	case 5:
		var page []uuid.UUID
		page, _, err = w.listPage(ctx, v, func(p *db.ListPickupsParams) { p.MaxRows = 3 })
		many = int64(len(page))
	case 6:
		err = editPickup(ctx, w.Raw, v, pickup, version, 700)
	}
	return many, err
}

// The audit has one row for each patient shown, with concurrent readers.
func TestEveryReadIsRecorded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
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
			many, err := w.readOrEdit(ctx, v, (i+n/2)%7, int64(1+i%3), patients[n%4], pickups[n%4])
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
		t.Errorf("%d reads by viewers who see nothing are recorded", n)
	}
	w.recordsAgree(ctx, t)
}

// patientPickups are pickups of one patient, and a free driver.
type patientPickups struct {
	patient                              uuid.UUID
	draft, submitted, assigned, repeated uuid.UUID
	spare                                db.Viewer
}

// of makes a draft one of the patient's.
func (p *patientPickups) of(draft *db.Draft) { draft.PatientID = &p.patient }

func (w *fixture) patientPickups(ctx context.Context) *patientPickups {
	p := &patientPickups{patient: w.patient(ctx)}
	p.draft, p.submitted = w.pickup(ctx, p.of), w.submitted(ctx, p.of)
	p.assigned = w.assigned(ctx, w.driver(ctx, 1, 1), p.of)
	w.must(move(ctx, w.as, w.staff, db.TransitionNameSubmit, w.pickup(ctx, p.of), withKey("once")))
	p.repeated = scan[uuid.UUID](ctx, w.owner, "SELECT pickup_id FROM pickup_events WHERE idempotency_key = 'once'")
	p.spare = w.driver(ctx, 2, 2)
	return p
}

// editedName is a given name that no patient has before an edit.
const editedName = "Other"

// showPatients makes each request that shows patients, and returns the errors, and how many rows its
// lists have.
func (w *fixture) showPatients(ctx context.Context, p *patientPickups) (errs map[string]error, rows int) {
	given := editedName
	listed, err := w.As(w.staff).
		ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant, ViewerID: w.staff.UserID, MaxRows: 3})
	_, getting := w.GetOne(ctx, w.staff, p.draft)
	page, _, listing := w.listPage(ctx, w.staff)
	return map[string]error{
		"GetPickups":        getting,
		"ListPickups":       listing,
		"CreatePickups":     created(ctx, w.Raw, w.staff, []db.Draft{w.draft(p.of)}),
		"EditPickup":        editPickup(ctx, w.Raw, w.staff, p.draft, 1, 700),
		"TransitionPickups": move(ctx, w.Raw, w.staff, db.TransitionNameSubmit, p.draft),
		"a take":            assign(ctx, w.Raw, w.dispatcher, p.submitted, p.spare),
		"DispatchPickup":    move(ctx, w.Raw, w.dispatcher, db.TransitionNameDispatch, p.submitted),
		"a release":         move(ctx, w.Raw, w.dispatcher, db.TransitionNameRelease, p.assigned),
		"ExplainTransition": move(ctx, w.Raw, w.staff, db.TransitionNameSubmit, p.repeated, withKey("once")),
		"GetPatient":        w.getPatient(ctx, w.Raw, w.staff, p.patient),
		"GetPickupPatient":  w.getPickupPatient(ctx, w.Raw, w.staff, p.draft),
		"ListPatients":      err,
		"EditPatient": w.editPatient(ctx, w.Raw, w.staff, p.patient, 1,
			func(p *db.EditPatientParams) { p.GivenName = &given }),
		"CreatePatient":    w.createPatient(ctx, w.Raw, w.staff, w.newPatient(newID())),
		"SyncAppointments": w.fed(ctx, w.list(1, record(1))),
	}, len(listed) + len(page)
}

// showsNothingUnrecorded runs a statement that keeps reads from being recorded, and then makes the reads.
func (w *fixture) showsNothingUnrecorded(t *testing.T, fail string) {
	t.Helper()
	ctx := t.Context()
	p := w.patientPickups(ctx)
	before := scan[int](ctx, w.owner, "SELECT count(*) FROM phi_reads")
	must(w.owner.Exec(ctx, "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'"))
	must(w.owner.Exec(ctx, fail))
	errs, rows := w.showPatients(ctx, p)
	for what, err := range errs {
		if err := refused(err, db.Internal); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if rows > 0 {
		t.Errorf("%d rows are listed with the error", rows)
	}
	for id, status := range map[uuid.UUID]db.PickupStatus{p.draft: "DRAFT",
		p.submitted: "SUBMITTED", p.assigned: "ASSIGNED"} {
		if got := scan[db.PickupStatus](ctx, w.owner, "SELECT status FROM pickups WHERE id = $1",
			id); got != status {
			t.Errorf("a transition went through: %s", got)
		}
	}
	name := scan[string](ctx, w.owner, "SELECT given_name FROM patients WHERE id = $1", p.patient)
	if name == editedName {
		t.Error("the edit went through")
	}
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM phi_reads"); n != before {
		t.Errorf("%d reads are recorded, want %d", n, before)
	}
	if n := scan[int](ctx, w.owner,
		"SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM appointments)"); n != 1 {
		t.Errorf("%d patients and appointments, want the one from before", n)
	}
}

// A read that cannot be recorded returns no data, also if the insert fails only at the commit.
func TestReadThatCannotBeRecordedShowsNothing(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]string{
		"no right": "REVOKE INSERT ON phi_reads FROM waybill_app",
		"no list":  "REVOKE INSERT ON patient_reads FROM waybill_app",
		"an error": `CREATE TRIGGER fails BEFORE INSERT ON phi_reads FOR EACH ROW EXECUTE FUNCTION fails()`,
		"an error at the commit": `CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON phi_reads
			DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fails()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			d := open(t)
			w := d.fixture(ctx)
			w.showsNothingUnrecorded(t, fail)
		})
	}
}
